"""How a report is printed: for people as a table, for machines as JSON, CSV or OpenMetrics."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import timedelta, tzinfo
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from stream.domain.kpis import KPIS, Kpi
from stream.domain.report import QUANTILES, Row
from stream.events.values import EPOCH, MICRO

_OPEN_ENDED = {"seconds": "_seconds", "ratio": "_ratio", "stars": "_stars", "points": "_points"}


def moment(at: int, zone: tzinfo) -> str:
    """Return an instant (microseconds UTC) as RFC 3339 in *zone*."""
    return (EPOCH + timedelta(microseconds=at)).astimezone(zone).isoformat().replace("+00:00", "Z")


def as_json(rows: list[Row], zone: tzinfo) -> str:
    """Return the contract's list of {"from", "to", "group", "kpis"}."""
    out = [
        {"from": moment(row.start, zone), "to": moment(row.end, zone), "group": row.group, "kpis": row.kpis}
        for row in rows
    ]
    return orjson.dumps(out, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def as_csv(rows: list[Row], zone: tzinfo) -> str:
    """Return one line per row, the same columns for every row; an empty cell is no value."""
    kpis = [KPIS[kpi] for kpi in (rows[0].kpis if rows else ())]
    columns = [(kpi.id, name) for kpi in kpis for name in _columns(kpi, rows)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = [f"{kpi}_{name}" if name not in ("", "value") else kpi for kpi, name in columns]
    writer.writerow(["from", "to", *(rows[0].group if rows else ()), *heads])
    for row in rows:
        cells = [_cell(row.kpis[kpi], name) for kpi, name in columns]
        writer.writerow([moment(row.start, zone), moment(row.end, zone), *row.group.values(), *cells])
    return out.getvalue()


def _columns(kpi: Kpi, rows: list[Row]) -> list[str]:
    """Return the names under which a KPI's figures stand in its JSON shape; "" for a plain number."""
    if kpi.shape == "count":
        return [""]
    if kpi.shape == "time":
        return ["count", "mean", *(f"p{percent}" for percent in QUANTILES), "max"]
    if kpi.shape == "money":
        return sorted({currency for row in rows for currency in row.kpis[kpi.id]})
    if kpi.shape == "score":
        return ["value", *(part.name for part in kpi.parts)]
    return ["value", "numerator", "denominator"]


def _cell(figure: Any, name: str) -> Any:
    return figure.get(name) if isinstance(figure, dict) else figure


def as_openmetrics(rows: list[Row], zone: tzinfo) -> str:
    """Return gauges stamped with the end of their period, for ``promtool tsdb create-blocks-from openmetrics``."""
    lines = []
    for kpi_id in rows[0].kpis if rows else ():
        kpi = KPIS[kpi_id]
        name = f"deskpulse_report_{kpi_id}{_OPEN_ENDED.get(kpi.unit, '') if kpi.shape != 'time' else '_seconds'}"
        samples = sorted(_samples(name, kpi, rows))
        if samples:
            lines += [f"# HELP {name} {kpi.help}", f"# TYPE {name} gauge", *(text for _, _, text in samples)]
    return "\n".join([*lines, "# EOF", ""])


def _samples(name: str, kpi: Kpi, rows: list[Row]) -> Iterator[tuple[str, float, str]]:
    """Yield (labels, time, line): a series' samples must stand together, in order of time."""
    for row in rows:
        at = row.end / MICRO
        for extra, figure in _values(kpi, row.kpis[kpi.id]):
            labels = ",".join(f'{key}="{_escaped(text)}"' for key, text in (*row.group.items(), *extra))
            yield labels, at, f"{name}{{{labels}}} {figure} {at}"


def _values(kpi: Kpi, figure: Any) -> Iterator[tuple[tuple[tuple[str, str], ...], float]]:
    if figure is None:
        return
    if not isinstance(figure, dict):
        yield (), figure
    elif kpi.shape == "money":
        for currency, amount in figure.items():
            yield (("currency", currency),), amount
    elif kpi.shape == "time":
        for stat, seconds in figure.items():
            if stat != "count":
                yield (("stat", stat),), seconds
    else:
        yield (), figure["value"]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def as_table(rows: list[Row], zone: tzinfo) -> str:
    """Return a table per row: one line a KPI, figures aligned, units beside them."""
    out = io.StringIO()
    console = Console(file=out, width=140)
    if not rows:
        console.print("No events.")
    for row in rows:
        group = ", ".join(f"{label} {text}" for label, text in row.group.items())
        console.print(f"{moment(row.start, zone)} - {moment(row.end, zone)}" + (f"   {group}" if group else ""))
        table = Table(box=None, pad_edge=False)
        table.add_column("KPI")
        table.add_column("", justify="right")
        table.add_column("of what", style="dim")
        for kpi, figure in row.kpis.items():
            table.add_row(kpi, *_said(KPIS[kpi], figure))
        console.print(table, "")
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def _said(kpi: Kpi, figure: Any) -> tuple[str, str]:
    """Return a figure and what it is made of, for people."""
    if figure is None or figure == {}:
        return "-", "no value"
    if kpi.shape == "count":
        return f"{figure:,}", ""
    if kpi.shape == "money":
        return "  ".join(f"{amount:,.2f} {currency}" for currency, amount in figure.items()), ""
    if kpi.shape == "time":
        rest = "  ".join(f"{name} {_duration(figure[name])}" for name in ("p50", "p90", "p99", "max"))
        return _duration(figure["mean"]), f"mean of {figure['count']:,}   {rest}"
    if kpi.shape == "score":
        parts = "  ".join(f"{name} {figure[name]:,}" for name in ("promoters", "passives", "detractors"))
        return f"{figure['value']:+.1f}", parts
    made_of = f"{figure['numerator']:,} / {figure['denominator']:,}"
    return (f"{figure['value']:.2%}" if kpi.shape == "ratio" else f"{figure['value']:.4f} {kpi.unit}"), made_of


def _duration(seconds: float) -> str:
    """Return seconds in the unit that reads best, as numbers people compare: 45.0 s, 12.5 min, 22.10 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3_600 else f"{seconds / 3_600:,.2f} h"


FORMATS: dict[str, Callable[[list[Row], tzinfo], str]] = {
    "table": as_table,
    "json": as_json,
    "csv": as_csv,
    "openmetrics": as_openmetrics,
}
