"""`make soak`: a worker under a steady load, undisturbed; is its memory flat?

    python -m tests.chaos.soak [--minutes 30] [--rate 200]

The load's own time runs ahead: its first third is as long as closed entities stay in memory, so that from there on as
many are sealed as come. The slope of the worker's memory is taken over the rest, by the clock and by entity come.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import linear_regression, median

import psutil
from aiokafka import AIOKafkaProducer

from tests.chaos.__main__ import quiet
from tests.chaos.fleet import Fleet, Worker, fleet_of
from tests.chaos.load import EVENTS_PER_ENTITY
from tests.chaos.run import create_topics, settings_of
from tests.integration.exactness.log import Record, generated
from tests.kafka.broker import KafkaCluster
from tests.kafka.jars import find_kafka
from tests.oracle.generator import Mix

DAYS = 120.0  # of the load's own time; closed entities stay for 36 of them
WARM = 1 / 3
SAMPLE_S = 5.0
KIB = 1_024


@dataclass(frozen=True)
class Sample:
    """The worker at one moment: seconds since the start, bytes, entities in memory, events applied."""

    at: float
    rss: int
    entities: int
    applied: int


async def publish(fleet: Fleet, log: list[Record], rate: float) -> None:
    """Send the log at an even pace."""
    settings = fleet.settings
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, linger_ms=5, max_request_size=8 << 20)
    await producer.start()
    try:
        began = time.monotonic()
        for number, record in enumerate(log):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            await producer.send(
                settings.topic(record["topic"]), record["value"], key=record["key"], partition=record["partition"],
                timestamp_ms=record["timestamp_ms"], headers=record["headers"],
            )  # fmt: skip
    finally:
        await producer.stop()


async def sample(worker: Worker, began: float) -> Sample | None:
    """The worker now; None where it did not answer in time."""
    page = await worker.page()
    if page is None:
        assert worker.alive, worker.lines[-5:]
        return None
    entities = sum(page.labelled("deskpulse_stream_entities").values())
    rss = psutil.Process(worker.process.pid).memory_info().rss
    return Sample(time.monotonic() - began, rss, int(entities), page.applied)


async def soak(cluster: KafkaCluster, minutes: float, rate: float) -> list[Sample]:
    """Samples of the worker, one every few seconds."""
    settings = replace(settings_of(cluster), clock="events")
    await create_topics(settings)
    entities = int(minutes * 60 * rate / EVENTS_PER_ENTITY)
    log = generated(Mix(seed=41, customers=1_000, days=DAYS, entities=entities, duplicates=0.01, bad=0.005))
    samples: list[Sample] = []
    async with fleet_of(settings) as fleet:
        worker = await fleet.start()
        await fleet.until_ready()
        began = time.monotonic()
        publishing = asyncio.create_task(publish(fleet, log, rate))
        while not publishing.done():
            await asyncio.wait({publishing}, timeout=SAMPLE_S)
            one = await sample(worker, began)
            if one is not None:
                samples.append(one)
                say(one)
        await publishing
    return samples


def say(one: Sample) -> None:
    line = f"{one.at:7.0f} s  {one.rss / KIB**2:6.1f} MiB  {one.entities:7,} entities  {one.applied:9,} events"
    print(line, file=sys.stderr, flush=True)


def verdict(samples: list[Sample]) -> str:
    """The slope of memory after the warm-up, in words."""
    warm = [one for one in samples if one.at >= WARM * samples[-1].at]
    by_hour = linear_regression([one.at / 3600 for one in warm], [one.rss / KIB**2 for one in warm]).slope
    come = [one.applied / EVENTS_PER_ENTITY / 1_000 for one in warm]
    by_come = linear_regression(come, [one.rss / KIB for one in warm]).slope
    return (
        f"memory {median(one.rss for one in warm) / KIB**2:.1f} MiB at {median(one.entities for one in warm):,.0f} "
        f"entities; slope {by_hour:+.1f} MiB an hour, {by_come:+.1f} KiB per 1,000 entities come, "
        f"{warm[-1].entities - warm[0].entities:+,} entities kept, over {(warm[-1].at - warm[0].at) / 60:.1f} minutes"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=200.0, help="events a second")
    args = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        cluster = KafkaCluster(find_kafka(), Path(folder))
        cluster.start()
        try:
            samples = asyncio.run(soak(cluster, args.minutes, args.rate))
        finally:
            cluster.stop()
    print(verdict(samples))
    return 0


if __name__ == "__main__":
    sys.exit(main())
