"""One transaction per checkpoint: all of it or nothing, and only from the shard's newest owner."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiokafka.producer import sender

from stream.runtime.checkpoint import MARKERS_PAUSE_S, CheckpointWriter, OutRecord, UnknownOutcome
from stream.runtime.failure import WorkerFailure
from stream.runtime.settings import RuntimeSettings
from tests.integration.runtime.harness import Deployment, create_topic, created, delete_topic, event, lag
from tests.kafka.broker import KafkaCluster
from tests.kafka.proxy import Proxy


def test_the_pause_between_transactions_that_a_writer_shortens_is_one_that_aiokafka_makes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Setting a module's attribute that nobody reads any more would go unnoticed."""
    monkeypatch.setattr(sender, "BACKOFF_OVERRIDE", 0.02)  # raises if there is none

    async def make_writer() -> None:
        CheckpointWriter(RuntimeSettings("127.0.0.1:1"), 0)

    asyncio.run(make_writer())
    assert sender.BACKOFF_OVERRIDE == MARKERS_PAUSE_S
    assert "BACKOFF_OVERRIDE" in sender.AddPartitionsToTxnHandler.handle_response.__code__.co_names


def test_a_checkpoint_of_five_megabytes_with_one_record_of_three_is_written_whole(
    deployment: Deployment,
) -> None:
    async def scenario() -> None:
        await deployment.create_topics()
        small = [(b"k%d" % number, bytes([number]) * 100_000) for number in range(20)]
        changes = [*small[:10], (b"large", b"L" * (3 << 20)), *small[10:], (b"gone", None)]
        writer = CheckpointWriter(deployment.settings, 1)
        await writer.start()
        end = await writer.write(changes)
        await writer.stop()
        written = await deployment.read(deployment.settings.changelog)
        assert [(record.key, record.value) for record in written] == changes
        assert {record.partition for record in written} == {1}
        assert end == written[-1].offset + 1

    asyncio.run(scenario())


def test_a_zombie_is_fenced_by_the_shards_new_owner_and_writes_nothing(deployment: Deployment) -> None:
    async def scenario() -> None:
        await deployment.create_topics()
        zombie, owner = (CheckpointWriter(deployment.settings, 0) for _ in range(2))
        await zombie.start()
        await zombie.write([(b"a", b"old owner")])
        await owner.start()
        with pytest.raises(UnknownOutcome):
            await zombie.write(
                [(b"a", b"zombie")],
                [OutRecord(deployment.settings.dead_letter_topic("tickets"), 0, b"k", b"v")],
            )
        await owner.write([(b"a", b"new owner")])
        await asyncio.gather(zombie.stop(), owner.stop())
        values = [record.value for record in await deployment.read(deployment.settings.changelog)]
        assert values == [b"old owner", b"new owner"]
        assert await deployment.read(deployment.settings.dead_letter_topic("tickets")) == []

    asyncio.run(scenario())


def test_a_checkpoint_whose_dead_letter_is_refused_leaves_nothing_behind(deployment: Deployment) -> None:
    async def scenario() -> None:
        await deployment.create_topics()
        await create_topic(
            deployment.settings, small := f"{deployment.settings.app_id}-small", 1, max_message_bytes="1000"
        )
        writer = CheckpointWriter(deployment.settings, 0)
        await writer.start()
        with pytest.raises(WorkerFailure, match="checkpoint cannot be written"):
            await writer.write([(b"a", b"1")], [OutRecord(small, 0, b"k", b"v" * 5_000)])
        await writer.stop()
        assert await deployment.state() == {}

    asyncio.run(scenario())


@pytest.mark.only_kafka("asking the embedded broker for a missing topic creates it")
def test_a_worker_that_cannot_write_its_dead_letters_stops_rather_than_drops(
    deployment: Deployment,
) -> None:
    """The dead-letter topic vanishes after the worker has checked it."""

    async def scenario() -> None:
        await deployment.create_topics()
        bad = event("ticket.created", "T-2", "C-1", {})

        async def lose_the_dead_letters() -> None:
            async with deployment.worker():
                await deployment.until(lambda snapshot: lag(snapshot) == 0)
                await delete_topic(deployment.settings, deployment.settings.dead_letter_topic("tickets"))
                await deployment.produce([created("T-1", "C-1"), bad])
                await deployment.until_stopped()

        gone = deployment.settings.dead_letter_topic("tickets")
        with pytest.raises(WorkerFailure, match=f"missing topics: {gone}; see deskpulse topics"):
            await lose_the_dead_letters()
        # Ticks may have written their offsets.
        assert {place[1] for place in await deployment.state()} <= {b"o"}

    asyncio.run(scenario())


@pytest.mark.only_kafka("asking the embedded broker for a missing topic creates it")
def test_a_worker_whose_changelog_was_deleted_ends_and_names_it(deployment: Deployment) -> None:
    """aiokafka would look for its end for ever."""

    async def scenario() -> None:
        settings = deployment.settings
        await deployment.create_topics()

        async def lose_the_changelog() -> None:
            async with deployment.worker():
                await deployment.until(lambda snapshot: lag(snapshot) == 0)
                await delete_topic(settings, settings.changelog)
                await deployment.produce([created("T-1", "C-1")])
                await deployment.until_stopped()

        with pytest.raises(WorkerFailure, match=f"missing topics: {settings.changelog}; see deskpulse topics"):
            await lose_the_changelog()

    asyncio.run(scenario())


def test_nothing_is_committed_to_a_changelog_that_was_made_anew_under_its_owner(deployment: Deployment) -> None:
    """A checkpoint holds changes only: alone in a new log it would pass for the whole state."""

    async def scenario() -> None:
        settings = deployment.settings
        await deployment.create_topics()
        writer = CheckpointWriter(settings, 0)
        await writer.start()
        end = await writer.write([(b"a", b"1"), (b"b", b"1")])
        await delete_topic(settings, settings.changelog)
        await deployment.create_topics()
        with pytest.raises((WorkerFailure, UnknownOutcome)) as raised:
            await writer.write([(b"a", b"2")], after=end)
        await writer.stop()
        assert raised.type is UnknownOutcome or "deleted and made anew" in str(raised.value)
        heir = CheckpointWriter(settings, 0)  # aborts what is open
        await heir.start()
        await heir.stop()
        assert await deployment.read(settings.changelog) == []

    asyncio.run(scenario())


@pytest.mark.only_kafka("the proxy needs a listener of its own")
def test_a_broker_that_is_silent_is_not_taken_for_one_without_the_topic(
    deployment: Deployment, kafka: KafkaCluster
) -> None:
    """A writer that has written nothing yet asks for the topic first, and is told nothing at all."""

    async def scenario() -> None:
        await deployment.create_topics()
        async with Proxy(kafka.brokers[0]) as proxy:
            writer = CheckpointWriter(replace(deployment.settings, bootstrap_servers=proxy.servers), 0)
            await writer.start()
            proxy.cut()
            with pytest.raises(UnknownOutcome):
                await writer.write([(b"a", b"1")])
            proxy.mend()
            await writer.stop()

    asyncio.run(scenario())
