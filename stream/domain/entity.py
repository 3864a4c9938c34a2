"""An entity: its ledger, the state folded from it, and how one more event changes both.

`Entity.take` is the heart: an event that is newest in ledger order advances the saved state; after any other one, and
one that revises what earlier events contribute, `Entity.settle` refolds the whole ledger and emits the difference. It
does so once for all such events of a batch: a refold per event would cost the square of a long ledger.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec
from msgspec import Struct

from stream.domain import booking, ledger, review, ticket
from stream.domain.ledger import Entry
from stream.domain.measures import LIVE, Emit
from stream.domain.sla.clocks import Clocks
from stream.domain.sla.notices import NOTHING_TOLD, Standing
from stream.domain.sla.runs import Ended, SlaState
from stream.events.event import Event
from stream.events.registry import Kind
from stream.events.values import BEFORE_ALL

MAX_EVENTS = 5_000


class Fold(NamedTuple):
    """The functions of one kind of entity."""

    start: Callable[[Iterable[Entry]], Any]
    revises: Callable[[Any, int, Any], bool]
    advance: Callable[[Any, int, int, Any, Emit], None]


FOLDS: dict[Kind, Fold] = {
    "ticket": Fold(ticket.start, ticket.revises, ticket.advance),
    "booking": Fold(booking.start, booking.revises, booking.advance),
    "review": Fold(review.start_review, review.revises, review.advance),
    "survey": Fold(review.start_survey, review.revises, review.advance),
}


class Folded(Protocol):
    """What the state of every kind says of its entity."""

    @property
    def complete(self) -> bool:
        """Whether the event that says what it is has come."""

    @property
    def open(self) -> bool:
        """Whether anything may still be expected of it, so that it must not be sealed."""


State = TypeVar("State", bound=Folded)

# By the letter that stands for them in keys.
KINDS: dict[int, Kind] = {ord(kind[0]): kind for kind in FOLDS}

CLOCKED: frozenset[Kind] = frozenset({"ticket", "booking"})  # the kinds whose state has runs of clocks


# Contributions (measure, instant, labels, value) by how often they are added, or with a minus taken back.
Net = Counter[tuple[str, "int | None", tuple[str, ...], int]]
_INCOMPLETE = ("incomplete", LIVE, (), 0)

# Before it: the newest event time and whether the entity is open, readable without decoding (sealing).
_PREFIX = struct.Struct(">q?")
_DECODE_STUB = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw]).decode
_ENCODE = msgspec.msgpack.Encoder(enc_hook=int).encode  # money and time are integers with a name


class Entity(Struct, Generic[State], array_like=True, gc=False):
    """A decoded entity; only the fold of one batch holds it, the shard keeps bytes.

    Its record holds the fields up to ``state``. The collector need not look at it, as it is part of no cycle.
    """

    key: str  # the customer
    events: int = 0
    full_chunks: int = 0
    newest_last: bool = True  # the newest event in ledger order is also the last that arrived
    chunk: bytes = b""  # the newest chunk of the ledger; full ones are records of their own
    state: State = None  # type: ignore[assignment] # Until the first event.
    kind: Kind = "ticket"
    newest: int = BEFORE_ALL  # time of the newest event in ledger order, microseconds UTC
    chunks: tuple[bytes, ...] = ()  # the full ones
    written: int = 0  # how many of them have records
    taken: int | None = None  # place in the batch of the last record that it took
    net: Net | None = None  # while a refold is due: all that was contributed, retracted
    told: Standing = NOTHING_TOLD  # of its runs, before the batch
    ended: dict[Ended, int] | None = None  # how often a run was found to have ended so, or with a minus to have not

    @classmethod
    def load(cls, kind: Kind, record: bytes, full_chunk: Callable[[int], bytes]) -> Entity[Any]:
        """Decode an entity from its record; *full_chunk* returns a full chunk by number."""
        entity = _DECODE[kind](record[_PREFIX.size :])
        entity.kind = kind
        entity.newest, _ = read_prefix(record)
        if entity.full_chunks:
            entity.chunks = tuple(map(full_chunk, range(entity.full_chunks)))
            entity.written = entity.full_chunks
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
    def incomplete(self) -> bool:
        """Whether it has events, but not the one that says what it is."""
        return self.state is not None and not self.state.complete

    def find(self, event: Event) -> Entry | None:
        """Return the entry that has the event's (source, id), if there is one."""
        return ledger.find((*self.chunks, self.chunk), event)

    def entries(self) -> list[Entry]:
        """Return the ledger in its order."""
        return ledger.in_order((*self.chunks, self.chunk))

    def take(self, event: Event, encoded: bytes, emit: Emit, clocks: Clocks | None = None) -> None:
        """Append the event, *encoded*, to the ledger. Fold it and emit what it changes, or leave both to `settle`."""
        fold, code, incomplete = FOLDS[self.kind], event.type.code, self.incomplete
        if self.state is None:
            self.state = fold.start((ledger.entry_of(event),))
        if (
            self.net is None
            and self._is_newest(event)
            and not fold.revises(self.state, code, event.data)
            and not (clocks is not None and clocks.is_ahead(self.kind, self.state, event.time))
        ):
            self._append(encoded)
            self.newest, self.newest_last = event.time, True
            step(self.kind, self.state, (code, event.time, event.data), emit, clocks)
            if self.incomplete != incomplete:
                emit("incomplete", LIVE, (), 0, 1 if self.incomplete else -1)
            return
        if self.net is None:
            self.net = Counter({_INCOMPLETE: -incomplete})
            if self.events:
                refold(self.kind, self.entries(), *self._collect(-1, clocks), self._configured)
        self._append(encoded)
        self.newest = max(self.newest, event.time)

    def settle(self, emit: Emit, clocks: Clocks | None = None) -> None:
        """Refold the ledger if that is due and emit the net change; equal parts cancel out."""
        if self.net is None:
            return
        net, entries = self.net, self.entries()
        self.state = refold(self.kind, entries, *self._collect(1, clocks), self._configured)
        self.net = None
        self.newest_last = entries[-1] == ledger.last_arrival(self.chunk)
        net[_INCOMPLETE] += self.incomplete
        for (measure, at, labels, value), count in net.items():
            for _ in range(abs(count)):
                emit(measure, at, labels, value, 1 if count > 0 else -1)

    def find_ended(self, run: Ended, count: int) -> None:
        """Note that a run has ended so, or with count -1 that it has not."""
        if self.ended is None:
            self.ended = {}
        self.ended[run] = self.ended.get(run, 0) + count

    @property
    def _configured(self) -> int:
        """The number of the configuration that its clocks have followed."""
        state: Any = self.state
        number: int = state.sla.config if self.kind in CLOCKED else 0
        return number

    def _collect(self, sign: int, clocks: Clocks | None) -> tuple[Emit, Clocks | None]:
        """Return ears for a refold that add to what is contributed and ended, or with sign -1 take back."""
        net = self.net
        assert net is not None

        def emit(measure: str, at: int | None, labels: tuple[str, ...], value: int, count: int) -> None:
            net[measure, at, labels, value] += sign * count

        def ended(run: Ended, count: int) -> None:
            self.find_ended(run, sign * count)

        return emit, None if clocks is None else clocks.into(emit, ended)

    def _is_newest(self, event: Event) -> bool:
        if event.time != self.newest:
            return event.time > self.newest
        if self.chunk and self.newest_last:
            return ledger.entry_of(event).order > ledger.last_arrival(self.chunk).order
        return not self.events

    def _append(self, encoded: bytes) -> None:
        full = self.events % ledger.CHUNK_ENTRIES == 0 or len(self.chunk) + len(encoded) > ledger.CHUNK_BYTES
        if self.chunk and full:
            self.chunks += (self.chunk,)
            self.chunk = b""
        self.chunk += encoded
        self.events += 1


