"""Sliding windows in event time over buckets of contributions.

A contribution lies in exactly one bucket. Recent buckets are fine, old ones coarse: as time passes, fine buckets are
rolled up, so that memory follows the number of buckets and not of events. The sums of each window are kept up to date
as contributions come and buckets leave, so a window costs the same whatever its length.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from msgspec import Struct

from stream.domain.cells import Cell, Cells, Numbered, Sums, add_cells, unpack
from stream.domain.measures import MEASURES
from stream.events.values import MICRO, OTHER

# (measure, bin, dimension, label, currency): one dimension at a time; dimension "" is the total, currency "" no money.
Series = tuple[str, int, str, str, str]
# (grain, start): grain in microseconds. EXACT holds contributions ahead of the clock, LIVE_BUCKET those in no window.
Bucket = tuple[int, int]

EXACT = 0
LIVE_BUCKET: Bucket = (-1, 0)
ROLL_STEP = 60 * MICRO
MAX_LABELS = 200
MAX_CURRENCIES = 20
NO_CELLS: Mapping[int, int] = {}


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
    """Sums per bucket and cell; the storage below the windows. Cells are numbered, sums packed (see `cells`)."""

    def __init__(self, cells: Cells | None = None) -> None:
        self.cells = cells or Cells()
        self.grains: dict[int, dict[int, Numbered]] = {}

    def held(self, bucket: Bucket) -> Numbered:
        """Return the cells of a bucket."""
        return self.grains.get(bucket[0], {}).get(bucket[1], {})

    def put(self, bucket: Bucket, cell: int, sums: int) -> None:
        """Set the sums of a cell; 0 removes it."""
        change = sums - self.held(bucket).get(cell, 0)
        if change:
            self.add(bucket, {cell: change})

    def add(self, bucket: Bucket, cells: Mapping[int, int]) -> None:
        """Add to the cells of a bucket; one that comes to nothing is removed."""
        starts = self.grains.setdefault(bucket[0], {})
        held = starts.get(bucket[1])
        if held is None:
            starts[bucket[1]] = dict(cells)
            return
        add_cells(held, cells)
        if not held:
            del starts[bucket[1]]

    def drop(self, bucket: Bucket) -> None:
        """Remove a bucket."""
        self.grains.get(bucket[0], {}).pop(bucket[1], None)

    def starting(self, grain: int, left: int, right: int) -> Iterator[Numbered]:
        """Yield the buckets of a grain whose start lies in [left, right)."""
        starts = self.grains.get(grain, {})
        if grain > 0 and (right - left) // grain < len(starts):
            candidates: Iterable[int] = range(left + -left % grain, right, grain)
        else:
            candidates = [start for start in starts if left <= start < right]
        for start in candidates:
            if start in starts:
                yield starts[start]

    def numbered(self) -> Iterator[tuple[Bucket, Numbered]]:
        """Yield every bucket with its cells by number."""
        for grain, starts in self.grains.items():
            for start, cells in starts.items():
                yield (grain, start), cells

    def __iter__(self) -> Iterator[tuple[Bucket, Mapping[Cell, Sums]]]:
        """Yield every bucket with its cells by name."""
        return ((bucket, self.cells.named(cells)) for bucket, cells in self.numbered())


class SeriesSums(Mapping[Series, Sums]):
    """The sums of some series at one instant, immutable; unpacked only where somebody reads them."""

    def __init__(self, sums: Numbered, numbers: Mapping[Series, int], names: Sequence[Series]) -> None:
        self._sums = sums
        self._numbers = numbers
        self._names = names

    def __getitem__(self, series: Series) -> Sums:
        return unpack(self._sums[self._numbers[series]])

    def __iter__(self) -> Iterator[Series]:
        return (self._names[number] for number in self._sums)

    def __len__(self) -> int:
        return len(self._sums)


class WindowTable(Mapping[str, Mapping[Series, Sums]]):
    """The sums of every window and of the live measures, by series, as of ``now``; reads as window name -> sums.

    A dimension shows at most ``MAX_LABELS`` labels, the first that came; the others count as "other". The state keeps
    them all: only what is copied ten times a second has to be bounded.
    """

    def __init__(self, buckets: Buckets, now: int, windows: Sequence[Window] = WINDOWS) -> None:
        self._buckets = buckets
        self._windows = tuple(windows)  # from short to long: a bucket that lies in one lies in all the longer ones
        self._series: dict[int, tuple[int, ...]] = {}  # cell number -> numbers of the series it adds to
        self._numbers: dict[Series, int] = {}
        self._names: list[Series] = []
        self._labels: dict[str, set[str]] = {}
        self._edges = [window.left(now) for window in windows]
        self.now = now
        self.overflow: dict[str, int] = {}  # dimension -> cells counted under "other" for want of room
        self.sums: dict[str, Numbered] = {window.name: {} for window in windows}
        self._live: Numbered = {}
        self.add(buckets.numbered())

    def __getitem__(self, name: str) -> Mapping[Series, Sums]:
        return self.view(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.sums)

    def __len__(self) -> int:
        return len(self.sums)

    def add(self, changes: Iterable[tuple[Bucket, Mapping[int, int]]]) -> None:
        """Add changes of buckets' cells to every window they lie in.

        They are added up by series first, since each series stands in several windows.
        """
        nets = [defaultdict[int, int](int) for _ in self._edges]  # by the shortest window they lie in
        live = defaultdict[int, int](int)
        for (grain, start), cells in changes:
            if grain == LIVE_BUCKET[0]:
                self._spread(cells, live)
            elif grain != EXACT:
                for place, left in enumerate(self._edges):
                    if start >= left:
                        self._spread(cells, nets[place])
                        break
        _add_all(self._live, live)
        for shortest, net in enumerate(nets):
            for window in self._windows[shortest:]:
                _add_all(self.sums[window.name], net)

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
            leaving = defaultdict[int, int](int)
            for finer in self._windows[: place + 1]:
                for cells in self._buckets.starting(finer.grain, old, new):
                    self._spread(cells, leaving)
            sums = self.sums[window.name]
            for series, left in leaving.items():
                sums[series] -= left

    @property
    def edges(self) -> Sequence[int]:
        """The left edge of each window as of ``now``."""
        return self._edges

    def view(self, name: str, more: Mapping[int, int] = NO_CELLS) -> SeriesSums:
        """Return a copy of a window's sums as of ``now``, with what was ahead of the clock and is not any more.

        *more* are cells to add that stand in no bucket.
        """
        sums = self.sums[name].copy()
        place = next(place for place, window in enumerate(self._windows) if window.name == name)
        arrived = defaultdict[int, int](int)
        for cells in self._buckets.starting(EXACT, self._edges[place], self.now + 1):
            self._spread(cells, arrived)
        self._spread(more, arrived)
        _add_all(sums, arrived)
        return SeriesSums(sums, self._numbers, self._names)

    def live(self, more: Mapping[int, int] = NO_CELLS) -> SeriesSums:
        """Return a copy of the sums of the live measures, with *more* cells that stand in no bucket."""
        sums, net = self._live.copy(), defaultdict[int, int](int)
        self._spread(more, net)
        _add_all(sums, net)
        return SeriesSums(sums, self._numbers, self._names)

    def keep(self, used: Set[int]) -> None:
        """Forget the series of all cells but those *used*."""
        for cell in self._series.keys() - used:
            del self._series[cell]

    def _spread(self, cells: Mapping[int, int], net: defaultdict[int, int]) -> None:
        """Add cells to the series that each of them stands for."""
        known = self._series.get
        for cell, sums in cells.items():
            for one in known(cell) or self._learn(cell):
                net[one] += sums

    def _learn(self, cell: int) -> tuple[int, ...]:
        numbers = []
        for series in self._series_of(self._buckets.cells.names[cell]):
            number = self._numbers.get(series)
            if number is None:
                number = len(self._names)
                self._names.append(series)
                self._numbers[series] = number
            numbers.append(number)
        self._series[cell] = tuple(numbers)
        return self._series[cell]

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


def _add_all(sums: Numbered, change: Mapping[int, int]) -> None:
    for series, more in change.items():
        sums[series] = sums.get(series, 0) + more
