"""What a worker does when it cannot do its work: it stops with the reason, and the next one goes on without loss."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from zlib import crc32

import pytest

from stream.domain import folding
from stream.runtime.failure import WorkerFailure
from stream.runtime.owner import Owner
from stream.runtime.transport import Batch
from tests.integration.runtime.harness import Deployment, Sent, counted, created, customer_on, sums
from tests.integration.runtime.test_restart import a_log
from tests.kafka.broker import KafkaCluster


def test_a_program_that_cannot_fold_stops_and_a_corrected_one_finds_every_event(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dead letters of a broken program would be most of the topic."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async def scenario() -> None:
        customer = customer_on(1, deployment.settings.partitions)
        await deployment.create_topics()
        await deployment.produce(created(f"T-{n}", customer, n) for n in range(3_000))
        with monkeypatch.context() as patch:
            patch.setattr(folding.Folding, "_take", broken)
            with pytest.raises(WorkerFailure, match="too many events do not fold"):
                async with deployment.worker():
                    await deployment.until_stopped()
        assert await deployment.read(deployment.settings.dead_letter_topic("tickets")) == []
        async with deployment.worker():
            snapshot = await deployment.until_counted(3_000)
        assert snapshot.events == {("tickets", "ticket.created", "applied"): 3_000}

    asyncio.run(scenario())


def test_a_worker_that_stands_still_with_something_to_read_stops(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stuck(self: Owner, batch: Batch) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Owner, "submit", stuck)

    async def scenario() -> None:
        impatient = Deployment(replace(deployment.settings, stall_limit=1.0))
        await impatient.create_topics()
        await impatient.produce([created("T-1", customer_on(1, impatient.settings.partitions))])
        place = f"{impatient.settings.topic('tickets')}-1"
        with pytest.raises(WorkerFailure, match=f"{place}: stuck at offset 0 for 1 s with more to read"):
            async with impatient.worker():
                await impatient.until_stopped()

    asyncio.run(scenario())


@pytest.mark.only_kafka("where the embedded broker ends, the run ends with it")
def test_a_broker_that_restarts_during_a_replay_changes_nothing(deployment: Deployment, kafka: KafkaCluster) -> None:
    async def scenario() -> None:
        log = a_log(deployment.settings.partitions, entities=3_000, seed=17)
        await deployment.create_topics()
        await deployment.produce(log)
        async with deployment.worker():
            await deployment.until(lambda snapshot: counted(snapshot) >= 0.1 * len(log))
            await asyncio.to_thread(kafka.restart)
            assert deployment.newest is not None
            assert counted(deployment.newest) < len(log)
            restarted = sums(await deployment.until_counted(len(log)))
        twin = deployment.on_same_topics()
        async with twin.worker():
            unbroken = sums(await twin.until_counted(len(log)))
        assert restarted == unbroken
        assert await deployment.state() == await twin.state()

    asyncio.run(scenario())


def test_a_producer_with_another_partitioner_is_named_in_one_warning(
    deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    """These keys lie where librdkafka's default puts them: CRC-32 modulo the partitions."""

    async def scenario() -> None:
        count = deployment.settings.partitions
        keys = [key for key in (f"C-{n}" for n in range(10_000)) if crc32(key.encode()) % count == 1][:2_000]
        events = [created(f"T-{n}", key, n) for n, key in enumerate(keys)]
        await deployment.create_topics()
        await deployment.produce(Sent(e.source, e.key, e.value, e.timestamp_ms, 1) for e in events)
        async with deployment.worker():
            await deployment.until_counted(len(events))

    with caplog.at_level(logging.WARNING, "stream.runtime.records"):
        asyncio.run(scenario())
    (said,) = [record.getMessage() for record in caplog.records if record.name == "stream.runtime.records"]
    assert said.endswith("lay on a wrong partition for partitioner murmur2; ingest.partitioner = crc32 fits better")
