"""The real data sets, and the commands run on them as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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


def report(events: Path, *arguments: str) -> list[dict]:
    """Return what `deskpulse report --format json` prints."""
    done = deskpulse("report", events, "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
