"""Chaos in short: one broker, three kills; and a guarantee switched off is noticed. `make chaos` is the long form."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.chaos import report
from tests.chaos.faults import Fault
from tests.chaos.fleet import fleet_of
from tests.chaos.guarantees import TRIALS, differences_of
from tests.chaos.run import create_topics, run_of, settings_of
from tests.kafka.broker import KafkaCluster
from tests.kafka.proxy import Proxy

pytestmark = pytest.mark.kafka


def test_a_worker_killed_at_work_in_a_checkpoint_and_in_its_recovery_leaves_what_the_oracle_says(
    kafka: KafkaCluster,
) -> None:
    async def scenario() -> None:
        async with run_of("short", kafka, workers=1, seed=21, seconds=60, say=print, rate=200) as run:
            await run.kill(Fault("commit", 2), Fault("restore"))
            await run.finish(sampled=1)
        assert run.figures.kills == 3
        assert run.figures.blows == {"SIGKILL": 1, "kill at commit": 1, "kill at restore": 1}
        assert run.figures.events > 1_000
        assert run.figures.differences == []
        assert max(run.figures.stops) < 10, "a graceful stop takes less than 10 s"

    asyncio.run(scenario())


def test_without_the_fence_a_zombies_write_is_noticed(kafka: KafkaCluster) -> None:
    assert asyncio.run(differences_of(kafka, TRIALS["fence"], "fence"))


def test_a_worker_that_loses_its_broker_stays_alive(kafka: KafkaCluster) -> None:
    async def scenario() -> None:
        settings = settings_of(kafka)
        await create_topics(settings)
        async with Proxy(kafka.brokers[0]) as proxy, fleet_of(settings) as fleet:
            worker = await fleet.start(servers=proxy.servers)
            await fleet.until_ready()
            proxy.cut()
            seen = await worker.page()
            assert seen is not None

            async def goes_on() -> bool:
                page = await worker.page()
                return page is not None and page.instant_us("snapshot") > seen.instant_us("snapshot") + 4_000_000

            await fleet.until(goes_on, "snapshots without a broker")
            assert await worker.get("/livez") != ""
            proxy.mend()
            await fleet.until_ready()

    asyncio.run(scenario())


def test_the_figures_kept_are_of_a_run_as_long_as_promised_and_without_a_difference() -> None:
    results = json.loads(report.RESULTS.read_bytes())
    assert results["kills"] >= 30
    assert results["differences"] == 0
    assert {one["workers"] for one in results["runs"]} >= {1, 2, 3}
    assert all(one["without"] for one in results["guarantees"].values())
    assert results["guarantees"].keys() == TRIALS.keys()
    (default,) = [one for one in results["runs"] if one["run"] == "default session"]
    assert default["recovery_s"]["max"] < 20, "another worker takes over in under 20 s with the default session"
