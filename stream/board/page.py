"""The plain page at `/`: the main numbers of this worker and where the rest is."""

from __future__ import annotations

from html import escape
from typing import Any

from stream.board import api
from stream.domain.kpis import CATALOGUE, Kpi
from stream.metrics.model import WorkerSnapshot
from stream.metrics.tally import Teller
from stream.metrics.wording import NO_VALUE, duration

_LINKS = {
    "/metrics": "the Prometheus scrape page",
    "/api/kpis": "all KPIs as JSON, also by label",
    "/livez": "is the worker alive?",
    "/readyz": "are its numbers complete and fresh?",
}


_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>deskpulse</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border-bottom: 1px solid #8884; padding: .2rem .6rem; text-align: right; }}
td {{ font-variant-numeric: tabular-nums; }}
th:first-child, td:first-child {{ text-align: left; }}
</style>
</head>
<body>
<h1>deskpulse</h1>
<p>{status}</p>
{table}
<ul>
{links}
</ul>
</body>
</html>
"""


def render(snapshot: WorkerSnapshot | None, teller: Teller) -> str:
    """Return the page as HTML; before the first snapshot it says so."""
    links = "\n".join(f'<li><a href="{path}">{path}</a> {text}</li>' for path, text in _LINKS.items())
    if snapshot is None:
        return _FRAME.format(status="Starting: there are no numbers yet.", table="", links=links)
    answer = api.kpis(snapshot, teller)
    status = f"As of {answer['window_end']}"
    if not answer["complete"]:
        missing = ", ".join(map(str, answer["missing_partitions"])) or "all"
        status += f"; partitions not in these numbers: {missing}"
    return _FRAME.format(status=escape(status) + ".", table=_table(answer), links=links)


def _table(answer: dict[str, Any]) -> str:
    windows = answer["windows"]
    if not windows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in windows)
    rows = [f"<table>\n<tr><th>KPI</th><th>now</th>{head}</tr>"]
    for kpi in CATALOGUE:
        now = show(kpi, answer["live"]["kpis"][kpi.id]) if kpi.shape == "live" else ""
        cells = [show(kpi, one["kpis"][kpi.id]) if kpi.shape != "live" else "" for one in windows.values()]
        columns = "".join(f"<td>{escape(cell)}</td>" for cell in (now, *cells))
        rows.append(f'<tr><td title="{escape(kpi.help)}">{escape(kpi.id)}</td>{columns}</tr>')
    return "\n".join((*rows, "</table>"))


def show(kpi: Kpi, figure: Any) -> str:
    """Return a figure as people read it; a dash where there is no value."""
    if kpi.shape in ("count", "live"):
        return f"{figure:,}"
    if kpi.shape == "money":
        return " ".join(f"{amount:,.2f} {currency}" for currency, amount in figure.items()) or NO_VALUE
    result = figure["mean" if kpi.shape == "time" else "value"]
    if result is None:
        return NO_VALUE
    if kpi.shape == "ratio":
        return f"{result:.1%}"
    return duration(result) if kpi.shape == "time" else f"{result:.2f}"
