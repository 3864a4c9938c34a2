"""Sliding windows in event time over buckets of contributions.

A contribution lies in exactly one bucket. Recent buckets are fine, old ones coarse: as time passes, fine buckets are
rolled up, so that memory follows the number of buckets and not of events. The sums of each window are kept up to date
as contributions come and buckets leave, so a window costs the same whatever its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from stream.domain.measures import MEASURES
from stream.events.values import MICRO, OTHER

# (measure, bin, labels): what adds up within a bucket.
Cell = tuple[str, int, tuple[str, ...]]
Sums = tuple[int, int]  # count, sum of values
# (measure, bin, dimension, label, currency): one dimension at a time; dimension "" is the total, currency "" no money.
Series = tuple[str, int, str, str, str]
# (grain, start): grain in microseconds. EXACT holds contributions ahead of the clock, LIVE_BUCKET those in no window.
Bucket = tuple[int, int]

EXACT = 0
LIVE_BUCKET: Bucket = (-1, 0)
ROLL_STEP = 60 * MICRO
MAX_LABELS = 200
MAX_CURRENCIES = 20
MAX_CELLS = 100_000  # cells whose series are remembered; beyond it they are derived anew
_ZERO: Sums = (0, 0)


class Window(Struct, frozen=True):
    """A window's name, length and the grain of its left edge, both in microseconds."""

    name: str
    length: int
    grain: int

    def left(self, now: int) -> int:
        """Return the left edge at *now*: [floor to grain(now - length), now] (contract, "Freshness")."""
        edge = now - self.length
        return edge - edge % self.grain


def _window(name: str, length: int, grain: int) -> Window:
    return Window(name, length * MICRO, grain * MICRO)


WINDOWS: tuple[Window, ...] = (
    _window("5m", 300, 5),
    _window("1h", 3_600, 60),
    _window("24h", 86_400, 300),
    _window("7d", 604_800, 3_600),
    _window("30d", 2_592_000, 21_600),
)


class Grid(Struct, frozen=True):
    """Which bucket an instant belongs to, given how far buckets have been rolled up.

    ``bounds[i]`` is the instant before which grain i is no longer used. It lies a step of the next grain left of the
    window, so every left edge at or after ``rolled`` falls between two buckets.
    """

    rolled: int
    bounds: tuple[int, ...]
    grains: tuple[int, ...]

    @classmethod
    def at(cls, now: int, windows: Sequence[Window] = WINDOWS) -> Grid:
        """Return the grid of *now* (microseconds UTC), in steps of a minute; *windows* go from short to long."""
        rolled = now - now % ROLL_STEP
        grains = tuple(window.grain for window in windows)
        bounds = []
        for window, grain in zip(windows, (*grains[1:], grains[-1]), strict=True):
            edge = rolled - window.length - grain
            bounds.append(edge - edge % grain)
        return cls(rolled, tuple(bounds), grains)

    def bucket(self, at: int) -> Bucket | None:
        """Return the bucket of an instant, or None if it is older than every window."""
        for bound, grain in zip(self.bounds, self.grains):  # noqa: B905  # equal by construction, and this is hot
            if at >= bound:
                return grain, at - at % grain
        return None


class Buckets:
    """Sums per bucket and cell; the storage below the windows."""

    def __init__(self) -> None:
        self.grains: dict[int, dict[int, dict[Cell, Sums]]] = {}

    def cells(self, bucket: Bucket) -> Mapping[Cell, Sums]:
        """Return the cells of a bucket."""
        return self.grains.get(bucket[0], {}).get(bucket[1], {})

    def put(self, bucket: Bucket, cell: Cell, sums: Sums) -> None:
        """Set the sums of a cell; (0, 0) removes it."""
        had = self.cells(bucket).get(cell, _ZERO)
        self.add(bucket, {cell: (sums[0] - had[0], sums[1] - had[1])})

    def add(self, bucket: Bucket, cells: Mapping[Cell, Sums]) -> None:
        """Add to the cells of a bucket; one that comes to (0, 0) is removed."""
        starts = self.grains.setdefault(bucket[0], {})
        held = starts.setdefault(bucket[1], {})
        add_cells(held, cells)
        if not held:
            del starts[bucket[1]]

    def drop(self, bucket: Bucket) -> None:
        """Remove a bucket."""
        self.grains.get(bucket[0], {}).pop(bucket[1], None)

    def starting(self, grain: int, left: int, right: int) -> Iterator[tuple[int, dict[Cell, Sums]]]:
        """Yield the buckets of a grain whose start lies in [left, right)."""
        starts = self.grains.get(grain, {})
        if grain > 0 and (right - left) // grain < len(starts):
            candidates: Iterable[int] = range(left + -left % grain, right, grain)
        else:
            candidates = [start for start in starts if left <= start < right]
        for start in candidates:
            if start in starts:
                yield start, starts[start]

    def __iter__(self) -> Iterator[tuple[Bucket, Mapping[Cell, Sums]]]:
        for grain, starts in self.grains.items():
            for start, cells in starts.items():
                yield (grain, start), cells


