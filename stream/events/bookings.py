"""What can happen to a booking."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from stream.events.tickets import Label
from stream.events.values import Instant, Micros, Positive


class BookingEnquired(Struct, frozen=True, gc=False):
    """First contact, or a request for a quote."""

    channel: Label
    service: Label | None = None
    brand: Label | None = None


class BookingQuoted(Struct, frozen=True, gc=False):
    """A price was offered."""

    amount: Micros
    currency: Label


class BookingCreated(Struct, frozen=True, gc=False):
    """A customer booked."""

    channel: Label
    service: Label
    amount: Micros
    currency: Label
    crew: Label | None = None
    technicians: list[Label] | None = None
    scheduled_for: Instant | None = None
    promised_by: Instant | None = None
    brand: Label | None = None


class BookingRescheduled(Struct, frozen=True, gc=False):
    """The appointment moved."""

    scheduled_for: Instant
    promised_by: Instant | None = None
    by: Literal["customer", "business"] | None = None


class BookingCancelled(Struct, frozen=True, gc=False):
    """The booking will not happen."""

    by: Literal["customer", "business"]
    reason: str | None = None


class BookingCompleted(Struct, frozen=True, gc=False):
    """The job was done."""

    amount: Micros | None = None
    cost: Micros | None = None
    crew: Label | None = None
    technicians: list[Label] | None = None


class BookingNoShow(Struct, frozen=True, gc=False):
    """The customer did not come."""


class BookingDeleted(Struct, frozen=True, gc=False):
    """The booking was removed."""

    reason: Label


class BookingRefunded(Struct, frozen=True, gc=False):
    """Money went back to the customer."""

    amount: Positive


class BookingDisputed(Struct, frozen=True, gc=False):
    """The customer claimed a guarantee or charged back; the latest *upheld* wins."""

    kind: Literal["guarantee_claim", "chargeback"]
    upheld: bool | None = None  # absent = true
