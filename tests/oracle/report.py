"""The report: periods, groups and exact quantiles, in the shape `report --format json` prints."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .catalogue import KPIS, Contribution
from .envelope import TOPICS, Record
from .fold import contributions
from .log import entities
from .values import EPOCH, MICRO, instant


def report(
    events: Iterable[Mapping[str, Any]],
    from_us: int,
    to_us: int,
    by: str = "total",
    *,
    tz: str = "UTC",
    group: tuple[str, ...] = (),
    as_of_us: int | None = None,
) -> list[dict[str, Any]]:
    """The rows of the report over CloudEvents (as JSON gives them), by period, then by group values.

    `as_of_us` is the end of the data: the newest event unless given, and then no event may be newer.
    """
    log = entities(map(record_of, events))
    until_us = as_of_us or log.newest_us or 0
    given = [each for each in contributions(log) if each.at_us is not None and each.at_us <= until_us]
    rows = []
    for start_us, end_us in periods(from_us, to_us, by, ZoneInfo(tz)):
        inside = [each for each in given if each.at_us is not None and start_us <= each.at_us < end_us]
        rows += _rows(inside, group, {"from": _rfc3339(start_us), "to": _rfc3339(end_us)})
    return rows


def record_of(event: Mapping[str, Any]) -> Record:
    """The record that `replay` would publish: in its topic, with the event's own time as Kafka timestamp."""
    try:
        timestamp_ms = instant(event.get("time")) // 1000
    except ValueError:
        timestamp_ms = 0  # the envelope is rejected whatever the timestamp
    return {
        "topic": TOPICS.get(str(event.get("type")).split(".", maxsplit=1)[0], "tickets"),
        "partition": 0,
        "offset": 0,
        "timestamp_ms": timestamp_ms,
        "key": None,
        "value": json.dumps(event).encode(),
        "headers": [],
    }


def periods(from_us: int, to_us: int, by: str, zone: ZoneInfo) -> list[tuple[int, int]]:
    """The calendar periods of the zone, cut to [from, to), in microseconds."""
    if by == "total":
        return [(from_us, to_us)]
    day = (EPOCH + timedelta(microseconds=from_us)).astimezone(zone).date()
    if by == "week":
        day -= timedelta(days=day.weekday())
    if by == "month":
        day = day.replace(day=1)
    edges = []
    while (edge := _midnight(day, zone)) < to_us:
        edges.append(max(edge, from_us))
        if by == "month":
            day = (day + timedelta(days=31)).replace(day=1)
        else:
            day += timedelta(days=7 if by == "week" else 1)
    return list(zip(edges, [*edges[1:], to_us], strict=True))


def _midnight(day: Any, zone: ZoneInfo) -> int:
    return (datetime(day.year, day.month, day.day, tzinfo=zone) - EPOCH) // timedelta(microseconds=1)


def _rfc3339(at_us: int) -> str:
    return (EPOCH + timedelta(microseconds=at_us)).isoformat().replace("+00:00", "Z")


def _rows(inside: list[Contribution], group: tuple[str, ...], period: dict[str, str]) -> list[dict[str, Any]]:
    kpis = [kpi for kpi, (shape, labels) in KPIS.items() if shape != "live" and set(group) <= set(labels)]
    members: dict[tuple[str, ...], dict[str, dict[str, list[int]]]] = {}
    if not group:
        members[()] = {}
    for each in inside:
        if each.kpi in kpis:
            row = members.setdefault(tuple(each.labels[name] for name in group), {})
            row.setdefault(each.kpi, defaultdict(list))[each.part].append(each.value)
    return [
        {
            **period,
            "group": dict(zip(group, values, strict=True)),
            "kpis": {kpi: shaped(KPIS[kpi][0], parts.get(kpi, {})) for kpi in kpis},
        }
        for values, parts in sorted(members.items())
    ]


def shaped(shape: str, parts: Mapping[str, list[int]]) -> Any:
    """One KPI's value from the contributed values of each of its parts."""
    if shape == "count":
        return sum(parts.get("count", []))
    if shape == "money":
        return {part.removeprefix("sum:"): sum(values) / MICRO for part, values in sorted(parts.items())}
    if shape == "time":
        return _times(sorted(parts.get("sample", [])))
    if shape == "nps":
        counts = {part: len(parts.get(part, [])) for part in ("promoters", "passives", "detractors")}
        answers = sum(counts.values())
        return {"value": 100 * (counts["promoters"] - counts["detractors"]) / answers, **counts} if answers else None
    ratings = parts.get("sample", [])
    numerator, denominator = sum(parts.get("numerator", ratings)), sum(parts.get("denominator", [1] * len(ratings)))
    if not denominator:
        return None
    return {"value": numerator / denominator, "numerator": numerator, "denominator": denominator}


def _times(samples: list[int]) -> dict[str, float] | None:
    if not samples:
        return None
    return {
        "count": len(samples),
        "mean": sum(samples) / len(samples) / MICRO,
        **{f"p{percent}": quantile(samples, percent) / MICRO for percent in (50, 90, 95, 99)},
        "max": samples[-1] / MICRO,
    }


def quantile(ascending: list[int], percent: int) -> float:
    """The linear-interpolated quantile: rank (n - 1) * percent / 100 between its two neighbours."""
    below, rest = divmod((len(ascending) - 1) * percent, 100)
    above = min(below + 1, len(ascending) - 1)
    return (ascending[below] * (100 - rest) + ascending[above] * rest) / 100
