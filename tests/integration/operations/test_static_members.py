"""Static membership, as the pods of Kubernetes use it: a worker that comes back under its name gets its shards back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import monotonic

import pytest

from tests.integration.runtime.harness import ChildWorker, Deployment, created, new_settings
from tests.kafka.broker import KafkaCluster

pytestmark = pytest.mark.kafka
PARTITIONS = 4
SESSION_S = 25.0  # far longer than a worker takes to start, so that a rebalance after it cannot be taken for a return


def member(deployment: Deployment, name: str) -> ChildWorker:
    return ChildWorker(Deployment(replace(deployment.settings, instance_id=name)))


@pytest.mark.parametrize("end", ["killed", "stopped"])
def test_a_member_that_comes_back_in_time_finds_its_shards(end: str, kafka: KafkaCluster) -> None:
    settings = replace(new_settings(kafka.bootstrap_servers, PARTITIONS), session_timeout=SESSION_S)
    deployment = Deployment(settings)
    tickets = [created(f"T-{number}", f"C-{number}", at_s=number) for number in range(100)]

    async def run() -> None:
        await deployment.create_topics()
        await deployment.produce(tickets[:50])
        stays, returns = member(deployment, "pod-0"), member(deployment, "pod-1")
        await stays.start()
        await stays.until(lambda told: told["ready"] == list(range(PARTITIONS)))
        await returns.start()
        held = {one: (await one.until(lambda told: len(told["ready"]) == 2))["ready"] for one in (stays, returns)}
        await (returns.kill() if end == "killed" else returns.stop())
        await deployment.produce(tickets[50:])
        returns.told = {}
        await returns.start()  # under the same URL too, as a pod does: Faust's assignment names it
        began = monotonic()
        told = await returns.until(lambda told: len(told["ready"]) == 2 and told["lag"] == 0)
        assert monotonic() - began < SESSION_S
        assert told["ready"] == held[returns]
        assert stays.told["ready"] == held[stays]
        await stays.until(lambda told: told["counted"] + returns.told["counted"] == len(tickets))
        await asyncio.gather(stays.stop(), returns.stop())

    asyncio.run(run())
