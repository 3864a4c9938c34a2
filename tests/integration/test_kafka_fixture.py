"""What deskpulse builds on in a broker, held against Apache Kafka and, where it can, the embedded broker."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ProducerFenced, TopicAlreadyExistsError

from stream.demo.broker import EmbeddedBroker
from tests.kafka.broker import KafkaCluster
from tests.kafka.fixtures import Topics
from tests.kafka.jars import KafkaUnavailableError, run_client

BATCH_BYTES = 512 * 1024  # The largest record batch that a checkpoint writes.
_ids = itertools.count(1)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(tmp_path_factory.mktemp("embedded"))
    asyncio.run(broker.start())
    yield broker
    asyncio.run(broker.stop())


@pytest.fixture(params=["kafka", "embedded"])
def any_topics(request: pytest.FixtureRequest) -> Topics:
    return Topics(request.getfixturevalue(request.param).bootstrap_servers)


async def producer(servers: str, transactional_id: str) -> AIOKafkaProducer:
    started = AIOKafkaProducer(
        bootstrap_servers=servers,
        transactional_id=transactional_id,
        max_batch_size=BATCH_BYTES,
        max_request_size=BATCH_BYTES,
    )
    await started.start()
    return started


async def send(to: AIOKafkaProducer, topic: str, values: list[bytes], timestamp_ms: int = 1_500_000_000_000) -> None:
    """Writes the values as one record batch with timestamps that count up by one."""
    batch = to.create_batch()
    for place, value in enumerate(values):
        assert batch.append(key=b"%d" % place, value=value, timestamp=timestamp_ms + place) is not None
    await (await to.send_batch(batch, topic, partition=0))


async def read(servers: str, topic: str) -> tuple[list[ConsumerRecord], int]:
    """Reads partition 0, read committed, until position >= end offset; returns the records and the end offset."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        source = TopicPartition(topic, 0)
        consumer.assign([source])
        end = (await consumer.end_offsets([source]))[source]
        await consumer.seek_to_beginning(source)
        records: list[ConsumerRecord] = []
        async with asyncio.timeout(20):
            while await consumer.position(source) < end:
                records += (await consumer.getmany(source, timeout_ms=100)).get(source, [])
        return records, end
    finally:
        await consumer.stop()


def fresh_id() -> str:
    return f"writer-{next(_ids)}"


def test_a_committed_transaction_is_read_whole_and_an_aborted_or_open_one_not_at_all(any_topics: Topics) -> None:
    servers, topic = any_topics.bootstrap_servers, any_topics.create("transactions")

    async def check() -> None:
        writer = await producer(servers, fresh_id())
        async with writer.transaction():
            await send(writer, topic, [b"a", b"b", b"c"])
            await send(writer, topic, [b"d"])
        await writer.begin_transaction()
        await send(writer, topic, [b"aborted"])
        await writer.abort_transaction()
        await writer.begin_transaction()
        await send(writer, topic, [b"open"])
        records, end = await read(servers, topic)
        assert [record.value for record in records] == [b"a", b"b", b"c", b"d"]
        # 4 records and a commit marker, 1 record and an abort marker; the open one is beyond the last stable offset.
        assert end == 7
        await writer.commit_transaction()
        assert [record.value for record in (await read(servers, topic))[0]][4:] == [b"open"]
        await writer.stop()

    asyncio.run(check())


def test_a_new_producer_with_the_same_id_aborts_and_fences_the_old_one(any_topics: Topics) -> None:
    servers, topic, name = any_topics.bootstrap_servers, any_topics.create("fencing"), fresh_id()

    async def check() -> None:
        zombie = await producer(servers, name)
        await zombie.begin_transaction()
        await send(zombie, topic, [b"zombie"])
        heir = await producer(servers, name)
        assert (await read(servers, topic)) == ([], 2)  # the aborted record and its marker
        with pytest.raises(ProducerFenced):
            await zombie.commit_transaction()
        async with heir.transaction():
            await send(heir, topic, [b"heir"])
        assert [record.value for record in (await read(servers, topic))[0]] == [b"heir"]
        await heir.stop()
        await zombie.stop()

    asyncio.run(check())


