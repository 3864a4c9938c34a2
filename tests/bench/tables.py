"""The results as tables, for the terminal and for docs/performance.md alike."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, NamedTuple

from rich.console import Group
from rich.table import Table

from tests.bench.bars import bars
from tests.kafka.jars import POM

Results = dict[str, Any]
MIB = 2**20


class Shown(NamedTuple):
    """A table: what it is called, its columns, its lines, and what is to be said below it."""

    title: str
    columns: tuple[str, ...]
    lines: list[list[str]]
    notes: tuple[str, ...] = ()


def machine(pinned: bool) -> dict[str, Any]:
    """What the figures were measured on, in general terms, and when."""
    kafka = re.search(r"kafka_2\.13</artifactId>\s*<version>([^<]+)", POM.read_text())
    return {
        "kind": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "pinned": pinned,
        "python": platform.python_version(),
        "kafka": kafka[1] if kafka else "unknown",
        "packages": {name: version(name) for name in ("aiokafka", "msgspec")},
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def all_of(results: Results) -> Iterator[Shown]:
    """Yields a table for each part that was measured, the peers' last."""
    made = {
        "windows": windows, "transactions": transactions, "workers": workers, "scale": scale, "latency": latency,
        "stages": stages, "history": history,
    }  # fmt: skip
    for name, table in made.items():
        if results.get(name):
            yield table(results)
    if any(bars(results)):
        yield promises(results)
    if results["rows"]:
        yield peers(results)


def times(share: float) -> str:
    """A ratio as people say it: `1/7.2`, or `1.5 x`."""
    return f"1/{1 / share:.1f}" if share < 0.95 else f"{share:.1f} x"


def ours(results: Results) -> dict[str, Any] | None:
    """The row of deskpulse, if its answer was right."""
    return next((row for row in results["rows"] if row["name"] == "deskpulse" and row.get("wrong") == ""), None)


def peers(results: Results) -> Shown:
    """A row whose answer was wrong, or that there is not, says so in place of a time."""
    columns = (
        *("what", "version", "events", "events/s", "CPU us/event", "deskpulse : it", "peak MiB"),
        *("log records/event", "log MiB/1 M events"),
    )
    deskpulse, lines, notes = ours(results), [], []
    for row in results["rows"]:
        failed = row.get("absent") or row["wrong"]
        if failed:
            word = "absent" if "absent" in row else "WRONG ANSWER"
            notes.append(f"{row['name']}: {word}: {failed}")
            lines.append([row["name"], row.get("version", "-"), word, *["-"] * (len(columns) - 3)])
            continue
        ratio = deskpulse["cpu_us_per_event"] / row["cpu_us_per_event"] if deskpulse and row is not deskpulse else None
        log = row["changelog_records_per_event"]
        lines.append([
            row["name"], row["version"], f"{row['events']:,}", f"{row['events_per_second']:,.0f}",
            f"{row['cpu_us_per_event']:,.1f}", "-" if ratio is None else times(ratio), f"{row['memory_mib']:.0f}",
            f"{log:.2f}" if log else "none", f"{row['changelog_bytes_per_event'] * 1e6 / MIB:,.0f}" if log else "none",
        ])  # fmt: skip
    return Shown(f"tickets of five events, about {results['bytes_per_event']} bytes each", columns, lines, tuple(notes))


def promises(results: Results) -> Shown:
    lines = [[bar.what, bar.measured, bar.wanted, "yes" if bar.met else "NO"] for bar in bars(results)]
    return Shown("what was promised", ("what", "measured", "wanted", "met"), lines)


def stages(results: Results) -> Shown:
    """The microseconds of each stage now, and those of the first written run."""
    spent = stage_costs(results)
    first = next((entry["stages"] for entry in results.get("history", []) if entry.get("stages")), None)
    lines = [
        [stage, f"{first.get(stage, 0.0):.1f}" if first else "-", f"{cost:.1f}", f"{cost / sum(spent.values()):.0%}"]
        for stage, cost in spent.items()
    ]
    return Shown("where the time goes", ("stage", "first, us/event", "now, us/event", "share"), lines)


