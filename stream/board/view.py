"""What the board shows: the state of the data first, then the figures of one window, filtered by at most one label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf, isnan, nan
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from stream.board import api
from stream.board.whole import Whole, missing_partitions
from stream.domain.kpis import KPIS, Kpi, value
from stream.events.registry import TOPICS
from stream.events.values import MICRO, NONE, rfc3339
from stream.metrics.model import WorkerSnapshot
from stream.metrics.tally import TOTAL, WINDOW_NAMES, Group, Shown, Tallies, Tally, Teller, live_sum

DIMENSIONS = ("brand", "channel", "team")
WINDOWS = ("1h", "24h", "7d", "30d")
# A worker that keeps up is at most a few seconds behind; the alert for late data waits for 300 s (research, ops (c)).
LATE = 60 * MICRO

SLA = ("sla_breached_open", "sla_due_soon_15m", "sla_due_soon_1h", "sla_attainment")
SHOWN = (
    *("tickets_active", *SLA),
    *("first_response_time", "next_response_time", "resolution_time", "full_resolution_time", "resolved_within_24h"),
    *("complaint_rate", "mean_rating", "negative_feedback_rate", "csat", "nps"),
    *("bookings_created", "bookings_completed", "revenue", "cancellation_rate", "no_show_rate"),
    *("tickets_created", "tickets_resolved", "tickets_reopened", "tickets_escalated", "tickets_abandoned"),
)


class Target(Struct, frozen=True):
    """What a figure should come to, in its own unit (seconds, fraction, stars, points): from *min*, up to *max*."""

    min: float | None = None
    max: float | None = None


Targets = Mapping[tuple[str, str], Target]  # by KPI and window


class Selection(Struct, frozen=True):
    """What a reader chose: a window, and the label value to show (TOTAL = everything)."""

    window: str = "24h"
    group: Group = TOTAL


class SelectionError(ValueError):
    """There is no such window, or two labels are asked for at once; the message is one clear line."""


def select(query: Mapping[str, str]) -> Selection:
    """Return the selection that a query string makes. Raises SelectionError."""
    window = query.get("window", Selection().window)
    if window not in WINDOWS:
        raise SelectionError(f"window: there are {', '.join(WINDOWS)}")
    groups = [(label, query[label]) for label in DIMENSIONS if query.get(label)]
    if len(groups) > 1:
        raise SelectionError(f"one of {', '.join(DIMENSIONS)} at a time: figures are not kept for their combinations")
    return Selection(window, groups[0] if groups else TOTAL)


def widened(shown: Shown) -> Shown:
    """Return *shown* with what the board splits by added."""
    dimensions, windows = (*DIMENSIONS, *shown.dimensions), (*WINDOWS, *shown.windows)
    return replace(shown, dimensions=tuple(dict.fromkeys(dimensions)), windows=tuple(dict.fromkeys(windows)))


def board(whole: Whole, teller: Teller, selection: Selection, targets: Targets, now: int) -> dict[str, Any]:
    """Return the board's answer as of *now* (wall clock, microseconds UTC), ready for orjson. Durations in seconds."""
    snapshot = whole.snapshot
    tallies = teller.tell(snapshot) if snapshot is not None else Tallies({}, {}, {}, ())
    missing = missing_partitions(snapshot) if snapshot is not None else []
    return {
        "time": rfc3339(now),
        "window": selection.window,
        "filter": dict([selection.group]) if selection.group != TOTAL else {},
        "data": _data(whole, now),
        "complete": snapshot is not None and bool(snapshot.topic_partitions) and not missing,
        "missing_partitions": missing,
        "filters": _filters(tallies),
        "kpis": _kpis(tallies, selection, targets),
    }


def is_current(snapshot: WorkerSnapshot, now: int) -> bool:
    """Say whether a snapshot has all partitions and is of now: only then does it belong into a curve over time."""
    known = _known_until(snapshot)
    return not missing_partitions(snapshot) and known is not None and now - known <= LATE


def samples(tallies: Tallies) -> dict[tuple[str, Group], list[float]]:
    """Return the figures of every window and label value, in the order of SHOWN; NaN where there is no value."""
    groups = (TOTAL, *(group for group in tallies.known if group[0] in DIMENSIONS))
    now = live_sum(tallies)
    return {
        (window, group): [_scalar(kpi, _of(kpi, tallies, window, now), tallies, group) for kpi in shown()]
        for window in WINDOWS
        for group in groups
        if tallies.windows
    }


def shown() -> list[Kpi]:
    """Return the board's KPIs; those of the SLA only where the catalogue has them."""
    return [KPIS[name] for name in SHOWN if name in KPIS]


