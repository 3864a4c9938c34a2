"""The fold of one batch: what each record does to its entity, its customer and the buckets.

`Folding.steps` takes records, as often as need be, `Folding.finish` returns the overlay. Nothing here changes the
shard: reads go to this batch's own changes first, then to the overlay in flight, then to the shard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from stream.domain import customer, entity, ledger
from stream.domain.contributions import Contributions
from stream.domain.entity import KINDS, Entity
from stream.domain.keys import CUSTOMER, ENTITY, NAMING, UNJOINED, chunk_key, entity_key, named_by, stub_key
from stream.domain.layers import Layers
from stream.domain.measures import LIVE
from stream.domain.overlay import FoldError, Meta, Overlay, Position, Record, ReRouted
from stream.domain.promises import Promises
from stream.domain.windows import Grid
from stream.events.event import Event, Heartbeat, Reason, Rejected
from stream.events.registry import EVENT_TYPES, Kind
from stream.events.values import BEFORE_ALL, MICRO

if TYPE_CHECKING:
    from stream.domain.shard import Shard

# An event more than this ahead of its record's Kafka timestamp is refused (contract, Envelope).
FUTURE = 300 * MICRO
MAX_UPSTREAMS = 100

_ENCODE = msgspec.msgpack.Encoder(enc_hook=int).encode

_DELETIONS = frozenset(row.code for row in EVENT_TYPES if row.name.endswith(".deleted"))


class Folding:
    """One batch on its way into an overlay. ``now`` and all times are microseconds since the epoch (UTC)."""

    def __init__(
        self, shard: Shard, now: int, base: Overlay | None, at_end: frozenset[str], frontier: int = BEFORE_ALL
    ) -> None:
        meta = base.meta if base else shard.meta
        self._shard = shard
        self._at_end = at_end
        self._frontier = frontier
        self._meta = meta
        self._last: dict[str, Record] = {}
        self._newest = {source: position.newest for source, position in meta.positions.items()}
        self._upstream = dict(meta.upstream)
        self._newest_event = meta.newest_event
        self._entities: dict[bytes, Entity[Any]] = {}
        self._index = 0  # of the record at hand
        self._customers: dict[bytes, customer.Customer] = {}
        self._customer = ""  # whose entity is at hand
        rolled = base.grid.rolled if base else shard.grid.rolled
        grid = Grid.at(now)
        self._grid = grid if grid.rolled > rolled else (base.grid if base else shard.grid)
        self._out = Overlay(now, Meta(), self._grid)
        self._layers = Layers(shard, base, self._out)
        self._contributions = Contributions(now, self._grid, shard.buckets.cells)
        for bucket, cells in self._layers.arrive(now, self._grid):
            self._contributions.add_cells(bucket, cells)
        if grid.rolled > rolled:
            self._layers.roll(grid)
            self._layers.forget_cells()
        self._promises = Promises(shard, base, self._out, self._contributions.add)

    def steps(self, records: Sequence[Record], first: int = 0) -> None:
        """Fold records; the first of them is the *first*-th of the batch.

        Raises FoldError with the index of a record that cannot be folded; only this object is spoilt then.
        """
        for index, record in enumerate(records, first):
            try:
                self._step(index, record)
            except Exception as error:  # whatever an event does to the fold, it alone becomes a dead letter
                raise FoldError(index, Reason.FOLD_ERROR, type(error).__name__) from error

    def _step(self, index: int, record: Record) -> None:
        self._index = index
        source, item = record.source, record.item
        self._last[source] = record
        if record.timestamp > self._newest.get(source, BEFORE_ALL):
            self._newest[source] = record.timestamp
        name = "unknown"
        if isinstance(item, Event):
            name = item.type.name
            result = self._event(record, item)
        elif isinstance(item, Heartbeat):
            name, result = "heartbeat", "heartbeat"
            if item.source in self._upstream or len(self._upstream) < MAX_UPSTREAMS:
                self._upstream[item.source] = max(item.time, self._upstream.get(item.source, item.time))
        elif isinstance(item, ReRouted):
            result = "rerouted"
        else:
            result, name = item, item.type
        if isinstance(result, Rejected):
            self._out.rejected.append((index, result))
            result = "rejected"
        self._out.results[source, name, result] += 1

    def finish(self) -> Overlay:
        """Settle and seal what is due and return the overlay. Raises FoldError."""
        out = self._out
        due = self._promises.due(self._frontier)
        for key, held in self._entities.items():
            if held.taken is None:
                continue
            try:
                self._settle(held)
                self._promises.follow(held)
                self._promises.settle(key, held)
            except Exception as error:  # the last event it took is the suspect; the batch is tried without it
                raise FoldError(held.taken, Reason.FOLD_ERROR, type(error).__name__) from error
            self._write(key, held)
        self._fire(due)
        for key, summary in self._customers.items():
            value = summary.record()
            if value != self._layers.read(key):
                out.writes[key] = value
        self._seal()
        out.changes = self._contributions.changes()
        out.bucket_records = list(self._layers.bucket_records())
        out.meta = self._next_meta()
        return out

    def _write(self, key: bytes, held: Entity[Any]) -> None:
        for number in range(held.written, len(held.chunks)):
            self._out.writes[chunk_key(key, number)] = held.chunks[number]
        self._out.writes[key] = held.record()

    def _fire(self, due: Iterable[bytes]) -> None:
        """Tell of entities that took no event: a deadline has passed, or a configuration was edited."""
        for key in {*due, *self._promises.followers()}:
            held = self._entities.get(key) or self._load(KINDS[key[1]], key)
            if held is None or held.taken is not None:
                continue
            if self._promises.follow(held):
                self._write(key, held)
            self._promises.settle(key, held)

    def _next_meta(self) -> Meta:
        positions = dict(self._meta.positions)
        for source, last in self._last.items():
            positions[source] = Position(last.offset + 1, last.timestamp, last.crc, self._newest[source])
        counts = Counter(self._meta.counts)
        for (source, _, result), number in self._out.results.items():
            counts[f"{source}/{result}"] += number
        return Meta(
            positions=positions,
            rolled=self._grid.rolled,
            newest_event=self._newest_event,
            counts=dict(counts),
            upstream=self._upstream,
            fired_until=self._out.meta.fired_until,
        )

    def _event(self, record: Record, event: Event) -> str | Rejected:
        """Fold an event into its entity; return the result to count, or its refusal."""
        kind = event.type.kind
        key = entity_key(kind, event.subject)
        held = self._entities.get(key) or self._load(kind, key)
        verdict = self._verdict(record, event, key, held)
        if verdict is not None:
            return verdict
        encoded = ledger.encode(event)
        if len(encoded) > ledger.ENTRY_BYTES:
            return Rejected(Reason.TOO_LARGE, f"over {ledger.ENTRY_BYTES} bytes to keep", event.type.name)
        self._take(key, held, event, encoded)
        return "late" if record.timestamp - event.time > self._shard.limits.horizon else "applied"

    def _verdict(self, record: Record, event: Event, key: bytes, held: Entity[Any] | None) -> str | Rejected | None:
        """Return why an event is not to be folded, or None. A function of the record and its entity alone."""
        if event.time > record.timestamp + FUTURE:
            return Rejected(Reason.FUTURE, "time is over 5 minutes after the record's Kafka timestamp", event.type.name)
        if held is None:
            return "late" if self._layers.read(stub_key(key)) is not None or self._is_erased(key) else None
        if record.timestamp > held.newest + self._shard.limits.horizon:
            self._settle(held)
            if not held.state.open:
                return "late"  # it counts as sealed already, whether or not log time has come round to it
        known = held.find(event)
        if known is not None:
            if known != ledger.entry_of(event):
                self._out.notes["id_conflict"] += 1
            return "duplicate"
        if held.events >= entity.MAX_EVENTS:
            return Rejected(Reason.ENTITY_TOO_BIG, f"over {entity.MAX_EVENTS} events", event.type.name)
        return None

    def _take(self, key: bytes, held: Entity[Any] | None, event: Event, encoded: bytes) -> None:
        kind, code, time = event.type.kind, event.type.code, event.time
        if held is None:
            held = self._entities[key] = Entity(event.key, kind=kind)
            summary = self._load_customer(held.key)
            summary.saw(time)
            summary.entities[kind] = summary.entities.get(kind, 0) + 1
            self._join(key, held.key)
        elif not held.newest <= time < customer.day_end(held.newest):  # else its customer knows of that day
            self._load_customer(held.key).saw(time)
        held.taken = self._index
        self._customer = held.key
        emit = self._emit if kind == "booking" else self._contributions.add
        held.take(event, encoded, emit, self._promises.hand(held))
        if time > self._newest_event:  # noqa: PLR1730 # Half the cost of max(), at every event.
            self._newest_event = time
        if code in NAMING:
            self._refer(key, held.key, event)
        if event.coerced:
            self._out.notes.update(f"unknown_value/{field}" for field in event.coerced)
        if code in _DELETIONS and getattr(event.data, "reason", None) == "privacy":
            self._erase(key, held)

    def _settle(self, held: Entity[Any]) -> None:
        if held.net is not None:
            self._customer = held.key
            held.settle(self._emit, self._promises.hand(held))

    def _emit(self, measure: str, at: int | None, labels: tuple[str, ...], value: int, count: int) -> None:
        """Add a contribution to its bucket and to the customer at hand."""
        if measure in customer.MEASURES:
            self._load_customer(self._customer).contributes(measure, labels, value, count)
        self._contributions.add(measure, at, labels, value, count)

    def _load(self, kind: Kind, key: bytes) -> Entity[Any] | None:
        held = self._entities.get(key)
        if held is None and (record := self._layers.read(key)) is not None:
            held = self._entities[key] = Entity.load(kind, record, partial(self._layers.chunk, key))
            self._promises.remember(held)
        return held

    def _load_customer(self, key: str) -> customer.Customer:
        record_key = CUSTOMER + key.encode()
        summary = self._customers.get(record_key)
        if summary is None:
            record = self._layers.read(record_key)
            summary = customer.load(record) if record is not None else customer.Customer(2**63 - 1, BEFORE_ALL)
            self._customers[record_key] = summary
        return summary

    def _is_erased(self, key: bytes) -> bool:
        return self._layers.read(stub_key(key, erased=True)) is not None

    def _belongs(self, key: bytes, owner: str) -> bool:
        """Whether an entity is known and the customer's; of an erased one nobody knows any more, so it is."""
        held = self._load(KINDS[key[1]], key)
        if held is not None:
            return held.key == owner
        stub = self._layers.read(stub_key(key))
        return entity.owner_of(stub) == owner if stub is not None else self._is_erased(key)

    def _refer(self, key: bytes, owner: str, event: Event) -> None:
        """Note that an entity names another one that is unknown, or another customer's, until that one comes."""
        for target in named_by(event.data):
            unjoined = UNJOINED + _ENCODE((target, owner, key))
            if not self._belongs(target, owner) and self._layers.read(unjoined) is None:
                self._out.writes[unjoined] = target
                self._out.waiting.setdefault(target, set()).add(unjoined)
                self._emit("unjoined", LIVE, (), 0, 1)

    def _join(self, key: bytes, owner: str) -> None:
        """Join what waited for this new entity of the same customer."""
        for unjoined in self._layers.waiting(key):
            if msgspec.msgpack.decode(unjoined[1:])[1] == owner:
                self._rejoin(unjoined)

    def _rejoin(self, unjoined: bytes) -> None:
        if self._layers.read(unjoined) is not None:
            self._out.writes[unjoined] = None
            self._emit("unjoined", LIVE, (), 0, -1)

    def _erase(self, key: bytes, held: Entity[Any]) -> None:
        """Forget an entity for privacy: its counts stay, a hash remains so that a replay cannot revive it."""
        self._settle(held)
        self._promises.settle(key, held)
        self._remove(key, held)
        for unjoined in self._layers.waiting(key):
            self._rejoin(unjoined)  # whose it was, nobody knows from here on: as for those that name it later
        del self._entities[key]
        self._out.writes[stub_key(key, erased=True)] = entity.prefix(held.newest, False)

    def _remove(self, key: bytes, held: Entity[Any]) -> None:
        """Take out an entity's records, and what it waits for: nobody looks for its created or its booking now."""
        self._out.writes[key] = None
        self._promises.gone(key)
        for number in range(len(held.chunks)):
            self._out.writes[chunk_key(key, number)] = None
        for entry in held.entries():
            for target in named_by(entry.data):
                self._rejoin(UNJOINED + _ENCODE((target, held.key, key)))
        if held.incomplete:
            self._emit("incomplete", LIVE, (), 0, -1)

    def _seal(self) -> None:
        """Replace entities that closed long ago by stubs, and drop stubs and customers past their retention."""
        # Log time is the least of the sources' newest Kafka timestamps; a source read to its end holds nothing back.
        behind = [newest for source, newest in self._newest.items() if source not in self._at_end]
        log_time = min(behind) if behind else max(self._newest.values(), default=BEFORE_ALL)
        for key, record in self._shard.expiry.ripe(log_time, self._layers.read):
            if key[:1] == ENTITY:
                held = Entity.load(KINDS[key[1]], record, partial(self._layers.chunk, key))
                self._remove(key, held)
                self._out.writes[stub_key(key)] = entity.prefix(held.newest, False) + _ENCODE(held.summary())
            else:
                self._out.writes[key] = None
