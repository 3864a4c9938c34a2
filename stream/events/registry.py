"""The table of event types: name, data struct, topic, entity kind and rank in the ledger.

This table is the only place that lists the types; decoding, schemas and folds read it.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from stream.events import bookings as b
from stream.events import reviews as r
from stream.events import tickets as t
from stream.events.values import OPEN_ENUMS

Kind = Literal["ticket", "booking", "review", "survey"]

TOPICS: tuple[str, ...] = ("tickets", "bookings", "reviews")
HEARTBEAT = "heartbeat"


class EventType(Struct, frozen=True):
    """One row of the table.

    ``code`` stands in ledgers and checkpoints and must never change; ``rank`` orders events of equal time and
    sequence by life cycle (contract, "Ledger order").
    """

    name: str
    data: type[Struct]
    topic: str
    kind: Kind
    code: int
    rank: int


EVENT_TYPES: tuple[EventType, ...] = (
    EventType("ticket.created", t.TicketCreated, "tickets", "ticket", 1, 0),
    EventType("ticket.updated", t.TicketUpdated, "tickets", "ticket", 2, 1),
    EventType("ticket.assigned", t.TicketAssigned, "tickets", "ticket", 3, 1),
    EventType("ticket.handed_off", t.TicketHandedOff, "tickets", "ticket", 4, 1),
    EventType("ticket.escalated", t.TicketEscalated, "tickets", "ticket", 5, 1),
    EventType("ticket.message", t.TicketMessage, "tickets", "ticket", 6, 2),
    EventType("ticket.worked", t.TicketWorked, "tickets", "ticket", 7, 3),
    EventType("ticket.status_changed", t.TicketStatusChanged, "tickets", "ticket", 8, 4),
    EventType("ticket.abandoned", t.TicketAbandoned, "tickets", "ticket", 9, 5),
    EventType("ticket.merged", t.TicketMerged, "tickets", "ticket", 10, 6),
    EventType("ticket.deleted", t.TicketDeleted, "tickets", "ticket", 11, 7),
    EventType("booking.enquired", b.BookingEnquired, "bookings", "booking", 21, 0),
    EventType("booking.quoted", b.BookingQuoted, "bookings", "booking", 22, 1),
    EventType("booking.created", b.BookingCreated, "bookings", "booking", 23, 2),
    EventType("booking.rescheduled", b.BookingRescheduled, "bookings", "booking", 24, 3),
    EventType("booking.completed", b.BookingCompleted, "bookings", "booking", 25, 4),
    EventType("booking.no_show", b.BookingNoShow, "bookings", "booking", 26, 4),
    EventType("booking.cancelled", b.BookingCancelled, "bookings", "booking", 27, 4),
    EventType("booking.refunded", b.BookingRefunded, "bookings", "booking", 28, 5),
    EventType("booking.disputed", b.BookingDisputed, "bookings", "booking", 29, 5),
    EventType("booking.deleted", b.BookingDeleted, "bookings", "booking", 30, 7),
    EventType("review.posted", r.ReviewPosted, "reviews", "review", 41, 0),
    EventType("review.updated", r.ReviewUpdated, "reviews", "review", 42, 1),
    EventType("review.removed", r.ReviewRemoved, "reviews", "review", 43, 7),
    EventType("survey.sent", r.SurveySent, "reviews", "survey", 44, 0),
    EventType("survey.answered", r.SurveyAnswered, "reviews", "survey", 45, 1),
)

BY_NAME: dict[str, EventType] = {row.name: row for row in EVENT_TYPES}
BY_CODE: dict[int, EventType] = {row.code: row for row in EVENT_TYPES}


def open_fields(row: EventType) -> dict[str, frozenset[str]]:
    """Return the open enumerations among the fields of this type's data, each with the words it knows."""
    return {name: OPEN_ENUMS[name] for name in row.data.__struct_fields__ if _is_open(row, name)}


def _is_open(row: EventType, field: str) -> bool:
    if field == "reason":  # of a deletion; that of an escalation or a cancellation is free text
        return row.name.endswith(".deleted")
    if field == "channel":  # of a ticket; that of a booking is a free label
        return row.kind == "ticket"
    return field in OPEN_ENUMS
