"""The snapshots: every few moments, all shards of the worker at one instant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from stream.metrics.model import Health, ShardSnapshot, SourceSnapshot, WorkerSnapshot
from stream.runtime.clock import now_us
from stream.runtime.context import Context
from stream.runtime.freshness import frontier, source_snapshot
from stream.runtime.owner import Owner
from stream.runtime.shards import Shards


class Publisher:
    """Makes snapshots and hands them over by reference."""

    def __init__(
        self, context: Context, shards: Shards, health: Health, publish: Callable[[WorkerSnapshot], None]
    ) -> None:
        self._settings = context.settings
        self._clock = context.clock
        self._counters = context.counters
        self._shards = shards
        self._health = health
        self._publish = publish

    async def run(self) -> None:
        """Publish until cancelled."""
        interval = self._settings.snapshot_interval
        due = monotonic()
        while True:
            began = monotonic()
            self._publish(self.snapshot(max(0.0, began - due)))
            self._health.beat = now_us()
            # Counted from the snapshot's own time: what making it took is part of its age.
            due = began + interval
            await asyncio.sleep(due - monotonic())

    def snapshot(self, loop_lag: float = 0.0) -> WorkerSnapshot:
        """Return all shards as they are now. Nothing in here gives up control, so views, offsets and times agree."""
        time, now = now_us(), self._clock.now()
        shards, sources, upstream = [], [], dict[str, int]()
        for partition, state in sorted(self._shards.states.items()):
            owner = self._shards.owners.get(partition)
            if owner is None:
                left = self._shards.remaining.get(partition, 0)
                shards.append(ShardSnapshot(partition, state, restore_remaining=left))
                continue
            of_shard = self._sources(owner, time)
            sources += of_shard
            known = frontier(of_shard)
            view = owner.shard.view(now, known)
            shards.append(ShardSnapshot(partition, state, view, known, checkpoint_time=owner.checkpoint_time))
            for name, seen in view.upstream.items():
                upstream[name] = max(seen, upstream.get(name, seen))
        counters = self._counters
        return WorkerSnapshot(
            time=time,
            now=now,
            joined=self._shards.joined,
            shards=tuple(shards),
            sources=tuple(sources),
            topic_partitions=dict.fromkeys(self._settings.sources, self._shards.partitions),
            events=dict(counters.events),
            dead_letters=dict(counters.dead_letters),
            notes=dict(counters.notes),
            outcomes=dict(counters.outcomes),
            rerouted=dict(counters.rerouted),
            source_lost_records=dict(counters.source_lost_records),
            checkpoints=dict(counters.checkpoints),
            checkpoint_seconds=counters.checkpoint_seconds,
            takeovers=counters.takeovers,
            rebalances=counters.rebalances,
            loop_lag=loop_lag,
            upstream_last_seen=upstream,
        )

    def _sources(self, owner: Owner, time: int) -> list[SourceSnapshot]:
        return [
            source_snapshot(
                self._settings.source(topic),
                owner.partition,
                applied=applied,
                folded=owner.shard.offsets.get(self._settings.source(topic)),
                end=self._shards.reading.log_end(topic, owner.partition),
                now=time,
            )
            for topic, applied in owner.applied.items()
        ]
