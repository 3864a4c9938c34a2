"""The tally: the views of all recovered shards added up, per window and label, ready to be shown.

The scrape page and the JSON API both read it. It is made once per snapshot, in the thread that asks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from stream.domain.cells import Sums
from stream.domain.kpis import CATALOGUE, Kpi, Part
from stream.domain.windows import WINDOWS, Series
from stream.events.values import NONE, OTHER
from stream.metrics.budget import LabelBudget
from stream.metrics.model import WorkerSnapshot

# One label dimension at a time; ("", "") is the total.
Group = tuple[str, str]
TOTAL: Group = ("", "")
# What a KPI's part adds up: measure -> bin -> [count, sum of values].
Cells = dict[str, dict[int, list[int]]]

WINDOW_NAMES: tuple[str, ...] = tuple(window.name for window in WINDOWS)


class Shown(Struct, frozen=True):
    """What the configuration says of the page: what is split by label, and in which windows (contract, "HTTP")."""

    dimensions: tuple[str, ...] = ("channel", "team")
    windows: tuple[str, ...] = ("1h", "24h", "7d")
    paging_after: int = 0  # alerts page from this instant on, microseconds UTC


class Tally:
    """Sums of one set of series by (group, currency), and the parts of any KPI from them."""

    def __init__(self) -> None:
        self._cells: dict[tuple[Group, str], Cells] = {}

    def add(self, series: Series, sums: Sums, group: Group) -> None:
        """Add the sums of a series under *group*."""
        measure, place, _, _, currency = series
        cells = self._cells.setdefault((group, currency), {})
        held = cells.setdefault(measure, {}).setdefault(place, [0, 0])
        held[0] += sums[0]
        held[1] += sums[1]

    def update(self, other: Tally) -> None:
        """Add all of *other*."""
        for (group, currency), cells in other._cells.items():
            for measure, bins in cells.items():
                for place, (count, total) in bins.items():
                    self.add((measure, place, "", "", currency), (count, total), group)

    def parts(self, kpi: Kpi, group: Group = TOTAL, currency: str = "") -> dict[str, int]:
        """Return each part of *kpi* by name: counts, microseconds, or millionths of the currency."""
        cells = self._cells.get((group, currency), {})
        parts = dict.fromkeys((part.name for part in kpi.parts), 0)
        for part in kpi.parts:
            parts[part.name] += _sum(part, cells.get(part.measure, {}))
        return parts

    def bins(self, measure: str, bins: int) -> list[int]:
        """Return the total's number of samples in each of the first *bins* bins of a measure."""
        held = self._cells.get((TOTAL, ""), {}).get(measure, {})
        return [held[place][0] if place in held else 0 for place in range(bins)]


def _sum(part: Part, bins: Mapping[int, list[int]]) -> int:
    index = 1 if part.of_values else 0
    return sum(sums[index] for place, sums in bins.items() if part.where is None or part.where(place))


class Tallies(Struct, frozen=True):
    """The numbers of one snapshot: ``windows`` by name, ``live`` by partition (both empty until a shard is ready).

    ``groups`` and ``currencies`` are the label values to show, those of expired windows included, so that a KPI that
    fell to zero is 0 on the page and not absent.
    """

    windows: Mapping[str, Tally]
    live: Mapping[int, Tally]
    known: Mapping[Group, frozenset[str]]
    currencies: tuple[str, ...]

    def groups(self, kpi: Kpi) -> list[Group]:
        """Return the groups to show of *kpi*, in order: those in which one of its measures was ever seen."""
        measures = {part.measure for part in kpi.parts}
        return sorted(group for group, seen in self.known.items() if group[0] in kpi.labels and seen & measures)


class Teller:
    """Makes the tallies of snapshots. It remembers chosen label values between snapshots; one thread uses it."""

    def __init__(self, shown: Shown | None = None, budget: LabelBudget | None = None) -> None:
        self.shown = shown or Shown()
        self.dimensions = tuple({*self.shown.dimensions, *(label for kpi in CATALOGUE for label in kpi.always)})
        self.budget = budget or LabelBudget()
        self._known: dict[Group, set[str]] = defaultdict(set)
        self._teams: frozenset[str] = frozenset()
        self._last: tuple[WorkerSnapshot | None, Tallies] = (None, Tallies({}, {}, {}, ()))

    def team(self, name: str) -> str:
        """Return a team's name if it is one of those that keep theirs, else ``other``; as of the last `tell`."""
        return name if name in self._teams else OTHER

    def tell(self, snapshot: WorkerSnapshot) -> Tallies:
        """Return the tallies of *snapshot*, made once."""
        if self._last[0] is not snapshot:
            self._last = (snapshot, self._make(snapshot))
        return self._last[1]

    def _make(self, snapshot: WorkerSnapshot) -> Tallies:
        views = [(shard.partition, shard.view) for shard in snapshot.shards if shard.view is not None]
        chosen = self._choose(mapping for _, view in views for mapping in (view.windows[WINDOW_NAMES[-1]], view.live))
        self._teams = chosen["team"]  # pages are routed by them, whether or not figures are split by team
        windows = {name: Tally() for name in WINDOW_NAMES} if views else {}
        for name, tally in windows.items():
            for _, view in views:
                self._add(tally, view.windows[name], chosen)
        live = {}
        for partition, view in views:
            live[partition] = Tally()
            self._add(live[partition], view.live, chosen)
        for group in [group for group in self._known if group[1] not in chosen[group[0]]]:
            del self._known[group]
        known = {group: frozenset(seen) for group, seen in self._known.items()}
        return Tallies(windows, live, known, tuple(sorted(chosen["currency"])))

    def _choose(self, mappings: Iterable[Mapping[Series, Sums]]) -> dict[str, frozenset[str]]:
        """Choose the label values that keep their name, by their number of contributions in the longest window."""
        sizes: dict[str, Counter[str]] = {label: Counter() for label in (*self.dimensions, "team", "currency")}
        for mapping in mappings:
            for (_, _, dimension, value, currency), (count, _) in mapping.items():
                if dimension in sizes:
                    sizes[dimension][value] += count
                if currency and not dimension:
                    sizes["currency"][currency] += count
        # A currency beyond the budget is not shown at all: a sum over several would mean nothing.
        always = frozenset({NONE, OTHER})
        chosen = {label: self.budget.choose(label, found) for label, found in sizes.items()}
        return {label: values if label == "currency" else values | always for label, values in chosen.items()}

    def _add(self, tally: Tally, sums: Mapping[Series, Sums], chosen: Mapping[str, frozenset[str]]) -> None:
        for series, one in sums.items():
            _, _, dimension, value, _ = series
            if not dimension:
                tally.add(series, one, TOTAL)
            elif dimension in self.dimensions:
                group = (dimension, value if value in chosen[dimension] else OTHER)
                self._known[group].add(series[0])
                tally.add(series, one, group)


def live_sum(tallies: Tallies) -> Tally:
    """Return the live tallies of all partitions as one."""
    total = Tally()
    for tally in tallies.live.values():
        total.update(tally)
    return total


def windowed() -> Iterator[Kpi]:
    """Yield the KPIs that have windows."""
    return (kpi for kpi in CATALOGUE if kpi.shape != "live")


def live() -> Iterator[Kpi]:
    """Yield the KPIs that hold now."""
    return (kpi for kpi in CATALOGUE if kpi.shape == "live")
