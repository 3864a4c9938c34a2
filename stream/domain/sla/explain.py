"""Explanations: where the time of each run of a ticket went, segment by segment, and who held the ticket meanwhile.

The runs come from the engine; the segments are cut anew from the statuses, the calendar and the holders, and what they
add up to is what the engine judged by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from stream.domain import ticket
from stream.domain.ledger import Entry
from stream.domain.sla.engine import Engine
from stream.domain.sla.policy import Clock
from stream.domain.sla.rules import Book
from stream.domain.sla.runs import CLOCKS, DROPPED, RESOLVING, STATUSES, Ended, SlaState, counts, phase, reckon

COUNTED, PAUSED, CLOSED = "counted", "paused", "closed"

Holder = tuple[int, str, str]  # since when, team, agent


class Segment(Struct, frozen=True):
    """A stretch [start, end) of a run: *kind* is counted, paused (by its status) or closed (outside opening hours)."""

    start: int
    end: int
    kind: str
    status: str
    team: str
    agent: str


class Explained(Struct, frozen=True):
    """A run with its segments up to its end, or for an open one up to the instant it was explained for.

    ``state`` is met, missed, bot or cancelled, or for an open run running, warning, breached_open or paused.
    ``carried`` is the open time that earlier runs spent before a reopen.
    """

    clock: str
    n: int
    policy: str
    state: str
    target: int
    start: int
    end: int
    deadline: int | None
    carried: int
    silent: bool
    no_reply: bool
    segments: tuple[Segment, ...]

    @property
    def teams(self) -> list[str]:
        """The teams that held the ticket meanwhile, by name."""
        return sorted({one.team for one in self.segments})

    def total(self, kind: str, team: str | None = None) -> int:
        """Return the time of one kind of segment, of one team if that is given."""
        chosen = (one for one in self.segments if one.kind == kind and team in (None, one.team))
        return sum(one.end - one.start for one in chosen)


class _Found(Struct):
    """A run and the clock it ran by."""

    run: Ended
    clock: Clock


def explain(entries: Sequence[Entry], book: Book, now: int) -> list[Explained]:
    """Return every run of a ticket by its ledger (in ledger order) as of *now*, in the order they started.

    A merged or retracted ticket is explained up to its end, though it counts nowhere.
    """
    sla, state = SlaState(), ticket.start(entries)
    state.visible = state.complete
    found: list[_Found] = []
    holders: list[Holder] = []

    def ended(run: Ended, count: int) -> None:
        found.append(_Found(run, _clock(book, sla, run.policy, run.clock)))

    engine = Engine(book, _nothing, ended)
    for entry in entries:
        if entry.time > now:
            break
        engine.reconfigure(sla, state, book.number(entry.time))
        ticket.advance(state, entry.code, entry.time, entry.data, _nothing)
        if state.visible:
            engine.advance(sla, state, entry.code, entry.time, entry.data)
        if not holders or holders[-1][1:] != (state.team, state.agent):
            holders.append((entry.time, state.team, state.agent))
    engine.reconfigure(sla, state, book.number(now))
    found += _open(sla, book, now)
    found.sort(key=lambda one: (one.run.start, one.run.clock, one.run.n))
    return [_explained(one, sla.track, holders) for one in found]


def _open(sla: SlaState, book: Book, now: int) -> Iterator[_Found]:
    """Yield the runs that have not ended as if they ended *now*, their state in place of an outcome."""
    for run in sla.runs:
        if run.verdict != DROPPED:
            policy = sla.labels_of(run)[1]
            clock = _clock(book, sla, policy, run.clock)
            yield _Found(
                Ended(
                    clock=run.clock,
                    n=run.n,
                    policy=policy,
                    outcome=phase(run, clock, now),
                    start=run.start,
                    end=max(now, run.start),
                    deadline=run.deadline,
                    silent=run.silent,
                    no_reply=False,
                    priority=sla.priority,
                    team=sla.team,
                ),
                clock,
            )


def _clock(book: Book, sla: SlaState, policy: str, code: int) -> Clock:
    """Return the clock of a policy in the newest configuration so far that has it."""
    for number in range(sla.config, -1, -1):
        plan = book.rules[number].plans.get(policy)
        clock = None if plan is None else plan.clocks[code]
        if clock is not None:
            return clock
    raise LookupError(f"no configuration has policy {policy} with clock {CLOCKS[code]}")


def _explained(found: _Found, track: list[int], holders: list[Holder]) -> Explained:
    run, clock = found.run, found.clock
    carried = reckon(track, track[0], run.start, clock)[0] if run.clock in RESOLVING else 0
    return Explained(
        clock=CLOCKS[run.clock],
        n=run.n,
        policy=run.policy,
        state=run.outcome,
        target=clock.target,
        start=run.start,
        end=run.end,
        deadline=run.deadline,
        carried=carried,
        silent=run.silent,
        no_reply=run.no_reply,
        segments=tuple(_segments(run, clock, track, holders)),
    )


def _segments(run: Ended, clock: Clock, track: list[int], holders: list[Holder]) -> Iterator[Segment]:
    """Cut [start, end) of a run wherever status, holder, or a counting clock's opening hours change."""
    status, team, agent = track[1], "", ""
    statuses = dict(zip(track[::2], track[1::2], strict=True))
    held = {since: (team, agent) for since, team, agent in holders}
    cuts = sorted({at for at in (*statuses, *held) if at < run.end} | {run.end})
    for start, end in pairwise(cuts):
        status = statuses.get(start, status)
        team, agent = held.get(start, (team, agent))
        for kind, since, until in _hours(clock, status, max(start, run.start), end):
            yield Segment(since, until, kind, STATUSES[status], team, agent)


def _hours(clock: Clock, status: int, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """Yield (kind, start, end) of a stretch of one status."""
    counting = counts(clock, status)
    while start < end:
        if not counting:
            yield PAUSED, start, end
            return
        opens = min(clock.calendar.next_open(start), end)
        if start < opens:
            yield CLOSED, start, opens
        start = opens
        if start < end:
            closes = min(clock.calendar.next_close(start), end)
            yield COUNTED, start, closes
            start = closes


def _nothing(measure: str, at: int | None, labels: tuple[str, ...], value: int, count: int) -> None:
    """Emit nothing: an explanation adds up its own segments."""
