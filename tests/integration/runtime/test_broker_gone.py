"""`deskpulse run` when the embedded broker dies: one line at the end, no traceback, nothing left running."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil

from tests.integration.test_run import Running, running

JOINED = "([1-9][0-9]* events applied)"  # partitions are being fetched and checkpoints written


def kill_broker(started: Running) -> None:
    family = psutil.Process(started.process.pid).children(recursive=True)
    (broker,) = [process for process in family if process.name() == "noida-db"]
    broker.kill()


def test_a_run_whose_broker_died_ends_by_itself_and_says_so(tmp_path: Path) -> None:
    with running(tmp_path, "run", "--port", "0", "--no-sample") as started:
        started.wait_for(JOINED)
        kill_broker(started)
        assert started.process.wait(30) == 1
    assert started.lines[-1] == "deskpulse: the embedded broker has ended; .deskpulse/broker/broker.log may tell why"
    assert not any("Traceback" in line for line in started.lines)


def test_ctrl_c_after_the_brokers_death_leaves_no_traceback(tmp_path: Path) -> None:
    with running(tmp_path, "run", "--port", "0", "--no-sample") as started:
        started.wait_for(JOINED)
        kill_broker(started)
        started.interrupt(signal.SIGINT)
    assert started.process.returncode == 0
    assert not any("Traceback" in line for line in started.lines)
