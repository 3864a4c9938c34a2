"""What a fold reads: its own changes first, then those of the overlay in flight, then the shard's state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stream.domain.bucketlog import LogRecord, cell_record, is_fine, part_key, part_records
from stream.domain.cells import Numbered, add_cells
from stream.domain.keys import chunk_key
from stream.domain.overlay import Overlay
from stream.domain.windows import EXACT, Bucket, Grid

if TYPE_CHECKING:
    from stream.domain.shard import Shard


class Layers:
    """A shard with *base*, the overlay in flight, and *out*, the one being made, on top; only *out* is ever changed."""

    def __init__(self, shard: Shard, base: Overlay | None, out: Overlay) -> None:
        self._shard = shard
        self._base = base
        self._out = out
        self._overlays = (out,) if base is None else (out, base)
        self._own = out.writes
        self._below = base.writes if base is not None else {}
        self._store = shard.store

    def read(self, key: bytes) -> bytes | None:
        """Return the record of a key, None if there is none."""
        if key in self._own:
            return self._own[key]
        if key in self._below:
            return self._below[key]
        return self._store.get(key)

    def chunk(self, key: bytes, number: int) -> bytes:
        """Return a full chunk of an entity's ledger. Raises LookupError if the state lacks it."""
        chunk = self.read(chunk_key(key, number))
        if chunk is None:
            raise LookupError("a chunk of the ledger is missing")
        return chunk

    def waiting(self, key: bytes) -> list[bytes]:
        """Return the unjoined keys of those that name an entity; some may have been joined since."""
        return [unjoined for one in (self._shard, *self._overlays) for unjoined in one.waiting.get(key, ())]

    def arrive(self, now: int, grid: Grid) -> Iterator[tuple[Bucket, Numbered]]:
        """Empty the buckets that the clock has passed; yield what they held, with the buckets it belongs to."""
        for bucket in self._starting(EXACT, now + 1):
            cells = self._out.dropped[bucket] = self._held(bucket)
            target = grid.bucket(bucket[1])
            if target is not None:
                yield target, cells

    def roll(self, grid: Grid) -> None:
        """Move buckets that grew too old for their grain into coarser ones, and drop those older than every window."""
        for grain, bound in zip(grid.grains, grid.bounds, strict=True):
            for bucket in self._starting(grain, bound):
                cells = self._out.dropped[bucket] = self._held(bucket)
                target = grid.bucket(bucket[1])
                if target is not None:
                    add_cells(self._out.rolled.setdefault(target, {}), cells)

    def forget_cells(self) -> None:
        """Forget the numbers of cells that stand in no bucket any more, if there may be many."""
        buckets = self._shard.buckets
        if buckets.cells.crowded():
            used = {cell for _, cells in buckets.numbered() for cell in cells}
            for one in self._overlays:
                for cells in (*one.changes.values(), *one.rolled.values(), *one.dropped.values()):
                    used.update(cells)
            buckets.cells.keep(used)
            self._shard.windows.keep(used)

    def bucket_records(self) -> Iterator[LogRecord]:
        """Yield the changelog records of what *out* does to the buckets, noting the parts it adds."""
        out, names = self._out, self._shard.buckets.cells.names
        for bucket, cells in out.dropped.items():
            if is_fine(bucket):
                yield from ((part_key(bucket, number), None) for number in range(self._parts(bucket)))
            else:
                yield from (cell_record(bucket, names[cell], 0) for cell in cells)
        for bucket in out.rolled | out.changes:
            added = dict(out.rolled.get(bucket, {}))
            add_cells(added, out.changes.get(bucket, {}))
            if is_fine(bucket):
                parts = list(part_records(bucket, self._parts(bucket), added, self._shard.buckets.cells))
                out.parts[bucket] = self._parts(bucket) + len(parts)
                yield from parts
            else:
                held = self._held(bucket)
                for cell, sums in added.items():
                    yield cell_record(bucket, names[cell], held.get(cell, 0) + sums)

    def _parts(self, bucket: Bucket) -> int:
        """Return how many parts a fine bucket has in the log before this overlay's own."""
        if self._base is not None and bucket in self._base.parts:
            return self._base.parts[bucket]
        return self._shard.parts.get(bucket, 0)

    def _starting(self, grain: int, before: int) -> list[Bucket]:
        """Return the buckets of a grain that start before an instant, as they stand below *out*."""
        starts = {start for start in self._shard.buckets.grains.get(grain, ()) if start < before}
        if grain != EXACT:
            # What came and was retracted leaves no cell, but parts in the log.
            starts.update(start for size, start in self._shard.parts if size == grain and start < before)
        if self._base is not None:
            for changed in (self._base.changes, self._base.rolled):
                starts.update(start for size, start in changed if size == grain and start < before)
            starts.difference_update(start for size, start in self._base.dropped if size == grain)
        return [(grain, start) for start in sorted(starts)]

    def _held(self, bucket: Bucket) -> Numbered:
        """Return the cells of a bucket as they stand below *out*."""
        held = self._shard.buckets.held(bucket)
        if self._base is None:
            return held
        changed = [one[bucket] for one in (self._base.changes, self._base.rolled) if bucket in one]
        if not changed:
            return held
        cells = dict(held)
        for change in changed:
            add_cells(cells, change)
        return cells
