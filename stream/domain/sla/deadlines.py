"""The deadlines of a shard's open runs: which fall due next, and how many have passed or are near, by labels.

Nothing here is state of its own: it follows from the open entities, and is built again from them after a restore. An
update costs the same however many runs are open; instants are microseconds since the epoch (UTC).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush

from msgspec import Struct

from stream.domain.sla.runs import CLOCKS, SlaState
from stream.events.values import MICRO

_NEVER = -(2**62)  # before every instant

# The spans for which runs due soon are counted, longest last.
SOON = {"15m": 900 * MICRO, "1h": 3_600 * MICRO}

# clock, policy, priority and team under which the run is, or would be, missed; then the team that holds it now.
Group = tuple[str, str, str, str, str]


class Due(Struct, frozen=True, gc=False):
    """What of an entity may fall due.

    That is its deadlines, each with the group it counts under, the instants of its warnings, and since when the
    customer waits for an answer, with the team that holds the entity.
    """

    deadlines: tuple[tuple[Group, int], ...] = ()
    warnings: tuple[int, ...] = ()
    unanswered: int | None = None
    team: str = ""

    @property
    def first(self) -> int | None:
        """The earliest instant at which something fires."""
        return min((*(at for _, at in self.deadlines), *self.warnings), default=None)


NOTHING_DUE = Due()


def due_of(state: SlaState) -> Due:
    """Return what may fall due of an entity. A run carried over from a missed one neither pages nor counts."""
    deadlines: list[tuple[Group, int]] = []
    warnings: tuple[int, ...] = ()
    for run in state.runs:
        if run.deadline is not None and not run.silent:
            labels = run.labels or (CLOCKS[run.clock], state.policy, state.priority, state.team)
            clock, policy, priority, team = labels
            deadlines.append(((clock, policy, priority, team, state.team), run.deadline))
            warnings += run.warnings
    if not deadlines and state.unanswered is None:
        return NOTHING_DUE
    return Due(tuple(deadlines), warnings, state.unanswered, state.team)


class Timeline:
    """Instants by group, and how many of each group lie before each of some marks that only move forward.

    They are kept by the second, so that moving a mark looks at the seconds it passes and at nothing else.
    """

    def __init__(self, marks: int) -> None:
        self._seconds: dict[int, list[tuple[int, Group]]] = {}
        self._marks = [_NEVER] * marks  # in seconds; everything before them has been counted
        self._before: list[dict[Group, int]] = [{} for _ in range(marks)]
        self._heaps: dict[Group, list[int]] = {}  # seconds that hold an instant of the group, or did

    def add(self, group: Group, at: int) -> None:
        """Put an instant in."""
        second = at // MICRO
        self._seconds.setdefault(second, []).append((at, group))
        heappush(self._heaps.setdefault(group, []), second)
        self._count(second, group, 1)

    def remove(self, group: Group, at: int) -> None:
        """Take one out that was put in."""
        second = at // MICRO
        held = self._seconds[second]
        held.remove((at, group))
        if not held:
            del self._seconds[second]
        self._count(second, group, -1)

    def _count(self, second: int, group: Group, count: int) -> None:
        for mark, before in zip(self._marks, self._before):  # noqa: B905  # equal by construction, and this is hot
            if second < mark:
                _add(before, group, count)

    def advance(self, place: int, at: int) -> None:
        """Move the mark number *place* forward to *at*."""
        old, new = self._marks[place], at // MICRO
        if new <= old:
            return
        self._marks[place] = new
        passed: Iterable[int] = range(old, new)
        if new - old > len(self._seconds):
            passed = [second for second in self._seconds if old <= second < new]
        for second in passed:
            for _, group in self._seconds.get(second, ()):
                _add(self._before[place], group, 1)

    def until(self, place: int, at: int) -> dict[Group, int]:
        """Return how many instants of each group lie at or before *at*, to which the mark *place* was moved."""
        counts = dict(self._before[place])
        for instant, group in self._seconds.get(at // MICRO, ()):
            if instant <= at:
                _add(counts, group, 1)
        return counts

    def firsts(self, after: int = _NEVER * MICRO) -> dict[Group, int]:
        """Return the earliest instant beyond *after* of each group that has one."""
        firsts = {}
        for group in list(self._heaps):
            first = self._first(self._heaps[group], group, after)
            if first is not None:
                firsts[group] = first
            elif not self._heaps[group]:
                del self._heaps[group]
        return firsts

    def _first(self, heap: list[int], group: Group, after: int) -> int | None:
        while heap:
            ahead = [at for at, of in self._seconds.get(heap[0], ()) if of == group and at > after]
            if ahead:
                return min(ahead)
            heappop(heap)
        return None


def _add(counts: dict[Group, int], group: Group, count: int) -> None:
    left = counts.get(group, 0) + count
    if left:
        counts[group] = left
    else:
        del counts[group]


class Outlook(Struct, frozen=True, gc=False):
    """How the open runs of one clock, policy and team stand.

    Breached is confirmed by the frontier, unconfirmed is breached by the clock alone; ``soon`` counts those due within
    each span of `SOON`, and the next deadline is the earliest that the frontier has not reached.
    """

    breached: int
    unconfirmed: int
    soon: dict[str, int]
    next_deadline: int | None


_FRONTIER, _NOW = 0, 1


class Deadlines:
    """The index of a shard's open runs by entity key. *windows* is the number of left edges that are followed."""

    def __init__(self, windows: int) -> None:
        self._due: dict[bytes, Due] = {}
        self._runs = Timeline(2 + len(SOON) + windows)
        self._edges = range(2 + len(SOON), 2 + len(SOON) + windows)
        self._waits = Timeline(0)
        self._queue: dict[int, list[bytes]] = {}  # second -> entities of which something falls due in it
        self._fired = _NEVER
        self._frontier = self._now = _NEVER * MICRO

    def __len__(self) -> int:
        return len(self._due)

    def update(self, key: bytes, due: Due) -> None:
        """Take over what may fall due of an entity; `NOTHING_DUE` where it has closed or gone."""
        old = self._due.get(key, NOTHING_DUE)
        if due == old:
            return
        for group, at in old.deadlines:
            self._runs.remove(group, at)
        for group, at in due.deadlines:
            self._runs.add(group, at)
            self._enqueue(key, at)
        for at in due.warnings:
            self._enqueue(key, at)
        if old.unanswered is not None:
            self._waits.remove(_held_by(old.team), old.unanswered)
        if due.unanswered is not None:
            self._waits.add(_held_by(due.team), due.unanswered)
        if due is NOTHING_DUE:
            self._due.pop(key, None)
        else:
            self._due[key] = due

    def _enqueue(self, key: bytes, at: int) -> None:
        second = at // MICRO
        if second >= self._fired:
            self._queue.setdefault(second, []).append(key)

    def reached(self, until: int) -> set[bytes]:
        """Return the entities of which something may lie between what has fired and *until*."""
        last = until // MICRO
        seconds: Iterable[int] = range(self._fired, last + 1)
        if last - self._fired >= len(self._queue):
            seconds = [second for second in self._queue if second <= last]
        return {key for second in seconds for key in self._queue.get(second, ())}

    def fire(self, until: int) -> None:
        """Note that all that lies at or before *until* has fired, as the checkpoint that was committed says."""
        second = until // MICRO  # the rest of this second is still to come
        if second <= self._fired:
            return
        self._fired = second
        for passed in [one for one in self._queue if one < second]:
            del self._queue[passed]

    def advance(self, frontier: int, now: int, lefts: Iterable[int]) -> None:
        """Move the frontier, the clock and the windows' left edges forward."""
        self._frontier, self._now = max(frontier, self._frontier), max(now, self._now)
        self._runs.advance(_FRONTIER, self._frontier)
        self._runs.advance(_NOW, self._now)
        for place, span in enumerate(SOON.values(), 2):
            self._runs.advance(place, self._now + span)
        for place, left in zip(self._edges, lefts, strict=True):
            self._runs.advance(place, left)

    def outlooks(self) -> dict[tuple[str, str, str], Outlook]:
        """Return how the open runs stand by clock, policy and the team that holds them, as of the last `advance`."""
        breached = _by_holder(self._runs.until(_FRONTIER, self._frontier))
        passed = _by_holder(self._runs.until(_NOW, self._now))
        soon = {
            name: _by_holder(self._runs.until(place, self._now + span))
            for place, (name, span) in enumerate(SOON.items(), 2)
        }
        firsts: dict[tuple[str, str, str], int] = {}
        for (clock, policy, _, _, holder), at in self._runs.firsts(self._frontier).items():
            key = clock, policy, holder
            firsts[key] = min(at, firsts.get(key, at))
        groups = breached.keys() | passed.keys() | firsts.keys() | {key for counts in soon.values() for key in counts}
        return {
            key: Outlook(
                breached=breached.get(key, 0),
                unconfirmed=max(passed.get(key, 0) - breached.get(key, 0), 0),
                soon={name: counts.get(key, 0) - passed.get(key, 0) for name, counts in soon.items()},
                next_deadline=firsts.get(key),
            )
            for key in groups
        }

    def counts(self) -> Iterator[tuple[str, tuple[str, str, str, str], int]]:
        """Yield the live measures: open runs past their deadline by the clock, and due within each span of `SOON`.

        Each comes with its labels (`measures.SLA_LABELS`, the team being the one that holds it) and its count.
        """
        passed = _by_labels(self._runs.until(_NOW, self._now))
        yield from (("sla_breached_open", labels, count) for labels, count in passed.items())
        for place, (name, span) in enumerate(SOON.items(), 2):
            for labels, count in _by_labels(self._runs.until(place, self._now + span)).items():
                soon = count - passed.get(labels, 0)
                if soon:
                    yield f"sla_due_soon_{name}", labels, soon

    def missed(self, edge: int) -> dict[tuple[str, str, str, str], int]:
        """Return the open runs missed in the window of the *edge*-th left edge, by `measures.SLA_LABELS`."""
        counts: dict[tuple[str, str, str, str], int] = {}
        place = self._edges[edge]
        before = self._runs.until(place, _NEVER)
        for group, number in self._runs.until(_NOW, self._now).items():
            inside = number - before.get(group, 0)
            if inside:
                labels = group[:4]
                counts[labels] = counts.get(labels, 0) + inside
        return counts

    def oldest_unanswered(self) -> dict[str, int]:
        """Return since when the customer who has waited longest waits, by the team that holds the entity."""
        return {group[-1]: at for group, at in self._waits.firsts().items()}

    def overdue(self, now: int) -> Iterator[bytes]:
        """Yield the entities with a deadline at or before *now*; looks at all open ones."""
        return (key for key, due in self._due.items() if any(at <= now for _, at in due.deadlines))


def _held_by(team: str) -> Group:
    return ("", "", "", "", team)


def _by_labels(counts: Mapping[Group, int]) -> dict[tuple[str, str, str, str], int]:
    sums: dict[tuple[str, str, str, str], int] = {}
    for (clock, policy, priority, _, holder), number in counts.items():
        key = clock, policy, priority, holder
        sums[key] = sums.get(key, 0) + number
    return sums


def _by_holder(counts: Mapping[Group, int]) -> dict[tuple[str, str, str], int]:
    sums: dict[tuple[str, str, str], int] = {}
    for (clock, policy, _, _, holder), number in counts.items():
        key = clock, policy, holder
        sums[key] = sums.get(key, 0) + number
    return sums
