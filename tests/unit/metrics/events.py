"""Real shards with real events in them, and snapshots of those, for the tests of what is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import orjson

from stream.domain.overlay import Record
from stream.domain.shard import Shard
from stream.domain.sla.terms import Terms
from stream.events.values import EPOCH, MICRO
from stream.ingest.decode import decode
from stream.metrics.model import ShardSnapshot, WorkerSnapshot

NOW = 1_760_000_000 * MICRO  # 2025-10-09T08:53:20Z
MINUTE = 60 * MICRO


def event(kind: str, subject: str, at: int, /, **data: Any) -> tuple[str, bytes]:
    """Return (topic, value) of an event *at* microseconds before NOW."""
    time = (EPOCH + timedelta(microseconds=NOW - at)).isoformat()
    body = {
        "specversion": "1.0",
        "id": f"{kind}/{subject}/{at}",
        "source": "test",
        "type": kind,
        "subject": subject,
        "time": time,
        "partitionkey": data.pop("customer", "c1"),
        "data": data,
    }
    return {"t": "tickets", "b": "bookings"}.get(kind[0], "reviews"), orjson.dumps(body)


def records(events: Iterable[tuple[str, bytes]]) -> Iterator[Record]:
    for offset, (topic, value) in enumerate(events):
        item = decode(value, topic=topic)
        yield Record(source=topic, offset=offset, timestamp=NOW, crc=0, item=item)


def shard_of(events: Iterable[tuple[str, bytes]], partition: int = 0, agreed: Terms | None = None) -> Shard:
    """Return a recovered shard that has folded *events*, every one of which must be accepted."""
    shard = Shard(partition, agreed=agreed)
    shard.restored(NOW)
    overlay = shard.fold(list(records(events)), NOW)
    assert not overlay.rejected, overlay.rejected[:3]
    shard.merge(overlay)
    return shard


def snapshot_of(*shards: Shard, now: int = NOW, frontier: int | None = None, **more: Any) -> WorkerSnapshot:
    """Return the snapshot of a worker that owns *shards* and has recovered them."""
    return WorkerSnapshot(
        time=now,
        now=now,
        joined=True,
        shards=tuple(ShardSnapshot(shard.partition, "ready", shard.view(now, frontier)) for shard in shards),
        topic_partitions=more.pop("topic_partitions", dict.fromkeys(("tickets", "bookings", "reviews"), len(shards))),
        **more,
    )
