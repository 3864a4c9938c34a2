"""Tells an event that does not fold from a program that cannot fold."""

from __future__ import annotations

# An odd event is dead-lettered and the others go on. A program that fails on more than every twentieth event would move
# much of the topic to the dead letters while its numbers look alive; it stops instead, with all still in the log.
TOLERATED = 20
REFILL = 1 / 20


class ErrorBudget:
    """A token bucket: each fold error takes one token, each event that folds gives REFILL of one back."""

    def __init__(self) -> None:
        self._left = float(TOLERATED)

    def folded(self, events: int) -> None:
        """Note events that folded."""
        self._left = min(TOLERATED, self._left + events * REFILL)

    def spend(self) -> bool:
        """Note an event that did not fold; return False when there have been too many."""
        self._left -= 1
        return self._left >= 0
