"""A service desk for the tests: policies in a line, and one ticket's runs folded from its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from stream.domain import ledger, ticket
from stream.domain.sla.calendar import ALWAYS, Calendar
from stream.domain.sla.engine import Engine
from stream.domain.sla.policy import PAUSES, Clock, Policies, Policy, Replies
from stream.domain.sla.rules import Book
from stream.domain.sla.runs import CLOCKS, Ended, Run, SlaState, phase
from stream.events.event import Event
from tests.unit.domain.world import MINUTE, at

Contributions = Counter[tuple[str, float | None, tuple[str, ...], int]]


def clock(
    name: str,
    target: float,
    calendar: Calendar = ALWAYS,
    pauses: Iterable[str] | None = None,
    warnings: tuple[float, ...] = (),
) -> Clock:
    """Return a clock; target and warnings in minutes."""
    pausing = PAUSES[name] if pauses is None else frozenset(pauses)
    return Clock(name, round(target * MINUTE), calendar, pausing, tuple(round(early * MINUTE) for early in warnings))


def policy(name: str, *clocks: Clock, **match: str) -> Policy:
    """Return a policy with conditions such as priority="high"."""
    return Policy(name, tuple((label, frozenset({value})) for label, value in match.items()), clocks)


def policies(*chosen: Policy, replies: Replies | None = None) -> Policies:
    """Return a configuration."""
    return Policies(repr(chosen), chosen, {}, replies or Replies())


class Desk:
    """One ticket under a configuration, and later ones from a minute on."""

    def __init__(self, *chosen: Policy, edits: Iterable[tuple[float, Policies]] = (), **more: Any) -> None:
        self.book = Book("ticket", policies(*chosen, **more), [(at(minute), edit) for minute, edit in edits])

    def fold(self, *events: Event, until: float | None = None, stored: bool = False) -> Folded:
        """Fold events in ledger order, and the configurations up to *until*; *stored* = through bytes each time."""
        return Folded(self.book, events, None if until is None else at(until), stored)


class Folded:
    """The runs of a ticket after its events."""

    def __init__(self, book: Book, events: Iterable[Event], until: int | None, stored: bool) -> None:
        entries = sorted((ledger.entry_of(event) for event in events), key=lambda entry: entry.order)
        self.entries = entries
        self.sla = SlaState()
        self.ended: list[Ended] = []
        self.contributions: Contributions = Counter()
        self.ticket = ticket.start(entries)
        self._book = book
        engine = Engine(book, self._emit, lambda run, count: self.ended.append(run))
        for entry in entries:
            engine.reconfigure(self.sla, self.ticket, book.number(entry.time))
            ticket.advance(self.ticket, entry.code, entry.time, entry.data, self._ignore)
            if self.ticket.visible:
                engine.advance(self.sla, self.ticket, entry.code, entry.time, entry.data)
            if stored:
                self.sla = msgspec.msgpack.decode(msgspec.msgpack.encode(self.sla), type=SlaState)
        if until is not None:
            engine.reconfigure(self.sla, self.ticket, book.number(until))

    def outcome(self, name: str, n: int = 1) -> str | None:
        """Return how a run ended, None if it has not."""
        found = [run.outcome for run in self.ended if (CLOCKS[run.clock], run.n) == (name, n)]
        assert len(found) <= 1
        return found[0] if found else None

    def run(self, name: str) -> Run:
        """Return the open run of a clock."""
        (found,) = [run for run in self.sla.runs if CLOCKS[run.clock] == name]
        return found

    def deadline(self, name: str) -> float | None:
        """Return the deadline of the open run of a clock, in minutes."""
        due = self.run(name).deadline
        return None if due is None else minutes(due)

    def phase(self, name: str, minute: float) -> str:
        """Return the state of the open run of a clock at a minute."""
        run = self.run(name)
        clock = self._book.rules[self.sla.config].plans[self.sla.policy].clocks[run.clock]
        assert clock is not None
        return phase(run, clock, at(minute))

    def missed(self, name: str, until: float) -> list[float]:
        """Return the minutes at which runs of a clock count as missed, as of a minute, open ones included."""
        passed = [run.deadline for run in self.sla.runs if CLOCKS[run.clock] == name and not run.silent]
        still_open = [minutes(deadline) for deadline in passed if deadline is not None and deadline <= at(until)]
        return sorted(self._instants("sla_missed", name, until) + still_open)

    def met(self, name: str) -> list[float]:
        """Return the minutes at which runs of a clock count as met."""
        return self._instants("sla_met", name, 2**30)

    def _instants(self, measure: str, name: str, until: float) -> list[float]:
        found = []
        for (what, minute, labels, _), count in self.contributions.items():
            if what == measure and labels[0] == name and minute is not None and minute <= until:
                found += [minute] * count
        return sorted(found)

    def _emit(self, measure: str, instant: int | None, labels: tuple[str, ...], value: int, count: int) -> None:
        key = measure, None if instant is None else minutes(instant), labels, value
        self.contributions[key] += count
        if not self.contributions[key]:
            del self.contributions[key]

    def _ignore(self, measure: str, instant: int | None, labels: tuple[str, ...], value: int, count: int) -> None:
        pass


def minutes(instant: int) -> float:
    """Return an instant in minutes after START."""
    return (instant - at(0)) / MINUTE
