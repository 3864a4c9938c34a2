"""How long an event takes from its publication until a scrape shows it, at a steady rate.

An event is shown when a page says that an offset beyond its own is applied. The pages come from a scraper that asks
twenty times a second, so its pauses are part of what is measured.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from tests.bench.job import PARTITIONS, Sent
from tests.bench.rig import Rig, place_of, say
from tests.bench.scrape import Scraper, quantile
from tests.kafka.broker import run_apart

STEP_S = 0.01
SCRAPE_EVERY_S = 0.05
SHOWN_LIMIT_S = 60.0
APPLIED = re.compile(r'deskpulse_stream_applied_offset\{partition="(\d+)",topic="tickets"\} (\d+)')


class Shipment(NamedTuple):
    """Events published at once, at *at* on the clock of `time.perf_counter`; *end* is the offset after them."""

    partition: int
    events: int
    end: int
    at: float


class Seen:
    """When the pages showed which offset of each partition."""

    def __init__(self) -> None:
        self.pages: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)

    def __call__(self, page: str, at: float) -> None:
        for partition, offset in APPLIED.findall(page):
            self.pages[int(partition)].append((at, int(offset)))

    def all_shown(self, ends: dict[int, int]) -> bool:
        return all(self.pages[partition] and self.pages[partition][-1][1] >= end for partition, end in ends.items())

    def delays(self, shipments: Sequence[Shipment]) -> Iterator[float]:
        """Yields the seconds until the last event of a shipment was shown, once for each of its events."""
        unseen = {partition: iter(pages) for partition, pages in self.pages.items()}
        newest = {partition: next(pages) for partition, pages in unseen.items()}
        for each in shipments:
            while newest[each.partition][1] < each.end:
                newest[each.partition] = next(unseen[each.partition])
            yield from [newest[each.partition][0] - each.at] * each.events


def measure(at: Rig, log: Sequence[Sent], rate: int) -> dict[str, Any]:
    """The delays over the whole log at *rate* events a second, and the rate that the publisher kept."""
    say(f"latency: {len(log):,} events at {rate:,} a second")
    app_id, prefix, seen = "bench-latency", "latency.", Seen()
    at.load(app_id, prefix, ())
    with at.process("deskpulse", at.task(app_id, prefix, len(log))) as worker:
        url = worker.until("url")["url"]
        with Scraper(url, SCRAPE_EVERY_S, seen) as scraper:
            began = time.perf_counter()
            shipments = run_apart(_publish(at.servers, f"{prefix}tickets", log, rate))
            ends = {each.partition: each.end for each in shipments}
            limit = time.monotonic() + SHOWN_LIMIT_S
            while not seen.all_shown(ends) and time.monotonic() < limit:
                time.sleep(SCRAPE_EVERY_S)
        told = worker.until("seconds")
    delays = list(seen.delays(shipments))
    return {
        "events": len(log),
        "wanted_rate": rate,
        "rate": len(log) / (shipments[-1].at - began),
        "p50_s": quantile(delays, 0.5),
        "p99_s": quantile(delays, 0.99),
        "max_s": max(delays),
        "scrapes": len(scraper.seconds),
        "scrape_max_s": max(scraper.seconds),
        "cpu_share": told["cpu_seconds"] / told["seconds"],
        "loop_lag_s": told["loop_lag"],
    }


async def _publish(servers: str, topic: str, log: Sequence[Sent], rate: int) -> list[Shipment]:
    """Publishes what is due every few milliseconds; returns the shipments in order."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True, max_batch_size=262_144)
    await producer.start()
    sent = []
    began, done = time.perf_counter(), 0
    try:
        while done < len(log):
            due = min(len(log), int((time.perf_counter() - began) * rate))
            batches: dict[int, BatchBuilder] = {}
            for record in log[done:due]:
                place = place_of(record.key, PARTITIONS)
                batch = batches.get(place) or batches.setdefault(place, producer.create_batch())
                batch.append(key=record.key, value=record.value, timestamp=record.timestamp_ms)
            for place, batch in batches.items():
                at = time.perf_counter()
                sent.append((place, batch.record_count(), at, await producer.send_batch(batch, topic, partition=place)))
            done = max(done, due)
            await asyncio.sleep(STEP_S)
        return [Shipment(place, count, (await future).offset + count, at) for place, count, at, future in sent]
    finally:
        await producer.stop()
