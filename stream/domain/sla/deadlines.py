"""The deadlines of a shard's open runs: which fall due next, and how many have passed or are near, by labels.

Nothing here is state of its own: it follows from the open entities, and is built again from them after a restore. An
update costs the same however many runs are open; instants are microseconds since the epoch (UTC).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from stream.domain.sla.runs import SlaState
from stream.domain.sla.timeline import NEVER, Group, Timeline
from stream.events.values import MICRO

# The spans for which runs due soon are counted, longest last.
SOON = {"15m": 900 * MICRO, "1h": 3_600 * MICRO}


class Due(Struct, frozen=True, gc=False):
    """What of an entity may fall due.

    That is its deadlines, each with the group it counts under, the instants of its warnings, and since when the
    customer waits for an answer, with the team that holds the entity.
    """

    deadlines: tuple[tuple[Group, int], ...] = ()
    warnings: tuple[int, ...] = ()
    unanswered: int | None = None
    team: str = ""

    def falls(self, since: int, until: int) -> bool:
        """Whether anything fires from *since* on, up to *until*."""
        deadlines = any(since <= at <= until for _, at in self.deadlines)
        return deadlines or any(since <= at <= until for at in self.warnings)


NOTHING_DUE = Due()


def due_of(state: SlaState) -> Due:
    """Return what may fall due of an entity. A run carried over from a missed one neither pages nor counts."""
    deadlines: list[tuple[Group, int]] = []
    warnings: tuple[int, ...] = ()
    for run in state.runs:
        if run.deadline is not None and not run.silent:
            clock, policy, priority, team = state.labels_of(run)
            deadlines.append(((clock, policy, priority, team, state.team), run.deadline))
            warnings += run.warnings
    if not deadlines and state.unanswered is None:
        return NOTHING_DUE
    return Due(tuple(deadlines), warnings, state.unanswered, state.team)


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
        self._fired = NEVER
        self._frontier = self._now = NEVER * MICRO
        # How many instants of each group lie up to the frontier, the clock and the end of each span, as of `advance`.
        self._breached: dict[Group, int] = {}
        self._passed: dict[Group, int] = {}
        self._until: dict[str, dict[Group, int]] = {}

    def __len__(self) -> int:
        return len(self._due)

    def update(self, key: bytes, due: Due) -> None:
        """Take over what may fall due of an entity; `NOTHING_DUE` where it has closed or gone."""
        old = self._due.get(key, NOTHING_DUE)
        if due == old:
            return
        for one in old.deadlines:
            if one not in due.deadlines:
                self._runs.remove(*one)
        for one in due.deadlines:
            if one not in old.deadlines:
                self._runs.add(*one)
                self._enqueue(key, one[1])
        for at in due.warnings:
            if at not in old.warnings:
                self._enqueue(key, at)
        if (old.unanswered, old.team) != (due.unanswered, due.team):
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
        """Return the entities of which something lies between what has fired, or that second's start, and *until*."""
        since = self._fired * MICRO
        queued = {key for second in self._seconds_before(until // MICRO + 1) for key in self._queue.get(second, ())}
        return {key for key in queued if self._due.get(key, NOTHING_DUE).falls(since, until)}

    def fire(self, until: int) -> None:
        """Note that all that lies at or before *until* has fired, as the checkpoint that was committed says."""
        second = until // MICRO  # the rest of this second is still to come
        if second > self._fired:
            for passed in self._seconds_before(second):
                self._queue.pop(passed, None)
            self._fired = second

    def _seconds_before(self, before: int) -> Iterable[int]:
        """Return the seconds of the queue before one, among others."""
        if before - self._fired > len(self._queue):
            return [second for second in self._queue if second < before]
        return range(self._fired, before)

    def advance(self, frontier: int, now: int, lefts: Iterable[int]) -> None:
        """Move the frontier, the clock and the windows' left edges forward, and count anew what lies before them."""
        self._frontier, self._now = max(frontier, self._frontier), max(now, self._now)
        self._runs.advance(_FRONTIER, self._frontier)
        self._runs.advance(_NOW, self._now)
        for place, left in zip(self._edges, lefts, strict=True):
            self._runs.advance(place, left)
        self._breached = self._runs.until(_FRONTIER, self._frontier)
        self._passed = self._runs.until(_NOW, self._now)
        for place, (name, span) in enumerate(SOON.items(), 2):
            self._runs.advance(place, self._now + span)
            self._until[name] = self._runs.until(place, self._now + span)

    def outlooks(self) -> dict[tuple[str, str, str], Outlook]:
        """Return how the open runs stand by clock, policy and the team that holds them, as of the last `advance`."""
        breached, passed = _by_holder(self._breached), _by_holder(self._passed)
        soon = {name: _by_holder(counts) for name, counts in self._until.items()}
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

        Each comes with its labels (`measures.SLA_LABELS`, the team being the one that holds it) and its count, as of
        the last `advance`.
        """
        passed = _by_labels(self._passed)
        yield from (("sla_breached_open", labels, count) for labels, count in passed.items())
        for name, counts in self._until.items():
            for labels, count in _by_labels(counts).items():
                soon = count - passed.get(labels, 0)
                if soon:
                    yield f"sla_due_soon_{name}", labels, soon

    def missed(self, edge: int) -> dict[tuple[str, str, str, str], int]:
        """Return the open runs missed in the window of the *edge*-th left edge, by `measures.SLA_LABELS`."""
        counts: dict[tuple[str, str, str, str], int] = {}
        place = self._edges[edge]
        before = self._runs.before(place)
        for group, number in self._passed.items():
            inside = number - before.get(group, 0)
            if inside:
                labels = group[:4]
                counts[labels] = counts.get(labels, 0) + inside
        return counts

    def oldest_unanswered(self) -> dict[str, int]:
        """Return since when the customer who has waited longest waits, by the team that holds the entity."""
        return {group[-1]: at for group, at in self._waits.firsts().items()}

    def overdue(self, now: int) -> Iterator[bytes]:
        """Yield the entities with a deadline at or before *now*; looks at all that are open when it begins."""
        for key, due in list(self._due.items()):
            if any(at <= now for _, at in due.deadlines):
                yield key

    @property
    def frontier(self) -> int:
        """How far event time was known at the last `advance`, microseconds UTC."""
        return self._frontier


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