def stage_costs(results: Results) -> dict[str, float]:
    """Microseconds per event of each stage; shares alone (of 1) where deskpulse was not measured in the run."""
    deskpulse = ours(results)
    whole = deskpulse["cpu_us_per_event"] if deskpulse else 1.0
    return {stage: share * whole for stage, share in results.get("stages", {}).items()}


def history(results: Results) -> Shown:
    lines = [
        [entry["date"], entry["note"], f"{entry['cpu_us_per_event']:.1f}", times(entry["of_loop"])]
        for entry in results["history"]
    ]
    return Shown("what helped", ("date", "what had changed", "CPU us/event", "of the aiokafka loop's"), lines)


def windows(results: Results) -> Shown:
    lines = [
        [row["name"], f"{row['contributions']:,}", f"{row['cpu_us']:.2f}", f"{row['ratio']:.2f}"]
        for row in results["windows"]
    ]
    return Shown("the window table alone", ("windows kept", "contributions", "CPU us/contribution", "5m = 1"), lines)


def transactions(results: Results) -> Shown:
    lines = [
        [f"{row['records']:,}", f"{row['median_ms']:.1f}", f"{row['max_ms']:.1f}", f"{row['cpu_ms']:.2f}",
         f"{row['cpu_ms'] / row['records'] * 1e3:.1f}"]
        for row in results["transactions"]
    ]  # fmt: skip
    columns = ("records in it", "median ms", "longest ms", "client CPU ms", "CPU us/record")
    return Shown("a transaction on Kafka, back to back", columns, lines)


def workers(results: Results) -> Shown:
    one = results["workers"][0]
    lines = [
        [str(row["workers"]), f"{row['events_per_second']:,.0f}", f"{row['cpu_us_per_event']:.1f}",
         f"{one['seconds'] / row['seconds']:.2f}"]
        for row in results["workers"]
    ]  # fmt: skip
    return Shown("several workers", ("workers", "events/s", "CPU us/event", "times as fast"), lines)


def scale(results: Results) -> Shown:
    """A line per figure, a column per number of open tickets."""
    rows = results["scale"]
    figures: Iterable[tuple[str, str, float, str]] = (
        ("CPU us/event", "cpu_us_per_event", 1, ".1f"),
        ("memory per open ticket, bytes", "bytes_per_ticket", 1, ",.0f"),
        ("changelog per open ticket, bytes", "changelog_bytes_per_ticket", 1, ",.0f"),
        ("scrape of an idle worker, ms (median)", "scrape_idle_s", 1e3, ".1f"),
        ("scrape of a busy worker, ms (longest)", "scrape_busy_max_s", 1e3, ".1f"),
        ("longest pause of the event loop, ms", "loop_lag_s", 1e3, ".1f"),
        ("takeover from a killed worker, s", "takeover_s", 1, ".1f"),
        ("changelog records it read", "restored_records", 1, ",.0f"),
        ("changelog records/s", "restore_records_per_second", 1, ",.0f"),
        ("CPU us/changelog record", "restore_cpu_us_per_record", 1, ".2f"),
        ("changelog records read for shards that stayed", "kept_read_records", 1, ",.0f"),
    )
    lines = [[what, *(f"{row[key] * unit:{form}}" for row in rows)] for what, key, unit, form in figures]
    return Shown("open tickets", ("", *(f"{row['tickets']:,} open" for row in rows)), lines)


def latency(results: Results) -> Shown:
    told = results["latency"]
    delays = [f"{told[name] * 1e3:,.0f}" for name in ("p50_s", "p99_s", "max_s", "loop_lag_s")]
    lines = [[f"{told['rate']:,.0f}", f"{told['events']:,}", *delays, f"{told['cpu_share']:.0%}"]]
    columns = ("events/s", "events", "p50 ms", "p99 ms", "max ms", "longest loop pause ms", "worker's core busy")
    return Shown("published until shown by a scrape", columns, lines)


def terminal(shown: Shown) -> Group:
    table = Table(title=shown.title)
    for column in shown.columns:
        table.add_column(column, justify="left" if column == shown.columns[0] else "right", overflow="fold")
    for line in shown.lines:
        table.add_row(*line)
    return Group(table, *shown.notes)


def markdown(shown: Shown) -> str:
    rule = [":--", *["--:"] * (len(shown.columns) - 1)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in [list(shown.columns), rule, *shown.lines])
    return "\n\n".join([table, *shown.notes])