def test_timestamps_of_producers_and_offsets_within_batches_are_kept(any_topics: Topics) -> None:
    servers, topic = any_topics.bootstrap_servers, any_topics.create("times", retention_ms="-1")

    async def check() -> None:
        writer = await producer(servers, fresh_id())
        async with writer.transaction():
            await send(writer, topic, [b"x"] * 3, timestamp_ms=1_000)
        records, _ = await read(servers, topic)
        assert [(r.offset, r.timestamp, r.timestamp_type) for r in records] == [
            (0, 1_000, 0),
            (1, 1_001, 0),
            (2, 1_002, 0),
        ]
        await writer.stop()

    asyncio.run(check())


def test_a_transaction_of_5_mb_in_many_batches_is_whole(any_topics: Topics) -> None:
    servers, topic = any_topics.bootstrap_servers, any_topics.create("large", max_message_bytes="8388608")

    async def check() -> None:
        writer = await producer(servers, fresh_id())
        async with writer.transaction():
            for _ in range(10):
                await send(writer, topic, [b"x" * 10_000] * 50)
        records, end = await read(servers, topic)
        assert sum(len(record.value) for record in records) == 5_000_000
        assert end == 501
        await writer.stop()

    asyncio.run(check())


def test_topics_have_the_partitions_and_never_the_name_of_another(any_topics: Topics) -> None:
    names = [any_topics.create("shape", 3), any_topics.create("shape", 3)]

    async def check() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=any_topics.bootstrap_servers)
        await admin.start()
        described = await admin.describe_topics(names)
        await admin.close()
        assert {topic["topic"]: len(topic["partitions"]) for topic in described} == dict.fromkeys(names, 3)

    assert names[0] != names[1]
    asyncio.run(check())


def test_a_topic_that_the_broker_refuses_is_an_error(any_topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.kafka.fixtures._count", itertools.repeat("twice"))
    any_topics.create("taken")
    with pytest.raises(TopicAlreadyExistsError):
        any_topics.create("taken")


async def write_and_leave_open(servers: str, topic: str, name: str) -> None:
    writer = await producer(servers, name)
    async with writer.transaction():
        await send(writer, topic, [b"kept"])
    await writer.begin_transaction()
    await send(writer, topic, [b"open"])
    await writer._sender.close()  # The process "dies" here: no abort, no good-bye.
    await writer.client.close()
    writer._closed = True


async def write_as_heir(servers: str, topic: str, name: str) -> None:
    heir = await producer(servers, name)
    async with heir.transaction():
        await send(heir, topic, [b"later"])
    await heir.stop()
    records, end = await read(servers, topic)
    assert [record.value for record in records] == [b"kept", b"later"]
    assert end == 6  # kept + marker, open + abort marker, later + marker


def test_kafka_keeps_what_was_committed_over_sigkill(kafka: KafkaCluster, topics: Topics) -> None:
    topic, name = topics.create("kill"), fresh_id()
    asyncio.run(write_and_leave_open(kafka.bootstrap_servers, topic, name))
    kafka.kill()
    kafka.start()
    asyncio.run(write_as_heir(kafka.bootstrap_servers, topic, name))


def test_the_embedded_broker_keeps_what_was_committed_over_a_stop(tmp_path: Path) -> None:
    async def check() -> None:
        broker = EmbeddedBroker(tmp_path)
        await broker.start()
        topic, name = Topics(broker.bootstrap_servers).create("stop"), fresh_id()
        await write_and_leave_open(broker.bootstrap_servers, topic, name)
        await broker.stop()
        await broker.start()
        await write_as_heir(broker.bootstrap_servers, topic, name)
        await broker.stop()

    asyncio.run(check())


@pytest.mark.parametrize(
    ("said", "network"),
    [
        ("[ERROR] Could not transfer artifact a:b:1: Unknown host registry", True),
        ("E: Failed to fetch packages  Temporary failure resolving 'registry'", True),
        ("[ERROR] Could not resolve dependencies: Could not find artifact a:b:jar:1 in central", False),
        ("[ERROR] Could not transfer artifact a:b:1: status code: 403, reason phrase: Forbidden", False),
        ("E: Unable to locate package nothing", False),
    ],
)
def test_only_a_registry_that_does_not_answer_counts_as_network_trouble(said: str, network: bool) -> None:
    with pytest.raises(KafkaUnavailableError) as caught:
        run_client(["sh", "-c", f'echo "noise"; echo "{said}" >&2; exit 1'], "no jars")
    assert str(caught.value) == f"no jars: {said}"
    assert caught.value.network is network
