"""Instants by group, counted against marks that only move forward: what the index of deadlines is made of.

Instants are microseconds since the epoch (UTC).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush

from stream.events.values import MICRO

# clock, policy, priority and team under which the run is, or would be, missed; then the team that holds it now.
Group = tuple[str, str, str, str, str]

NEVER = -(2**62)  # in seconds: before every instant

_FEW = 32  # stale entries of a heap that are not worth making it anew


class Timeline:
    """Instants by group, and how many of each group lie before each of some marks that only move forward.

    They are kept by the second, so that moving a mark looks at the seconds it passes and at nothing else; and by group,
    since an office that opens puts thousands of deadlines on one second.
    """

    def __init__(self, marks: int) -> None:
        self._seconds: dict[Group, dict[int, list[int]]] = {}
        self._marks = [NEVER] * marks  # in seconds; everything before them has been counted
        self._foremost = NEVER
        self._before: list[dict[Group, int]] = [{} for _ in range(marks)]
        self._heaps: dict[Group, list[int]] = {}  # seconds that hold an instant of the group, or did

    def add(self, group: Group, at: int) -> None:
        """Put an instant in."""
        second = at // MICRO
        seconds = self._seconds.get(group)
        if seconds is None:
            seconds, self._heaps[group] = self._seconds.setdefault(group, {}), []
        seconds.setdefault(second, []).append(at)
        heap = self._heaps[group]
        heappush(heap, second)
        if len(heap) > 2 * len(seconds) + _FEW:  # what was removed stays in the heap until it comes up
            heap[:] = sorted(seconds)
        self._count(second, group, 1)

    def remove(self, group: Group, at: int) -> None:
        """Take one out that was put in."""
        second = at // MICRO
        seconds = self._seconds[group]
        held = seconds[second]
        held.remove(at)
        if not held:
            del seconds[second]
            if not seconds:
                del self._seconds[group], self._heaps[group]
        self._count(second, group, -1)

    def _count(self, second: int, group: Group, count: int) -> None:
        if second >= self._foremost:
            return  # as most deadlines are when they come and go
        for mark, before in zip(self._marks, self._before):  # noqa: B905  # equal by construction, and this is hot
            if second < mark:
                _add(before, group, count)

    def advance(self, place: int, at: int) -> None:
        """Move the mark number *place* forward to *at*."""
        old, new = self._marks[place], at // MICRO
        if new <= old:
            return
        self._marks[place] = new
        self._foremost = max(self._foremost, new)
        for group, seconds in self._seconds.items():
            passed: Iterable[int] = range(old, new) if new - old < len(seconds) else seconds
            count = sum(len(seconds[second]) for second in passed if old <= second < new and second in seconds)
            if count:
                _add(self._before[place], group, count)

    def until(self, place: int, at: int) -> dict[Group, int]:
        """Return how many instants of each group lie at or before *at*, to which the mark *place* was moved."""
        counts = dict(self._before[place])
        second = at // MICRO
        for group, seconds in self._seconds.items():
            if second in seconds:
                count = sum(instant <= at for instant in seconds[second])
                if count:
                    _add(counts, group, count)
        return counts

    def before(self, place: int) -> Mapping[Group, int]:
        """Return how many instants of each group lie before the second of the mark *place*."""
        return self._before[place]

    def firsts(self, after: int = NEVER * MICRO) -> dict[Group, int]:
        """Return the earliest instant beyond *after*, which never goes back, of each group that has one."""
        firsts = {}
        for group, heap in self._heaps.items():
            seconds = self._seconds[group]
            while heap:
                first = min((at for at in seconds.get(heap[0], ()) if at > after), default=None)
                if first is not None:
                    firsts[group] = first
                    break
                heappop(heap)
        return firsts


def _add(counts: dict[Group, int], group: Group, count: int) -> None:
    left = counts.get(group, 0) + count
    if left:
        counts[group] = left
    else:
        del counts[group]
