"""The engine: what the events of a ticket do to the runs of its clocks.

`advance` is called after each event that the ticket's own fold has taken, in ledger order, so late and out-of-order
events correct the runs through a refold like everything else. The rules are the contract's "SLA conventions".
"""

from __future__ import annotations

from typing import Any

from stream.domain.measures import Emit
from stream.domain.sla.rules import Book, Rules
from stream.domain.sla.runs import (
    ABANDONED,
    BOT,
    CANCELLED,
    DELETED,
    FIRST_RESPONSE,
    MET,
    NEXT_RESPONSE,
    PERIODIC_UPDATE,
    RESOLVING,
    STATUS_CODES,
    Ends,
    SlaState,
)
from stream.domain.sla.step import Step
from stream.domain.ticket import ACTIVE, TicketState
from stream.events.registry import BY_NAME

_CREATED = BY_NAME["ticket.created"].code
_UPDATED = BY_NAME["ticket.updated"].code
_ASSIGNED = BY_NAME["ticket.assigned"].code
_ESCALATED = BY_NAME["ticket.escalated"].code
_HANDED_OFF = BY_NAME["ticket.handed_off"].code
_MESSAGE = BY_NAME["ticket.message"].code
_STATUS_CHANGED = BY_NAME["ticket.status_changed"].code
_ABANDONED = BY_NAME["ticket.abandoned"].code
_MERGED = BY_NAME["ticket.merged"].code
_DELETED = BY_NAME["ticket.deleted"].code

_LABELLING = frozenset({_UPDATED, _ASSIGNED, _ESCALATED, _HANDED_OFF})
_MOVING = frozenset({_ASSIGNED, _ESCALATED})  # from team to team and nothing else
_ENDING = frozenset({_ABANDONED, _MERGED, _DELETED})
_LEFT, _GONE = STATUS_CODES[ABANDONED], STATUS_CODES[DELETED]

# SlaState.traits where there are none: complexity, market, customer_segment, tags.
_NO_TRAITS: tuple[str | None, str | None, str | None, tuple[str, ...]] = (None, None, None, ())


class Engine:
    """The runs of tickets under the configurations in *book*; contributions go to *emit*, ends of runs to *ended*."""

    def __init__(self, book: Book, emit: Emit, ended: Ends) -> None:
        self._book = book
        self._emit = emit
        self._ended = ended

    def advance(self, sla: SlaState, ticket: TicketState, code: int, at: int, data: Any) -> None:
        """Let the next event in ledger order do its work on the runs; *ticket* is the state after it.

        Only for tickets that are visible: the runs of an incomplete, merged or retracted one never were.
        """
        if sla.began is None:
            self._before_runs(sla, ticket, code, at, data)
            return
        if sla.status == _GONE or (code in _MOVING and ticket.team == sla.team):
            return  # an assignment to a person, mostly
        rules = self._book.rules[sla.config]
        step = Step(sla, at, rules.plans[sla.policy], self._emit, self._ended)
        if code == _MESSAGE:
            self._message(sla, ticket, at, data, step)
        elif code in _LABELLING:
            _relabel(sla, ticket, None if code != _UPDATED else data, rules, step)
            if code == _HANDED_OFF and sla.since[FIRST_RESPONSE] is not None:
                sla.since[FIRST_RESPONSE] = at
                step.restart(FIRST_RESPONSE)
        elif code == _STATUS_CHANGED:
            _follow(sla, ticket, at, step)
        elif code in _ENDING and (sla.opened is not None or code != _ABANDONED):
            step.end_all(CANCELLED)
            sla.track += (at, _LEFT if code == _ABANDONED else _GONE)

    def reconfigure(self, sla: SlaState, ticket: TicketState, number: int) -> None:
        """Apply the edited configurations up to *number*, each at the instant from which on it holds.

        To be called before the ticket's own fold takes an event, with the number in force at its time; and for each
        open ticket when the configuration has been edited, since its deadlines move without an event.
        """
        while sla.began is not None and sla.config < number:
            old, new = self._book.rules[sla.config], self._book.rules[sla.config + 1]
            step = Step(sla, self._book.edits[sla.config], old.plans[sla.policy], self._emit, self._ended)
            step.switch(new.plan_for(_labels(sla, ticket)), sla.priority, sla.team)
            sla.config += 1

    def _before_runs(self, sla: SlaState, ticket: TicketState, code: int, at: int, data: Any) -> None:
        """Take the created, or what a skewed clock put before it."""
        sla.config = self._book.number(at)
        rules = self._book.rules[sla.config]
        if code == _MESSAGE:
            sla.replied |= _replies(sla, ticket, data, rules)
        elif code == _UPDATED:
            _keep_traits(sla, data)
        elif code == _CREATED and not ticket.gone:
            _keep_traits(sla, data)
            plan = rules.plan_for(_labels(sla, ticket))
            sla.began, sla.policy, sla.priority, sla.team = at, plan.name, ticket.priority, ticket.team
            if ticket.status in ACTIVE:
                _open(sla, ticket, at, Step(sla, at, plan, self._emit, self._ended))
            else:
                sla.track, sla.bot_resolved = [at, STATUS_CODES[ticket.status]], ticket.bot_resolved

    def _message(self, sla: SlaState, ticket: TicketState, at: int, data: Any, step: Step) -> None:
        if _replies(sla, ticket, data, self._book.rules[sla.config]):
            self._reply(sla, ticket, at, step)
        elif data.author == "customer" and data.public is not False:
            if ticket.status in ACTIVE:
                _follow(sla, ticket, at, step)
            if sla.replied and sla.asked is None:
                sla.asked = at
            if sla.opened is not None and sla.replied and sla.since[NEXT_RESPONSE] is None:
                _wait(sla, NEXT_RESPONSE, at, step)

    def _reply(self, sla: SlaState, ticket: TicketState, at: int, step: Step) -> None:
        waited = NEXT_RESPONSE if sla.replied else FIRST_RESPONSE
        measure = "next_response_business" if sla.replied else "first_response_business"
        start = sla.asked if sla.replied else None if ticket.by_agent else ticket.response_start
        opened = step.open_since(waited, start)
        if opened is not None:
            self._emit(measure, at, ticket.labels, opened, 1)
        sla.replied, sla.asked = True, None
        for code in (waited, PERIODIC_UPDATE):
            if sla.since[code] is not None:
                sla.since[code] = None
                step.end(code, MET)
        if sla.opened is not None:
            _wait(sla, PERIODIC_UPDATE, at, step)


