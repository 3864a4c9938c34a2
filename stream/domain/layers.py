"""What a fold reads: its own changes first, then those of the overlay in flight, then the shard's state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from stream.domain.keys import chunk_key
from stream.domain.overlay import Overlay
from stream.domain.windows import EXACT, Bucket, Cell, Grid, Sums

if TYPE_CHECKING:
    from stream.domain.shard import Shard


class Layers:
    """A shard with *base*, the overlay in flight, and *out*, the one being made, on top; only *out* is ever changed."""

    def __init__(self, shard: Shard, base: Overlay | None, out: Overlay) -> None:
        self._shard = shard
        self._out = out
        self._overlays = (out,) if base is None else (out, base)

    def read(self, key: bytes) -> bytes | None:
        """Return the record of a key, None if there is none."""
        for overlay in self._overlays:
            if key in overlay.writes:
                return overlay.writes[key]
        return self._shard.store.get(key)

    def chunk(self, key: bytes, number: int) -> bytes:
        """Return a full chunk of an entity's ledger. Raises LookupError if the state lacks it."""
        chunk = self.read(chunk_key(key, number))
        if chunk is None:
            raise LookupError("a chunk of the ledger is missing")
        return chunk

    def cell(self, bucket: Bucket, cell: Cell) -> Sums:
        """Return the sums of a bucket's cell, (0, 0) if there is none."""
        for overlay in self._overlays:
            if (bucket, cell) in overlay.cells:
                return overlay.cells[bucket, cell]
        return self._shard.buckets.get(bucket, cell)

    def waiting(self, key: bytes) -> set[bytes]:
        """Return the unjoined keys of those that name an entity; some may have been joined since."""
        return set(self._shard.waiting.get(key, ())).union(*(one.waiting.get(key, ()) for one in self._overlays))

    def arrive(self, now: int, grid: Grid) -> Iterator[tuple[Bucket, Cell, Sums]]:
        """Empty the cells that the clock has passed; yield what they held, with the buckets it belongs to."""
        for (_, at), cell, sums in self._cells(EXACT, now + 1):
            self._out.cells[(EXACT, at), cell] = (0, 0)
            target = grid.bucket(at)
            if target is not None:
                yield target, cell, sums

    def roll(self, grid: Grid) -> None:
        """Move buckets that grew too old for their grain into coarser ones, and drop those older than every window."""
        for grain, bound in zip(grid.grains, grid.bounds, strict=True):
            for bucket, cell, sums in self._cells(grain, bound):
                self._out.cells[bucket, cell] = (0, 0)
                target = grid.bucket(bucket[1])
                if target is not None:
                    had = self.cell(target, cell)
                    self._out.cells[target, cell] = (had[0] + sums[0], had[1] + sums[1])

    def _cells(self, grain: int, before: int) -> Iterator[tuple[Bucket, Cell, Sums]]:
        """Yield the cells of a grain's buckets that start before an instant; the caller may change them meanwhile."""
        seen: dict[tuple[Bucket, Cell], Sums] = {}
        starts: Mapping[int, Mapping[Cell, Sums]] = self._shard.buckets.grains.get(grain, {})
        for start in [start for start in starts if start < before]:
            seen.update((((grain, start), cell), sums) for cell, sums in starts[start].items())
        for overlay in reversed(self._overlays):
            seen.update(
                (place, sums) for place, sums in overlay.cells.items() if place[0][0] == grain and place[0][1] < before
            )
        for (bucket, cell), sums in seen.items():
            if sums != (0, 0):
                yield bucket, cell, sums
