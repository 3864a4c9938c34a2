"""The fold of a ticket: status, clocks and contributions from its events in ledger order.

Read `advance` first, then the table of handlers at the foot. The rules are the contract's: "How numbers are made",
"KPIs" and "SLA conventions".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Struct

from stream.domain.ledger import Entry
from stream.domain.measures import LIVE, Emit
from stream.domain.sla.runs import SlaState
from stream.events import tickets as t
from stream.events.registry import BY_NAME
from stream.events.values import DAY_US, NONE

ACTIVE = frozenset({"new", "open", "pending", "on_hold"})
ENDED = frozenset({"resolved", "closed"})
RETRACTED = frozenset({"spam", "test"})

_CREATED = BY_NAME["ticket.created"].code
_MERGED = BY_NAME["ticket.merged"].code
_DELETED = BY_NAME["ticket.deleted"].code

Labels = tuple[str, ...]


class TicketState(Struct, array_like=True, gc=False):
    """What the fold knows of a ticket after some of its events. Times are microseconds since the epoch (UTC)."""

    complete: bool  # its created is in the ledger
    visible: bool  # complete, and no merge, spam or test deletion
    status: str = "new"
    created: int | None = None
    created_labels: Labels = ()
    channel: str = NONE
    priority: str = NONE
    category: str = NONE
    team: str = NONE
    agent: str = NONE
    brand: str = NONE
    by_agent: bool = False  # an agent requested it: no first response sample
    response_start: int | None = None
    replied: bool = False
    waiting_since: int | None = None  # the oldest customer message without an answer, after the first reply
    ended_at: int | None = None  # since when it is resolved or closed
    ended_total: int = 0  # time spent resolved or closed before reopenings
    bot_resolved: bool = False  # its last resolve was a bot's
    last_resolution: tuple[int, Labels, int] | None = None  # the full_resolution sample that stands
    seen: int = 0  # bits of _ONCE: which firsts have been counted
    abandoned: bool = False  # over, unless an event follows
    gone: bool = False  # deleted for privacy or another reason: past counts stay, nothing more happens
    active_labels: Labels | None = None  # the labels under which it counts as active now
    sla: SlaState = msgspec.field(default_factory=SlaState)  # folded beside it, by stream.domain.sla.engine

    @property
    def labels(self) -> Labels:
        """The labels in the order of measures.TICKET_LABELS."""
        return (self.channel, self.priority, self.team, self.brand)

    @property
    def open(self) -> bool:
        """Whether anything may still be expected of it, so that it must not be sealed."""
        return self.visible and self.status in ACTIVE and not (self.abandoned or self.gone)


# The firsts that count once a ticket, as bits of TicketState.seen.
_ONCE = {"ticket_resolved": 1, "ticket_reopened": 2, "ticket_escalated": 4, "ticket_abandoned": 8}
_ONCE["ticket_closed_unresolved"] = 16


def start(entries: Iterable[Entry]) -> TicketState:
    """Return the state before the first of *entries* (in ledger order), knowing that these are all."""
    created = retracted = False
    for entry in entries:
        created = created or entry.code == _CREATED
        if entry.code in (_MERGED, _DELETED):
            retracted = _retracts(entry.code, entry.data)
            break  # the first one decides: nothing is read after it
    return TicketState(complete=created, visible=created and not retracted)


def revises(state: TicketState, code: int, data: Any) -> bool:
    """Say whether an event, though last in ledger order, changes what earlier ones contribute."""
    return _retracts(code, data) or (code == _CREATED and not state.complete)


def _retracts(code: int, data: Any) -> bool:
    return code == _MERGED or (code == _DELETED and data.reason in RETRACTED)


def advance(state: TicketState, code: int, at: int, data: Any, emit: Emit) -> None:
    """Fold the next event in ledger order into *state* and emit what it contributes."""
    if state.gone:
        return
    state.abandoned = False
    _HANDLERS[code](state, at, data, emit if state.visible else _mute)
    active = state.labels if state.created is not None and state.open else None
    if active != state.active_labels and state.visible:
        if state.active_labels is not None:
            emit("ticket_active", LIVE, state.active_labels, 0, -1)
        if active is not None:
            emit("ticket_active", LIVE, active, 0, 1)
        state.active_labels = active


def _mute(measure: str, at: int | None, labels: Labels, value: int, count: int) -> None:
    """Emit nothing: an incomplete or retracted ticket is in no KPI."""


def _created(state: TicketState, at: int, data: t.TicketCreated, emit: Emit) -> None:
    if state.created is not None:
        return
    state.created = state.response_start = at
    state.ended_at, state.ended_total = (None if state.ended_at is None else at), 0  # what lies before it is no time
    state.channel, state.priority, state.category = data.channel, data.priority, data.category
    state.team, state.agent = data.team or state.team, data.agent_id or state.agent
    state.brand = data.brand or state.brand
    state.by_agent = data.requested_by == "agent"
    state.created_labels = state.labels
    emit("ticket_created", at, state.labels, 0, 1)
    if state.category == "complaint":
        emit("ticket_complaint", at, state.labels, 0, 1)


def _updated(state: TicketState, at: int, data: t.TicketUpdated, emit: Emit) -> None:
    state.channel, state.priority = data.channel or state.channel, data.priority or state.priority
    state.brand = data.brand or state.brand
    if data.category is None or data.category == state.category:
        return
    was, state.category = state.category, data.category
    if state.created is not None and "complaint" in (was, state.category):
        emit("ticket_complaint", state.created, state.created_labels, 0, 1 if was != "complaint" else -1)


def _assigned(state: TicketState, at: int, data: t.TicketAssigned, emit: Emit) -> None:
    state.team, state.agent = data.team or state.team, data.agent_id or state.agent


def _escalated(state: TicketState, at: int, data: t.TicketEscalated, emit: Emit) -> None:
    state.team = data.team or state.team
    _once(state, "ticket_escalated", at, emit)


def _handed_off(state: TicketState, at: int, data: t.TicketHandedOff, emit: Emit) -> None:
    state.team = data.to_team or state.team
    if not state.replied and state.created is not None:
        state.response_start = at


def _message(state: TicketState, at: int, data: t.TicketMessage, emit: Emit) -> None:
    public = data.public is not False
    if data.author == "agent":
        _agent_message(state, at, public, emit)
    elif data.author == "customer" and public:
        if state.status in ("pending", "resolved"):
            _to_status(state, at, "open", "customer", emit)
        if state.replied and state.waiting_since is None:
            state.waiting_since = at


def _agent_message(state: TicketState, at: int, public: bool, emit: Emit) -> None:
    if not state.replied:
        if public or state.channel == "phone":
            state.replied = True
            if not state.by_agent:
                _sample(state, "first_response", at, state.response_start, emit)
    elif public and state.waiting_since is not None:
        _sample(state, "next_response", at, state.waiting_since, emit)
        state.waiting_since = None


def _status_changed(state: TicketState, at: int, data: t.TicketStatusChanged, emit: Emit) -> None:
    _to_status(state, at, data.status, data.by or "agent", emit)


def _to_status(state: TicketState, at: int, status: str, by: str, emit: Emit) -> None:
    if status == state.status or (state.status == "closed" and status != "open"):
        return
    if status in ENDED:
        _end(state, at, status, by, emit)
    elif state.status in ENDED:
        _reopen(state, at, emit)
    state.status = status


def _end(state: TicketState, at: int, status: str, by: str, emit: Emit) -> None:
    """Resolve or close; closing what is resolved changes no clock (contract, full_resolution_time)."""
    state.waiting_since = None
    if state.ended_at is None:
        state.ended_at = at
    if status == "closed":
        if not state.seen & _ONCE["ticket_resolved"]:
            _once(state, "ticket_closed_unresolved", at, emit)
        return
    state.bot_resolved = by == "bot"
    if _once(state, "ticket_resolved", at, emit):
        took = _sample(state, "resolution", at, state.created, emit)
        if took is not None and took <= DAY_US:
            emit("resolved_in_24h", at, state.labels, 0, 1)
    if state.last_resolution is not None:
        last_at, labels, value = state.last_resolution
        emit("full_resolution", last_at, labels, value, -1)
        state.last_resolution = None
    began = None if state.created is None else state.created + state.ended_total
    took = _sample(state, "full_resolution", at, began, emit)
    if took is not None:
        state.last_resolution = (at, state.labels, took)


def _reopen(state: TicketState, at: int, emit: Emit) -> None:
    if state.ended_at is not None:
        state.ended_total += at - state.ended_at
        state.ended_at = None
    if state.bot_resolved and not state.replied and state.created is not None:
        state.response_start = at
    state.bot_resolved = False
    _once(state, "ticket_reopened", at, emit)


def _worked(state: TicketState, at: int, data: t.TicketWorked, emit: Emit) -> None:
    """Worked time belongs to KPIs of the handling; it changes neither status nor clock."""


def _abandoned(state: TicketState, at: int, data: t.TicketAbandoned, emit: Emit) -> None:
    state.abandoned = True
    _once(state, "ticket_abandoned", at, emit)


def _merged(state: TicketState, at: int, data: t.TicketMerged, emit: Emit) -> None:
    """Do nothing: a merged ticket is not visible (see `start`)."""


def _deleted(state: TicketState, at: int, data: t.TicketDeleted, emit: Emit) -> None:
    state.gone = True


def _once(state: TicketState, measure: str, at: int, emit: Emit) -> bool:
    """Emit the first of its kind; return whether it was."""
    if state.seen & _ONCE[measure]:
        return False
    state.seen |= _ONCE[measure]
    emit(measure, at, state.labels, 0, 1)
    return True


def _sample(state: TicketState, measure: str, end: int, begin: int | None, emit: Emit) -> int | None:
    """Emit a duration in the period of its end event; a negative one gives no sample and is counted."""
    if begin is None or end < begin:
        emit("negative_duration", LIVE, (), 0, 1)
        return None
    emit(measure, end, state.labels, end - begin, 1)
    return end - begin


_TABLE: dict[str, Callable[..., None]] = {
    "ticket.created": _created,
    "ticket.updated": _updated,
    "ticket.assigned": _assigned,
    "ticket.escalated": _escalated,
    "ticket.handed_off": _handed_off,
    "ticket.message": _message,
    "ticket.status_changed": _status_changed,
    "ticket.worked": _worked,
    "ticket.abandoned": _abandoned,
    "ticket.merged": _merged,
    "ticket.deleted": _deleted,
}
_HANDLERS = {BY_NAME[name].code: handler for name, handler in _TABLE.items()}
