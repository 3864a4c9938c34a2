"""Records to events: CloudEvents in structured or binary mode, checked against the contract."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .values import (
    Check,
    amount,
    aspects,
    flag,
    instant,
    list_of,
    number,
    one_of,
    open_enum,
    promise,
    refund,
    sequence_number,
    text,
    tier,
    whole,
)

MAX_BODY = 1 << 20  # "A body over 1 MiB is rejected"
FUTURE_US = 5 * 60 * 1_000_000  # "over 5 minutes after the record's Kafka timestamp is rejected"

Record = Mapping[str, Any]


class RejectedError(Exception):
    """The record cannot be folded; `args[0]` is the contract's reason."""


@dataclass(frozen=True, slots=True)
class Event:
    """A checked event. `data` has enums normalised, amounts as integer micro units, times as integer microseconds."""

    kind: str  # ticket, booking, review, survey or heartbeat
    verb: str  # the part of the type behind the dot
    subject: str
    source: str
    id: str
    time_us: int
    sequence: int | None
    data: dict[str, Any]


# --- event types: field -> (check, required) --------------------------------------------------------------------------

CHANNEL = open_enum("chat", "email", "phone", "social", "web", "marketplace", "in_person", "other")
PRIORITY = open_enum("low", "normal", "high", "urgent")
CATEGORY = open_enum("question", "incident", "complaint", "return_request", "lead", "other")
DELETED = open_enum("spam", "test", "privacy", "other")
PERSON = one_of("customer", "agent", "bot", "system")
SURVEY = one_of("csat", "nps", "ces", "self_service")
SCORES = {"csat": whole(1, 5), "self_service": whole(1, 5), "nps": whole(0, 10), "ces": whole(1, 7)}
WORDS = list_of(text)

_updatable: dict[str, Check] = {
    "channel": CHANNEL,
    "priority": PRIORITY,
    "category": CATEGORY,
    "brand": text,
    "market": text,
    "tags": WORDS,
    "complexity": open_enum("simple", "normal", "complex"),
    "customer_segment": text,
}
_references: dict[str, Check] = {"booking_id": text, "ticket_id": text}


def _fields(required: dict[str, Check], optional: dict[str, Check] | None = None) -> dict[str, tuple[Check, bool]]:
    return {n: (c, True) for n, c in required.items()} | {n: (c, False) for n, c in (optional or {}).items()}


TYPES: dict[str, dict[str, tuple[Check, bool]]] = {
    "ticket.created": _fields(
        {"channel": CHANNEL, "priority": PRIORITY, "category": CATEGORY},
        {k: c for k, c in _updatable.items() if k not in ("channel", "priority", "category")}
        | {"team": text, "agent_id": text, "booking_id": text, "requested_by": one_of("customer", "agent")},
    ),
    "ticket.assigned": _fields({}, {"team": text, "agent_id": text, "tier": tier}),
    "ticket.escalated": _fields({"tier": tier}, {"team": text, "reason": text}),
    "ticket.handed_off": _fields({}, {"to_team": text}),
    "ticket.updated": _fields({}, _updatable),
    "ticket.message": _fields({"author": PERSON}, {"public": flag, "agent_id": text}),
    "ticket.status_changed": _fields(
        {"status": one_of("new", "open", "pending", "on_hold", "resolved", "closed")}, {"by": PERSON, "agent_id": text}
    ),
    "ticket.worked": _fields({"seconds": number}, {"agent_id": text, "cost": amount, "currency": text}),
    "ticket.abandoned": _fields({}, {"waited_seconds": number}),
    "ticket.merged": _fields({"into": text}),
    "ticket.deleted": _fields({"reason": DELETED}),
    "booking.enquired": _fields({"channel": text}, {"service": text, "brand": text}),
    "booking.quoted": _fields({"amount": amount, "currency": text}),
    "booking.created": _fields(
        {"channel": text, "service": text, "amount": amount, "currency": text},
        {"crew": text, "technicians": WORDS, "scheduled_for": promise, "promised_by": promise, "brand": text},
    ),
    "booking.rescheduled": _fields(
        {"scheduled_for": promise}, {"promised_by": promise, "by": one_of("customer", "business")}
    ),
    "booking.cancelled": _fields({"by": one_of("customer", "business")}, {"reason": text}),
    "booking.completed": _fields({}, {"amount": amount, "cost": amount, "crew": text, "technicians": WORDS}),
    "booking.no_show": _fields({}),
    "booking.deleted": _fields({"reason": DELETED}),
    "booking.refunded": _fields({"amount": refund}),
    "booking.disputed": _fields({"kind": one_of("guarantee_claim", "chargeback")}, {"upheld": flag}),
    "review.posted": _fields({"rating": whole(1, 5), "site": text}, _references | {"product": text, "brand": text}),
    "review.updated": _fields({"rating": whole(1, 5)}),
    "review.removed": _fields({}),
    "survey.sent": _fields({"survey": SURVEY}, _references | {"purpose": open_enum("transactional", "relationship")}),
    "survey.answered": _fields(
        {"survey": SURVEY, "score": whole(0, 10)}, _references | {"aspects": aspects, "attributes": WORDS}
    ),
}  # fmt: skip
TOPICS = {"ticket": "tickets", "booking": "bookings", "review": "reviews", "survey": "reviews"}


