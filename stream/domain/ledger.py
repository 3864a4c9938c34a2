"""Ledgers: an entity's own events as bytes, in the order they came, readable in ledger order.

A ledger is a list of chunks. A chunk is entries back to back, each followed by its length in four bytes, so that the
newest one can be read without touching the others. Bytes are a third of the size of decoded entries, and most entities
are never touched again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from stream.events.event import Event
from stream.events.registry import BY_CODE

CHUNK_ENTRIES = 64
CHUNK_BYTES = 256 * 1024
ENTRY_BYTES = 16 * 1024

_LENGTH = 4
_LENGTHS = struct.Struct(">I").pack
_FIRST = -(2**63)

OrderKey = tuple[int, int, int, str, str]


class Entry(Struct, array_like=True, frozen=True, gc=False):
    """What the folds read of one event. ``time`` is in microseconds since the epoch (UTC)."""

    source: str
    id: str
    time: int
    sequence: int | None
    code: int
    fields: list[Any]

    @property
    def order(self) -> OrderKey:
        """The contract's ledger order: time, sequence (missing first), life-cycle rank, source, id."""
        sequence = _FIRST if self.sequence is None else self.sequence
        return (self.time, sequence, BY_CODE[self.code].rank, self.source, self.id)

    @property
    def data(self) -> Any:
        """The event's typed data, rebuilt."""
        return BY_CODE[self.code].data(*self.fields)


_ENCODE = msgspec.msgpack.Encoder(enc_hook=int).encode  # the money and time types are integers with a name
_DECODE = msgspec.msgpack.Decoder(Entry).decode


def entry_of(event: Event) -> Entry:
    """Return what the ledger keeps of *event*."""
    fields = list(astuple(event.data))
    return Entry(event.source, event.id, event.time, event.sequence, event.type.code, fields)


def encode(event: Event) -> bytes:
    """Return the event's entry as chunk bytes, its length behind it."""
    fields = astuple(event.data)
    body = _ENCODE((event.source, event.id, event.time, event.sequence, event.type.code, fields))
    return body + _LENGTHS(len(body))


def decode_chunk(chunk: bytes) -> Iterator[Entry]:
    """Yield the entries of a chunk, newest arrival first."""
    end = len(chunk)
    while end:
        start = end - _LENGTH - int.from_bytes(chunk[end - _LENGTH : end], "big")
        yield _DECODE(chunk[start : end - _LENGTH])
        end = start


def last_arrival(chunk: bytes) -> Entry:
    """Return the entry that arrived last in a chunk that has one."""
    return next(decode_chunk(chunk))


def name_pattern(event: Event) -> bytes:
    """Return bytes that stand in every encoded entry with the event's (source, id)."""
    return _ENCODE((event.source, event.id))[1:]  # without the head of the pair


def find(chunks: Iterable[bytes], event: Event) -> Entry | None:
    """Return the entry with the event's (source, id), if any chunk has one.

    A search for the name's bytes settles nearly every case without decoding.
    """
    pattern = name_pattern(event)
    for chunk in chunks:
        if pattern in chunk:
            for entry in decode_chunk(chunk):
                if entry.id == event.id and entry.source == event.source:
                    return entry
    return None


def in_order(chunks: Iterable[bytes]) -> list[Entry]:
    """Return all entries in ledger order."""
    entries = [entry for chunk in chunks for entry in decode_chunk(chunk)]
    entries.sort(key=lambda entry: entry.order)
    return entries