_DECODE: dict[Kind, Callable[[bytes], Entity[Any]]] = {
    "ticket": msgspec.msgpack.Decoder(Entity[ticket.TicketState]).decode,
    "booking": msgspec.msgpack.Decoder(Entity[booking.BookingState]).decode,
    "review": msgspec.msgpack.Decoder(Entity[review.ReviewState]).decode,
    "survey": msgspec.msgpack.Decoder(Entity[review.SurveyState]).decode,
}


def step(kind: Kind, state: Any, what: tuple[int, int, Any], emit: Emit, clocks: Clocks | None) -> None:
    """Fold the next event in ledger order, *what* = its code, time and data, into the state and its clocks."""
    code, at, data = what
    if clocks is None:
        FOLDS[kind].advance(state, code, at, data, emit)
    else:
        clocks.before(kind, state, at)
        FOLDS[kind].advance(state, code, at, data, emit)
        clocks.after(kind, state, code, at, data)


def refold(kind: Kind, entries: list[Entry], emit: Emit, clocks: Clocks | None = None, configured: int = 0) -> Any:
    """Return the state after all *entries* (in ledger order), emitting all they contribute.

    *configured* is the number of the configuration that its clocks had followed, be it after the last event.
    """
    state = FOLDS[kind].start(entries)
    for entry in entries:
        step(kind, state, (entry.code, entry.time, entry.data), emit, clocks)
    if clocks is not None and kind in CLOCKED:
        clocks.reconfigure(kind, state, configured)
    return state


def prefix(newest: int, is_open: bool) -> bytes:
    """Return how every record with an expiry begins: newest event time (microseconds UTC), whether it is open."""
    return _PREFIX.pack(newest, is_open)


def read_prefix(record: bytes) -> tuple[int, bool]:
    """Return what `prefix` wrote, without decoding the rest of the record."""
    newest, is_open = _PREFIX.unpack_from(record)
    return newest, is_open


def is_open(record: bytes) -> bool:
    """Return whether an entity is open, from its record's prefix."""
    return record[_PREFIX.size - 1] != 0


def body(record: bytes) -> memoryview:
    """Return what follows the prefix of a record."""
    return memoryview(record)[_PREFIX.size :]


def clocks_of(key: bytes, record: bytes) -> SlaState | None:
    """Return the runs of an entity from its key and record; None of a kind that has none."""
    kind = KINDS[key[1]]
    if kind not in CLOCKED:
        return None
    runs: SlaState = _DECODE[kind](record[_PREFIX.size :]).state.sla
    return runs


def owner_of(stub: bytes) -> str:
    """Return the customer of the stub that `Entity.summary` left."""
    return _DECODE_STUB(body(stub))[0]
