"""The doctor and the check of the topics find what is wrong with a real deployment, and say it in one line each."""

from __future__ import annotations

import asyncio

import pytest

from stream.runtime.settings import RuntimeSettings
from stream.runtime.topics import administrator
from tests.integration.operations.conftest import Command
from tests.integration.runtime.harness import Deployment, create_topic, delete_topic

pytestmark = pytest.mark.kafka


def lines_with(printed: str, text: str) -> list[str]:
    return [line for line in printed.splitlines() if text in line]


async def made_with(settings: RuntimeSettings, topic: str, **config: str) -> None:
    await delete_topic(settings, topic)
    await create_topic(settings, topic, settings.partitions, **config)


def test_a_sound_deployment_has_nothing_wrong(deployment: Deployment, command: Command) -> None:
    async def with_a_worker() -> tuple[int, str]:
        await deployment.create_topics()
        async with deployment.worker():
            await deployment.until(lambda snapshot: snapshot.joined)
            return await asyncio.to_thread(command, "doctor")

    code, printed = asyncio.run(with_a_worker())
    assert code == 0, printed
    assert printed.splitlines()[-1].startswith("0 wrong, 0 warnings, ")
    assert lines_with(printed, f"group {deployment.settings.app_id}: Stable, 1 workers")
    assert command("topics", "--check")[0] == 0


def test_the_doctor_leaves_nothing_behind(deployment: Deployment, command: Command) -> None:
    async def topics() -> set[str]:
        async with administrator(deployment.settings) as admin:
            return {name for name in await admin.list_topics() if deployment.settings.app_id in name}

    asyncio.run(deployment.create_topics())
    before = asyncio.run(topics())
    command("doctor")
    assert asyncio.run(topics()) == before


def test_a_missing_topic_and_unequal_partitions_are_found(deployment: Deployment, command: Command) -> None:
    settings = deployment.settings

    async def spoil() -> None:
        await deployment.create_topics()
        await delete_topic(settings, settings.topic("bookings"))
        await delete_topic(settings, settings.topic("reviews"))
        await create_topic(settings, settings.topic("reviews"), 3)

    asyncio.run(spoil())
    code, printed = command("doctor")
    assert code == 1
    assert lines_with(printed, "wrong    topics: " + settings.topic("bookings") + " is missing")
    assert lines_with(printed, "wrong    topics: partition counts differ: ")
    assert lines_with(printed, f"{settings.topic('reviews')} has 3")
    assert command("topics", "--check")[0] == 1


def test_a_setting_that_differs_is_shown_beside_the_wanted_one(deployment: Deployment, command: Command) -> None:
    settings = deployment.settings
    asyncio.run(deployment.create_topics())
    asyncio.run(made_with(settings, settings.topic("tickets"), retention_ms="1000", max_message_bytes="4194304"))
    code, printed = command("topics", "--check")
    assert (code, lines_with(printed, "retention.ms")) == (0, ["    retention.ms is 1000, recommended is -1"])
    asyncio.run(made_with(settings, settings.topic("tickets"), cleanup_policy="compact"))
    code, printed = command("topics", "--check")
    assert (code, lines_with(printed, "cleanup.policy")) == (1, ["    cleanup.policy is compact, needed is delete"])
    assert lines_with(command("doctor")[1], "cleanup.policy=compact, it needs delete")


def test_a_broker_that_does_not_answer_is_named_with_the_reason(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    code, printed = command("doctor")
    assert code == 1
    assert lines_with(printed, "wrong    broker 127.0.0.1:1: ")
