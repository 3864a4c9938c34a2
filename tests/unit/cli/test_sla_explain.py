"""``deskpulse sla explain`` on a file of events."""

from __future__ import annotations

import gzip
import json

import orjson
import pytest

from stream.cli.main import main

CONFIG = """
[calendars.office]
zone = "UTC"
hours.mon = ["09:00-17:00"]

[[policies]]
name = "plain"
clocks.first_response = { target = "30m" }
clocks.resolution = { target = "2h", calendar = "office" }
"""


def line(number, kind, time, subject="T-1", **data):
    event = {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "test",
        "type": f"ticket.{kind}",
        "subject": subject,
        "time": time,
        "data": data,
    }
    return orjson.dumps(event) + b"\n"


CREATED = line(1, "created", "2026-03-02T16:00:00Z", channel="web", priority="high", category="question", team="[blue]")
EVENTS = [
    CREATED,
    line(2, "message", "2026-03-02T16:45:00Z", author="agent", agent_id="A"),
    CREATED,
    b"no event\n",
    line(3, "assigned", "2026-03-02T16:30:00Z", team="red", agent_id="B"),
    line(4, "worked", "2026-03-02T18:00:00.5Z", subject="T-2", seconds=5),
]


@pytest.fixture
def explain(tmp_path, capsys):
    """Return a function that explains T-1 and returns (exit code, standard output, standard error)."""
    (tmp_path / "deskpulse.toml").write_text(CONFIG)
    (tmp_path / "events.jsonl").write_bytes(gzip.compress(b"".join(EVENTS)))

    def run(*more):
        files = [str(tmp_path / "events.jsonl"), "--config", str(tmp_path / "deskpulse.toml")]
        code = main(["sla", "explain", *files, *(more or ("--ticket", "T-1"))])
        return code, *capsys.readouterr()

    return run


def test_the_table_says_where_the_time_went_and_who_held_the_ticket(explain):
    code, out, err = explain()
    assert code == 0
    assert "1 lines are no events" in err
    assert "first_response run 1: missed, policy plain, target 0:30:00, deadline 2026-03-02T16:30:00Z" in out
    rows = [row.split() for row in out.splitlines()]
    assert ["2026-03-02T16:30:00Z", "2026-03-02T17:00:00Z", "0:30:00", "new", "red", "B"] in rows
    assert ["in", "all", "1:00:00", "0:00:00", "1:00:00.500"] in rows
    assert any(row[:2] == ["held", "by"] and row[-1] == "[blue]" for row in rows)


def test_the_json_has_the_same_in_seconds(explain):
    _, out, _ = explain("--ticket", "T-1", "--format", "json")
    first, resolution = json.loads(out)
    assert (first["state"], resolution["state"]) == ("missed", "running")
    assert resolution["seconds"] == {"target": 7_200, "counted": 3_600, "paused": 0, "closed": 3_600.5, "carried": 0}
    assert resolution["teams"]["red"] == {"counted": 1_800, "paused": 0, "closed": 3_600.5}
    assert [part["kind"] for part in resolution["segments"]] == ["counted", "counted", "closed"]


def test_as_of_ignores_what_came_later(explain):
    _, out, _ = explain("--ticket", "T-1", "--as-of", "2026-03-02T16:20:00Z")
    assert "first_response run 1: running" in out
    assert "T16:20:00Z" in out


def test_an_unknown_ticket_is_one_clear_line(explain):
    code, out, err = explain("--ticket", "T-9")
    assert (code, out) == (2, "")
    assert "--ticket T-9: no event of such a ticket" in err


def test_a_ticket_on_which_no_clock_ran_says_so(explain):
    code, out, _ = explain("--ticket", "T-2")
    assert (code, out) == (0, "Ticket T-2: no clock ran.\n")
