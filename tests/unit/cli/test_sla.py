"""`deskpulse sla check`: cases that hold, cases that differ, and files that are no cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stream.cli.main import main

DESK = {"tz": "UTC", "hours": {"mon": [["09:00", "17:00"]]}}
DEADLINE = {
    "id": "d",
    "kind": "deadline",
    "calendar": DESK,
    "start": "2026-03-02T10:00:00Z",
    "target_seconds": 3600,
    "expected": "2026-03-02T12:00:00+01:00",
}
ELAPSED = {
    "id": "e",
    "kind": "business_elapsed",
    "calendar": DESK,
    "start": "2026-03-02T10:00:00Z",
    "end": "2026-03-02T11:00:00.5Z",
    "pauses": [["2026-03-02T10:00:00Z", "2026-03-02T10:30:00Z"]],
    "expected": 1800.5,
}
IS_OPEN = {"id": "o", "kind": "is_open", "calendar": None, "at": "2026-03-01T10:00:00Z", "expected": True}


def check(folder: Path, *cases: Any) -> int:
    file = folder / "cases.json"
    file.write_text(json.dumps(cases))
    return main(["sla", "check", str(file)])


def test_cases_that_hold_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, DEADLINE, ELAPSED, IS_OPEN) == 0
    assert capsys.readouterr().out == "3 passed, 0 failed\n"


def test_each_case_that_differs_says_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paused = IS_OPEN | {"pauses": [["2026-03-01T10:00:00Z", "2026-03-01T10:00:01Z"]]}
    assert check(tmp_path, DEADLINE | {"target_seconds": 3600.5}, ELAPSED | {"expected": 1800}, paused, IS_OPEN) == 1
    assert capsys.readouterr().out.split("\n") == [
        "d: expected 2026-03-02T11:00:00+00:00, got 2026-03-02T11:00:00.500000+00:00",
        "e: expected 1800.0, got 1800.5",
        "o: expected True, got False",
        "1 passed, 3 failed",
        "",
    ]


MISUSED = {
    "an unknown kind": (IS_OPEN | {"kind": "sla_status"}, "case 1: Invalid value 'sla_status' - at `$.kind`"),
    "an unknown field": (IS_OPEN | {"att": 1}, "case 1: Object contains unknown field `att`"),
    "a time without offset": (IS_OPEN | {"at": "2026-03-01T10:00:00"}, "case 1: Expected `datetime` with a timezone"),
    "no case": (3, "case 1: Expected `object`, got `int`"),
    "an unknown zone": (DEADLINE | {"calendar": DESK | {"tz": "Mars"}}, "d: zone: no zone 'Mars'; the nearest is"),
    "an unknown day": (
        DEADLINE | {"calendar": {"tz": "UTC", "hours": {"mnd": []}}},
        "d: hours.mnd: unknown key; the nearest is hours.mon",
    ),
    "hours that are none": (
        DEADLINE | {"calendar": {"tz": "UTC", "hours": {"mon": [["9", "17"]]}}},
        "d: hours.mon: ['9-17'] is not allowed",
    ),
    "a calendar that never opens": (DEADLINE | {"calendar": {"tz": "UTC", "hours": {}}}, "d: hours: it never opens"),
    "a deadline beyond all calendars": (DEADLINE | {"target_seconds": 1e10}, "d: calendar case: no such deadline"),
    "a pause that ends before it begins": (
        ELAPSED | {"pauses": [["2026-03-02T10:30:00Z", "2026-03-02T10:00:00Z"]]},
        "e: pauses: one ends before it begins",
    ),
}


@pytest.mark.parametrize("reason", MISUSED)
def test_a_case_that_is_none_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    case, complaint = MISUSED[reason]
    assert check(tmp_path, case) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"deskpulse: {tmp_path / 'cases.json'}: {complaint}")
    assert error.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"[", b'[{"id": "\xff"}]'])
def test_a_file_that_is_no_list_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / "cases.json").write_bytes(content)
    assert main(["sla", "check", str(tmp_path / "cases.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_that_is_not_there_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sla", "check", str(tmp_path / "no.json")]) == 2
    assert "no.json: cannot be read: No such file" in capsys.readouterr().err
