"""The fold of one batch: what each record does to its entity, its customer and the buckets.

`Folding.step` takes one record, `Folding.finish` returns the overlay. Nothing here changes the shard: reads go to this
batch's own changes first, then to the overlay in flight, then to the shard.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from stream.domain import customer, entity, ledger
from stream.domain.entity import Entity
from stream.domain.keys import CUSTOMER, ENTITY, UNJOINED, chunk_key, entity_key, stub_key
from stream.domain.measures import LIVE, MEASURES
from stream.domain.overlay import Meta, Overlay, Position, Record, ReRouted, cells_in
from stream.domain.windows import EXACT, LIVE_BUCKET, Bucket, Cell, Grid, Sums
from stream.events.event import Event, Heartbeat, Reason, Rejected
from stream.events.registry import Kind
from stream.events.values import DAY_US, MICRO

if TYPE_CHECKING:
    from stream.domain.shard import Shard

# An event more than this ahead of its record's Kafka timestamp is refused (contract, Envelope).
FUTURE = 300 * MICRO
# Entities sealed by one batch at the most, so that a backlog of them does not hold up events.
SEAL_AT_ONCE = 500
MAX_UPSTREAMS = 100

_KINDS: dict[str, Kind] = {"t": "ticket", "b": "booking", "r": "review", "s": "survey"}
_ENCODE = msgspec.msgpack.Encoder(enc_hook=int).encode


class Folding:
    """One batch on its way into an overlay. ``now`` and all times are microseconds since the epoch (UTC)."""

    def __init__(self, shard: Shard, now: int, base: Overlay | None, at_end: frozenset[str]) -> None:
        meta = base.meta if base else shard.meta
        self._shard = shard
        self._base = base
        self._at_end = at_end
        self._positions = dict(meta.positions)
        self._counts = dict(meta.counts)
        self._upstream = dict(meta.upstream)
        self._newest_event = meta.newest_event
        self._entities: dict[bytes, Entity] = {}
        self._dirty: set[bytes] = set()
        self._customers: dict[bytes, customer.Customer] = {}
        self._customer: customer.Customer | None = None
        self._changes: dict[tuple[Bucket, Cell], list[int]] = {}
        rolled = base.grid.rolled if base else shard.grid.rolled
        grid = Grid.at(now)
        self._grid = grid if grid.rolled > rolled else (base.grid if base else shard.grid)
        self._out = Overlay(now, Meta(), self._grid)
        self._roll(grid.rolled > rolled)

    def step(self, index: int, record: Record) -> None:
        """Fold one record. Whatever it raises leaves only this object spoilt."""
        had = self._positions.get(record.source)
        newest = max(had.newest, record.timestamp) if had else record.timestamp
        self._positions[record.source] = Position(record.offset + 1, record.timestamp, record.crc, newest)
        item = record.item
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
        self._out.results[record.source, name, result] += 1
        count = f"{record.source}/{result}"
        self._counts[count] = self._counts.get(count, 0) + 1

    def finish(self) -> Overlay:
        """Seal what is due and return the overlay."""
        out = self._out
        for key in self._dirty:
            self._write_entity(key, self._entities[key])
        for key, summary in self._customers.items():
            out.writes[key] = summary.record()
        self._seal()
        for (bucket, cell), (count, total) in self._changes.items():
            if count or total:
                had = self._cell(bucket, cell)
                out.cells[bucket, cell] = (had[0] + count, had[1] + total)
                out.changes[bucket, cell] = (count, total)
        out.meta = Meta(
            positions=self._positions,
            rolled=self._grid.rolled,
            newest_event=self._newest_event,
            counts=self._counts,
            upstream=self._upstream,
        )
        return out

    def _event(self, record: Record, event: Event) -> str | Rejected:
        """Fold an event into its entity; return the result to count, or its refusal."""
        key = entity_key(event.type.kind, event.subject)
        held = self._load(event.type.kind, key)
        verdict = self._verdict(record, event, key, held)
        if verdict is not None:
            return verdict
        entry = ledger.entry_of(event)
        encoded = ledger.encode(entry)
        if len(encoded) > ledger.ENTRY_BYTES:
            return Rejected(Reason.TOO_LARGE, f"over {ledger.ENTRY_BYTES} bytes to keep", event.type.name)
        self._take(key, held, event, entry, encoded)
        return "late" if record.timestamp - event.time > self._shard.limits.horizon else "applied"

    def _verdict(self, record: Record, event: Event, key: bytes, held: Entity | None) -> str | Rejected | None:
        """Return why an event is not to be folded, or None. A function of the record and its entity alone."""
        if event.time > record.timestamp + FUTURE:
            return Rejected(Reason.FUTURE, "time is over 5 minutes after the record's Kafka timestamp", event.type.name)
        if held is None:
            return "late" if self._is_stub(key) else None
        known = held.find(event)
        if known is not None:
            if known != ledger.entry_of(event):
                self._out.notes["id_conflict"] += 1
            return "duplicate"
        if not held.state.open and record.timestamp > held.newest + self._shard.limits.horizon:
            return "late"  # it counts as sealed already, whether or not log time has come round to it
        if held.events >= entity.MAX_EVENTS:
            return Rejected(Reason.ENTITY_TOO_BIG, f"over {entity.MAX_EVENTS} events", event.type.name)
        return None

    def _take(self, key: bytes, held: Entity | None, event: Event, entry: ledger.Entry, encoded: bytes) -> None:
        kind = event.type.kind
        new = held is None
        if held is None:
            held = self._entities[key] = Entity(kind, event.key)
        self._customer = self._load_customer(held.key)
        self._customer.saw(event.time)
        if new:
            self._customer.entities[kind] = self._customer.entities.get(kind, 0) + 1
            self._join(key, held.key)
        self._dirty.add(key)
        held.take(event, entry, encoded, self._emit)
        self._newest_event = max(self._newest_event, event.time)
        self._refer(key, held.key, event)
        for field in event.coerced:
            self._out.notes[f"unknown_value/{field}"] += 1
        if getattr(event.data, "reason", None) == "privacy":
            self._erase(key, held)

    def _emit(self, measure: str, at: int | None, labels: tuple[str, ...], value: int, count: int) -> None:
        """Add a contribution to its bucket and to the customer at hand."""
        if self._customer is not None:
            self._customer.contributes(measure, labels, value, count)
        bucket: Bucket | None
        if at is LIVE:
            bucket = LIVE_BUCKET
        elif at > self._out.now:
            bucket = (EXACT, at)
        else:
            bucket = self._grid.bucket(at)
            if bucket is None:
                return  # older than every window
        binned = MEASURES[measure].bin
        cell = (measure, binned(value) if binned else 0, labels)
        self._change(bucket, cell, count, value * count)

    def _change(self, bucket: Bucket, cell: Cell, count: int, total: int) -> None:
        change = self._changes.get((bucket, cell))
        if change is None:
            self._changes[bucket, cell] = [count, total]
        else:
            change[0] += count
            change[1] += total

    def _read(self, key: bytes) -> bytes | None:
        if key in self._out.writes:
            return self._out.writes[key]
        if self._base is not None and key in self._base.writes:
            return self._base.writes[key]
        return self._shard.store.get(key)

    def _cell(self, bucket: Bucket, cell: Cell) -> Sums:
        for overlay in (self._out, self._base):
            if overlay is not None and (bucket, cell) in overlay.cells:
                return overlay.cells[bucket, cell]
        return self._shard.buckets.get(bucket, cell)

    def _load(self, kind: Kind, key: bytes) -> Entity | None:
        held = self._entities.get(key)
        if held is None and (record := self._read(key)) is not None:
            held = self._entities[key] = Entity.load(kind, record, partial(self._chunk, key))
        return held

    def _chunk(self, key: bytes, number: int) -> bytes:
        chunk = self._read(chunk_key(key, number))
        if chunk is None:
            raise LookupError("a chunk of the ledger is missing")
        return chunk

    def _load_customer(self, key: str) -> customer.Customer:
        record_key = CUSTOMER + key.encode()
        summary = self._customers.get(record_key)
        if summary is None:
            record = self._read(record_key)
            summary = customer.load(record) if record is not None else customer.Customer(2**63 - 1, -(2**63))
            self._customers[record_key] = summary
        return summary

    def _is_stub(self, key: bytes) -> bool:
        return self._read(stub_key(key)) is not None or self._read(stub_key(key, erased=True)) is not None

    def _write_entity(self, key: bytes, held: Entity) -> None:
        for number in held.touched_chunks:
            self._out.writes[chunk_key(key, number)] = held.chunks[number]
        self._out.writes[key] = held.record()

    def _refer(self, key: bytes, owner: str, event: Event) -> None:
        """Note that an entity names another one that is unknown, or another customer's, until that one comes."""
        for field, kind in (("booking_id", "booking"), ("ticket_id", "ticket")):
            subject = getattr(event.data, field, None)
            if subject is None:
                continue
            target = entity_key(kind, subject)  # type: ignore[arg-type]  # the tuple above holds kinds
            named = self._load(kind, target)  # type: ignore[arg-type]  # the same
            joined = named.key == owner if named is not None else self._is_stub(target)
            unjoined = UNJOINED + _ENCODE((target, owner, key))
            if not joined and self._read(unjoined) is None:
                self._out.writes[unjoined] = target
                self._out.waiting.setdefault(target, set()).add(unjoined)
                self._emit("unjoined", LIVE, (), 0, 1)

    def _join(self, key: bytes, owner: str) -> None:
        """Join what waited for this new entity of the same customer."""
        waiting = set(self._shard.waiting.get(key, ()))
        for overlay in (self._base, self._out):
            if overlay is not None:
                waiting |= overlay.waiting.get(key, set())
        for unjoined in waiting:
            if self._read(unjoined) is not None and msgspec.msgpack.decode(unjoined[1:])[1] == owner:
                self._out.writes[unjoined] = None
                self._emit("unjoined", LIVE, (), 0, -1)

    def _erase(self, key: bytes, held: Entity) -> None:
        """Forget an entity for privacy: its counts stay, a hash remains so that a replay cannot revive it."""
        del self._entities[key]
        self._dirty.discard(key)
        self._remove(key, len(held.chunks))
        self._out.writes[stub_key(key, erased=True)] = entity.prefix(held.newest, False)

    def _remove(self, key: bytes, chunks: int) -> None:
        self._out.writes[key] = None
        for number in range(chunks):
            self._out.writes[chunk_key(key, number)] = None

    def _log_time(self) -> int:
        """Return the least of the sources' newest Kafka timestamps; a source read to its end holds nothing back."""
        behind = [position.newest for name, position in self._positions.items() if name not in self._at_end]
        everyone = [position.newest for position in self._positions.values()]
        return min(behind) if behind else max(everyone, default=-(2**63))

    def _seal(self) -> None:
        """Replace entities that closed long ago by stubs, and drop stubs and customers past their retention."""
        shard, log_time = self._shard, self._log_time()
        left = SEAL_AT_ONCE
        for day in sorted(day for day in shard.expiry if day * DAY_US < log_time):
            for key in shard.expiry[day]:
                record = self._read(key)
                if record is None or entity.is_open(record) or log_time <= shard.due(key, record):
                    continue
                if key[:1] == ENTITY:
                    self._seal_entity(key, record)
                else:
                    self._out.writes[key] = None
                left -= 1
                if not left:
                    return

    def _seal_entity(self, key: bytes, record: bytes) -> None:
        held = Entity.load(_KINDS[chr(key[1])], record, partial(self._chunk, key))
        self._remove(key, len(held.chunks))
        self._out.writes[stub_key(key)] = entity.prefix(held.newest, False) + _ENCODE(held.summary())

    def _roll(self, moved: bool) -> None:
        """Move what the clock has passed into its bucket, and fine buckets that grew old into coarse ones."""
        shard, out = self._shard, self._out
        overlays = [self._base, out] if self._base is not None else [out]
        for bucket, cell, sums in cells_in(EXACT, out.now + 1, shard.buckets, overlays):
            out.cells[bucket, cell] = (0, 0)
            target = self._grid.bucket(bucket[1])
            if target is not None:
                self._change(target, cell, *sums)
        if not moved:
            return
        for grain, bound in zip(self._grid.grains, self._grid.bounds, strict=True):
            for bucket, cell, sums in cells_in(grain, bound, shard.buckets, overlays):
                out.cells[bucket, cell] = (0, 0)
                target = self._grid.bucket(bucket[1])
                if target is not None:
                    had = self._cell(target, cell)
                    out.cells[target, cell] = (had[0] + sums[0], had[1] + sums[1])
