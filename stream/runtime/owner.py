"""The one task that changes a shard: it folds batches into overlays and merges what was committed."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from msgspec import structs

from stream.domain.overlay import FoldError, Overlay, Record
from stream.domain.shard import newest_event
from stream.events.event import Event, Rejected
from stream.events.values import BEFORE_ALL
from stream.runtime.checkpoint import COMMIT_LIMIT_S, OutRecord, UnknownOutcome
from stream.runtime.clock import now_us
from stream.runtime.context import Context
from stream.runtime.errorbudget import ErrorBudget
from stream.runtime.failure import WorkerFailure
from stream.runtime.records import Intake
from stream.runtime.restore import Taken
from stream.runtime.transport import Batch

log = logging.getLogger(__name__)

# Records folded before the event loop gets its turn, so that a snapshot is due no later than some 20 ms.
SLICE_RECORDS = 500


class Sources(Protocol):
    """What an owner asks of the reading side."""

    def is_stale(self, batch: Batch) -> bool:
        """Tell whether the partition was sought after *batch* was read."""

    def read_to_end(self, topic: str, partition: int, position: int) -> int | None:
        """Return when (microseconds UTC) the log was seen to end at or before *position*, None if it goes on."""

    async def reposition(self, topic: str, partition: int, position: int) -> int:
        """Read on from *position*, or from the log's start if that is later; return which."""


@dataclass(frozen=True)
class Folded:
    """An overlay to be committed with ``side``; ``ends`` is where each of its source topics is read on from.

    ``news`` is False for a tick that changed nothing and for a range of the log that held only control records.
    """

    overlay: Overlay
    side: list[OutRecord]
    ends: Mapping[str, int]
    news: bool


@dataclass(frozen=True)
class Flight:
    """A checkpoint whose transaction is under way."""

    folded: Folded
    started: float
    commit: asyncio.Task[int]


