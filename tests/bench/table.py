"""The results as people read them: a table on the terminal, and docs/performance.md."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from rich.table import Table

from tests.bench.job import Sent
from tests.kafka.jars import POM

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("results.json")
DOC = ROOT / "docs" / "performance.md"
PACKAGES = ("faust-streaming", "aiokafka", "msgspec")
COLUMNS = ("what", "events", "events/s", "CPU us/event", "of stock Faust's", "peak MiB", "changelog records/event")
WINDOW_COLUMNS = ("windows kept", "contributions", "CPU us/contribution", "5m = 1")


def machine(pinned: bool) -> dict[str, Any]:
    """What the figures were measured on, in general terms, and when."""
    kafka = re.search(r"kafka_2\.13</artifactId>\s*<version>([^<]+)", POM.read_text())
    return {
        "kind": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "pinned": pinned,
        "python": platform.python_version(),
        "kafka": kafka[1] if kafka else "unknown",
        "packages": {name: version(name) for name in PACKAGES},
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def mean_bytes(log: list[Sent]) -> int:
    return sum(len(record.value) for record in log) // len(log)


def cells(results: dict[str, Any]) -> list[list[str]]:
    """The rows as text; one whose answer was wrong says so in place of a time."""
    stock = next((row for row in results["rows"] if row["name"] == "stock Faust" and not row["wrong"]), None)
    lines = []
    for row in results["rows"]:
        name, events = row["name"], f"{row['events']:,}"
        if row["wrong"]:
            lines.append([name, events, f"WRONG ANSWER: {row['wrong']}", "", "", "", ""])
            continue
        ratio = row["cpu_us_per_event"] / stock["cpu_us_per_event"] if stock else None
        lines.append([
            name, events, f"{row['events_per_second']:,.0f}", f"{row['cpu_us_per_event']:,.1f}",
            "-" if ratio is None else "1" if row is stock else f"1/{1 / ratio:.1f}",
            f"{row['memory_mib']:.0f}", f"{row['changelog_records_per_event']:.2f}",
        ])  # fmt: skip
    return lines


def terminal(results: dict[str, Any]) -> list[Table]:
    title = f"tickets of five events, about {results['bytes_per_event']} bytes each, on real Kafka"
    tables = [_table(title, COLUMNS, cells(results))] if results["rows"] else []
    if results["windows"]:
        tables.append(_table("the window table alone", WINDOW_COLUMNS, window_cells(results)))
    return tables


def _table(title: str, header: tuple[str, ...], lines: list[list[str]]) -> Table:
    shown = Table(title=title)
    for name in header:
        shown.add_column(name, justify="left" if name == header[0] else "right", overflow="fold")
    for line in lines:
        shown.add_row(*line)
    return shown


def markdown(results: dict[str, Any]) -> str:
    """docs/performance.md."""
    machine = results["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    placed = "worker and broker on a core each" if machine["pinned"] else "worker and broker on the same core"
    blocks = [
        HEAD.format(bytes=results["bytes_per_event"]),
        _rows(COLUMNS, cells(results)),
        f"{machine['kind']}, {placed}; Apache Kafka {machine['kafka']}, Python {machine['python']}, {packages}; "
        f"{machine['date']}. Where other work shares the machine, ratios within a run are steadier than the figures.",
        HOW,
    ]
    if results["windows"]:
        blocks += [WINDOWS, _rows(WINDOW_COLUMNS, window_cells(results))]
    return "\n\n".join(blocks) + "\n"


def window_cells(results: dict[str, Any]) -> list[list[str]]:
    return [
        [row["name"], f"{row['contributions']:,}", f"{row['cpu_us']:.2f}", f"{row['ratio']:.2f}"]
        for row in results["windows"]
    ]


def _rows(header: tuple[str, ...], lines: list[list[str]]) -> str:
    rule = [":--", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [list(header), rule, *lines])


def write(results: dict[str, Any]) -> None:
    RESULTS.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    DOC.write_text(markdown(results))


HEAD = """\
# Performance

`make bench` measures this and prints the table; `python -m tests.bench --write-docs` also renews this page, so no
figure here was typed by hand.

A log of ticket events lies in a real Apache Kafka when the measured process starts: five events per ticket (created,
assigned, agent message, customer message, resolved), six hours of event time, about {bytes} bytes each, four
partitions, keyed by customer."""

HOW = """\
- **deskpulse** is the whole worker: consumer, decoding, all KPIs in five windows and by label, one transaction per
  checkpoint, snapshots, the HTTP server. It is measured from the first fold to the snapshot in which all events are
  committed. Its clock is `events`, so every window slides through the six hours meanwhile.
- **Stock Faust** is what its documentation teaches: `faust.Record` events, an agent, two tables with changelogs,
  default settings. It does less: created, complaints, resolved, active and first response per minute, channel and
  team; no windows, no exposition, no transactions. It gets the beginning of the same log, because it is slower;
  deskpulse is shown on that part too. That row flatters deskpulse: the beginning is half an hour of event time, in
  which few buckets have grown old enough to be rolled up into coarser ones. The row of the whole log has that cost.
- CPU is user and system time of all threads of the process, start-up excluded. Memory is the peak of the process.
- A time counts only for a right answer: both results are compared with brute force in plain Python, deskpulse's from
  its scrape page. A peer that differs has that in its row in place of a time."""

WINDOWS = """\
## The length of a window costs nothing

CPU per contribution of the window table alone, in a steady state of as much leaving the window as coming in."""
