"""The reading side as the shards see it: seek, pause, and where the logs end."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from stream.runtime.context import Context
from stream.runtime.sourcecheck import read_on
from stream.runtime.transport import Batch, BatchConsumer, LogEnd

log = logging.getLogger(__name__)


class Reading:
    """Faust's consumer, once there is one."""

    def __init__(self, context: Context) -> None:
        self._settings = context.settings
        self._counters = context.counters
        self._app: Any = None

    def attach(self, app: Any) -> None:
        """Use the consumer of *app*, which comes to exist when it starts."""
        self._app = app

    @property
    def _consumer(self) -> BatchConsumer:
        consumer: BatchConsumer = self._app.consumer
        return consumer

    def assignment(self) -> frozenset[TP]:
        """Return the source partitions assigned to this worker."""
        return frozenset(self._consumer.assignment())

    def is_stale(self, batch: Batch) -> bool:
        """Tell whether the partition was sought after *batch* was read."""
        stale: bool = batch.seeks != self._consumer.thread.seeks[TP(batch.topic, batch.partition)]
        return stale

    def log_end(self, topic: str, partition: int) -> LogEnd | None:
        """Return the newest known end of a source partition's log."""
        return self._consumer.thread.log_end(TP(topic, partition))

    def read_to_end(self, topic: str, partition: int, position: int) -> int | None:
        """Return when (microseconds UTC) the log was seen to end at or before *position*, None if it goes on."""
        end = self.log_end(topic, partition)
        return end.seen_at if end is not None and position >= end.offset else None

    def has_more(self, tp: TP, position: int) -> bool:
        """Tell whether committed messages are known beyond *position*; an open transaction hides what follows."""
        end = self._consumer.thread.log_end(tp)
        return end is not None and position < end.stable

    async def reposition(self, topic: str, partition: int, position: int) -> int:
        """Read on from *position*, or from the log's start if retention removed what stood there; return which.

        Raises WorkerFailure when the log ends before *position*.
        """
        tp = TP(topic, partition)
        target = position
        try:
            starts = await self._consumer.earliest_offsets(tp)
            ends = await self._consumer.highwaters(tp)
        except (KafkaError, TimeoutError) as error:
            log.warning("%s-%d: its start and end cannot be looked up: %r", topic, partition, error)
        else:
            target = read_on(tp, position, starts[tp], ends[tp])
            self.count_lost(topic, partition, target - position)
        await self._consumer.thread.seek_all({tp: target})
        return target

    def count_lost(self, topic: str, partition: int, lost: int) -> None:
        """Count records that retention removed before they were read, and say so."""
        if lost:
            log.error("%s-%d: retention removed %d records before they were read", topic, partition, lost)
            self._counters.source_lost_records[self._settings.source(topic)] += lost

    async def seek(self, positions: Mapping[str, int], partition: int) -> None:
        """Read on from *positions* (by topic) in the sources of one shard."""
        await self._consumer.thread.seek_all({TP(topic, partition): at for topic, at in positions.items()})

    def pause(self, partition: int) -> None:
        """Stop reading the sources of one shard."""
        self._consumer.pause_partitions(self._tps(partition))

    def resume(self, partition: int) -> None:
        """Read the sources of one shard again."""
        self._consumer.resume_partitions(self._tps(partition))

    def _tps(self, partition: int) -> Iterable[TP]:
        return {TP(self._settings.topic(source), partition) for source in self._settings.sources}
