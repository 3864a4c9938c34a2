"""An entity: its ledger, the state folded from it, and how one more event changes both.

`Entity.take` is the heart: an event that is newest in ledger order advances the saved state; after any other one, and
one that revises what earlier events contribute, `Entity.settle` refolds the whole ledger and emits the difference. It
does so once for all such events of a batch: a refold per event would cost the square of a long ledger.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from stream.domain import booking, ledger, review, ticket
from stream.domain.ledger import Entry
from stream.domain.measures import LIVE, Emit
from stream.events.event import Event
from stream.events.registry import Kind

MAX_EVENTS = 5_000


class Fold(NamedTuple):
    """The state type and the functions of one kind of entity."""

    state: type[Any]
    start: Callable[[Iterable[Entry]], Any]
    revises: Callable[[Any, int, Any], bool]
    advance: Callable[[Any, int, int, Any, Emit], None]


FOLDS: dict[Kind, Fold] = {
    "ticket": Fold(ticket.TicketState, ticket.start, ticket.revises, ticket.advance),
    "booking": Fold(booking.BookingState, booking.start, booking.revises, booking.advance),
    "review": Fold(review.ReviewState, review.start_review, review.revises, review.advance),
    "survey": Fold(review.SurveyState, review.start_survey, review.revises, review.advance),
}

State = TypeVar("State")


class Stored(Struct, Generic[State], array_like=True, gc=False):
    """What an entity's record holds: ``chunk`` is its ledger's newest chunk, full ones are records of their own."""

    key: str
    events: int
    full_chunks: int
    newest_last: bool  # the newest event in ledger order is also the last that arrived
    chunk: bytes
    state: State


# Contributions (measure, instant, labels, value) by how often they are added, or with a minus taken back.
Net = Counter[tuple[str, "int | None", tuple[str, ...], int]]
_INCOMPLETE = ("incomplete", LIVE, (), 0)

# Before it: the newest event time and whether the entity is open, readable without decoding (sealing).
_PREFIX = struct.Struct(">q?")
_DECODE_STUB = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw]).decode
_ENCODE = msgspec.msgpack.Encoder(enc_hook=int).encode  # money and time are integers with a name
_DECODE = {kind: msgspec.msgpack.Decoder(Stored[fold.state]).decode for kind, fold in FOLDS.items()}  # type: ignore[name-defined] # One per state type.


class Entity:
    """A decoded entity; only the fold of one batch holds it, the shard keeps bytes."""

    __slots__ = ("_net", "chunk", "chunks", "events", "key", "kind", "newest", "newest_last", "state", "touched_chunks")

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
        self._net: Net | None = None  # while a refold is due: all that was contributed, retracted

    @classmethod
    def load(cls, kind: Kind, record: bytes, full_chunk: Callable[[int], bytes]) -> Entity:
        """Decode an entity from its record; *full_chunk* returns a full chunk by number."""
        stored = _DECODE[kind](body(record))
        entity = cls(kind, stored.key)
        entity.newest, _ = read_prefix(record)
        entity.events = stored.events
        if stored.full_chunks:
            entity.chunks = [full_chunk(number) for number in range(stored.full_chunks)]
        entity.chunk = stored.chunk
        entity.newest_last = stored.newest_last
        entity.state = stored.state
        return entity

    def record(self) -> bytes:
        """Return the bytes that `load` reads. The entity must be settled."""
        stored = (self.key, self.events, len(self.chunks), self.newest_last, self.chunk, self.state)
        return prefix(self.newest, self.state.open) + _ENCODE(stored)

    def summary(self) -> tuple[str, Any]:
        """Return what outlives the horizon: the customer, and of a booking its state, of others created and status."""
        if self.kind == "booking":
            return self.key, self.state
        return self.key, (getattr(self.state, "created", None), getattr(self.state, "status", ""))

    @property
    def settled(self) -> bool:
        """Whether ``state`` is that after all events taken."""
        return self._net is None

    @property
    def incomplete(self) -> bool:
        """Whether it has events, but not the one that says what it is."""
        return self.state is not None and not self.state.complete

    def find(self, event: Event) -> Entry | None:
        """Return the entry that has the event's (source, id), if there is one."""
        return ledger.find((*self.chunks, self.chunk), event)

    def entries(self) -> list[Entry]:
        """Return the ledger in its order."""
        return ledger.in_order((*self.chunks, self.chunk))

    def take(self, event: Event, encoded: bytes, emit: Emit) -> None:
        """Append the event, *encoded*, to the ledger. Fold it and emit what it changes, or leave both to `settle`."""
        fold, code, incomplete = FOLDS[self.kind], event.type.code, self.incomplete
        if self.state is None:
            self.state = fold.start((ledger.entry_of(event),))
        if self._net is None and self._is_newest(event) and not fold.revises(self.state, code, event.data):
            self._append(encoded)
            self.newest, self.newest_last = event.time, True
            fold.advance(self.state, code, event.time, event.data, emit)
            if self.incomplete != incomplete:
                emit("incomplete", LIVE, (), 0, 1 if self.incomplete else -1)
            return
        if self._net is None:
            self._net = Counter({_INCOMPLETE: -incomplete})
            if self.events:
                refold(fold, self.entries(), _collect(self._net, -1))
        self._append(encoded)
        self.newest = max(self.newest, event.time)

    def settle(self, emit: Emit) -> None:
        """Refold the ledger if that is due and emit the net change; equal parts cancel out."""
        if self._net is None:
            return
        net, self._net = self._net, None
        entries = self.entries()
        self.state = refold(FOLDS[self.kind], entries, _collect(net, 1))
        self.newest_last = entries[-1] == ledger.last_arrival(self.chunk)
        net[_INCOMPLETE] += self.incomplete
        for (measure, at, labels, value), count in net.items():
            for _ in range(abs(count)):
                emit(measure, at, labels, value, 1 if count > 0 else -1)

    def _is_newest(self, event: Event) -> bool:
        if event.time != self.newest:
            return event.time > self.newest
        if self.chunk and self.newest_last:
            return ledger.entry_of(event).order > ledger.last_arrival(self.chunk).order
        return not self.events

    def _append(self, encoded: bytes) -> None:
        full = self.events % ledger.CHUNK_ENTRIES == 0 or len(self.chunk) + len(encoded) > ledger.CHUNK_BYTES
        if self.chunk and full:
            self.touched_chunks.append(len(self.chunks))
            self.chunks.append(self.chunk)
            self.chunk = b""
        self.chunk += encoded
        self.events += 1


def refold(fold: Fold, entries: list[Entry], emit: Emit) -> Any:
    """Return the state after all *entries* (in ledger order), emitting all they contribute."""
    state = fold.start(entries)
    for entry in entries:
        fold.advance(state, entry.code, entry.time, entry.data, emit)
    return state


def prefix(newest: int, is_open: bool) -> bytes:
    """Return how every record with an expiry begins: newest event time (microseconds UTC), whether it is open."""
    return _PREFIX.pack(newest, is_open)


def read_prefix(record: bytes) -> tuple[int, bool]:
    """Return what `prefix` wrote, without decoding the rest of the record."""
    newest, is_open = _PREFIX.unpack_from(record)
    return newest, is_open


def body(record: bytes) -> memoryview:
    """Return what follows the prefix of a record."""
    return memoryview(record)[_PREFIX.size :]


def owner_of(stub: bytes) -> str:
    """Return the customer of the stub that `Entity.summary` left."""
    return _DECODE_STUB(body(stub))[0]


def _collect(net: Net, sign: int) -> Emit:
    def emit(measure: str, at: int | None, labels: tuple[str, ...], value: int, count: int) -> None:
        net[measure, at, labels, value] += sign * count

    return emit
