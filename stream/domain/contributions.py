"""What one batch adds to the buckets."""

from __future__ import annotations

from stream.domain.cells import ONE, Cells, Numbered, add_cells
from stream.domain.measures import BINS, LIVE
from stream.domain.windows import EXACT, LIVE_BUCKET, WINDOWS, Bucket, Grid

_SLOT = WINDOWS[0].grain  # the finest: no bucket begins or ends within a slot


class Contributions:
    """Contributions by bucket and cell, as of ``now`` (microseconds UTC)."""

    def __init__(self, now: int, grid: Grid, cells: Cells) -> None:
        self._now = now
        self._grid = grid
        self._cells = cells
        self._numbers = cells.numbers
        self._live: Numbered = {}
        self._buckets: dict[Bucket, Numbered] = {LIVE_BUCKET: self._live}
        self._slots: dict[int, Numbered] = {}  # slot of time up to now -> the bucket it lies in

    def add(self, measure: str, at: int | None, labels: tuple[str, ...], value: int, count: int) -> None:
        """Add a contribution *count* times; what is older than every window is left out."""
        held: Numbered | None
        if at is LIVE:
            held = self._live
        elif at > self._now:
            held = self._buckets.setdefault((EXACT, at), {})
        else:
            held = self._slots.get(at // _SLOT)
            if held is None:
                bucket = self._grid.bucket(at)
                if bucket is None:
                    return
                held = self._slots[at // _SLOT] = self._buckets.setdefault(bucket, {})
        binned = BINS[measure]
        name = (measure, binned(value) if binned else 0, labels)
        cell = self._numbers.get(name)
        if cell is None:
            cell = self._cells.number(name)
        held[cell] = held.get(cell, 0) + count * (ONE + value)

    def add_cells(self, bucket: Bucket, cells: Numbered) -> None:
        """Add cells to a bucket."""
        add_cells(self._buckets.setdefault(bucket, {}), cells)

    def changes(self) -> dict[Bucket, Numbered]:
        """Return what each bucket gains or loses."""
        changes = {}
        for bucket, cells in self._buckets.items():
            changed = {cell: sums for cell, sums in cells.items() if sums}
            if changed:
                changes[bucket] = changed
        return changes
