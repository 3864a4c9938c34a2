"""Reports: the KPIs of past periods from whole ledgers, by the same folds and the same catalogue as live.

Samples are kept one by one here, so quantiles are exact (linear interpolation between neighbours).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, Literal

from msgspec import Struct

from stream.domain import ledger
from stream.domain.entity import CLOCKED, refold
from stream.domain.keys import entity_key
from stream.domain.kpis import CATALOGUE, Kpi, value
from stream.domain.measures import MEASURES
from stream.domain.sla.clocks import Clocks
from stream.domain.sla.deadlines import due_of
from stream.domain.sla.terms import History
from stream.events.event import Event
from stream.events.registry import Kind
from stream.events.values import DAY_US, EPOCH, MICRO, micros

By = Literal["day", "week", "month", "total"]
Period = tuple[int, int]  # [from, to) in microseconds UTC
QUANTILES = (50, 90, 95, 99)


class Row(Struct, frozen=True):
    """The KPIs of one period and one combination of labels; ``kpis`` in the shapes of the contract's report."""

    start: int
    end: int
    group: dict[str, str]
    kpis: dict[str, Any]


class Ledgers:
    """Events by entity, duplicates dropped, kept as bytes."""

    def __init__(self) -> None:
        self._chunks: dict[tuple[Kind, bytes], list[bytes]] = {}
        self.applied = 0
        self.duplicates = 0
        self.first: int | None = None  # the earliest and the latest event time, microseconds UTC
        self.last: int | None = None

    def add(self, event: Event) -> None:
        """Take an event in; the same (source, id) again within its subject is a duplicate."""
        key = event.type.kind, entity_key(event.type.kind, event.subject)
        chunks = self._chunks.setdefault(key, [b""])
        if ledger.find(chunks, event) is not None:
            self.duplicates += 1
            return
        if len(chunks[-1]) > ledger.CHUNK_BYTES:
            chunks.append(b"")
        chunks[-1] += ledger.encode(event)
        self.applied += 1
        self.first = event.time if self.first is None else min(self.first, event.time)
        self.last = event.time if self.last is None else max(self.last, event.time)

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Iterator[tuple[Kind, list[ledger.Entry]]]:
        for (kind, _), chunks in self._chunks.items():
            yield kind, ledger.in_order(chunks)


