"""Ends a process that no longer works.

A hung event loop would keep its partitions for ever, since Faust's heartbeats have a thread of their own.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from stream.metrics.model import Health
from stream.runtime.clock import now_us

HUNG_AFTER_S = 60.0  # far beyond the longest fold; a takeover gives the loop its turn all the time
LOOK_EVERY_S = 5.0
HUNG_EXIT = 70  # EX_SOFTWARE of sysexits.h
STOP_EXIT = 0  # the stop was asked for, and everything is in the log


@contextmanager
def watch(health: Health) -> Iterator[None]:
    """End the process when the event loop shows no sign of life for HUNG_AFTER_S."""
    over = threading.Event()
    health.beat = now_us()

    def look() -> None:
        while not over.wait(LOOK_EVERY_S):
            if now_us() - health.beat > HUNG_AFTER_S * 1_000_000 and not health.stopping:
                _end(
                    f"deskpulse: the event loop has hung for {HUNG_AFTER_S:.0f} s, ending the process",
                    HUNG_EXIT,
                )

    threading.Thread(target=look, name="watchdog", daemon=True).start()
    try:
        yield
    finally:
        over.set()


@contextmanager
def exit_after(seconds: float) -> Iterator[None]:
    """End the process if the block takes longer than *seconds*: nothing is lost, the checkpoints are in the log."""
    timer = threading.Timer(
        seconds, _end, (f"deskpulse: not stopped after {seconds:.0f} s, ending the process", STOP_EXIT)
    )
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end(reason: str, code: int) -> None:
    sys.stderr.write(f"{reason}\n")
    sys.stderr.flush()
    os._exit(code)