def _kpis(tallies: Tallies, selection: Selection, targets: Targets) -> dict[str, Any]:
    if not tallies.windows:
        return {}
    now, group = live_sum(tallies), selection.group
    answer = {}
    for kpi in shown():
        tally = _of(kpi, tallies, selection.window, now)
        split = group == TOTAL or group[0] in kpi.labels
        figure = api.figure(kpi, tally, tallies, group) if split else None
        number = _scalar(kpi, tally, tallies, group)
        target = _target(kpi, number, targets, selection.window)
        answer[kpi.id] = {"shape": kpi.shape, "figure": figure, "split": split, "target": target}
    return answer


def _target(kpi: Kpi, number: float, targets: Targets, window: str) -> dict[str, Any] | None:
    """Return a KPI's target and whether *number* meets it, which is unknown (null) as long as there is none.

    A KPI without a target for *window* is held to the first it has for another one, which the answer names.
    """
    windows = [window, *(name for name in WINDOW_NAMES if name != window)]
    for name in windows:
        target = targets.get((kpi.id, name))
        if target is not None:
            low, high = (-inf if target.min is None else target.min), (inf if target.max is None else target.max)
            met = None if isnan(number) else low <= number <= high
            return {"min": target.min, "max": target.max, "window": name, "met": met}
    return None


def _of(kpi: Kpi, tallies: Tallies, window: str, now: Tally) -> Tally:
    return now if kpi.shape == "live" else tallies.windows[window]


def _scalar(kpi: Kpi, tally: Tally, tallies: Tallies, group: Group) -> float:
    """Return the one number of a figure; money has one only as long as it is all in one currency."""
    if group != TOTAL and group[0] not in kpi.labels:
        return nan
    currency = ""
    if kpi.shape == "money":
        if len(tallies.currencies) != 1:
            return nan
        (currency,) = tallies.currencies
    number = value(kpi, tally.parts(kpi, group, currency))
    return nan if number is None else float(number)


def _filters(tallies: Tallies) -> dict[str, list[str]]:
    """Return the label values there are to choose from; a label of which nothing but "none" is known has none."""
    found: dict[str, list[str]] = {label: [] for label in DIMENSIONS}
    for label, one in sorted(tallies.known):
        if label in found:
            found[label].append(one)
    return {label: values if values != [NONE] else [] for label, values in found.items()}


def _data(whole: Whole, now: int) -> dict[str, Any]:
    """Return how the data stands: a state, the reason in a sentence, and its age in seconds."""
    snapshot = whole.snapshot
    known = None if snapshot is None else _known_until(snapshot)
    state, reason = next(_states(whole, known, now))
    return {
        "state": state,
        "reason": reason,
        "age": None if known is None else max(0, now - known) / MICRO,
        "known_until": None if known is None else rfc3339(known),
        "window_end": None if snapshot is None else rfc3339(snapshot.now),
        "newest": {topic: None if snapshot is None else _newest(snapshot, topic) for topic in TOPICS},
    }


def _states(whole: Whole, known: int | None, now: int) -> Iterator[tuple[str, str]]:
    """Yield every state that the data is in, with its reason, the gravest first."""
    snapshot = whole.snapshot
    if snapshot is None or not snapshot.joined:
        yield "starting", "The worker is joining its group; there are no numbers yet."
        return
    missing = ", ".join(map(str, missing_partitions(snapshot)))
    if missing and whole.silent:
        yield "incomplete", f"No answer from {', '.join(whole.silent)}; partitions not in these numbers: {missing}."
    if missing and any(shard.state in ("waiting", "restoring") for shard in snapshot.shards):
        left = sum(shard.restore_remaining for shard in snapshot.shards)
        records = f"; {left:,} records of state to read" if left else ""
        yield "recovering", f"Partitions not in these numbers yet: {missing}{records}."
    if missing:
        yield "incomplete", f"No worker shows these partitions: {missing}."
    if known is None:
        yield "starting", "The worker has not seen the ends of its topics yet."
        return
    lag = sum(source.lag_messages or 0 for source in snapshot.sources)
    if not lag and all(source.applied_offset < 0 for source in snapshot.sources):
        yield "absent", "No event has come yet: nothing was published to tickets, bookings or reviews."
    if now - known > LATE:
        reason = f"{lag:,} messages are still to be read" if lag else "the worker gives no sign of life"
        yield "late", f"These numbers are not of now: {reason}."
    yield "live", "Every event published so far is in these numbers."


def _known_until(snapshot: WorkerSnapshot) -> int | None:
    """Return up to when all is known (microseconds UTC): the least frontier; None while one is not known."""
    frontiers = [shard.frontier for shard in snapshot.shards if shard.view is not None]
    known = [frontier for frontier in frontiers if frontier is not None]
    return min(known) if known and len(known) == len(frontiers) else None


def _newest(snapshot: WorkerSnapshot, topic: str) -> str | None:
    """Return the Kafka timestamp of the newest record folded of *topic*."""
    views = [shard.view for shard in snapshot.shards if shard.view is not None]
    times = [view.positions[topic].newest for view in views if topic in view.positions]
    return rfc3339(max(times)) if times else None
