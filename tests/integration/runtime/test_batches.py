"""What becomes of the records of a batch: folded, refused, moved; nothing is lost and nothing counted twice."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable

import pytest

from stream.domain import folding
from stream.events.event import Event, Reason
from stream.metrics.model import WorkerSnapshot
from stream.runtime.checkpoint import CheckpointWriter, OutRecord
from stream.runtime.owner import Owner
from stream.runtime.transport import Batch
from tests.integration.runtime.harness import (
    T0_MS,
    Deployment,
    Sent,
    created,
    customer_on,
    event,
    lag,
)

BOOKING = {"channel": "web", "service": "cleaning", "amount": "10.50", "currency": "EUR"}


def total(snapshot: WorkerSnapshot, measure: str) -> int:
    """How many contributions to *measure* the 30 d windows of all shards show."""
    views = [shard.view for shard in snapshot.shards if shard.view is not None]
    return sum(
        count
        for view in views
        for (name, _, dimension, _, _), (count, _) in view.windows["30d"].items()
        if name == measure and not dimension
    )


def results(snapshot: WorkerSnapshot) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, _, result), count in snapshot.events.items():
        found[result] += count
    return found


def test_what_two_agents_deliver_during_a_checkpoint_is_folded_and_committed_together(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first checkpoint is held up until batches of both topics wait, so that they surely meet."""
    waiting: set[str] = set()
    both_wait = asyncio.Event()
    commits: list[set[bytes]] = []
    submit, write = Owner.submit, CheckpointWriter.write

    async def noted_submit(self: Owner, batch: Batch) -> None:
        await submit(self, batch)
        if commits:
            waiting.add(batch.topic)
        if len(waiting) == 2:
            both_wait.set()

    async def held_write(
        self: CheckpointWriter,
        changes: Iterable[tuple[bytes, bytes | None]],
        side: Iterable[OutRecord] = (),
        *,
        after: int = 0,
    ) -> int:
        changes = list(changes)
        commits.append({key[:2] for key, _ in changes})
        if len(commits) == 1:
            await both_wait.wait()
        return await write(self, changes, side, after=after)

    monkeypatch.setattr(Owner, "submit", noted_submit)
    monkeypatch.setattr(CheckpointWriter, "write", held_write)

    async def scenario() -> None:
        customer = customer_on(2, deployment.settings.partitions)
        await deployment.create_topics()
        async with deployment.worker():
            await deployment.until(lambda snapshot: lag(snapshot) == 0)
            await deployment.produce([created("T-first", customer)])
            while not commits:
                await asyncio.sleep(0.01)
            await deployment.produce(created(f"T-{n}", customer, n) for n in range(200))
            await deployment.produce(event("booking.created", f"B-{n}", customer, BOOKING, at_s=n) for n in range(200))
            snapshot = await deployment.until_counted(401)
        assert results(snapshot) == {"applied": 401}
        assert (total(snapshot, "ticket_created"), total(snapshot, "booking_created")) == (201, 200)
        assert any({b"et", b"eb"} <= kinds for kinds in commits), commits

    asyncio.run(scenario())


