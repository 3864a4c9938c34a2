"""What time it is: the one place that reads the wall clock."""

from __future__ import annotations

import time
from typing import Literal, Protocol

ClockName = Literal["wall", "events"]


class Clock(Protocol):
    """Tells the time the KPIs describe, in microseconds since the epoch (UTC)."""

    def now(self) -> int:
        """Return the present moment."""

    def saw(self, event_time: int) -> None:
        """Note the time of an event that was folded."""


def now_us() -> int:
    """Return the wall clock in microseconds since the epoch (UTC)."""
    return time.time_ns() // 1000


class WallClock:
    """Live data: now is now."""

    def now(self) -> int:
        """Return the wall clock."""
        return now_us()

    def saw(self, event_time: int) -> None:
        """Change nothing; time goes on by itself."""


class EventClock:
    """Old data: now is the newest event time folded, in this run or restored; 0 before the first."""

    def __init__(self) -> None:
        self._newest = 0

    def now(self) -> int:
        """Return the newest event time seen."""
        return self._newest

    def saw(self, event_time: int) -> None:
        """Move on when the event is newer than all before."""
        self._newest = max(self._newest, event_time)


def make_clock(name: ClockName) -> Clock:
    """Return the clock a configuration names."""
    return EventClock() if name == "events" else WallClock()
