"""The whole deskpulse worker as a measured process: consumer, folds, transactions, snapshots, HTTP server.

It tells its figures once all events are in committed checkpoints and in a snapshot, then answers scrapes until stopped.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace

from stream.bootstrap import node
from stream.config import Config, Ingest, Kafka, Web
from stream.metrics.model import WorkerSnapshot
from stream.runtime.worker import run_worker
from tests.bench.meter import Meter, task, tell


class Gauge:
    """Looks at every snapshot: the last one before the first event starts the measurement, the full one ends it."""

    def __init__(self, events: int, url: str) -> None:
        self._events = events
        self._url = url
        self._meter = Meter()
        self._done = False

    def see(self, snapshot: WorkerSnapshot) -> None:
        applied = sum(snapshot.events.values())
        if applied == 0:
            self._meter.start()
        elif applied >= self._events and not self._done:
            self._meter.stop()
            self._done = True
            checkpoints = snapshot.checkpoints.get("committed", 0)
            tell(**self._meter.figures(), events=applied, checkpoints=checkpoints, url=self._url)
        elif not self._done:
            tell(progress=applied)


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

        return run_worker(made.settings, replace(made.parts, publish=publish))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    os._exit(main())  # Everything has been told; Faust's consumer thread need not be waited for.
