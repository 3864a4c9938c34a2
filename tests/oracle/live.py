"""The live windows at one instant, summed from all contributions."""

from collections import Counter
from collections.abc import Iterable, Iterator

from .catalogue import KPIS, Contribution
from .envelope import Record
from .fold import contributions
from .log import entities
from .values import MICRO

Key = tuple[str, str, str, str, str]  # kpi, part, window, label, value

# How far ahead of `now` the deadline of an open run lies: (after, up to) in microseconds.
OPEN = {
    "sla_breached_open": (None, 0),
    "sla_due_soon_15m": (0, 900 * MICRO),
    "sla_due_soon_1h": (0, 3_600 * MICRO),
}

# Window -> (length, grain) in microseconds, from the design's "window".
WINDOWS = {
    "5m": (300 * MICRO, 5 * MICRO),
    "1h": (3_600 * MICRO, 60 * MICRO),
    "24h": (86_400 * MICRO, 300 * MICRO),
    "7d": (7 * 86_400 * MICRO, 3_600 * MICRO),
    "30d": (30 * 86_400 * MICRO, 6 * 3_600 * MICRO),
}


def live(records: Iterable[Record], now_us: int) -> dict[Key, int | float]:
    """Every live value at `now_us`; times and money in seconds and currency units, absent = 0 (READINGS 17, 18)."""
    return live_of(contributions(entities(records)), now_us)


def live_of(given: Iterable[Contribution], now_us: int) -> dict[Key, int | float]:
    """The same from contributions, for asking at several instants of one log."""
    sums: Counter[Key] = Counter()
    for each in given:
        for window in _windows(each, now_us):
            for label, value in _dimensions(each):
                for part, amount in _parts(each):
                    sums[each.kpi, part, window, label, value] += amount
    return {key: _unit(key, total) for key, total in sums.items() if total}


def _windows(each: Contribution, now_us: int) -> list[str]:
    at_us = each.at_us
    if at_us is None:
        return [""]
    if each.kpi in OPEN:
        after, up_to = OPEN[each.kpi]
        return [""] if at_us - now_us <= up_to and (after is None or at_us - now_us > after) else []
    return [name for name, (length, grain) in WINDOWS.items() if (now_us - length) // grain * grain <= at_us <= now_us]


def _dimensions(each: Contribution) -> Iterator[tuple[str, str]]:
    yield "", ""
    for label in KPIS[each.kpi][1]:
        yield label, each.labels[label]


def _parts(each: Contribution) -> list[tuple[str, int]]:
    return [("count", 1), ("sum", each.value)] if each.part == "sample" else [(each.part, each.value)]


def _unit(key: Key, total: int) -> int | float:
    """Microseconds to seconds and millionths to units, with one correctly rounded division at the very end."""
    kpi, part = key[:2]
    scaled = part.startswith("sum:") or (part == "sum" and KPIS[kpi][0] == "time")
    return total / MICRO if scaled else total
