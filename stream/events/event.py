"""An event as the core sees it, and its refusal."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from stream.events.registry import EventType


class Event(Struct, frozen=True, gc=False):
    """One immutable fact from upstream.

    ``time`` is in microseconds since the epoch (UTC). ``key`` is the customer: the partitionkey, else the record key,
    else the subject. ``coerced`` names the fields whose unknown value became "other".
    """

    type: EventType
    id: str
    source: str
    subject: str
    key: str
    time: int
    sequence: int | None
    data: Struct
    coerced: tuple[str, ...] = ()


class Heartbeat(Struct, frozen=True, gc=False):
    """A source's sign of life; it belongs to no entity. ``time`` is in microseconds since the epoch (UTC)."""

    source: str
    time: int


class Reason(StrEnum):
    """Why an event was refused: the closed list of the contract."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    UNKNOWN_TYPE = "unknown_type"
    WRONG_TOPIC = "wrong_topic"
    TOO_LARGE = "too_large"
    FUTURE = "future"
    ENTITY_TOO_BIG = "entity_too_big"
    FOLD_ERROR = "fold_error"


class Rejected(Struct, frozen=True, gc=False):
    """A record that becomes a dead letter: the reason and a detail that carries no payload or personal data."""

    reason: Reason
    detail: str = ""
    type: str = "unknown"
