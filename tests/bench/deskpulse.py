"""The whole deskpulse worker as a measured process: consumer, folds, transactions, snapshots, HTTP server.

It tells which shards it has taken over, how far it is, and its figures once its events are in committed checkpoints and
in a snapshot; it works and answers scrapes until it is stopped.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from msgspec import structs

from stream.bootstrap import node
from stream.config import Config
from stream.config.tables import PolicyTable
from stream.domain.folding import Folding
from stream.domain.overlay import Record
from stream.domain.shard import Shard
from stream.metrics.model import WorkerSnapshot
from stream.runtime.worker import run_worker
from tests.bench.meter import Meter, Task, task, tell

Entry = tuple[bytes, bytes | None]


class Gauge:
    """Measures each stage of a task from the first fold of its events to the snapshot that holds all of them."""

    def __init__(self, given: Task, url: str) -> None:
        self._targets = [given.events, given.events + given.more] if given.more else [given.events]
        self._url = url
        self._meter = Meter()
        self._restoring = Meter()
        self._begun = False
        self._loop_lag = 0.0
        self._ready: list[int] = []
        self._restored: Counter[int] = Counter()

    def watch(self, shard: Shard) -> Shard:
        """See the shard's folds and what it is restored from. Snapshots would tell it a checkpoint too late."""
        begin, restore = shard.begin, shard.restore

        def watch_and_begin(*given: Any) -> Folding:
            folding = begin(*given)
            if not self._begun:
                folding.steps = self._first_steps(folding)  # type: ignore[assignment, method-assign]
            return folding

        def count_and_restore(records: Iterable[Entry]) -> None:
            if not self._restored:
                self._restoring.start()
            entries = list(records)
            self._restored[shard.partition] += len(entries)
            restore(entries)

        shard.begin = watch_and_begin  # type: ignore[assignment, method-assign]
        shard.restore = count_and_restore  # type: ignore[method-assign]
        return shard

    def _first_steps(self, folding: Folding) -> Callable[[Sequence[Record], int], None]:
        steps = folding.steps

        def measure_and_steps(records: Sequence[Record], first: int) -> None:
            if not self._begun:
                self._begun = True
                self._meter.start()
                tell(begun=time.time(), cpu=time.process_time())
            steps(records, first)

        return measure_and_steps

    def see(self, snapshot: WorkerSnapshot) -> None:
        self._loop_lag = max(self._loop_lag, snapshot.loop_lag)
        self._see_shards(snapshot)
        # By offsets, not by the counters: those miss a checkpoint whose outcome only the log could tell.
        applied = sum(max(0, source.applied_offset) for source in snapshot.sources if source.topic == "tickets")
        if self._begun and self._targets and applied >= self._targets[0]:
            self._meter.stop()
            before = self._targets.pop(0)
            checkpoints = snapshot.checkpoints.get("committed", 0)
            tell(**self._meter.figures(), events=before, checkpoints=checkpoints, loop_lag=self._loop_lag)
            self._begun, self._loop_lag = False, 0.0
        elif self._begun:
            tell(progress=applied, at=time.time(), cpu=time.process_time())

    def _see_shards(self, snapshot: WorkerSnapshot) -> None:
        ready = [shard.partition for shard in snapshot.shards if shard.state == "ready"]
        if ready == self._ready or len(ready) < len(snapshot.shards):
            return
        self._ready = ready
        self._restoring.stop()
        restored, figures = self._restored.total(), self._restoring.figures()
        tell(ready=ready, restored=restored, restoring=figures, at=time.time(), url=self._url, pid=os.getpid())


def config_of(given: Task) -> Config:
    """The defaults, but for where Kafka is, whose time it is and a free port; without clocks where the name says so."""
    usual = Config()
    if given.app_id.endswith("no-clocks"):
        usual = structs.replace(usual, policies=(PolicyTable("nothing-promised"),))
    return structs.replace(
        usual,
        kafka=structs.replace(
            usual.kafka,
            bootstrap_servers=given.servers,
            app_id=given.app_id,
            topic_prefix=given.topic_prefix,
        ),
        ingest=structs.replace(usual.ingest, clock="events"),
        web=structs.replace(usual.web, port=0),
    )


def main() -> int:
    given = task()
    with node(config_of(given)) as made:
        gauge = Gauge(given, made.url)

        def publish(snapshot: WorkerSnapshot) -> None:
            made.latest.publish(snapshot)
            gauge.see(snapshot)

        def new_shard(partition: int) -> Shard:
            return gauge.watch(made.parts.new_shard(partition))

        return run_worker(made.settings, replace(made.parts, new_shard=new_shard, publish=publish))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    os._exit(main())  # Everything has been told; Faust's consumer thread need not be waited for.
