"""A worker that dies, stops or joins: the state is as if it had never happened."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.integration.runtime.harness import ChildWorker, Deployment, Sent, sums
from tests.oracle.generator import Mix, generate

# Faust's wheel brings its streams in Cython too; platforms without a wheel run them in Python.
WITH_AND_WITHOUT_CYTHON = pytest.mark.parametrize("environment", [{}, {"NO_CYTHON": "1"}], ids=["cython", "python"])


def a_log(partitions: int, entities: int, seed: int) -> list[Sent]:
    mix = Mix(seed=seed, customers=200, entities=entities, partitions=partitions, bad=0.01)
    return [
        Sent(r["topic"], r["key"], r["value"], r["timestamp_ms"], r["partition"], tuple(r["headers"]))
        for r in generate(mix)
    ]


@pytest.mark.only_kafka("a killed member is never dropped from its group")
@WITH_AND_WITHOUT_CYTHON
def test_a_worker_killed_during_replay_ends_with_the_state_of_one_never_killed(
    deployment: Deployment, environment: dict[str, str]
) -> None:
    async def scenario() -> None:
        log = a_log(deployment.settings.partitions, entities=3_000, seed=11)
        await deployment.create_topics()
        await deployment.produce(log)
        for share in (0.05, 0.3, 0.6):
            victim = await ChildWorker(deployment, environment).start()
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


@pytest.mark.only_kafka("the embedded broker has lost track of a group that committed while it rebalanced")
def test_a_worker_joins_while_another_holds_every_shard_and_nothing_is_lost_or_counted_twice(
    deployment: Deployment,
) -> None:
    async def scenario() -> None:
        log = a_log(deployment.settings.partitions, entities=3_000, seed=5)
        half = len(log) // 2
        await deployment.create_topics()
        await deployment.produce(log[:half])
        first = await ChildWorker(deployment).start()
        await first.until(lambda told: told["ready"] == [0, 1, 2, 3])
        second = await ChildWorker(deployment).start()
        await deployment.produce(log[half:])
        await second.until(lambda told: len(told["ready"]) == 2)
        await first.until(lambda told: len(told["ready"]) == 2)
        assert sorted([*first.told["ready"], *second.told["ready"]]) == [0, 1, 2, 3]
        await first.until(lambda told: told["lag"] == 0)
        await second.until(lambda told: told["lag"] == 0)
        assert first.told["counted"] + second.told["counted"] == len(log)
        assert [await first.stop(), await second.stop()] == [0, 0], first.errors + second.errors
        async with deployment.worker():
            joined = sums(await deployment.until_counted(len(log)))
        twin = deployment.on_same_topics()
        async with twin.worker():
            alone = sums(await twin.until_counted(len(log)))
        assert joined == alone
        assert await deployment.state() == await twin.state()

    asyncio.run(scenario())


@WITH_AND_WITHOUT_CYTHON
def test_a_worker_told_to_stop_leaves_the_group_and_says_nothing(
    deployment: Deployment, environment: dict[str, str]
) -> None:
    async def scenario() -> None:
        patient = Deployment(replace(deployment.settings, session_timeout=30.0))
        await patient.create_topics()
        await patient.produce(a_log(patient.settings.partitions, entities=500, seed=3))
        worker = await ChildWorker(patient, environment).start()
        told = await worker.until(lambda told: told["counted"] > 0)
        assert told["cython"] == (not environment)
        async with asyncio.timeout(10):
            assert await worker.stop() == 0
        assert worker.errors == ""
        successor = await ChildWorker(patient).start()
        async with asyncio.timeout(15):  # half the session timeout: waiting for a dead member would take longer
            await successor.until(lambda told: told["ready"] == [0, 1, 2, 3])
        await successor.stop()

    asyncio.run(scenario())
