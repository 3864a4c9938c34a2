"""The live numbers on a terminal: what the table and the line show of a snapshot."""

from collections import Counter
from io import StringIO
from itertools import islice

import orjson
import pytest
from msgspec import structs
from rich.console import Console

from stream.demo.console import ROWS, WINDOWS, Board
from stream.demo.simulator import traffic
from stream.domain.kpis import KPIS
from stream.events.values import MICRO
from stream.metrics.model import ShardSnapshot, SourceSnapshot, WorkerSnapshot
from stream.metrics.tally import WINDOW_NAMES
from stream.metrics.wording import duration
from tests.support.core import run

START = 1_772_355_600_000_000
MESSAGES = list(islice(traffic(1, 20.0, START), 10_000))


@pytest.fixture(scope="module")
def snapshot() -> WorkerSnapshot:
    """A worker that has applied ten thousand simulated events, some eight minutes of them."""
    batch = [
        {
            "topic": message.source,
            "offset": offset,
            "timestamp_ms": message.time // 1_000,
            "key": message.key,
            "value": message.value,
            "headers": [],
        }
        for offset, message in enumerate(MESSAGES)
    ]
    now = MESSAGES[-1].time
    shard, counts = run([batch], now=now)
    results = {("tickets", "any", result): number for result, number in counts.items()}
    sources = (SourceSnapshot("tickets", 0, 10_000, now, 7, 0.5), SourceSnapshot("bookings", 0, 0, now, None, None))
    return WorkerSnapshot(now, now, True, (ShardSnapshot(0, "ready", shard.view(now)),), sources, events=results)


def drawn(board: Board, snapshot: WorkerSnapshot | None) -> list[str]:
    out = StringIO()
    Console(width=100, file=out).print(board.table(snapshot))
    return [line for line in out.getvalue().splitlines() if line]


def kinds() -> Counter[str]:
    return Counter(orjson.loads(message.value)["type"] for message in MESSAGES)


def test_the_table_has_a_row_for_each_figure_and_a_column_for_each_window(snapshot: WorkerSnapshot) -> None:
    state, header, *rows = drawn(Board(), snapshot)
    heartbeats = kinds()["heartbeat"]
    assert state.startswith(f"{10_000 - heartbeats:,} events applied, 0/s, lag 7, ")
    assert header.split() == list(WINDOWS)
    assert [row.split()[0] for row in rows] == list(ROWS)
    figures = {name: cells for name, *cells in (row.split() for row in rows)}
    made, tests = (kinds()[f"booking.{what}"] for what in ("created", "deleted"))
    assert figures["bookings_created"] == [f"{made - tests:,}"] * len(WINDOWS)


def test_the_line_says_the_same_in_one_line(snapshot: WorkerSnapshot) -> None:
    line = Board().line(snapshot)
    assert line.startswith(drawn(Board(), snapshot)[0].rstrip())
    assert "\n" not in line


def test_while_catching_up_the_line_shows_no_figures(snapshot: WorkerSnapshot) -> None:
    behind = structs.replace(snapshot.sources[0], lag_messages=20_000)
    line = Board().line(structs.replace(snapshot, sources=(behind,)))
    assert line.endswith(" | catching up")
    assert "complaint_rate" not in line


def test_before_the_first_snapshot_there_is_nothing_to_show() -> None:
    assert drawn(Board(), None) == []
    assert Board().line(None) == "starting"


def test_a_figure_without_a_value_is_a_dash_and_never_a_zero() -> None:
    empty = WorkerSnapshot(START, START, shards=(ShardSnapshot(0, "ready", run([[]], now=START)[0].view(START)),))
    rows = {name: cells for name, *cells in (row.split() for row in drawn(Board(), empty)[2:])}
    assert rows["tickets_created"] == ["0"] * len(WINDOWS)
    for name in ("first_response_time", "csat", "nps", "mean_rating", "revenue"):
        assert rows[name] == ["-"] * len(WINDOWS)


def test_the_rate_is_what_was_read_since_the_last_drawing(snapshot: WorkerSnapshot) -> None:
    board = Board()
    board.line(snapshot)
    more = {**snapshot.events, ("reviews", "any", "applied"): 300}
    later = WorkerSnapshot(snapshot.time + 2 * MICRO, snapshot.now, shards=snapshot.shards, events=more)
    assert ", 150/s, " in board.line(later)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2.0 min"), (7_199, "120.0 min"), (7_200, "2.0 h"), (172_800, "2.0 d")],
)
def test_a_duration_is_shown_in_its_natural_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_rows_and_windows_are_those_of_the_catalogue() -> None:
    assert set(ROWS) <= set(KPIS)
    assert set(WINDOWS) <= set(WINDOW_NAMES)
