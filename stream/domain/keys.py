"""The keys of records in a shard's state and changelog: one letter says what the record is."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from stream.events.registry import EVENT_TYPES, Kind

OFFSETS_KEY = b"o"
HISTORY_KEY = b"p"  # of the configurations of policies
ENTITY, CHUNK, CUSTOMER, STUB, UNJOINED, BUCKET = b"e", b"c", b"k", b"s", b"u", b"w"

# Codes of the event types whose data may name another entity.
NAMING = frozenset(row.code for row in EVENT_TYPES if {"booking_id", "ticket_id"} & {*row.data.__struct_fields__})

_ENCODE = msgspec.msgpack.Encoder().encode
_ENTITIES: dict[Kind, bytes] = {row.kind: ENTITY + row.kind[0].encode() for row in EVENT_TYPES}


def entity_key(kind: Kind, subject: str) -> bytes:
    """Return the key of an entity's record."""
    return _ENTITIES[kind] + subject.encode()


def stub_key(key: bytes, erased: bool = False) -> bytes:
    """Return the key of what is left of an entity; a privacy deletion leaves a hash, not the subject."""
    return STUB + (b"#" + blake2b(key, digest_size=16).digest() if erased else key)


def chunk_key(key: bytes, number: int) -> bytes:
    """Return the key of a full chunk of an entity's ledger."""
    return CHUNK + _ENCODE((key, number))


def named_by(data: Any) -> Iterator[bytes]:
    """Yield the keys of the entities that an event's data names."""
    booking, ticket = getattr(data, "booking_id", None), getattr(data, "ticket_id", None)
    if booking is not None:
        yield entity_key("booking", booking)
    if ticket is not None:
        yield entity_key("ticket", ticket)