class Sums:
    """What one period and group adds up: per measure and currency, how often each value came."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], Counter[int]] = {}

    def add(self, measure: str, currency: str, amount: int, count: int) -> None:
        """Add a contribution, or retract one."""
        self.values.setdefault((measure, currency), Counter())[amount] += count

    def part(self, kpi: Kpi, name: str, currency: str = "") -> int:
        """Return one part of a KPI: a sum of counts or of values."""
        total = 0
        for part in kpi.parts:
            if part.name == name:
                counts: Counter[int] = self.values.get((part.measure, currency), Counter())
                admitted = ((at, n) for at, n in counts.items() if part.where is None or part.where(at))
                total += sum(at * n if part.of_values else n for at, n in admitted)
        return total

    def shaped(self, kpi: Kpi) -> Any:
        """Return a KPI in the shape of the contract ("report --format json prints"); None is no value."""
        if kpi.shape == "money":
            measure = kpi.parts[0].measure
            currencies = sorted(
                key[1] for key, counts in self.values.items() if key[0] == measure and any(counts.values())
            )
            return {currency: self.part(kpi, "sum", currency) / MICRO for currency in currencies}
        if kpi.shape == "time":
            return _times(self.values.get((kpi.parts[0].measure, ""), Counter()))
        parts = {part.name: self.part(kpi, part.name) for part in kpi.parts}
        figure = value(kpi, parts)
        if kpi.shape == "count" or figure is None:
            return figure
        if kpi.shape == "score":
            return {"value": figure, **parts}
        top, bottom = parts.values() if kpi.shape == "ratio" else (parts["sum"], parts["count"])
        return {"value": figure, "numerator": top, "denominator": bottom}


def periods(start: int, end: int, by: By, zone: tzinfo) -> list[Period]:
    """Cut [start, end) at the midnights, Mondays or firsts of *zone*."""
    if by == "total":
        return [(start, end)]
    day = (EPOCH + timedelta(microseconds=start)).astimezone(zone).date()
    if by == "week":
        day -= timedelta(days=day.weekday())
    elif by == "month":
        day = day.replace(day=1)
    edges = []
    while (edge := micros(datetime(day.year, day.month, day.day, tzinfo=zone))) < end:
        edges.append(max(edge, start))
        if by == "month":
            day = (day + timedelta(days=31)).replace(day=1)
        else:
            day += timedelta(days=7 if by == "week" else 1)
    return list(zip(edges, [*edges[1:], end], strict=True))


def whole_days(ledgers: Ledgers, zone: tzinfo) -> Period:
    """Return from the midnight before the first event to the one after the last, in *zone*."""
    first = (EPOCH + timedelta(microseconds=ledgers.first or 0)).astimezone(zone).date()
    last = (EPOCH + timedelta(microseconds=ledgers.last or 0)).astimezone(zone).date() + timedelta(days=1)
    start, end = (micros(datetime(day.year, day.month, day.day, tzinfo=zone)) for day in (first, last))
    return start, max(end, start + DAY_US)


def splittable(group: Sequence[str]) -> list[Kpi]:
    """Return the KPIs that can be split by all of these labels; live ones have no past."""
    return [kpi for kpi in CATALOGUE if kpi.shape != "live" and set(group) <= set(kpi.labels)]


def rows(
    entities: Iterable[tuple[Kind, list[ledger.Entry]]],
    cut: list[Period],
    group: Sequence[str],
    history: History | None = None,
    until: int = 0,
) -> list[Row]:
    """Fold every entity and return a row per period and combination of labels that occurs in it.

    *cut* lies in order without gaps. Without *group* every period has its row, also an empty one. Clocks run as
    *history* says, None = not at all; a run still open at *until* (microseconds UTC), past its deadline, is missed.
    """
    kpis = splittable(group)
    wanted = {part.measure for kpi in kpis for part in kpi.parts}
    starts = [start for start, _ in cut]
    sums: dict[tuple[int, tuple[str, ...]], Sums] = {}
    if not group:
        sums = {(number, ()): Sums() for number in range(len(cut))}

    def emit(measure: str, at: int | None, labels: tuple[str, ...], amount: int, count: int) -> None:
        if at is None or measure not in wanted or not cut[0][0] <= at < cut[-1][1]:
            return
        by_name = dict(zip(MEASURES[measure].labels, labels, strict=True))
        place = bisect_right(starts, at) - 1, tuple(by_name[name] for name in group)
        sums.setdefault(place, Sums()).add(measure, by_name.get("currency", ""), amount, count)

    clocks = None if history is None else Clocks(history.books, emit, lambda run, count: None)
    for kind, entries in entities:
        state = refold(kind, entries, emit, clocks)
        for (*labels, _), deadline in due_of(state.sla).deadlines if kind in CLOCKED else ():
            if deadline <= until:
                emit("sla_missed", deadline, tuple(labels), 0, 1)
    return [
        Row(*cut[number], dict(zip(group, labels, strict=True)), {kpi.id: found.shaped(kpi) for kpi in kpis})
        for (number, labels), found in sorted(sums.items(), key=lambda item: item[0])
        if not group or any(any(counts.values()) for counts in found.values.values())
    ]


def _times(counts: Counter[int]) -> dict[str, float] | None:
    samples = sorted((at, n) for at, n in counts.items() if n)
    number = sum(n for _, n in samples)
    if not number:
        return None
    total = sum(at * n for at, n in samples)
    figures: dict[str, float] = {"count": number, "mean": total / number / MICRO}
    for percent in QUANTILES:
        figures[f"p{percent}"] = _quantile(samples, number, percent) / MICRO
    return figures | {"max": samples[-1][0] / MICRO}


def _quantile(samples: list[tuple[int, int]], number: int, percent: int) -> float:
    """Return the quantile at rank (n - 1) * percent / 100, linear between its two neighbours."""
    below, rest = divmod((number - 1) * percent, 100)
    low = _at_rank(samples, below)
    high = _at_rank(samples, min(below + 1, number - 1))
    return low + (high - low) * rest / 100


def _at_rank(samples: list[tuple[int, int]], rank: int) -> int:
    for at, n in samples:
        if rank < n:
            return at
        rank -= n
    raise IndexError("a rank lies below the number of samples")
