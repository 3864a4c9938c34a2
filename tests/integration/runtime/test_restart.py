"""A worker that dies, stops or joins: the state is as if it had never happened."""

from __future__ import annotations

import asyncio

import pytest

from stream.runtime.settings import RuntimeSettings
from tests.integration.runtime.harness import ChildWorker, Deployment, Sent, sums
from tests.oracle.generator import Mix, generate

pytestmark = pytest.mark.kafka


def a_log(partitions: int, entities: int, seed: int) -> list[Sent]:
    mix = Mix(seed=seed, customers=200, entities=entities, partitions=partitions, bad=0.01)
    return [
        Sent(r["topic"], r["key"], r["value"], r["timestamp_ms"], r["partition"], tuple(r["headers"]))
        for r in generate(mix)
    ]


def test_a_worker_killed_during_replay_ends_with_the_state_of_one_never_killed(deployment: Deployment) -> None:
    async def scenario() -> None:
        log = a_log(deployment.settings.partitions, entities=3_000, seed=11)
        await deployment.create_topics()
        await deployment.produce(log)
        for share in (0.05, 0.3, 0.6):
            victim = await ChildWorker(deployment).start()
            await victim.until(lambda told, share=share: told["counted"] >= share * len(log))  # type: ignore[misc]
            await victim.kill()
        async with deployment.worker():
            restored = sums(await deployment.until_counted(len(log)))
        twin = deployment.on_same_topics()
        async with twin.worker():
            unbroken = sums(await twin.until_counted(len(log)))
        assert restored == unbroken
        assert await deployment.state() == await twin.state()

    asyncio.run(scenario())