# --- records ----------------------------------------------------------------------------------------------------------


def decode(record: Record) -> Event:
    """The event in one record; raises RejectedError with the reason."""
    attributes = _attributes(record)
    event = checked(attributes, record["topic"])
    if event.time_us - record["timestamp_ms"] * 1000 > FUTURE_US:
        raise RejectedError("future")
    return event


def checked(attributes: Mapping[str, Any], topic: str) -> Event:
    """The event of a decoded CloudEvent found in a topic; raises RejectedError with the reason."""
    try:
        if attributes.get("specversion") != "1.0":
            raise ValueError
        source, ident, type_ = (text(attributes.get(name)) for name in ("source", "id", "type"))
        time_us = instant(attributes.get("time"))
        given = {name: attributes[name] for name in ("subject", "partitionkey") if attributes.get(name) is not None}
        subject, _ = (text(given.get(name, "absent")) for name in ("subject", "partitionkey"))
        number = attributes.get("sequence")
        sequence = None if number is None else sequence_number(number)
        if type_ == "heartbeat":
            return Event("heartbeat", "", "", source, ident, time_us, None, {})
        if type_ not in TYPES:
            raise RejectedError("unknown_type")
        kind, verb = type_.split(".")
        if TOPICS[kind] != topic:
            raise RejectedError("wrong_topic")
        if "subject" not in given:
            raise ValueError
        return Event(kind, verb, subject, source, ident, time_us, sequence, _data(type_, attributes.get("data")))
    except ValueError as error:
        raise RejectedError("invalid") from error


def _data(type_: str, data: Any) -> dict[str, Any]:
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise ValueError
    result = {}
    for name, (check, required) in TYPES[type_].items():
        if data.get(name) is not None:
            result[name] = check(data[name])
        elif required:
            raise ValueError
    if type_ == "survey.answered":
        SCORES[result["survey"]](result["score"])
    return result


def _attributes(record: Record) -> dict[str, Any]:
    value, headers = record["value"], dict(record["headers"])
    if value is not None and len(value) > MAX_BODY:
        raise RejectedError("too_large")
    try:
        binary = any(name.startswith("ce_") for name in headers)
        if binary and not headers.get("content-type", b"").startswith(b"application/cloudevents"):
            attributes: Any = {n[3:]: v.decode() for n, v in headers.items() if n.startswith("ce_")}
            attributes["data"] = _json(value) if value else None
        else:
            attributes = _json(value or b"")
    except (ValueError, RecursionError) as error:
        raise RejectedError("malformed") from error
    if not isinstance(attributes, dict):
        raise RejectedError("invalid")
    return attributes


def _json(value: bytes) -> Any:
    return json.loads(value.decode(), parse_float=Decimal, parse_int=_whole, parse_constant=_no_constant)


def _whole(digits: str) -> int | Decimal:
    """The integer; as a Decimal where it is longer than Python converts, for the checks to find it out of range."""
    return int(digits) if len(digits) <= 4_000 else Decimal(digits)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
