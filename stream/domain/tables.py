"""Read-only faces of a shard: what agents, the collector and the API use instead of the state itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from stream.domain.entity import Entity
from stream.domain.keys import chunk_key, entity_key
from stream.domain.shard import Shard
from stream.events.registry import Kind


class ShardTable(Mapping[str, Entity[Any]]):
    """The entities of one kind in a shard, by subject; each look-up decodes a fresh copy."""

    def __init__(self, shard: Shard, kind: Kind) -> None:
        self._shard = shard
        self._kind: Kind = kind
        self._prefix = entity_key(kind, "")

    def __getitem__(self, subject: str) -> Entity[Any]:
        key = entity_key(self._kind, subject)
        record = self._shard.store[key]
        return Entity.load(self._kind, record, partial(self._full_chunk, key))

    def __iter__(self) -> Iterator[str]:
        skip = len(self._prefix)
        return (key[skip:].decode() for key in self._shard.store if key.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _full_chunk(self, key: bytes, number: int) -> bytes:
        return self._shard.store[chunk_key(key, number)]
