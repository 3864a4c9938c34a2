"""A shard: all state of one partition number. THE PATH of an event runs through `Shard.fold` and `Shard.merge`.

The state is what the changelog holds: keys and values as bytes, decoded only when an event touches them, plus the
buckets of contributions with the windows over them. Folding returns an overlay and changes nothing; merging makes the
overlay part of the state after its transaction has committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from stream.domain import bucketlog, entity
from stream.domain.cells import Sums
from stream.domain.folding import EXPIRY_STEP, FUTURE, Folding
from stream.domain.keys import BUCKET, CUSTOMER, ENTITY, OFFSETS_KEY, STUB, UNJOINED
from stream.domain.overlay import META_DECODER, STATE_VERSION, Meta, Overlay, Position, Record
from stream.domain.windows import Bucket, Buckets, Grid, Series, WindowTable
from stream.events.event import Event
from stream.events.values import DAY_US

_EXPIRING = frozenset(ENTITY + STUB + CUSTOMER)

HORIZON = 35 * DAY_US
RETENTION = 400 * DAY_US


class Limits(Struct, frozen=True):
    """How long things stay, in microseconds: entities live (horizon), stubs and customers remembered (retention)."""

    horizon: int = HORIZON
    retention: int = RETENTION


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


class Shard:
    """State of one partition number; see the module's first lines."""

    def __init__(self, partition: int, limits: Limits | None = None) -> None:
        self.partition = partition
        self.limits = limits or Limits()
        self.store: dict[bytes, bytes] = {}
        self.buckets = Buckets()
        self.parts: dict[Bucket, int] = {}  # of each fine bucket, in the log
        self.meta = Meta()
        self.grid = Grid.at(0)
        self.windows = WindowTable(self.buckets, 0)
        self.waiting: dict[bytes, set[bytes]] = {}  # entity key -> unjoined keys of those that name it
        # Step when due -> keys of closed entities, stubs and customers, in the order they came.
        self.expiry: dict[int, dict[bytes, None]] = {}

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
    ) -> Overlay:
        """Return what *batch* changes, all at once; see `begin`. An empty batch is a tick. Raises FoldError."""
        folding = self.begin(now, base, at_end)
        folding.steps(batch)
        return folding.finish()

    def begin(self, now: int, base: Overlay | None = None, at_end: frozenset[str] = frozenset()) -> Folding:
        """Return the fold of a batch as of *now* (microseconds UTC), on top of *base*, the overlay in flight.

        *at_end* names the sources read to their end: they do not hold back log time. Nothing in it changes the shard,
        and the shard must not be changed before it is finished, but views may be taken.
        """
        return Folding(self, now, base, at_end)

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
            elif key[:1] == BUCKET:
                bucketlog.apply(key, value, self.buckets, self.parts)
            else:
                self._write(key, value)

    def restored(self, now: int) -> None:
        """Build the windows after a restore, as of *now* or of the last roll-up if that is later."""
        self.grid = Grid.at(max(self.meta.rolled, 0))
        self.windows = WindowTable(self.buckets, max(now, self.grid.rolled))

    def view(self, now: int) -> ShardView:
        """Slide the windows to *now* and return the aggregates as they stand."""
        self.windows.advance(now)
        return ShardView(
            partition=self.partition,
            now=self.windows.now,
            windows=dict(self.windows),
            live=self.windows.live,
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
            self._expire(key, value)
        if value is None:
            self.store.pop(key, None)
        else:
            self.store[key] = value

    def due(self, key: bytes, record: bytes) -> int | None:
        """Return the log time (microseconds UTC) after which a record is sealed (an entity) or dropped (the others).

        None of an open entity: it stays.
        """
        newest, is_open = entity.read_prefix(record)
        if is_open:
            return None
        return newest + (self.limits.horizon + DAY_US if key[:1] == ENTITY else self.limits.retention)

    def _expire(self, key: bytes, record: bytes | None) -> None:
        """Move a key to the step in which its new record is due."""
        before = self.store.get(key)
        if (before is None or entity.is_open(before)) and (record is None or entity.is_open(record)):
            return  # most writes by far: it was not to expire, and is not
        old, new = self._step(key, before), self._step(key, record)
        if old == new:
            return
        if old is not None:
            del self.expiry[old][key]
            if not self.expiry[old]:
                del self.expiry[old]
        if new is not None:
            self.expiry.setdefault(new, {})[key] = None

    def _step(self, key: bytes, record: bytes | None) -> int | None:
        due = None if record is None else self.due(key, record)
        return None if due is None else due // EXPIRY_STEP

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
