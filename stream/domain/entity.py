"""An entity: its ledger, the state folded from it, and how one more event changes both.

`Entity.take` is the heart: an event that is newest in ledger order advances the saved state; any other one, and one
that revises what earlier events contribute, refolds the whole ledger and emits the difference.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from stream.domain import booking, ledger, review, ticket
from stream.domain.ledger import Entry
from stream.domain.measures import LIVE, Emit
from stream.events.event import Event
from stream.events.registry import Kind

MAX_EVENTS = 5_000


class Fold(NamedTuple):
    """The functions and the state type of one kind of entity."""

    state: type[Any]
    start: Callable[[Iterable[Entry]], Any]
    module: ModuleType


FOLDS: dict[Kind, Fold] = {
    "ticket": Fold(ticket.TicketState, ticket.start, ticket),
    "booking": Fold(booking.BookingState, booking.start, booking),
    "review": Fold(review.ReviewState, review.start_review, review),
    "survey": Fold(review.SurveyState, review.start_survey, review),
}


class Header(Struct, array_like=True, gc=False):
    """What an entity's record holds: ``chunk`` is its ledger's newest chunk, full ones are records of their own."""

    key: str
    events: int
    full_chunks: int
    newest_last: bool  # the newest event in ledger order is also the last that arrived
    chunk: bytes
    state: msgspec.Raw


# Before the header: the newest event time and whether the entity is open, readable without decoding (sealing).
_PREFIX = struct.Struct(">q?")
_DECODE_HEADER = msgspec.msgpack.Decoder(Header).decode
_ENCODE = msgspec.msgpack.Encoder(enc_hook=int).encode  # money and time are integers with a name
_DECODE_STATE = {kind: msgspec.msgpack.Decoder(fold.state).decode for kind, fold in FOLDS.items()}


class Entity:
    """A decoded entity; only the fold of one batch holds it, the shard keeps bytes."""

    __slots__ = ("chunk", "chunks", "events", "key", "kind", "newest", "newest_last", "state", "touched_chunks")

    def __init__(self, kind: Kind, key: str) -> None:
        self.kind = kind
        self.key = key
        self.events = 0
        self.chunks: list[bytes] = []  # the full ones
        self.chunk = b""
        self.newest = -(2**63)  # time of the newest event in ledger order, microseconds UTC
        self.newest_last = True
        self.state: Any = None
        self.touched_chunks: list[int] = []  # numbers of the chunks that became full and must be written

    @classmethod
    def load(cls, kind: Kind, record: bytes, full_chunk: Callable[[int], bytes]) -> Entity:
        """Decode an entity from its record; *full_chunk* returns a full chunk by number."""
        header = _DECODE_HEADER(memoryview(record)[_PREFIX.size :])
        entity = cls(kind, header.key)
        entity.newest = newest_of(record)
        entity.events = header.events
        entity.chunks = [full_chunk(number) for number in range(header.full_chunks)]
        entity.chunk = header.chunk
        entity.newest_last = header.newest_last
        entity.state = _DECODE_STATE[kind](header.state)
        return entity

    def record(self) -> bytes:
        """Return the bytes that `load` reads."""
        state = msgspec.Raw(_ENCODE(self.state))
        header = Header(self.key, self.events, len(self.chunks), self.newest_last, self.chunk, state)
        return prefix(self.newest, self.state.open) + _ENCODE(header)

    def summary(self) -> Any:
        """Return what outlives the horizon: of a booking its state (labels, amount, dates), else the first and last."""
        return self.state if self.kind == "booking" else (self.kind, self.key, getattr(self.state, "status", ""))

    def find(self, event: Event) -> Entry | None:
        """Return the entry that has the event's (source, id), if there is one."""
        return ledger.find((*self.chunks, self.chunk), event)

    def entries(self) -> list[Entry]:
        """Return the ledger in its order."""
        return ledger.in_order((*self.chunks, self.chunk))

    def take(self, event: Event, entry: Entry, encoded: bytes, emit: Emit) -> None:
        """Append the event to the ledger, fold it and emit the change in what the entity contributes."""
        fold = FOLDS[self.kind]
        incomplete = self.state is not None and not self.state.complete
        if self.state is None:
            self.state = fold.start((entry,))
        if self._is_newest(entry) and not fold.module.revises(self.state, entry.code, event.data):
            self._append(encoded)
            self.newest, self.newest_last = entry.time, True
            fold.module.advance(self.state, entry.code, entry.time, event.data, emit)
        else:
            self._refold(fold, encoded, emit)
        if incomplete == self.state.complete:
            emit("incomplete", LIVE, (), 0, -1 if incomplete else 1)

    def _is_newest(self, entry: Entry) -> bool:
        if entry.time != self.newest:
            return entry.time > self.newest
        if self.chunk and self.newest_last:
            return entry.order > ledger.last_arrival(self.chunk).order
        return not self.events

    def _append(self, encoded: bytes) -> None:
        full = self.events % ledger.CHUNK_ENTRIES == 0 or len(self.chunk) + len(encoded) > ledger.CHUNK_BYTES
        if self.chunk and full:
            self.touched_chunks.append(len(self.chunks))
            self.chunks.append(self.chunk)
            self.chunk = b""
        self.chunk += encoded
        self.events += 1

    def _refold(self, fold: Fold, encoded: bytes, emit: Emit) -> None:
        """Retract everything the ledger contributed, append, and contribute anew; equal parts cancel out."""
        net: Counter[tuple[str, int | None, tuple[str, ...], int]] = Counter()
        if self.events:
            refold(fold, self.entries(), _collect(net, -1))
        self._append(encoded)
        entries = self.entries()
        self.state = refold(fold, entries, _collect(net, 1))
        self.newest = entries[-1].time
        self.newest_last = entries[-1] == ledger.last_arrival(self.chunk)
        for (measure, at, labels, value), count in net.items():
            for _ in range(abs(count)):
                emit(measure, at, labels, value, 1 if count > 0 else -1)


def refold(fold: Fold, entries: list[Entry], emit: Emit) -> Any:
    """Return the state after all *entries* (in ledger order), emitting all they contribute."""
    state = fold.start(entries)
    for entry in entries:
        fold.module.advance(state, entry.code, entry.time, entry.data, emit)
    return state


def prefix(newest: int, is_open: bool) -> bytes:
    """Return how every record with an expiry begins: newest event time (microseconds UTC), whether it is open."""
    return _PREFIX.pack(newest, is_open)


def newest_of(record: bytes) -> int:
    """Return the time of the newest event of an entity's record, in microseconds UTC, without decoding the rest."""
    return int(_PREFIX.unpack_from(record)[0])


def is_open(record: bytes) -> bool:
    """Return whether the entity of a record is open, without decoding the rest."""
    return bool(_PREFIX.unpack_from(record)[1])


def _collect(net: Counter[tuple[str, int | None, tuple[str, ...], int]], sign: int) -> Emit:
    def emit(measure: str, at: int | None, labels: tuple[str, ...], value: int, count: int) -> None:
        net[measure, at, labels, value] += sign * count

    return emit