def test_an_event_that_makes_the_fold_raise_is_dead_lettered_alone(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = folding.Folding._take

    def take_or_raise(self: folding.Folding, key: bytes, held: object, event: Event, *rest: object) -> None:
        if event.subject == "T-700":
            raise ZeroDivisionError
        take(self, key, held, event, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(folding.Folding, "_take", take_or_raise)

    async def scenario() -> None:
        customer = customer_on(1, deployment.settings.partitions)
        await deployment.create_topics()
        await deployment.produce(created(f"T-{n}", customer, n) for n in range(1, 1_001))
        async with deployment.worker():
            snapshot = await deployment.until_counted(1_000)
        assert results(snapshot) == {"applied": 999, "rejected": 1}
        assert total(snapshot, "ticket_created") == 999
        (letter,) = await deployment.read(deployment.settings.dead_letter_topic("tickets"))
        assert dict(letter.headers)["dlq-reason"] == Reason.FOLD_ERROR.encode()
        assert json.loads(letter.value or b"")["subject"] == "T-700"

    asyncio.run(scenario())


def test_a_ticket_of_6000_events_keeps_5000_and_dead_letters_the_others(deployment: Deployment) -> None:
    async def scenario() -> None:
        customer = customer_on(3, deployment.settings.partitions)
        messages = [
            event("ticket.message", "T-1", customer, {"author": "customer"}, number=n, at_s=n) for n in range(1, 6_000)
        ]
        await deployment.create_topics()
        await deployment.produce([created("T-1", customer), *messages])
        async with deployment.worker():
            snapshot = await deployment.until_counted(6_000)
        assert results(snapshot) == {"applied": 5_000, "rejected": 1_000}
        letters = await deployment.read(deployment.settings.dead_letter_topic("tickets"))
        assert [letter.value for letter in letters] == [message.value for message in messages[4_999:]]
        assert {dict(letter.headers)["dlq-reason"] for letter in letters} == {Reason.ENTITY_TOO_BIG.encode()}

    asyncio.run(scenario())


def test_an_event_on_the_wrong_partition_is_moved_and_counted_once(deployment: Deployment) -> None:
    async def scenario() -> None:
        count = deployment.settings.partitions
        customer = customer_on(1, count)
        stray = [created(f"S-{n}", customer, n) for n in range(50)]
        strays = [Sent(s.source, s.key, s.value, s.timestamp_ms, 2, (("trace", b"1"),)) for s in stray]
        await deployment.create_topics()
        await deployment.produce([*strays, *(created(f"T-{n}", customer, n) for n in range(50))])
        async with deployment.worker():
            snapshot = await deployment.until_counted(100)
        assert results(snapshot) == {"applied": 100, "rerouted": 50}
        assert total(snapshot, "ticket_created") == 100
        moved = await deployment.read(deployment.settings.topic("rerouted"))
        assert {record.partition for record in moved} == {1}
        assert [(m.key, m.value, m.timestamp) for m in moved] == [(s.key, s.value, s.timestamp_ms) for s in strays]
        assert {m.headers[0] for m in moved} == {("trace", b"1")}

    asyncio.run(scenario())


def test_a_moved_record_that_is_refused_goes_to_its_origins_dead_letters(deployment: Deployment) -> None:
    async def scenario() -> None:
        customer = customer_on(1, deployment.settings.partitions)
        early = created("T-1", customer, at_s=3_600)
        stray = Sent(early.source, early.key, early.value, T0_MS, 2, (("trace", b"1"),))
        await deployment.create_topics()
        await deployment.produce([stray])
        async with deployment.worker():
            await deployment.until_counted(1)
        (letter,) = await deployment.read(deployment.settings.dead_letter_topic("tickets"))
        headers = dict(letter.headers)
        assert headers["dlq-reason"] == Reason.FUTURE.encode()
        assert headers["dlq-original-partition"] == b"2"
        assert (letter.key, letter.value, letter.headers[0]) == (stray.key, stray.value, ("trace", b"1"))

    asyncio.run(scenario())


def test_dead_letters_keep_key_value_and_headers_as_they_were(deployment: Deployment) -> None:
    async def scenario() -> None:
        keys = [b"C-1", b"", None, b"\xff\xfe"]
        values = [None, b"", b"{", b"\xff", b"[1]", b"x" * (2 << 20)]
        headers = (("content-type", b"application/json"), ("trace", b"\x00\xff"), ("trace", b"again"))
        sent = [Sent("reviews", key, value, T0_MS, 1, headers) for key in keys for value in values]
        await deployment.create_topics()
        await deployment.produce(sent)
        async with deployment.worker():
            snapshot = await deployment.until_counted(len(sent))
        assert results(snapshot) == {"rejected": len(sent)}
        letters = await deployment.read(deployment.settings.dead_letter_topic("reviews"))
        assert [(one.key, one.value) for one in letters] == [(one.key, one.value) for one in sent]
        assert {tuple(one.headers[:3]) for one in letters} == {headers}
        offsets = [dict(one.headers)["dlq-original-offset"] for one in letters]
        assert offsets == [b"%d" % number for number in range(len(sent))]

    asyncio.run(scenario())