class Owner:
    """Owns a shard from its takeover until it is settled or lost.

    ``applied`` is where each source topic's merged records end, control records included.
    """

    def __init__(self, taken: Taken, intake: Intake, sources: Sources, context: Context) -> None:
        self.shard = taken.shard
        self.writer = taken.writer
        self.applied = dict(taken.checked.positions)
        self.changelog_end = taken.changelog_end
        self.checkpoint_time: int | None = None
        self._intake = intake
        self._folded = dict(self.applied)  # as ``applied``, with the overlay in flight
        self._settings = context.settings
        self._clock = context.clock
        self._counters = context.counters
        self._turn = context.turn
        self._budget = ErrorBudget()
        self._sources = sources
        self._inbox: deque[Batch] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    @property
    def partition(self) -> int:
        """The shard's partition number."""
        return self.shard.partition

    def start(self, ended: Callable[[Owner, Exception], None]) -> None:
        """Begin to fold; *ended* is called with the reason when the shard is lost."""
        self._task = asyncio.create_task(self._run(ended), name=f"shard-{self.partition}")

    async def submit(self, batch: Batch) -> None:
        """Put a batch into the inbox, waiting while it is full; a closed owner drops it, to be read again."""
        while self._bytes >= self._settings.batch_bytes and not self._closing:
            self._room.clear()
            await self._room.wait()
        if not self._closing:
            self._inbox.append(batch)
            self._bytes += batch.size
            self._wake.set()

    async def settle(self) -> bool:
        """Finish the checkpoint under way, drop the rest; return whether the shard is as its log says."""
        self._close()
        if self._task is None:
            return True
        await asyncio.wait({self._task}, timeout=COMMIT_LIMIT_S + 1)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})
        return not self._task.cancelled() and self._task.exception() is None

    def _close(self) -> None:
        self._closing = True
        self._inbox.clear()
        self._wake.set()
        self._room.set()

    async def _run(self, ended: Callable[[Owner, Exception], None]) -> None:
        try:
            await self._work()
        except (UnknownOutcome, WorkerFailure) as error:
            self._close()
            ended(self, error)
            raise
        except Exception as error:
            # A bug of ours: going on could write a wrong state, so it ends the worker, with all there is to know.
            log.exception("shard %d: unexpected error", self.partition)
            self._close()
            ended(self, WorkerFailure(f"shard {self.partition}: unexpected {error!r}"))
            raise

    async def _work(self) -> None:
        flight: Flight | None = None
        last_fold = monotonic()
        while True:
            await self._news(last_fold + self._settings.tick - monotonic())
            if flight is not None and (flight.commit.done() or self._closing):
                await self._land(flight)
                flight = None
            if self._closing:
                return
            tick = monotonic() - last_fold >= self._settings.tick
            batches = await self._take()
            if not batches and not tick:
                continue
            last_fold = monotonic()
            async with self._turn:
                folded = await self._fold(batches, flight.folded.overlay if flight else None)
                await _breathe()
            if flight is not None:
                await self._land(flight)
                flight = None
            if not folded.news:
                self.applied.update(folded.ends)
            elif not self._closing:
                flight = self._launch(folded)

    async def _news(self, seconds: float) -> None:
        """Wait for a batch, the end of a commit, the order to close, or the next tick."""
        if self._inbox:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _take(self) -> list[Batch]:
        """Take what is to be folded together: whole batches in unbroken ranges, up to the bounds of a checkpoint."""
        taken: list[Batch] = []
        records = size = 0
        while self._inbox and records < self._settings.batch_records:
            if taken and (
                records + len(self._inbox[0].records) > self._settings.batch_records
                or size + self._inbox[0].size > self._settings.batch_bytes
            ):
                break
            batch = self._inbox.popleft()
            self._bytes -= batch.size
            expected = self._folded[batch.topic]
            if batch.start == expected:
                self._folded[batch.topic] = batch.end
                taken.append(batch)
                records += len(batch.records)
                size += batch.size
            elif not self._sources.is_stale(batch):
                log.info(
                    "%s-%d: read %d instead of %d, seeking",
                    batch.topic,
                    batch.partition,
                    batch.start,
                    expected,
                )
                self._folded[batch.topic] = await self._sources.reposition(batch.topic, batch.partition, expected)
        self._room.set()
        return taken

    async def _fold(self, batches: list[Batch], base: Overlay | None) -> Folded:
        records: list[Record] = []
        for batch in batches:
            records += self._intake.read(batch)
            await _breathe()
        self._clock.saw(newest_event(records, BEFORE_ALL))
        overlay = await self._fold_all(records, base)
        raws = [raw for batch in batches for raw in batch.records]
        side = self._intake.beside(raws, records, overlay.rejected, now_us())
        side += self._intake.notices(overlay.notices)
        rolled = overlay.grid.rolled > self.shard.grid.rolled
        news = bool(records or overlay.changed or rolled)
        return Folded(overlay, side, {batch.topic: batch.end for batch in batches}, news)

    async def _fold_all(self, records: list[Record], base: Overlay | None) -> Overlay:
        """Fold *records*; one that makes the fold raise becomes a rejection, the others are folded without it.

        Each such record costs another fold of them all; the budget of errors bounds that too.
        """
        ends = self._read_to_end()
        at_end = frozenset(source for source, seen in ends.items() if seen is not None)
        frontier = self._frontier(records, base, ends)
        while True:
            try:
                folding = self.shard.begin(self._clock.now(), base, at_end, frontier)
                for first in range(0, len(records), SLICE_RECORDS):
                    folding.steps(records[first : first + SLICE_RECORDS], first)
                    await _breathe()
                overlay = folding.finish()
            except FoldError as error:
                record = records[error.index]
                if isinstance(record.item, Rejected):
                    raise WorkerFailure(f"shard {self.partition}: even a rejection does not fold") from error
                place = f"{record.source}-{self.partition} offset {record.offset}"
                log.error("%s: %s", place, error)
                if not self._budget.spend():
                    raise WorkerFailure(
                        f"too many events do not fold, the last one {place}: {error}; nothing is lost: a corrected "
                        "program goes on from the last checkpoint"
                    ) from error
                name = record.item.type.name if isinstance(record.item, Event) else "unknown"
                item = Rejected(error.reason, error.detail, name)
                records[error.index] = structs.replace(record, item=item)
                await _breathe()
            else:
                self._budget.folded(sum(isinstance(record.item, Event) for record in records))
                return overlay

    def _read_to_end(self) -> dict[str, int | None]:
        """Return, by source, when nothing more was known to come; None where something is."""
        return {
            self._settings.source(topic): self._sources.read_to_end(topic, self.partition, position)
            for topic, position in self._folded.items()
        }

    def _frontier(self, records: Sequence[Record], base: Overlay | None, ends: Mapping[str, int | None]) -> int:
        """Return how far event time is known once *records* are folded: as far as in the least known source."""
        folded = {source: one.timestamp for source, one in (base or self.shard).meta.positions.items()}
        folded |= {record.source: record.timestamp for record in records}
        return min(folded.get(source, BEFORE_ALL) if seen is None else seen for source, seen in ends.items())

    def _launch(self, folded: Folded) -> Flight:
        write = self.writer.write(folded.overlay.records, folded.side, after=self.changelog_end)
        commit = asyncio.create_task(write)
        commit.add_done_callback(lambda _: self._wake.set())
        return Flight(folded, monotonic(), commit)

    async def _land(self, flight: Flight) -> None:
        """Wait for the commit and make its overlay part of the shard."""
        try:
            self.changelog_end = await flight.commit
        except UnknownOutcome:
            self._counters.checkpoint("unknown", monotonic() - flight.started)
            raise
        except WorkerFailure:
            self._counters.checkpoint("aborted", monotonic() - flight.started)
            raise
        async with self._turn:
            self.shard.merge(flight.folded.overlay)
            self.applied.update(flight.folded.ends)
            self.checkpoint_time = now_us()
            self._count(flight)
            await _breathe()

    def _count(self, flight: Flight) -> None:
        counters, overlay = self._counters, flight.folded.overlay
        counters.checkpoint("committed", monotonic() - flight.started)
        counters.events.update(overlay.results)
        counters.notes.update(overlay.notes)
        counters.outcomes.update(overlay.outcomes)
        for (source, _, result), count in overlay.results.items():
            if result == "rerouted":
                counters.rerouted[source] += count
        # A re-routed record that is refused goes to its origin's dead letters; it is counted there too.
        for record in flight.folded.side:
            reason = next((text for name, text in record.headers if name == "dlq-reason"), None)
            if reason is not None:
                source = self._settings.source(record.topic.removesuffix(".dlq"))
                counters.dead_letters[source, reason.decode()] += 1


async def _breathe() -> None:
    """Let everything run that is due. A sleep that is over wakes its task one round of the loop later, hence two."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
