"""Ends a worker that no longer works.

A hung event loop, or one that goes round without getting anything done, would keep its partitions for ever, since
Faust's heartbeats have a thread of their own.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from faust.types import TP

from stream.metrics.model import Health
from stream.runtime.clock import now_us
from stream.runtime.failure import WorkerFailure

HUNG_AFTER_S = 60.0  # far beyond the longest fold; a takeover gives the loop its turn all the time
LOOK_EVERY_S = 5.0
HUNG_EXIT = 70  # EX_SOFTWARE of sysexits.h


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


class Progress:
    """Judges whether a worker gets on: what it has to read may be much, but it must become less."""

    def __init__(self, limit: float) -> None:
        """*limit* in seconds."""
        self._limit = limit
        self._since: dict[TP, tuple[int, float]] = {}

    def look(self, behind: Mapping[TP, int], now: float) -> None:
        """Look at where each partition with something left to read stands; *now* in seconds of any clock.

        Raises WorkerFailure when one of them has stood still for longer than the limit.
        """
        before = self._since
        self._since = {
            tp: before[tp] if tp in before and before[tp][0] == position else (position, now)
            for tp, position in behind.items()
        }
        for tp, (position, since) in self._since.items():
            if now - since > self._limit:
                place = f"{tp.topic}-{tp.partition}"
                raise WorkerFailure(f"{place}: stuck at offset {position} for {self._limit:.0f} s with more to read")


@contextmanager
def exit_after(seconds: float, reason: str | None) -> Iterator[None]:
    """End the process if the block takes longer than *seconds*: nothing is lost, the checkpoints are in the log.

    *reason* is the failure that the worker stops for; without one the stop was asked for and the exit code is 0.
    """
    said = reason or f"not stopped after {seconds:.0f} s, ending the process"
    timer = threading.Timer(seconds, _end, (f"deskpulse: {said}", 1 if reason else 0))
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
