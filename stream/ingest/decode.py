"""From a record's bytes to an event, validated against the contract."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from msgspec import Raw, Struct, inspect, structs
from msgspec.json import Decoder

from stream.events.envelope import MAX_ID, Attributes
from stream.events.event import Event, Heartbeat, Reason, Rejected
from stream.events.registry import EVENT_TYPES, HEARTBEAT, EventType, open_fields
from stream.events.values import OTHER, decode_value, micros
from stream.ingest.cloudevents import NO_DATA, Headers, open_envelope
from stream.ingest.refusal import DECODE_ERRORS, RefusedError, refused

MAX_BODY: Final = 1_048_576  # bytes (contract, Envelope: "A body over 1 MiB is rejected")
INT64: Final = 2**63


def decode(
    value: bytes | None, headers: Headers = (), *, key: bytes | None = None, topic: str | None
) -> Event | Heartbeat | Rejected:
    """Return the event in a record of *topic*, or why there is none; never raises, whatever the bytes.

    *topic* is the contract's name (tickets, bookings, reviews); None takes the types of any topic, as files hold
    them. Whether the event is late or in the future is the core's to say, since that depends on the record's Kafka
    timestamp.
    """
    name = "unknown"
    try:
        if value is not None:
            _check_text(value)
        about, data = open_envelope(value, headers)
        if not about.specversion.startswith("1."):
            raise RefusedError(Reason.INVALID, "Expected 1.x - at `$.specversion`")
        if about.type == HEARTBEAT:
            return Heartbeat(about.source, micros(about.time))
        route = _ROUTES.get(about.type)
        if route is None:
            raise RefusedError(Reason.UNKNOWN_TYPE, "Expected an event type of the contract - at `$.type`")
        name = about.type
        if topic != route.row.topic and topic is not None:
            raise RefusedError(Reason.WRONG_TOPIC, f"{name} belongs to the topic {route.row.topic}")
        return _event(route, about, data, key)
    except RefusedError as error:
        return Rejected(error.reason, error.detail, name)


def _check_text(value: bytes) -> None:
    if len(value) > MAX_BODY:
        raise RefusedError(Reason.TOO_LARGE, f"the value has {len(value)} bytes, {MAX_BODY} are allowed")
    # The JSON decoder skips unknown fields without looking at their encoding.
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError as error:
            raise RefusedError(Reason.MALFORMED, f"the value is not UTF-8 at byte {error.start}") from None


class _Route(Struct, frozen=True):
    """How to decode one event type; *open* has its open enumerations, *words* what its closed ones may hold.

    The decoder gives None for JSON's null, which in CloudEvents means that the event has no data.
    """

    row: EventType
    decoder: Decoder[Any]
    open: tuple[tuple[str, frozenset[str]], ...]
    words: dict[str, str]


def _event(route: _Route, about: Attributes, data: bytes | Raw, key: bytes | None) -> Event:
    if about.subject is None:
        raise RefusedError(Reason.INVALID, "Object missing required field `subject`")
    try:
        body = route.decoder.decode(data)
        if body is None:
            body = route.decoder.decode(NO_DATA)
    except DECODE_ERRORS as error:
        raise refused(error, data, root="$.data", words=route.words) from None
    coerced: tuple[str, ...] = ()
    for field, known in route.open:
        word = getattr(body, field)
        if word not in known and word is not None:
            body = structs.replace(body, **{field: OTHER})
            coerced += (field,)
    customer = about.partitionkey or _customer(key) or about.subject
    sequence = None if about.sequence is None else _sequence(about.sequence)
    # By place: naming the arguments would take a third longer.
    return Event(
        route.row, about.id, about.source, about.subject, customer, micros(about.time), sequence, body, coerced
    )


def _customer(key: bytes | None) -> str | None:
    """Return the record key as text, None where there is none or an empty one."""
    if not key:
        return None
    try:
        text = key.decode()
    except UnicodeDecodeError:
        raise RefusedError(Reason.MALFORMED, "the record key is not UTF-8, and there is no partitionkey") from None
    if len(text) > MAX_ID:
        raise RefusedError(Reason.INVALID, f"the record key has over {MAX_ID} characters, and there is no partitionkey")
    return text


def _sequence(value: int | str) -> int:
    # Nineteen digits hold every 64-bit integer; int() alone would take "1_000" and " 1 " too.
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,19}", value):
        value = int(value)
    if not isinstance(value, int) or not -INT64 <= value < INT64:
        raise RefusedError(Reason.INVALID, "Expected a 64-bit integer or its decimal string - at `$.sequence`")
    return value


def _closed_words(data: type[Struct]) -> dict[str, str]:
    """Return what each closed enumeration among the fields of *data* may hold, for the detail of a refusal."""
    words = {}
    for field in structs.fields(data):
        kind = inspect.type_info(field.type)
        for option in kind.types if isinstance(kind, inspect.UnionType) else (kind,):
            if isinstance(option, inspect.LiteralType):
                words[field.name] = ", ".join(map(str, option.values))
    return words


def _route(row: EventType) -> _Route:
    return _Route(
        row=row,
        decoder=Decoder(row.data | None, dec_hook=decode_value, float_hook=Decimal),
        open=tuple(open_fields(row).items()),
        words=_closed_words(row.data),
    )


_ROUTES: Final = {row.name: _route(row) for row in EVENT_TYPES}
