"""What a window costs per contribution, by its length: it must not grow with it.

    python -m tests.bench.windows

One steady stream of contributions goes through a window table that has only the 5m window, then through one that has
only the 30d window, and through one with all five. Everything a shard does for its windows is in the figure: finding
the bucket, adding to the sums, sliding with the clock, dropping (or rolling up) what grew old. Measured is the second
half of 61 days, when as much leaves the 30d window as comes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table

from stream.domain.cells import Cell, add_cells, pack
from stream.domain.layers import Layers
from stream.domain.overlay import Meta, Overlay
from stream.domain.shard import Shard
from stream.domain.windows import WINDOWS, Grid, Window, WindowTable
from stream.events.values import DAY_US, MICRO

DAYS = 61
STEP = 60 * MICRO  # the clock moves a minute at a time, as roll-ups do
GAP = 12 * MICRO  # between contributions
START = 1_772_323_200 * MICRO


class Stream:
    """A shard's windows alone, driven as `Folding` and `Shard.merge` drive them."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self.windows = windows
        self.shard = Shard(0)
        self.shard.windows = WindowTable(self.shard.buckets, START, windows)
        self.shard.grid = Grid.at(START, windows)

    def step(self, now: int, contributions: Sequence[tuple[int, Cell]]) -> None:
        """Let the clock come to *now* with the contributions since the last step."""
        grid = Grid.at(now, self.windows)
        overlay = Overlay(now, Meta(), grid)
        layers = Layers(self.shard, None, overlay)
        layers.roll(grid)
        for at, cell in contributions:
            bucket = grid.bucket(at)
            assert bucket is not None
            number = self.shard.buckets.cells.number(cell)
            add_cells(overlay.changes.setdefault(bucket, {}), {number: pack(1, 0)})
        self.shard.merge(overlay)
        self.shard.windows.advance(now)


def measure(name: str, windows: Sequence[Window]) -> dict[str, Any]:
    """Return the CPU microseconds per contribution in the second half of the days."""
    random = Random(1)
    cells: list[Cell] = [
        ("ticket_created", 0, (channel, priority, team, "none"))
        for channel in ("chat", "email", "phone", "web")
        for priority in ("normal", "high")
        for team in ("frontline", "billing", "technical")
    ]
    stream = Stream(windows)
    spent, number = 0.0, 0
    for minute in range(DAYS * DAY_US // STEP):
        begin = START + minute * STEP
        batch = [(at, random.choice(cells)) for at in range(begin, begin + STEP, GAP)]
        before = time.process_time()
        stream.step(begin + STEP - 1, batch)
        if minute * STEP >= DAYS * DAY_US // 2:
            spent += time.process_time() - before
            number += len(batch)
    longest = stream.shard.windows.view(windows[-1].name)
    held = longest["ticket_created", 0, "", "", ""][0]
    assert windows[-1].length // GAP <= held <= (windows[-1].length + windows[-1].grain) // GAP
    return {"name": name, "contributions": number, "cpu_us": spent / number * 1e6, "held": held}


def bench() -> list[dict[str, Any]]:
    """Return a row for 5m alone, 30d alone and all five: name, contributions, cpu_us (each), held, ratio (to 5m)."""
    first, last = WINDOWS[0], WINDOWS[-1]
    rows = [measure(first.name, (first,)), measure(last.name, (last,)), measure("all five", WINDOWS)]
    return [row | {"ratio": row["cpu_us"] / rows[0]["cpu_us"]} for row in rows]


def main() -> int:
    """Print the table."""
    shown = Table(title=f"windows under one steady stream, {DAYS} days, one contribution every {GAP // MICRO} s")
    for column in ("window", "contributions", "CPU us/contribution", "held at the end", "5m = 1"):
        shown.add_column(column, justify="left" if column == "window" else "right")
    for row in bench():
        figures = f"{row['contributions']:,}", f"{row['cpu_us']:.2f}", f"{row['held']:,}", f"{row['ratio']:.2f}"
        shown.add_row(row["name"], *figures)
    Console().print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
