"""A process that hangs is ended from a thread of its own, with one line that says why."""

from __future__ import annotations

import subprocess
import sys

import pytest
from faust.types import TP

from stream.runtime.failure import WorkerFailure
from stream.runtime.watchdog import HUNG_EXIT, Progress

HANG = "import time\nfrom stream.metrics.model import Health\nfrom stream.runtime import watchdog\n"
HUNG_LOOP = (
    f"{HANG}watchdog.HUNG_AFTER_S, watchdog.LOOK_EVERY_S = 0.2, 0.05\nwith watchdog.watch(Health()): time.sleep(60)"
)
SLOW_STOP = HANG + "with watchdog.exit_after(0.2, {reason!r}): time.sleep(60)"


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        (HUNG_LOOP, HUNG_EXIT, "deskpulse: the event loop has hung for 0 s, ending the process\n"),
        (SLOW_STOP.format(reason=None), 0, "deskpulse: not stopped after 0 s, ending the process\n"),
        (SLOW_STOP.format(reason="the topic is gone"), 1, "deskpulse: the topic is gone\n"),
    ],
    ids=["hung loop", "slow stop", "slow stop of a failed worker"],
)
def test_a_process_that_hangs_is_ended_with_its_reason(program: str, code: int, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


HERE, THERE = TP("tickets", 0), TP("reviews", 0)


def test_a_partition_may_be_behind_for_ever_as_long_as_it_moves() -> None:
    progress = Progress(limit=10)
    for second in range(100):
        progress.look({HERE: second // 10}, second)


def test_a_partition_that_was_read_to_its_end_meanwhile_starts_anew() -> None:
    progress = Progress(limit=10)
    progress.look({HERE: 5}, 0)
    progress.look({}, 9)
    progress.look({HERE: 5}, 18)
    progress.look({HERE: 5}, 28)
    with pytest.raises(WorkerFailure, match="tickets-0: stuck at offset 5 for 10 s"):
        progress.look({HERE: 5}, 29)


def test_one_partition_that_stands_still_is_seen_while_others_move() -> None:
    progress = Progress(limit=10)
    progress.look({HERE: 5, THERE: 0}, 0)
    progress.look({HERE: 5, THERE: 1}, 10)
    with pytest.raises(WorkerFailure, match="tickets-0: stuck"):
        progress.look({HERE: 5, THERE: 2}, 11)
