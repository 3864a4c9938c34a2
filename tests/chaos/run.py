"""One run: a deployment under load, the blows it takes, and what is left at its end."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from statistics import median
from time import monotonic
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.runtime.clock import now_us
from stream.runtime.feed import log_ends
from stream.runtime.settings import RuntimeSettings
from stream.runtime.topics import CHANGELOG
from tests.chaos.check import REROUTED, Truth, check, truth_of
from tests.chaos.faults import Fault
from tests.chaos.fleet import Fleet, Place, Worker, fleet_of
from tests.chaos.load import load
from tests.integration.exactness.log import Publication
from tests.integration.exactness.page import Page
from tests.integration.runtime.harness import Deployment, new_settings
from tests.kafka.broker import KafkaCluster
from tests.oracle.values import MICRO

RATE = 100.0  # events a second
SESSION_S = 3.0  # deskpulse's default is 10 s, in which a run would mostly wait
# Workers come back after this at the most, so that blows hit recoveries as well as work.
PAUSE_S = 1.5
# Segments are closed and cleaned all the while, so that every recovery reads a changelog that is being compacted.
COMPACTION = {"segment.ms": "1000", "segment.bytes": "1048576", "max.compaction.lag.ms": "1000",
              "min.cleanable.dirty.ratio": "0.01"}  # fmt: skip


Say = Callable[[str], None]


@dataclass
class Figures:
    """What a run reports; times in seconds."""

    name: str
    workers: int
    brokers: int
    events: int = 0
    kills: int = 0
    blows: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    pages: int = 0
    differences: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """The figures as they are printed and kept."""
        return {
            "run": self.name,
            "workers": self.workers,
            "brokers": self.brokers,
            "events": self.events,
            "kills": self.kills,
            "blows": dict(self.blows),
            "pages": self.pages,
            "differences": len(self.differences),
            "recovery_s": {"median": round(median(self.recoveries), 1), "max": round(max(self.recoveries), 1)}
            if self.recoveries
            else None,
            "stop_s": round(max(self.stops), 2) if self.stops else None,
        }


class Run:
    """A deployment, its workers and its load. The methods named after blows deal them."""

    def __init__(self, figures: Figures, fleet: Fleet, publication: Publication, seed: int, say: Say) -> None:
        self.figures = figures
        self.fleet = fleet
        self.publication = publication
        self.deployment = Deployment(fleet.settings)
        self.random = Random(seed)
        self._say = say
        self._pages: list[Page] = []

    def say(self, what: str) -> None:
        figures = self.figures
        self._say(f"{figures.name}: {what} ({self.publication.sent:,} events, {figures.kills} kills)")

    async def start(self) -> None:
        """Start the workers and the load."""
        for _ in range(self.figures.workers):
            await self.fleet.start()
        self.publication.start()
        # A fault in a recovery comes only where there is something to recover.
        await self.fleet.until(self._has_read_tickets, "a checkpoint of each shard")
        await self.fleet.until_ready()

    async def _has_read_tickets(self) -> bool:
        shards = range(self.fleet.settings.partitions)
        return {("tickets", number) for number in shards} <= (await self.fleet.applied()).keys()

    async def kill(self, *faults: Fault) -> None:
        """Kill a worker at a random moment; one with each of *faults* takes its place until that has come.

        A lost answer leaves the worker alive.
        """
        await asyncio.sleep(self.random.uniform(0, PAUSE_S))
        await self.random.choice(self.fleet.alive).end()
        self.figures.kills += 1
        self.figures.blows["SIGKILL"] += 1
        for fault in faults:
            worker = await self.fleet.start(fault)
            if fault.action == "lose":
                await self.fleet.until(worker.doubts, str(fault))
            else:
                await self.fleet.until(lambda worker=worker: not worker.alive, str(fault))  # type: ignore[misc]
                self.figures.kills += 1
            self.figures.blows[str(fault).rpartition(" ")[0]] += 1
        began = monotonic()
        if len(self.fleet.alive) < self.figures.workers:
            await self.fleet.start()
        await self.recovered(began, "killed" + "".join(f", then {fault}" for fault in faults))

    async def halt(self) -> None:
        """Stop a worker until others have its shards, then let it go on: a zombie with a checkpoint under way."""
        zombie = self.random.choice(self.fleet.alive)
        zombie.send(signal.SIGSTOP)
        began = monotonic()
        await self.fleet.until(lambda: zombie.halted, "halted")
        await self.recovered(began, "SIGSTOP beyond the session")
        zombie.send(signal.SIGCONT)
        await self.fleet.until_ready()
        self.figures.blows["zombie"] += 1

    async def disturb(self, what: str, blow: Callable[[], object]) -> None:
        """Do something to the brokers; recovered is when events move again."""
        await asyncio.sleep(self.random.uniform(0, PAUSE_S))
        await asyncio.to_thread(blow)
        self.figures.blows[what] += 1
        began, before = monotonic(), await self.fleet.applied()

        async def moves() -> bool:
            now = await self.fleet.applied()
            return all(now.get(place, -1) > offset for place, offset in before.items() if place[0] == "tickets")

        await self.fleet.until(moves, f"events move after: {what}")
        await self.fleet.until_ready()
        self.say(f"{what}, moving again after {monotonic() - began:.1f} s")

    async def recovered(self, began: float, what: str) -> None:
        """Wait until all shards are ready; note how long that took since *began* and what the workers show."""
        await self.fleet.until_ready()
        self.figures.recoveries.append(monotonic() - began)
        self.say(f"{what}, ready after {self.figures.recoveries[-1]:.1f} s")
        await self._sample()

    async def _sample(self) -> None:
        pages = [await worker.page() for worker in self.fleet.running]
        self._pages += [page for page in pages if page is not None and page.ready]

    async def finish(self, sampled: int = 2) -> None:
        """Stop load and workers, and compare: *sampled* pages of the run, the last of each worker, one restored."""
        await self.publication.stop()
        await rest(self.fleet)
        pages = self.random.sample(self._pages, min(sampled, len(self._pages)))
        self._pages.clear()
        await self._sample()
        self.figures.stops += await asyncio.gather(*(self._stop(worker) for worker in self.fleet.alive))
        await self.fleet.start()
        await rest(self.fleet)
        await self._sample()
        await self.fleet.end()
        await self.compare(await truth_of(self.deployment), [*pages, *self._pages])

    async def compare(self, truth: Truth, pages: list[Page]) -> None:
        """Hold all that the workers left, and these pages, against the oracle."""
        self.figures.events, self.figures.pages = len(truth.read), len(pages)
        self.figures.differences += await check(self.deployment, truth, pages)
        self.say(f"{len(self.figures.differences)} differences")

    async def _stop(self, worker: Worker) -> float:
        began = monotonic()
        code = await worker.end(signal.SIGTERM)
        assert code == 0, f"a worker told to stop ended with {code}: {worker.lines[-5:]}"
        return monotonic() - began


async def rest(fleet: Fleet) -> None:
    """Wait until the workers have applied all there is."""
    ends = await log_ends(fleet.settings, fleet.settings.partitions)
    await _applied(fleet, {place: end for place, end in ends.items() if end})
    # Only now all strays have been moved.
    moved = await Deployment(fleet.settings).read(fleet.settings.topic(REROUTED))
    await _applied(fleet, {(REROUTED, record.partition): record.offset + 1 for record in moved})


async def _applied(fleet: Fleet, ends: Mapping[Place, int]) -> None:
    async def reached() -> bool:
        return ends.items() <= (await fleet.applied()).items()

    await fleet.until(reached, f"all applied: {ends}")


@asynccontextmanager
async def run_of(
    name: str, cluster: KafkaCluster, *, workers: int, seed: int, seconds: float, say: Say,
    session_timeout: float = SESSION_S, rate: float = RATE, late: bool = True,
) -> AsyncIterator[Run]:  # fmt: skip
    """A run whose load lasts at most *seconds*, at *rate* events a second; its workers are ready."""
    # Faust gives no worker more than its share, rounded up: of 4 partitions the third worker would get none.
    settings = settings_of(cluster, session_timeout, partitions=max(4, 2 * workers))
    await create_topics(settings)
    log = load(seed, now_us() + 2 * MICRO, seconds, rate, partitions=settings.partitions, late=late)
    async with fleet_of(settings) as fleet:
        publication = Publication(Deployment(settings), log)
        run = Run(Figures(name, workers, len(cluster.brokers)), fleet, publication, seed, say)
        try:
            await run.start()
            run.say(f"{workers} workers ready")
            yield run
        finally:
            await publication.cancel()


def settings_of(cluster: KafkaCluster, session_timeout: float = SESSION_S, partitions: int = 4) -> RuntimeSettings:
    """The settings of a new deployment."""
    return replace(
        new_settings(cluster.bootstrap_servers, partitions), clock="wall", snapshot_interval=0.1, tick=1.0,
        session_timeout=session_timeout, heartbeat=session_timeout / 6,
    )  # fmt: skip


async def create_topics(settings: RuntimeSettings) -> None:
    """Create a deployment's topics; the changelog has segments so short that the cleaner is always at it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        topic = NewTopic(settings.changelog, settings.partitions, -1, {}, CHANGELOG | COMPACTION)
        assert all(code == 0 for _, code, *_ in (await admin.create_topics([topic])).topic_errors)
    finally:
        await admin.close()
    await Deployment(settings).create_topics()
