"""The whole deployment in one snapshot: this worker's, with the shards that its peers hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct, structs

from stream.metrics.model import ShardSnapshot, WorkerSnapshot


class Whole(Struct, frozen=True):
    """All shards that answered, None before this worker's own first snapshot; who did not answer, by URL."""

    snapshot: WorkerSnapshot | None
    silent: tuple[str, ...] = ()


def merged(own: WorkerSnapshot, others: Iterable[WorkerSnapshot]) -> WorkerSnapshot:
    """Return *own* with the shards and sources of *others* added; its counters stay those of its own worker.

    ``time`` becomes the oldest one: what is shown is no fresher than its stalest part. While a shard moves, two workers
    may show it; the recovered one that is known furthest is taken.
    """
    snapshots = (own, *others)
    best: dict[int, tuple[ShardSnapshot, WorkerSnapshot]] = {}
    for snapshot in snapshots:
        for shard in snapshot.shards:
            held = best.get(shard.partition)
            if held is None or _known(shard) > _known(held[0]):
                best[shard.partition] = (shard, snapshot)
    sources = chain.from_iterable(
        (source for source in snapshot.sources if source.partition == partition)
        for partition, (_, snapshot) in sorted(best.items())
    )
    return structs.replace(
        own,
        time=min(snapshot.time for snapshot in snapshots),
        now=max(snapshot.now for snapshot in snapshots),
        shards=tuple(best[partition][0] for partition in sorted(best)),
        sources=tuple(sources),
    )


def missing_partitions(snapshot: WorkerSnapshot) -> list[int]:
    """Return the partitions that are not in this snapshot's numbers."""
    shown = {shard.partition for shard in snapshot.shards if shard.view is not None}
    return sorted(set(range(max(snapshot.topic_partitions.values(), default=0))) - shown)


def encode(snapshot: WorkerSnapshot) -> bytes:
    """Return a snapshot as a peer reads it: in msgpack, since its keys are tuples."""
    return _ENCODER.encode(snapshot)


def decode(body: bytes) -> WorkerSnapshot:
    """Return the snapshot that a peer sent. Raises msgspec.DecodeError for that of another version."""
    return _DECODER.decode(body)


def _plain(value: Any) -> dict[Any, Any]:
    """Return a mapping of the core's own kind as the dictionary that it stands for."""
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"no msgpack for {type(value)}")  # msgspec's protocol for types a hook does not know


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_plain)
_DECODER = msgspec.msgpack.Decoder(WorkerSnapshot)


def _known(shard: ShardSnapshot) -> tuple[bool, int]:
    return shard.view is not None, shard.frontier or 0
