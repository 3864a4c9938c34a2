"""Where a worker reads on: from its checkpoint and nothing else; and when it must not start at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from stream.runtime.checkpoint import CheckpointWriter, OutRecord, UnknownOutcome
from stream.runtime.failure import WorkerFailure
from tests.integration.runtime.harness import (
    Deployment,
    counted,
    create_topic,
    created,
    customer_on,
    delete_topic,
    lag,
)


async def commit_nonsense(deployment: Deployment, offset: int) -> None:
    settings = deployment.settings
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers, group_id=settings.app_id, enable_auto_commit=False
    )
    await consumer.start()
    tps = [TopicPartition(settings.topic(source), n) for source in settings.sources for n in range(settings.partitions)]
    consumer.assign(tps)
    await consumer.commit(dict.fromkeys(tps, offset))
    await consumer.stop()


@pytest.mark.parametrize("nonsense", [0, 1_000_000])
def test_committed_offsets_do_not_matter(deployment: Deployment, nonsense: int) -> None:
    async def scenario() -> None:
        customer = customer_on(1, deployment.settings.partitions)
        await deployment.create_topics()
        await deployment.produce(created(f"T-{n}", customer, n) for n in range(100))
        async with deployment.worker():
            await deployment.until_counted(100)
        await commit_nonsense(deployment, nonsense)
        await deployment.produce(created(f"T-{n}", customer, n) for n in range(100, 150))
        async with deployment.worker():
            snapshot = await deployment.until_counted(150)
        assert snapshot.events == {("tickets", "ticket.created", "applied"): 50}
        assert counted(snapshot) == 150

    asyncio.run(scenario())


def test_reviews_with_another_partition_count_are_refused_at_the_start(deployment: Deployment) -> None:
    async def scenario() -> None:
        settings = deployment.settings
        await create_topic(settings, settings.topic("reviews"), settings.partitions + 2)
        await create_topic(settings, settings.topic("tickets"), settings.partitions)
        with pytest.raises(WorkerFailure, match=r"partition counts differ: .*reviews has 6, .*tickets has 4"):
            async with deployment.worker():
                await deployment.until_stopped()

    asyncio.run(scenario())


def test_a_source_topic_that_was_made_anew_stops_the_worker(deployment: Deployment) -> None:
    async def scenario() -> None:
        settings = deployment.settings
        await deployment.create_topics()
        customer = customer_on(0, settings.partitions)
        await deployment.produce(created(f"T-{n}", customer, n) for n in range(10))
        async with deployment.worker():
            await deployment.until_counted(10)
        for again, reason in (
            (range(5), "ends at offset 5"),
            (range(100, 120), "holds another record at offset 9"),
        ):
            await delete_topic(settings, settings.topic("tickets"))
            await deployment.create_topics()
            await deployment.produce(created(f"T-{n}", customer, n) for n in again)
            with pytest.raises(WorkerFailure, match=reason):
                async with deployment.worker():
                    await deployment.until_stopped()

    asyncio.run(scenario())


def test_records_that_retention_removed_unread_are_counted_and_the_rest_is_read(
    deployment: Deployment,
) -> None:
    async def scenario() -> None:
        settings = deployment.settings
        customer = customer_on(0, settings.partitions)
        await deployment.create_topics()
        await deployment.produce(created(f"T-{n}", customer, n) for n in range(10))
        async with deployment.worker():
            await deployment.until_counted(10)
        await deployment.produce(created(f"T-{n}", customer, n) for n in range(10, 50))
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
        await admin.start()
        await admin.delete_records({TopicPartition(settings.topic("tickets"), 0): RecordsToDelete(30)})
        await admin.close()
        async with deployment.worker():
            snapshot = await deployment.until_counted(30)
        assert snapshot.source_lost_records == {"tickets": 20}
        assert counted(snapshot) == 30

    asyncio.run(scenario())


@pytest.mark.only_kafka(
    "the embedded broker names aborted transactions from before the offset asked for, so a reader skips what the same "
    "producer committed after them"
)
def test_control_records_at_the_end_of_a_source_leave_no_lag(deployment: Deployment) -> None:
    async def scenario() -> None:
        settings = deployment.settings
        customer = customer_on(0, settings.partitions)
        await deployment.create_topics()
        await deployment.produce_in_transactions([created(f"T-{n}", customer, n) for n in range(3)])
        async with deployment.worker():
            await deployment.until_counted(3)
            await deployment.produce_in_transactions([created("T-3", customer)])
            snapshot = await deployment.until_counted(4)
        assert lag(snapshot) == 0
        (tickets,) = [source for source in snapshot.sources if source.topic == "tickets" and source.partition == 0]
        # Each record takes four offsets: itself and its commit, the aborted copy and its abort. The last one is at 12.
        assert tickets.applied_offset == 13

    asyncio.run(scenario())


@pytest.mark.parametrize("took_effect", [True, False])
def test_a_checkpoint_of_unknown_outcome_is_neither_lost_nor_counted_twice(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, took_effect: bool
) -> None:
    """The third checkpoint's answer is lost; the shard is thrown away and taken over from its log."""
    write = CheckpointWriter.write
    calls = 0

    async def write_without_answer(
        self: CheckpointWriter,
        changes: Iterable[tuple[bytes, bytes | None]],
        side: Iterable[OutRecord] = (),
        *,
        after: int = 0,
    ) -> int:
        nonlocal calls
        calls += 1
        if calls != 3:
            return await write(self, changes, side, after=after)
        if took_effect:
            await write(self, changes, side, after=after)
        raise UnknownOutcome("the answer was lost")

    monkeypatch.setattr(CheckpointWriter, "write", write_without_answer)

    async def scenario() -> None:
        customer = customer_on(1, deployment.settings.partitions)
        await deployment.create_topics()
        await deployment.produce(created(f"T-{n}", customer, n) for n in range(9_000))
        async with deployment.worker():
            snapshot = await deployment.until_counted(9_000)
        counts = [shard.view.counts for shard in snapshot.shards if shard.view and shard.partition == 1]
        assert counts == [{"tickets/applied": 9_000}]
        assert snapshot.takeovers == deployment.settings.partitions + 1
        assert snapshot.checkpoints["unknown"] == 1

    asyncio.run(scenario())
