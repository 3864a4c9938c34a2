"""Ends a worker that no longer works.

A hung event loop, or one that goes round without getting anything done, would keep its partitions for ever, since
Faust's heartbeats have a thread of their own.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

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
    """Judges whether a worker gets on; what is behind may be long, but it must move."""

    def __init__(self, limit: float) -> None:
        """*limit* in seconds."""
        self._limit = limit
        self._moved: float | None = None
        self._seen: object = None

    def look(self, state: object, lag: int, now: float) -> None:
        """Look at a worker that is *lag* messages behind; *state* changes with all it does, *now* is in seconds.

        Raises WorkerFailure when it has been behind in the same state for longer than the limit.
        """
        if self._moved is None or state != self._seen or not lag:
            self._seen, self._moved = state, now
        elif now - self._moved > self._limit:
            raise WorkerFailure(f"no progress for {self._limit:.0f} s with {lag:,} messages to read")


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
