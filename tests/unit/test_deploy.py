"""What stands in deploy/ is accepted by the programs that read it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.data import deskpulse

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_the_worker_takes_its_configuration():
    done = deskpulse("config", "check", DEPLOY / "deskpulse.toml")
    assert done.returncode == 0, done.stderr


def test_prometheus_takes_its_configuration():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("NO PROMTOOL: Debian's package prometheus has it")
    command = [promtool, "check", "config", DEPLOY / "prometheus" / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