def add_cells(held: dict[Cell, Sums], cells: Mapping[Cell, Sums]) -> None:
    """Add *cells* to *held*; a cell that comes to (0, 0) is removed."""
    for cell, (count, total) in cells.items():
        had = held.get(cell, _ZERO)
        sums = (had[0] + count, had[1] + total)
        if sums != _ZERO:
            held[cell] = sums
        else:
            held.pop(cell, None)


class WindowTable(Mapping[str, Mapping[Series, Sums]]):
    """The sums of every window and of the live measures, by series, as of ``now``; reads as window name -> sums.

    A dimension shows at most ``MAX_LABELS`` labels, the first that came; the others count as "other". The state keeps
    them all: only what is copied five times a second has to be bounded.
    """

    def __init__(self, buckets: Buckets, now: int, windows: Sequence[Window] = WINDOWS) -> None:
        self._buckets = buckets
        self._windows = tuple(windows)  # from short to long: a bucket that lies in one lies in all the longer ones
        self._series: dict[Cell, tuple[Series, ...]] = {}
        self._labels: dict[str, set[str]] = {}
        self._edges = [window.left(now) for window in windows]
        self.now = now
        self.overflow: dict[str, int] = {}  # dimension -> cells counted under "other" for want of room
        self.sums: dict[str, dict[Series, Sums]] = {window.name: {} for window in windows}
        self.live: dict[Series, Sums] = {}
        self.add(buckets)

    def __getitem__(self, name: str) -> Mapping[Series, Sums]:
        return self.view(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.sums)

    def __len__(self) -> int:
        return len(self.sums)

    def add(self, changes: Iterable[tuple[Bucket, Mapping[Cell, Sums]]]) -> None:
        """Add changes of buckets' cells to every window they lie in.

        Cells are added up first, for a cell stands for several series and each series for several windows.
        """
        nets: list[dict[Cell, Sums]] = [{} for _ in self._edges]  # by the shortest window they lie in
        live: dict[Cell, Sums] = {}
        for (grain, start), cells in changes:
            if grain == LIVE_BUCKET[0]:
                add_cells(live, cells)
            elif grain != EXACT:
                shortest = next((place for place, left in enumerate(self._edges) if start >= left), None)
                if shortest is not None:
                    add_cells(nets[shortest], cells)
        _add_all(self.live, self._by_series(live))
        for shortest, net in enumerate(nets):
            change = self._by_series(net)
            for window in self._windows[shortest:]:
                _add_all(self.sums[window.name], change)

    def advance(self, now: int) -> None:
        """Slide every window to *now*; time never goes back."""
        if now <= self.now:
            return
        self.now = now
        for place, window in enumerate(self._windows):
            old, new = self._edges[place], window.left(now)
            if new == old:
                continue
            self._edges[place] = new
            leaving: dict[Cell, Sums] = {}
            for finer in self._windows[: place + 1]:
                for _, cells in self._buckets.starting(finer.grain, old, new):
                    for cell, (count, total) in cells.items():
                        had = leaving.get(cell, _ZERO)
                        leaving[cell] = (had[0] - count, had[1] - total)
            _add_all(self.sums[window.name], self._by_series(leaving))

    def view(self, name: str) -> Mapping[Series, Sums]:
        """Return a copy of a window's sums as of ``now``, with what was ahead of the clock and is not any more."""
        sums = dict(self.sums[name])
        place = next(place for place, window in enumerate(self._windows) if window.name == name)
        for _, cells in self._buckets.starting(EXACT, self._edges[place], self.now + 1):
            _add_all(sums, self._by_series(cells))
        return sums

    def _by_series(self, cells: Mapping[Cell, Sums]) -> dict[Series, Sums]:
        change: dict[Series, Sums] = {}
        for cell, (count, total) in cells.items():
            series = self._series.get(cell)
            if series is None:
                if len(self._series) >= MAX_CELLS:
                    self._series.clear()
                series = self._series[cell] = tuple(self._series_of(cell))
            for one in series:
                had = change.get(one, _ZERO)
                change[one] = (had[0] + count, had[1] + total)
        return change

    def _series_of(self, cell: Cell) -> Iterator[Series]:
        """Yield the total and one series per label of a cell; money is only ever summed within its currency."""
        measure, place, labels = cell
        by_name = dict(zip(MEASURES[measure].labels, labels, strict=True))
        currency = by_name.pop("currency", "")
        if currency and self._bounded("currency", currency) != currency:
            return  # a sum over several currencies would mean nothing; the overflow says that one is missing
        yield measure, place, "", "", currency
        for name, label in by_name.items():
            yield measure, place, name, self._bounded(name, label), currency

    def _bounded(self, name: str, label: str) -> str:
        known = self._labels.setdefault(name, set())
        if label in known or len(known) < (MAX_CURRENCIES if name == "currency" else MAX_LABELS):
            known.add(label)
            return label
        self.overflow[name] = self.overflow.get(name, 0) + 1
        return OTHER


def _add_all(sums: dict[Series, Sums], change: Mapping[Series, Sums]) -> None:
    for series, (count, total) in change.items():
        had = sums.get(series, _ZERO)
        sums[series] = (had[0] + count, had[1] + total)
