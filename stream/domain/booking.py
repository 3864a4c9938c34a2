"""The fold of a booking: what happened to it, and what that contributes.

A booking has few events, so its contributions are a pure function of its state (`contributions`), and `advance` emits
the difference that an event makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from stream.domain.ledger import Entry
from stream.domain.measures import LIVE, Emit
from stream.domain.sla.runs import SlaState
from stream.events import bookings as b
from stream.events.registry import BY_NAME
from stream.events.values import NONE

RETRACTED = frozenset({"spam", "test"})

_DELETED = BY_NAME["booking.deleted"].code

# One contribution as data: measure, instant, labels, value.
Contribution = tuple[str, "int | None", tuple[str, ...], int]


class BookingState(Struct, array_like=True, gc=False):
    """What happened to a booking. Times are microseconds since the epoch (UTC), amounts millionths."""

    enquired: int | None = None
    created: int | None = None
    labels: tuple[str, str] = (NONE, NONE)  # channel, brand: measures.BOOKING_LABELS
    service: str = NONE
    amount: int = 0
    currency: str | None = None
    quoted_currency: str | None = None
    scheduled_for: int | None = None
    promised_by: int | None = None
    completed: int | None = None
    completed_amount: int | None = None
    cancelled: int | None = None
    cancelled_by: str = NONE
    no_show: int | None = None
    retracted: bool = False  # deleted as spam or test
    gone: bool = False  # deleted for another reason: past counts stay
    sla: SlaState = msgspec.field(default_factory=SlaState)  # folded beside it, by stream.domain.sla.quotes

    @property
    def complete(self) -> bool:
        """Whether it says what it is: booked, or at least enquired."""
        return self.created is not None or self.enquired is not None

    @property
    def open(self) -> bool:
        """Whether its job or a promised quote is still to come, so that it must not be sealed."""
        ended = self.completed or self.cancelled or self.no_show or self.gone or self.retracted
        return not ended and (self.created is not None or self.sla.opened is not None)


def start(entries: Iterable[Entry]) -> BookingState:
    """Return the state before the first of *entries* (in ledger order), knowing that these are all."""
    for entry in entries:
        if entry.code == _DELETED:
            return BookingState(retracted=entry.data.reason in RETRACTED)  # the first one decides
    return BookingState()


def revises(state: BookingState, code: int, data: Any) -> bool:
    """Say whether an event, though last in ledger order, changes what earlier ones contribute."""
    return code == _DELETED and not state.gone and data.reason in RETRACTED


def advance(state: BookingState, code: int, at: int, data: Any, emit: Emit) -> None:
    """Fold the next event in ledger order into *state* and emit the difference it makes."""
    before = list(contributions(state))
    if not state.gone:
        _HANDLERS[code](state, at, data)
    emit_change(before, list(contributions(state)), emit)


def emit_change(before: list[Contribution], after: list[Contribution], emit: Emit) -> None:
    """Retract what no longer stands and add what is new."""
    for measure, at, labels, value in before:
        if (measure, at, labels, value) not in after:
            emit(measure, at, labels, value, -1)
    for measure, at, labels, value in after:
        if (measure, at, labels, value) not in before:
            emit(measure, at, labels, value, 1)


def contributions(state: BookingState) -> Iterator[Contribution]:
    """Yield what a booking in this state contributes; nothing before its created has come."""
    if state.created is None or state.retracted:
        return
    labels = state.labels
    yield "booking_created", state.created, labels, 0
    if state.completed is not None:
        amount = state.amount if state.completed_amount is None else state.completed_amount
        yield "booking_completed", state.completed, labels, 0
        yield "revenue", state.completed, (*labels, state.currency or NONE), amount
    if state.cancelled is not None:
        yield "booking_cancelled", state.cancelled, (*labels, state.cancelled_by), 0
        yield "created_cancelled", state.created, (*labels, state.cancelled_by), 0
    if state.no_show is not None:
        yield "booking_no_show", state.no_show, labels, 0
        yield "created_no_show", state.created, labels, 0
    if state.quoted_currency is not None and state.quoted_currency != state.currency:
        yield "currency_conflict", LIVE, (), 0


def _enquired(state: BookingState, at: int, data: b.BookingEnquired) -> None:
    if state.enquired is None:
        state.enquired = at
        if state.created is None:
            state.labels = (data.channel, data.brand or NONE)


def _quoted(state: BookingState, at: int, data: b.BookingQuoted) -> None:
    state.quoted_currency = data.currency


def _created(state: BookingState, at: int, data: b.BookingCreated) -> None:
    if state.created is not None:
        return
    state.created = at
    state.labels = (data.channel, data.brand or NONE)
    state.service, state.amount, state.currency = data.service, data.amount, data.currency
    state.scheduled_for, state.promised_by = data.scheduled_for, data.promised_by


def _rescheduled(state: BookingState, at: int, data: b.BookingRescheduled) -> None:
    state.scheduled_for = data.scheduled_for
    state.promised_by = data.promised_by or state.promised_by


def _completed(state: BookingState, at: int, data: b.BookingCompleted) -> None:
    if state.completed is None:
        state.completed, state.completed_amount = at, data.amount


def _cancelled(state: BookingState, at: int, data: b.BookingCancelled) -> None:
    if state.cancelled is None:
        state.cancelled, state.cancelled_by = at, data.by


def _no_show(state: BookingState, at: int, data: b.BookingNoShow) -> None:
    if state.no_show is None:
        state.no_show = at


def _deleted(state: BookingState, at: int, data: b.BookingDeleted) -> None:
    state.gone = True


def _kept(state: BookingState, at: int, data: object) -> None:
    """Keep the event in the ledger only: refunds and disputes belong to KPIs of money and defects."""


_TABLE: dict[str, Callable[..., None]] = {
    "booking.enquired": _enquired,
    "booking.quoted": _quoted,
    "booking.created": _created,
    "booking.rescheduled": _rescheduled,
    "booking.completed": _completed,
    "booking.no_show": _no_show,
    "booking.cancelled": _cancelled,
    "booking.refunded": _kept,
    "booking.disputed": _kept,
    "booking.deleted": _deleted,
}
_HANDLERS = {BY_NAME[name].code: handler for name, handler in _TABLE.items()}
