"""The real data sets, and the commands run on them as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


def deskpulse(*arguments: object, **options):
    """Run the command and return the finished process."""
    command = [sys.executable, "-m", "stream", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=240, cwd=ROOT, **options)


def found_data() -> Path | None:
    """Return the folder of the full data sets: DESKPULSE_DATA, else ../shared/data beside the project, else None."""
    folder = Path(os.environ.get("DESKPULSE_DATA") or ROOT.parent / "shared" / "data")
    return folder if folder.is_dir() else None


@cache
def _imported(mapping: str, source: Path, out: Path) -> Path:
    done = deskpulse("import", "--mapping", mapping, source, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def imported(mapping: str, source: Path, folder: Path) -> Path:
    """Return the events of a source, imported once a session."""
    shared = folder.parent.parent / f"{mapping}.jsonl"
    return _imported(mapping, source, shared)


def report(events: Path, *arguments: str) -> list[dict]:
    """Return what `deskpulse report --format json` prints."""
    done = deskpulse("report", events, "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
