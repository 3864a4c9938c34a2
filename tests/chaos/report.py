"""The figures of all runs: a table on the terminal, and results.json beside this file."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results.json")
COLUMNS = ("run", "workers", "brokers", "events", "kills", "other blows", "pages", "differences", "ready after", "stop")


def show(results: dict[str, Any]) -> None:
    """Print the runs and the guarantees."""
    console = Console(stderr=True, width=130)
    table = Table(*COLUMNS, title="chaos")
    for one in results["runs"]:
        recovery, stop = one["recovery_s"], one["stop_s"]
        others = sum(count for blow, count in one["blows"].items() if not blow.startswith(("SIGKILL", "kill at")))
        table.add_row(
            one["run"], str(one["workers"]), str(one["brokers"]), f"{one['events']:,}", str(one["kills"]),
            str(others), str(one["pages"]),
            str(one["differences"]),
            f"{recovery['median']} s, at most {recovery['max']} s" if recovery else "", f"{stop} s" if stop else "",
        )  # fmt: skip
    console.print(table)
    table = Table("guarantee", "differences with it", "without it", title="guarantees switched off")
    for name, found in results["guarantees"].items():
        table.add_row(name, str(found["with"]), str(found["without"]))
    console.print(table)
    console.print(
        f"{results['kills']} kills, {results['events']:,} events, {results['differences']} differences, "
        f"{results['minutes']} minutes"
    )


def summary(runs: list[dict[str, Any]], guarantees: dict[str, dict[str, int]], seconds: float) -> dict[str, Any]:
    """All figures, with what they were measured on."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "minutes": round(seconds / 60, 1),
        "events": sum(one["events"] for one in runs),
        "kills": sum(one["kills"] for one in runs),
        "differences": sum(one["differences"] for one in runs) + sum(one["with"] for one in guarantees.values()),
        "runs": runs,
        "guarantees": guarantees,
    }


def write(results: dict[str, Any]) -> None:
    RESULTS.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
