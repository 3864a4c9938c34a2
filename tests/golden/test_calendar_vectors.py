"""Facts about calendars from the test suites and documentation of other systems (each case names its source)."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.data import deskpulse

VECTORS = Path(__file__).parent / "vectors" / "calendar.json"


def test_every_case_passes():
    cases = json.loads(VECTORS.read_text())
    done = deskpulse("sla", "check", VECTORS)
    assert (done.stdout, done.stderr, done.returncode) == (f"{len(cases)} passed, 0 failed\n", "", 0)
    assert len(cases) > 100


def test_a_case_made_wrong_fails(tmp_path):
    """The cases decide: any expectation that is moved by a second or turned round is found."""
    cases = json.loads(VECTORS.read_text())
    for case in cases:
        if case["kind"] == "is_open":
            case["expected"] = not case["expected"]
        elif case["kind"] == "deadline":
            case["target_seconds"] += 1
        else:
            case["expected"] += 1
    (tmp_path / "wrong.json").write_text(json.dumps(cases))
    done = deskpulse("sla", "check", tmp_path / "wrong.json")
    assert done.returncode == 1
    assert done.stdout.endswith(f"\n0 passed, {len(cases)} failed\n")