def ahead(sla: SlaState, at: int, book: Book) -> bool:
    """Whether a configuration has been applied that did not hold yet at *at*, so that an event then needs a refold."""
    return sla.began is not None and sla.config > book.number(at)


def _open(sla: SlaState, ticket: TicketState, at: int, step: Step) -> None:
    """Start what runs from created or from a reopen on."""
    greets = not sla.track or sla.status == _LEFT or sla.bot_resolved
    sla.bot_resolved = False
    sla.opened = at
    sla.openings += 1
    sla.track += (at, STATUS_CODES[ticket.status])
    for code in RESOLVING:
        step.start(code, sla.openings)
    if sla.replied:
        _wait(sla, PERIODIC_UPDATE, at, step)
    elif greets and not ticket.by_agent:
        # A reopen after a person's resolve finds the first response met; after a bot's, the ticket starts it anew.
        _wait(sla, FIRST_RESPONSE, at, step)


def _follow(sla: SlaState, ticket: TicketState, at: int, step: Step) -> None:
    """Follow the ticket's status after an event that may change it. What is asked of an abandoned ticket reopens it."""
    status = STATUS_CODES[ticket.status]
    active = ticket.status in ACTIVE
    if not active and status != sla.status:
        sla.asked, sla.bot_resolved = None, ticket.bot_resolved
    if sla.opened is None:
        if active:
            _open(sla, ticket, at, step)
        elif status != sla.status:
            sla.track += (at, status)
    elif not active:
        # Closing what was never resolved ends every clock, and resolves nothing.
        step.end_all(CANCELLED if ticket.status == "closed" else BOT if ticket.bot_resolved else MET)
        sla.track += (at, status)
    elif status != sla.status:
        step.status(status)


def _replies(sla: SlaState, ticket: TicketState, data: Any, rules: Rules) -> bool:
    return rules.replies.counts(data.author, data.public is not False, ticket.channel, not sla.replied)


def _wait(sla: SlaState, code: int, at: int, step: Step) -> None:
    sla.since[code] = at
    sla.waits[code] += 1
    step.start(code, sla.waits[code])


def _relabel(sla: SlaState, ticket: TicketState, update: Any, rules: Rules, step: Step) -> None:
    """Switch to the labels after an event; *update* is its data if it may have changed more than the team."""
    if update is not None:
        _keep_traits(sla, update)
    plan = rules.plan_for(_labels(sla, ticket))
    if plan.name != sla.policy or ticket.priority != sla.priority or ticket.team != sla.team:
        step.switch(plan, ticket.priority, ticket.team)


def _labels(sla: SlaState, ticket: TicketState) -> tuple[Any, ...]:
    """Return the labels that policies match on, in the order of rules.MATCHED."""
    traits = _NO_TRAITS if sla.traits is None else sla.traits
    return (ticket.channel, ticket.priority, ticket.category, ticket.team, ticket.brand, *traits)


def _keep_traits(sla: SlaState, data: Any) -> None:
    """Keep the labels to match that the ticket does not; an absent field keeps its value."""
    if (data.complexity, data.market, data.customer_segment, data.tags) == (None, None, None, None):
        return
    complexity, market, segment, tags = _NO_TRAITS if sla.traits is None else sla.traits
    sla.traits = (
        data.complexity or complexity,
        data.market or market,
        data.customer_segment or segment,
        tags if data.tags is None else tuple(data.tags),
    )
