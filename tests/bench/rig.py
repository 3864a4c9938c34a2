"""What the measured processes need around them: a real Kafka with the job's log in it, and somebody who listens."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream.demo.child import GuardedProcess
from stream.runtime.settings import RuntimeSettings
from stream.runtime.topics import ensure_topics
from tests.bench.job import PARTITIONS, Sent
from tests.bench.meter import Task, pin
from tests.kafka.broker import KafkaCluster, run_apart
from tests.kafka.jars import find_kafka
from tests.oracle.murmur2 import partition_of

BATCH_BYTES = 262_144
CHILD_LIMIT_S = 150.0


class BenchError(Exception):
    """The benchmark cannot go on; the message is one line."""


@contextmanager
def rig() -> Iterator[Rig]:
    """A broker on one core; the other is left to what is measured. On a single core nothing is pinned."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    worker_core, broker_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    with tempfile.TemporaryDirectory(prefix="deskpulse-bench-") as folder:
        cluster = KafkaCluster(find_kafka(), Path(folder) / "kafka")
        pin(broker_core)  # The broker inherits it.
        cluster.start()
        try:
            yield Rig(cluster.bootstrap_servers, worker_core, Path(folder))
        finally:
            cluster.stop()


class Rig:
    """A running broker, and the core for the measured process."""

    def __init__(self, servers: str, worker_core: int | None, folder: Path) -> None:
        self.servers = servers
        self.worker_core = worker_core
        self._folder = folder

    def load(self, prefix: str, app_id: str, log: Iterable[Sent]) -> None:
        """Makes all topics of a deployment and writes the log into its topic `tickets`."""
        settings = RuntimeSettings(self.servers, app_id=app_id, topic_prefix=prefix, partitions=PARTITIONS)
        run_apart(_load(settings, log))

    def end_offsets(self, topics: Iterable[str]) -> int:
        """The sum of the ends of all partitions of some topics."""
        return run_apart(_end_offsets(self.servers, topics))

    @contextmanager
    def measured(
        self, module: str, app_id: str, prefix: str, events: int, show: Callable[[int], None]
    ) -> Iterator[dict[str, Any]]:
        """Runs a module as a process until it tells its figures; it lives on while the block runs."""
        task = Task(self.servers, app_id, prefix, events, self.worker_core)
        said = self._folder / f"{app_id}.log"
        child = GuardedProcess([sys.executable, "-m", module, msgspec.json.encode(task).decode()], said, grace_s=10.0)
        try:
            yield self._figures(child, said, show)
        finally:
            child.stop()

    def _figures(self, child: GuardedProcess, said: Path, show: Callable[[int], None]) -> dict[str, Any]:
        deadline = time.monotonic() + CHILD_LIMIT_S
        with said.open() as lines:
            rest = ""
            while time.monotonic() < deadline:
                rest += lines.read()
                *whole, rest = rest.split("\n")
                for line in whole:
                    told = json.loads(line) if line.startswith("{") else {}
                    if "seconds" in told:
                        return told
                    show(told.get("progress", 0))
                if not child.running:
                    raise BenchError(f"{said.stem} ended early: {said.read_text()[-2_000:].strip()}")
                time.sleep(0.1)
        raise BenchError(f"{said.stem} was not done after {CHILD_LIMIT_S:.0f} s")


async def _load(settings: RuntimeSettings, log: Iterable[Sent]) -> None:
    await ensure_topics(settings)
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, max_batch_size=BATCH_BYTES)
    await producer.start()
    batches = [producer.create_batch() for _ in range(PARTITIONS)]
    topic = settings.topic("tickets")
    try:
        for record in log:
            place = partition_of(record.key, PARTITIONS)
            fields = {"key": record.key, "value": record.value, "timestamp": record.timestamp_ms}
            if batches[place].append(**fields) is None:
                await producer.send_batch(batches[place], topic, partition=place)
                batches[place] = producer.create_batch()
                batches[place].append(**fields)
        for place, batch in enumerate(batches):
            await producer.send_batch(batch, topic, partition=place)
        await producer.flush()
    finally:
        await producer.stop()


async def _end_offsets(servers: str, topics: Iterable[str]) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=servers)
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
        return sum((await consumer.end_offsets(places)).values())
    finally:
        await consumer.stop()
