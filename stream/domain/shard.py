"""A shard: all state of one partition number. THE PATH of an event runs through `Shard.fold` and `Shard.merge`.

The state is what the changelog holds: keys and values as bytes, decoded only when an event touches them, plus the
buckets of contributions with the windows over them. Folding returns an overlay and changes nothing; merging makes the
overlay part of the state after its transaction has committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from stream.domain import bucketlog, entity
from stream.domain.cells import Sums, pack
from stream.domain.folding import FUTURE, Folding
from stream.domain.keys import BUCKET, CUSTOMER, ENTITY, HISTORY_KEY, OFFSETS_KEY, STUB, UNJOINED
from stream.domain.overlay import META_DECODER, STATE_VERSION, Meta, Overlay, Position, Record
from stream.domain.sealing import Expiry, Limits
from stream.domain.sla import terms
from stream.domain.sla.deadlines import Deadlines, Outlook, due_of
from stream.domain.sla.terms import History, Terms
from stream.domain.windows import WINDOWS, Bucket, Buckets, Grid, Series, WindowTable
from stream.events.event import Event
from stream.events.values import BEFORE_ALL

_EXPIRING = frozenset(ENTITY + STUB + CUSTOMER)


class ShardView(Struct, frozen=True):
    """The aggregates of a shard at one instant (microseconds UTC); immutable, so any thread may read it."""

    partition: int
    now: int
    windows: Mapping[str, Mapping[Series, Sums]]
    live: Mapping[Series, Sums]
    positions: Mapping[str, Position]
    counts: Mapping[str, int]
    upstream: Mapping[str, int]
    overflow: Mapping[str, int]
    records: int
    outlooks: Mapping[tuple[str, str, str], Outlook] = {}  # of open runs, by clock, policy and team
    unanswered: Mapping[str, int] = {}  # since when the customer who has waited longest waits, by team


class Shard:
    """State of one partition number; see the module's first lines."""

    def __init__(self, partition: int, limits: Limits | None = None, agreed: Terms | None = None) -> None:
        self.partition = partition
        self.limits = limits or Limits()
        self.terms = agreed  # None = no clocks run
        self.history: History | None = None
        self.deadlines = Deadlines(len(WINDOWS))
        self.followers: list[bytes] = []  # open entities that have yet to follow an edited configuration
        self.store: dict[bytes, bytes] = {}
        self.buckets = Buckets()
        self.parts: dict[Bucket, int] = {}  # of each fine bucket, in the log
        self.meta = Meta()
        self.grid = Grid.at(0)
        self.windows = WindowTable(self.buckets, 0)
        self.waiting: dict[bytes, set[bytes]] = {}  # entity key -> unjoined keys of those that name it
        self.expiry = Expiry(self.limits)

    @property
    def offsets(self) -> Mapping[str, Position]:
        """Where to read on, by source."""
        return self.meta.positions

    def fold(
        self,
        batch: Sequence[Record],
        now: int,
        base: Overlay | None = None,
        at_end: frozenset[str] = frozenset(),
        frontier: int = BEFORE_ALL,
    ) -> Overlay:
        """Return what *batch* changes, all at once; see `begin`. An empty batch is a tick. Raises FoldError."""
        folding = self.begin(now, base, at_end, frontier)
        folding.steps(batch)
        return folding.finish()

    def begin(
        self,
        now: int,
        base: Overlay | None = None,
        at_end: frozenset[str] = frozenset(),
        frontier: int = BEFORE_ALL,
    ) -> Folding:
        """Return the fold of a batch as of *now* (microseconds UTC), on top of *base*, the overlay in flight.

        *at_end* names the sources read to their end: they do not hold back log time. *frontier* is how far event time
        is known with this batch: deadlines up to it fire. Nothing in it changes the shard, and the shard must not be
        changed before it is finished, but views may be taken.
        """
        return Folding(self, now, base, at_end, frontier)

    def merge(self, overlay: Overlay) -> None:
        """Make *overlay* part of the state. Only after its transaction has committed."""
        if overlay.grid.rolled > self.grid.rolled:
            self.windows.advance(overlay.grid.rolled)
            self.grid = overlay.grid
        for key, value in overlay.writes.items():
            self._write(key, value)
        for added in (overlay.rolled, overlay.changes):
            for bucket, cells in added.items():
                self.buckets.add(bucket, cells)
        self.parts.update(overlay.parts)
        for bucket in overlay.dropped:
            self.buckets.drop(bucket)
            self.parts.pop(bucket, None)
        self.windows.add(overlay.changes.items())
        self.meta = overlay.meta
        for key, due in overlay.due.items():
            self.deadlines.update(key, due)
        self.deadlines.fire(overlay.meta.fired_until)
        del self.followers[: overlay.followed]
        if self.history is not None and overlay.history is not self.history:
            self.followers = [key for key, record in self.store.items() if key[:1] == ENTITY and entity.is_open(record)]
        self.history = overlay.history

    def restore(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Apply changelog records in log order; call `restored` when all have been applied.

        Raises ValueError for a state of another version.
        """
        for key, value in records:
            if key == OFFSETS_KEY:
                if value is not None:
                    self.meta = META_DECODER.decode(value)
                    if self.meta.version != STATE_VERSION:
                        raise ValueError(f"state version {self.meta.version}, this program reads {STATE_VERSION}")
            elif key == HISTORY_KEY:
                self._write(key, value)
                if value is not None and self.terms is not None:
                    self.history = terms.load(value, self.terms)
            elif key[:1] == BUCKET:
                bucketlog.apply(key, value, self.buckets, self.parts)
            else:
                self._write(key, value)

    def restored(self, now: int) -> None:
        """Build the windows after a restore, as of *now* or of the last roll-up if that is later."""
        self.grid = Grid.at(max(self.meta.rolled, 0))
        self.windows = WindowTable(self.buckets, max(now, self.grid.rolled))
        self._restore_deadlines()

    def _restore_deadlines(self) -> None:
        """Build the index of open runs from the entities that have any."""
        if self.history is None:
            return
        self.deadlines.fire(self.meta.fired_until)
        self.followers = []
        for key, record in self.store.items():
            if key[:1] == ENTITY and entity.is_open(record):
                clocked = entity.clocks_of(key, record)
                if clocked is not None:
                    self.deadlines.update(key, due_of(clocked))
                    if clocked.opened is not None and clocked.config < self.history.newest:
                        self.followers.append(key)

    def view(self, now: int, frontier: int | None = None) -> ShardView:
        """Slide the windows to *now* and return the aggregates as they stand; event time is known up to *frontier*."""
        self.windows.advance(now)
        self.deadlines.advance(BEFORE_ALL if frontier is None else frontier, self.windows.now, self.windows.edges)
        cells = self.buckets.cells
        windows = {}
        for place, window in enumerate(WINDOWS):
            missed = self.deadlines.missed(place).items()
            open_runs = {cells.number(("sla_missed", 0, labels)): pack(count, 0) for labels, count in missed}
            windows[window.name] = self.windows.view(window.name, open_runs)
        due = {cells.number((name, 0, labels)): pack(count, 0) for name, labels, count in self.deadlines.counts()}
        return ShardView(
            partition=self.partition,
            now=self.windows.now,
            windows=windows,
            live=self.windows.live(due),
            outlooks=self.deadlines.outlooks(),
            unanswered=self.deadlines.oldest_unanswered(),
            positions=dict(self.meta.positions),
            counts=dict(self.meta.counts),
            upstream=dict(self.meta.upstream),
            overflow=dict(self.windows.overflow),
            records=len(self.store),
        )

    def _write(self, key: bytes, value: bytes | None) -> None:
        kind = key[0]
        if kind == UNJOINED[0]:
            self._index_unjoined(key, value)
        elif kind in _EXPIRING:
            self.expiry.move(key, self.store.get(key), value)
        if value is None:
            self.store.pop(key, None)
        else:
            self.store[key] = value

    def _index_unjoined(self, key: bytes, value: bytes | None) -> None:
        """Keep, per entity that is named but unknown, the keys of those that wait for it."""
        old = value if value is not None else self.store.get(key)
        if old is None:
            return
        if value is not None:
            self.waiting.setdefault(old, set()).add(key)
            return
        self.waiting[old].discard(key)
        if not self.waiting[old]:
            del self.waiting[old]


def newest_event(batch: Sequence[Record], so_far: int) -> int:
    """Return the newest event time of the run, microseconds UTC: the ``events`` clock after *batch*.

    An event too far in the future is refused by the fold, so it does not move the clock either.
    """
    times = (
        record.item.time
        for record in batch
        if isinstance(record.item, Event) and record.item.time <= record.timestamp + FUTURE
    )
    return max(so_far, max(times, default=so_far))
