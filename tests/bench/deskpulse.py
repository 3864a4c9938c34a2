"""The whole deskpulse worker as a measured process: consumer, folds, transactions, snapshots, HTTP server.

It tells its figures once all events are in committed checkpoints and in a snapshot, then answers scrapes until stopped.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stream.bootstrap import node
from stream.config import Config, Ingest, Kafka, Web
from stream.domain.overlay import Overlay, Record
from stream.domain.shard import Shard
from stream.metrics.model import WorkerSnapshot
from stream.runtime.worker import run_worker
from tests.bench.meter import Meter, task, tell


class Gauge:
    """Measures from the first fold of an event to the snapshot that holds all events."""

    def __init__(self, events: int, url: str) -> None:
        self._events = events
        self._url = url
        self._meter = Meter()
        self._begun = self._done = False

    def watch(self, shard: Shard) -> Shard:
        """Start the measurement when the shard is first given events. Snapshots would tell it a checkpoint too late."""
        fold = shard.fold

        def first_fold(batch: Sequence[Record], *rest: Any) -> Overlay:
            if batch:
                shard.fold = fold  # type: ignore[method-assign] # From now on nothing stands in between.
                if not self._begun:
                    self._begun = True
                    self._meter.start()
            return fold(batch, *rest)

        shard.fold = first_fold  # type: ignore[assignment, method-assign]
        return shard

    def see(self, snapshot: WorkerSnapshot) -> None:
        applied = sum(snapshot.events.values())
        if self._done:
            return
        if applied < self._events:
            tell(progress=applied)
            return
        self._meter.stop()
        self._done = True
        checkpoints = snapshot.checkpoints.get("committed", 0)
        tell(**self._meter.figures(), events=applied, checkpoints=checkpoints, url=self._url)


def main() -> int:
    given = task()
    config = Config(
        kafka=Kafka(bootstrap_servers=given.servers, app_id=given.app_id, topic_prefix=given.topic_prefix),
        ingest=Ingest(clock="events"),
        web=Web(port=0),
    )
    with node(config) as made:
        gauge = Gauge(given.events, made.url)

        def publish(snapshot: WorkerSnapshot) -> None:
            made.latest.publish(snapshot)
            gauge.see(snapshot)

        def new_shard(partition: int) -> Shard:
            return gauge.watch(made.parts.new_shard(partition))

        return run_worker(made.settings, replace(made.parts, new_shard=new_shard, publish=publish))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    os._exit(main())  # Everything has been told; Faust's consumer thread need not be waited for.
