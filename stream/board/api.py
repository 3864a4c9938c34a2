"""The JSON API's answers, made from a snapshot: plain values, ready for orjson.

Figures have the shapes of the report (contract, "Commands"): a count is a number, a ratio or mean carries its parts,
money is by currency, and what has no value is null.
"""

from __future__ import annotations

from typing import Any

from stream.board.whole import missing_partitions
from stream.domain.kpis import Kpi, value
from stream.events.values import rfc3339
from stream.metrics.model import WorkerSnapshot
from stream.metrics.tally import TOTAL, Group, Tallies, Tally, Teller, live, live_sum, windowed


def kpis(snapshot: WorkerSnapshot, teller: Teller) -> dict[str, Any]:
    """Return all KPIs: per window and live, in total and by each shown label.

    Durations are in seconds, money in whole units. ``complete`` is false while a partition is not on this worker or
    not recovered; ``missing_partitions`` names those.
    """
    tallies = teller.tell(snapshot)
    missing = missing_partitions(snapshot)
    return {
        "time": rfc3339(snapshot.time),
        "window_end": rfc3339(snapshot.now),
        "complete": bool(snapshot.topic_partitions) and not missing,
        "missing_partitions": missing,
        "live": _split(live_sum(tallies), list(live()), tallies, split=True) if tallies.live else None,
        "windows": {
            name: _split(tally, list(windowed()), tallies, split=name in teller.shown.windows)
            for name, tally in tallies.windows.items()
        },
    }


def _split(tally: Tally, catalogue: list[Kpi], tallies: Tallies, *, split: bool) -> dict[str, Any]:
    total = {kpi.id: figure(kpi, tally, tallies) for kpi in catalogue}
    by: dict[str, dict[str, dict[str, Any]]] = {}
    for kpi in catalogue if split else ():
        for group in tallies.groups(kpi):
            by.setdefault(group[0], {}).setdefault(group[1], {})[kpi.id] = figure(kpi, tally, tallies, group)
    return {"kpis": total, "by": by}


def figure(kpi: Kpi, tally: Tally, tallies: Tallies, group: Group = TOTAL) -> Any:
    """Return a KPI's figure in the shape of the report."""
    if kpi.shape == "money":
        return {currency: value(kpi, tally.parts(kpi, group, currency)) for currency in tallies.currencies}
    parts = tally.parts(kpi, group)
    result = value(kpi, parts)
    if kpi.shape in ("count", "live"):
        return result
    if kpi.shape == "time":
        return {"count": parts["count"], "mean": result}
    if kpi.shape == "mean":
        return {"value": result, "numerator": parts["sum"], "denominator": parts["count"]}
    return {"value": result, **parts}
