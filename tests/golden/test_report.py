"""`deskpulse report` on a small week worked out by hand, in every format, and what it says to bad input.

`week.jsonl` has 18 events, one of them twice and one refused; the comments below are the paper the numbers come from.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.data import deskpulse, report

DATA = Path(__file__).parent / "data"
WEEK = DATA / "week.jsonl"


def test_the_numbers_are_those_on_paper():
    _, first, second = report(WEEK, "--by", "week")  # Sunday March 1 is a week of its own, weeks start on Monday
    kpis = first["kpis"]
    assert (first["from"], first["to"]) == ("2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z")
    assert kpis["first_response_time"]["mean"] == 600  # 9:00 created, 9:10 answered
    assert kpis["next_response_time"]["max"] == 300  # 10:00 asked, 10:05 answered
    assert kpis["resolution_time"]["p50"] == 7200
    assert kpis["revenue"] == {"EUR": 130.0}  # completed.amount, not created.amount
    assert kpis["complaint_rate"] == {"value": 1.0, "numerator": 1, "denominator": 1}
    assert kpis["nps"] == {"value": 0.0, "promoters": 1, "passives": 0, "detractors": 1}
    assert kpis["csat"]["value"] == 0
    # T-1 is high: an answer in 1 h (10 min), the next one in 1 h (5 min), a solution in 4 h (2 h): three promises kept.
    assert kpis["sla_attainment"] == {"value": 1.0, "numerator": 3, "denominator": 3}
    kpis = second["kpis"]
    assert kpis["first_response_time"]["mean"] == 1800  # created 9:00+01:00 = 8:00Z, answered 8:30Z
    assert kpis["resolved_within_24h"] == {"value": 0.0, "numerator": 0, "denominator": 1}
    assert kpis["tickets_reopened"] == 1  # the customer wrote after the resolve
    assert kpis["cancellation_rate"]["value"] == 1
    assert kpis["mean_rating"]["value"] == 2
    assert kpis["nps"] is None
    # T-2 is low: 24 h for an answer, 72 h for a solution (48 h); what the reopen began is still in time.
    assert kpis["sla_attainment"] == {"value": 1.0, "numerator": 2, "denominator": 2}


@pytest.mark.parametrize("format_", ["json", "csv", "openmetrics", "table"])
def test_each_format_is_as_committed(format_):
    done = deskpulse("report", WEEK, "--by", "week", "--format", format_)
    assert done.returncode == 0
    assert done.stdout == (DATA / f"week.{format_}.out").read_text()


def test_what_was_refused_is_told_on_standard_error():
    done = deskpulse("report", WEEK, "--format", "json")
    assert "18 events, 1 duplicates, 1 refused as invalid" in done.stderr
    assert "week.jsonl:20: invalid" in done.stderr
    json.loads(done.stdout)


def test_groups_split_and_as_of_cuts():
    by_team = {row["group"]["team"]: row["kpis"] for row in report(WEEK, "--group", "team")}
    assert by_team["north"]["tickets_created"] == by_team["south"]["tickets_created"] == 1
    [row] = report(WEEK, "--as-of", "2026-03-02T10:59:59Z")
    assert row["kpis"]["tickets_created"] == 1
    assert row["kpis"]["tickets_resolved"] == 0


def test_days_are_those_of_the_zone():
    rows = report(WEEK, "--by", "day", "--tz", "America/New_York", "--from", "2026-03-07", "--to", "2026-03-10")
    # Daylight saving time begins on Sunday March 8: that day has 23 hours.
    assert [row["from"] for row in rows] == [
        "2026-03-07T00:00:00-05:00",
        "2026-03-08T00:00:00-05:00",
        "2026-03-09T00:00:00-04:00",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: No such file or directory"),
        ([WEEK, "--tz", "Mars/Olympus"], "no such zone"),
        ([WEEK, "--group", "teem"], "no such label"),
        ([WEEK, "--group", "site,team"], "no KPI has all of these labels"),
        ([WEEK, "--from", "yesterday"], "a time is like"),
        ([WEEK, "--from", "2026-03-02", "--to", "2026-03-01"], "--from must lie before --to"),
        ([WEEK, "--by", "fortnight"], "invalid choice"),
        ([WEEK, "--by", "day", "--from", "0001-01-01"], "over 10,000 periods"),
    ],
)
def test_misuse_is_one_line_and_exit_2(arguments, says):
    done = deskpulse("report", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_truncated_gzip_file_is_named(tmp_path):
    import gzip

    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(gzip.compress(WEEK.read_bytes())[:-20])
    done = deskpulse("report", broken)
    assert done.returncode == 2
    assert "broken.jsonl.gz" in done.stderr
    assert "Traceback" not in done.stderr


def test_gzip_by_any_name_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path):
    text = WEEK.read_bytes()
    (tmp_path / "packed.dat").write_bytes(gzip.compress(text))
    (tmp_path / "windows.jsonl").write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n\r\n"))
    assert report(tmp_path / "packed.dat") == report(tmp_path / "windows.jsonl") == report(WEEK)


def test_a_file_of_which_every_line_is_refused_is_exit_1(tmp_path):
    (tmp_path / "other.csv").write_text("ticket;when\n17;yesterday\n")
    done = deskpulse("report", tmp_path / "other.csv")
    assert done.returncode == 1
    assert "2 refused as malformed" in done.stderr


def test_promtool_takes_the_openmetrics(tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("NO PROMTOOL: Debian's package prometheus has it")
    command = [
        promtool,
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        DATA / "week.openmetrics.out",
        tmp_path / "blocks",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "NUM SAMPLES" in done.stdout
