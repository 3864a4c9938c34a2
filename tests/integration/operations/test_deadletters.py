"""Dead letters on a real Kafka: listed without their contents, and replayed once, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError

from stream.runtime import deadletters
from stream.runtime.deadletters import Filter, letters, replay
from stream.runtime.failure import WorkerFailure
from tests.integration.operations.conftest import Command
from tests.integration.runtime.harness import T0_MS, Deployment, Sent, created, customer_on

pytestmark = pytest.mark.kafka
PARTITIONS = 2
SECRET = b"ann@example.com"


def refused(number: int) -> Sent:
    """A record that is no JSON, with a key and a header of its own."""
    key = customer_on(number % PARTITIONS, PARTITIONS).encode()
    return Sent("tickets", key, SECRET + b"-%d" % number, T0_MS + number, headers=(("trace", b"%d" % number),))


def of_unknown_type(number: int) -> Sent:
    one = created(f"T-{number}", customer_on(number % PARTITIONS, PARTITIONS))
    assert one.value is not None
    return replace(one, value=one.value.replace(b"ticket.created", b"ticket.exploded"))


async def dead_lettered(deployment: Deployment, records: list[Sent], before: int = 0) -> None:
    """Have a worker read the records, of which so many more were read before."""
    await deployment.create_topics()
    await deployment.produce(records)
    async with deployment.worker():
        await deployment.until_counted(before + len(records))


def test_the_list_tells_where_and_why_but_nothing_of_the_contents(deployment: Deployment, command: Command) -> None:
    asyncio.run(dead_lettered(deployment, [refused(0), refused(1), of_unknown_type(2), created("T-3", "C-3")]))
    code, printed = command("deadletters", "list", "--format", "json")
    assert code == 0
    found = [json.loads(line) for line in printed.splitlines()[:-1]]
    assert printed.splitlines()[-1] == "3 dead letters"
    assert sorted((one["topic"], one["partition"], one["reason"]) for one in found) == [
        ("tickets", 0, "malformed"), ("tickets", 0, "unknown_type"), ("tickets", 1, "malformed"),
    ]  # fmt: skip
    assert SECRET.decode() not in printed
    assert SECRET.decode() not in command("deadletters", "list")[1]


FILTERS = {
    "--reason unknown_type": 1,
    "--reason unknown_type --reason malformed": 3,
    "--partition 1": 1,
    "--topic bookings": 0,
    "--topic tickets --partition 0 --reason malformed": 1,
    "--since 2100-01-01": 0,
    "--until 2000-01-01T00:00:00+02:00": 0,
    "--since 2000-01-01 --until 2100-01-01": 3,
}


def test_a_filter_takes_its_letters_and_no_others(deployment: Deployment, command: Command) -> None:
    asyncio.run(dead_lettered(deployment, [refused(0), refused(1), of_unknown_type(2)]))
    for options, expected in FILTERS.items():
        listed = command("deadletters", "list", *options.split())[1]
        assert listed.splitlines()[-1] == f"{expected} dead letters", options
        tried = command("deadletters", "replay", "--dry-run", *options.split())[1]
        assert tried.startswith(f"{expected} would be written"), options


def identity(record: ConsumerRecord[bytes, bytes]) -> tuple[object, ...]:
    return record.partition, record.key, record.value


async def log_of(deployment: Deployment, source: str) -> list[ConsumerRecord[bytes, bytes]]:
    """Every record of a source's topic, in the order of the log."""
    records = await deployment.read(deployment.settings.topic(source))
    return sorted(records, key=lambda record: (record.partition, record.offset))


def test_a_replay_writes_the_record_as_it_was_and_a_second_one_nothing(
    deployment: Deployment, command: Command
) -> None:
    sent = [refused(0), refused(1), of_unknown_type(2)]
    asyncio.run(dead_lettered(deployment, sent))
    before = asyncio.run(log_of(deployment, "tickets"))
    assert command("deadletters", "replay", "--dry-run")[1].startswith("3 would be written, 0 were")
    assert asyncio.run(log_of(deployment, "tickets")) == before
    assert command("deadletters", "replay")[1].startswith("3 written, 0 were")
    after = asyncio.run(log_of(deployment, "tickets"))
    fresh = [record for record in after if record not in before]
    assert [identity(record) for record in fresh] == [identity(record) for record in before]
    for record in fresh:
        own = tuple((name, text) for name, text in record.headers if not name.startswith("dlq-"))
        assert own in {one.headers for one in sent}
    assert command("deadletters", "replay")[1].startswith("0 written, 3 were")
    assert asyncio.run(log_of(deployment, "tickets")) == after
    assert command("deadletters", "list")[1] == "0 dead letters\n"
    assert command("deadletters", "list", "--all")[1].splitlines()[-1] == "3 dead letters"


def test_a_record_refused_again_is_a_new_letter_that_counts_its_attempts(
    deployment: Deployment, command: Command
) -> None:
    asyncio.run(dead_lettered(deployment, [refused(0)]))
    command("deadletters", "replay")
    asyncio.run(dead_lettered(deployment, [], before=2))
    lines = command("deadletters", "list", "--all", "--format", "json")[1].splitlines()[:-1]
    found = [(json.loads(line)["attempts"], json.loads(line)["replayed"]) for line in lines]
    assert found == [("1", True), ("2", False)]


def test_a_replay_that_fails_midway_is_finished_by_the_next_without_doubles(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, count = deployment.settings, 7
    commit = AIOKafkaProducer.commit_transaction
    commits = 0

    async def failing(self: AIOKafkaProducer) -> None:
        nonlocal commits
        commits += 1
        if commits == 2:
            raise KafkaError("the connection is gone")
        await commit(self)

    async def run() -> int:
        await dead_lettered(deployment, [refused(number) for number in range(count)])
        monkeypatch.setattr(deadletters, "CHUNK", 3)
        monkeypatch.setattr(AIOKafkaProducer, "commit_transaction", failing)
        with pytest.raises(WorkerFailure, match="the connection is gone"):
            await replay(settings, PARTITIONS, Filter())
        return (await replay(settings, PARTITIONS, Filter())).written

    assert asyncio.run(run()) == count - 3
    values = [record.value for record in asyncio.run(deployment.read(settings.topic("tickets")))]
    assert sorted(values) == sorted([SECRET + b"-%d" % number for number in range(count)] * 2)


def test_a_letter_written_again_for_the_same_record_is_the_same_letter(deployment: Deployment) -> None:
    async def run() -> list[bool]:
        await dead_lettered(deployment, [refused(0), refused(2)])
        topic = deployment.settings.dead_letter_topic("tickets")
        twins = [
            Sent("tickets.dlq", one.key, one.value, one.timestamp, one.partition, tuple(one.headers))
            for one in await deployment.read(topic)
        ]
        await replay(deployment.settings, PARTITIONS, Filter())
        await deployment.produce(twins)
        return [letter.replayed async for letter in letters(deployment.settings, PARTITIONS, Filter())]

    assert asyncio.run(run()) == [True, True]


def test_a_letter_that_was_cut_is_not_replayed(deployment: Deployment, command: Command) -> None:
    headers = (("dlq-reason", b"too_large"), ("dlq-truncated", b"sha256=0 size=1"))

    async def run() -> None:
        await deployment.create_topics()
        await deployment.produce([Sent("tickets.dlq", b"C", b"the beginning", T0_MS, 0, headers)])

    asyncio.run(run())
    code, printed = command("deadletters", "replay")
    assert (code, printed) == (
        1, "0 written, 0 were replayed before, 1 cannot be: they were cut, or are no source's\n",
    )  # fmt: skip
