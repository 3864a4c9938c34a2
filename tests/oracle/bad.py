"""Records that must be rejected, each with the contract's reason for it."""

import json
from collections.abc import Callable
from typing import Any

MakeRecord = Callable[[int, bytes], dict[str, Any]]  # (Kafka timestamp in milliseconds, key) -> record

REVIEW = {"rating": 4, "site": "maps"}
BOOKING = {"channel": "web", "service": "repair", "amount": 10, "currency": "EUR"}
NOON = "2026-03-01T12:00:00Z"

ENVELOPES: list[tuple[str, str, dict[str, Any]]] = [  # (reason, topic, what differs from a good envelope)
    ("unknown_type", "tickets", {"type": "ticket.exploded"}),
    ("unknown_type", "tickets", {"type": "nonsense"}),
    ("wrong_topic", "tickets", {"type": "review.posted", "data": REVIEW}),
    ("wrong_topic", "reviews", {"type": "ticket.abandoned"}),
    ("invalid", "tickets", {"type": "ticket.created", "data": {"channel": "chat", "priority": "low"}}),
    ("invalid", "tickets", {"type": "ticket.status_changed", "data": {"status": "exploded"}}),
    ("invalid", "tickets", {"type": "ticket.message", "data": {"author": "alien"}}),
    ("invalid", "tickets", {"type": "ticket.message", "data": {"author": "agent", "public": "yes"}}),
    ("invalid", "tickets", {"type": "ticket.worked", "data": {"seconds": -1}}),
    ("invalid", "tickets", {"type": "ticket.merged", "data": {}}),
    ("invalid", "bookings", {"type": "booking.created", "data": {**BOOKING, "amount": "1.0000001"}}),
    ("invalid", "bookings", {"type": "booking.created", "data": {**BOOKING, "amount": "ten"}}),
    ("invalid", "bookings", {"type": "booking.created", "data": {**BOOKING, "amount": "1" * 10_000}}),
    ("invalid", "bookings", {"type": "booking.cancelled", "data": {"by": "alien"}}),
    ("invalid", "bookings", {"type": "booking.refunded", "data": {"amount": 0}}),
    ("invalid", "bookings", {"type": "booking.disputed", "data": {"kind": "quarrel"}}),
    ("invalid", "reviews", {"type": "review.posted", "data": {**REVIEW, "rating": 9}}),
    ("invalid", "reviews", {"type": "review.posted", "data": {**REVIEW, "rating": "4"}}),
    ("invalid", "reviews", {"type": "survey.answered", "data": {"survey": "csat", "score": 6}}),
    ("invalid", "reviews", {"type": "survey.answered", "data": {"survey": "mood", "score": 3}}),
    ("invalid", "tickets", {"type": "ticket.abandoned", "time": "2026-03-01T12:00:00"}),
    ("invalid", "tickets", {"type": "ticket.abandoned", "time": "2026-02-30T12:00:00Z"}),
    ("invalid", "tickets", {"type": "ticket.abandoned", "time": None}),
    ("invalid", "tickets", {"type": "ticket.abandoned", "subject": None}),
    ("invalid", "tickets", {"type": "ticket.abandoned", "id": None}),
    ("invalid", "tickets", {"type": "ticket.abandoned", "sequence": 1.5}),
    ("invalid", "tickets", {"type": "ticket.abandoned", "specversion": "0.3"}),
    ("future", "tickets", {"type": "ticket.abandoned", "time": "2999-01-01T00:00:00Z"}),
]

BODIES: list[tuple[str, bytes | None]] = [
    ("malformed", None),
    ("malformed", b""),
    ("malformed", b'{"specversion":"1.0","id":'),
    ("invalid", b"[1, 2]"),
    ("invalid", b'"ticket.created"'),
    ("malformed", b'{"specversion":"1.0","rating":NaN}'),
    ("malformed", b'{"specversion":"1.0","id":"\xff\xfe"}'),
    ("too_large", b" " * (2 << 20)),
]


def bad_records() -> list[tuple[str, MakeRecord]]:
    """All of them, as (reason, maker of the record for a Kafka timestamp and a key)."""
    return [(reason, _maker(topic, _envelope(changes))) for reason, topic, changes in ENVELOPES] + [
        (reason, _maker("tickets", body)) for reason, body in BODIES
    ]


def _envelope(changes: dict[str, Any]) -> bytes:
    good = {"specversion": "1.0", "id": "bad", "source": "/bad", "subject": "X-1", "time": NOON, "partitionkey": "C-0"}
    return json.dumps({name: value for name, value in (good | changes).items() if value is not None}).encode()


def _maker(topic: str, value: bytes | None) -> MakeRecord:
    def make(timestamp_ms: int, key: bytes) -> dict[str, Any]:
        return {"topic": topic, "timestamp_ms": timestamp_ms, "key": key, "value": value, "headers": []}

    return make
