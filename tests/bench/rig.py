"""What the measured processes need around them: a real Kafka with events in it, and somebody who listens."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.demo.child import GuardedProcess
from stream.runtime.settings import RuntimeSettings
from stream.runtime.topics import ensure_topics
from tests.bench.job import PARTITIONS, Sent
from tests.bench.meter import Task, pin
from tests.kafka.broker import KafkaCluster, run_apart
from tests.kafka.jars import find_kafka
from tests.oracle.murmur2 import partition_of

BATCH_BYTES = 262_144
CHILD_LIMIT_S = 420.0  # A million tickets on a machine with other work; without it they take about a minute.
place_of = lru_cache(maxsize=None)(partition_of)  # Keys come again and again, and the oracle's hash is plain Python.

Told = dict[str, Any]


class BenchError(Exception):
    """The benchmark cannot go on; the message is one line."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Progress:
    """Says on standard error how far a measured process is, every few seconds."""

    def __init__(self, name: str, events: int) -> None:
        self._name = name
        self._events = events
        self._last = time.monotonic()

    def __call__(self, told: Told) -> None:
        if "progress" in told and time.monotonic() - self._last >= 5.0:
            self._last = time.monotonic()
            say(f"  {self._name}: {told['progress']:,} of {self._events:,} events")


class Process:
    """A measured process and what it tells."""

    def __init__(self, module: str, task: Task, said: Path) -> None:
        self._said = said
        self._lines = said.open("a+")  # The same file as the child's, from where an earlier process of the name ended.
        self._rest = ""
        self._told: deque[Told] = deque()
        command = [sys.executable, "-m", module, msgspec.json.encode(task).decode()]
        self._child = GuardedProcess(command, said, grace_s=10.0)

    def heard(self) -> Iterator[Told]:
        """Yields what was told and not yet heard. Raises BenchError when the process is gone."""
        gone = not self._child.running
        self._rest += self._lines.read()
        *whole, self._rest = self._rest.split("\n")
        self._told.extend(json.loads(line) for line in whole if line.startswith("{"))
        while self._told:
            yield self._told.popleft()
        if gone:
            raise BenchError(f"{self._said.stem} ended early: {self._last_words()}")

    def until(self, key: str, show: Callable[[Told], None] = lambda told: None) -> Told:
        """Returns the next message that has *key*; *show* gets those before it."""
        deadline = time.monotonic() + CHILD_LIMIT_S
        while time.monotonic() < deadline:
            for told in self.heard():
                if key in told:
                    return told
                show(told)
            time.sleep(0.02)
        raise BenchError(f"{self._said.stem} told no {key!r} within {CHILD_LIMIT_S:.0f} s")

    def _last_words(self) -> str:
        """The last line that is not one of ours: of a traceback, what went wrong."""
        lines = [line for line in self._said.read_text().splitlines() if line.strip() and not line.startswith("{")]
        return lines[-1].strip() if lines else "it said nothing"

    def kill(self) -> None:
        """Ends the process by SIGKILL, as a crash would."""
        self._child.kill()

    def stop(self) -> None:
        self._child.stop()
        self._lines.close()


class Rig:
    """A running broker, the core for the measured process, and the broker's own."""

    def __init__(self, servers: str, worker_core: int | None, broker_core: int | None, folder: Path) -> None:
        self.servers = servers
        self.worker_core = worker_core
        self.broker_core = broker_core
        self.folder = folder
        self._data = folder / "kafka" / "broker-1" / "data"

    def settings(self, app_id: str, prefix: str) -> RuntimeSettings:
        return RuntimeSettings(self.servers, app_id=app_id, topic_prefix=prefix, partitions=PARTITIONS)

    def load(self, app_id: str, prefix: str, log: Iterable[Sent]) -> None:
        """Makes the topics of a deployment where there are none, and writes events into its topic `tickets`."""
        run_apart(_load(self.settings(app_id, prefix), log))

    def make_compacted(self, topic: str) -> None:
        """Makes a changelog topic for a loop that brings none of its own."""
        run_apart(_make_compacted(self.servers, topic))

    def task(self, app_id: str, prefix: str, events: int, more: int = 0) -> Task:
        return Task(self.servers, app_id, prefix, events, more, self.worker_core)

    @contextmanager
    def process(self, module: str, task: Task, name: str = "") -> Iterator[Process]:
        """Runs `tests.bench.MODULE` while the block runs."""
        process = Process(f"tests.bench.{module}", task, self.folder / f"{name or task.app_id}.log")
        try:
            yield process
        finally:
            process.stop()

    def changelogs(self, app_id: str) -> list[str]:
        """The changelog topics of an application; all peers name them after it."""
        names = {place.name.rpartition("-")[0] for place in self._data.iterdir() if place.is_dir()}
        return [name for name in names if app_id in name and "changelog" in name]

    def end_offsets(self, topics: Iterable[str]) -> dict[TopicPartition, int]:
        """The ends of all partitions of some topics."""
        places = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
        return run_apart(_end_offsets(self.servers, places)) if places else {}

    def log_bytes(self, topics: Iterable[str]) -> int:
        """What some topics hold on the broker's disk now, after what compaction there was."""
        return sum(log.stat().st_size for topic in topics for log in self._data.glob(f"{topic}-[0-9]*/*.log"))


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
            yield Rig(cluster.bootstrap_servers, worker_core, broker_core, Path(folder))
        finally:
            cluster.stop()


async def _load(settings: RuntimeSettings, log: Iterable[Sent]) -> None:
    await ensure_topics(settings)
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, max_batch_size=BATCH_BYTES)
    await producer.start()
    batches = [producer.create_batch() for _ in range(PARTITIONS)]
    topic = settings.topic("tickets")
    try:
        for record in log:
            place = place_of(record.key, PARTITIONS)
            fields = {"key": record.key, "value": record.value, "timestamp": record.timestamp_ms}
            if batches[place].append(**fields) is None:
                await producer.send_batch(batches[place], topic, partition=place)
                batches[place] = producer.create_batch()
                batches[place].append(**fields)
        for place, batch in enumerate(batches):
            if batch.record_count():
                await producer.send_batch(batch, topic, partition=place)
        await producer.flush()
    finally:
        await producer.stop()


async def _make_compacted(servers: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs={"cleanup.policy": "compact"})])
    finally:
        await admin.close()


async def _end_offsets(servers: str, places: list[TopicPartition]) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=servers)
    await consumer.start()
    try:
        return dict(await consumer.end_offsets(places))
    finally:
        await consumer.stop()
