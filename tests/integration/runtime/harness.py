"""A deployment of its own on a real Kafka: topics, producers, readers, and workers in this process or in others."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.domain.shard import Shard
from stream.domain.windows import Grid
from stream.metrics.model import WorkerSnapshot
from stream.runtime.settings import RuntimeSettings
from stream.runtime.topics import ensure_topics
from stream.runtime.worker import Parts, Worker, quiet_logs
from tests.oracle.murmur2 import partition_of

LIMIT_S = 60.0
T0_MS = 1_772_323_200_000  # 2026-03-01T00:00:00Z
_numbers = itertools.count(1)
_urls = (f"http://127.0.0.1:{port}" for port in itertools.count(40_000))  # names of workers; nobody listens there


@dataclass(frozen=True)
class Sent:
    """A record to be produced; without a partition it goes where murmur2 puts its key."""

    source: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int = T0_MS
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Deployment:
    """One set of topics and the group that reads them."""

    settings: RuntimeSettings
    newest: WorkerSnapshot | None = None
    running: Worker | None = None
    work: asyncio.Task[None] | None = None

    def on_same_topics(self) -> Deployment:
        """Another group, with a changelog of its own, over the same sources."""
        return Deployment(replace(self.settings, app_id=f"{self.settings.app_id}-twin"))

    async def create_topics(self) -> int:
        return await ensure_topics(self.settings)

    async def produce(self, records: Iterable[Sent]) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.bootstrap_servers, linger_ms=20, max_request_size=8 << 20
        )
        await producer.start()
        try:
            for one in records:
                place = one.partition
                if place is None:
                    place = partition_of(one.key or b"", self.settings.partitions)
                topic = self.settings.topic(one.source)
                if one.key is None and one.value is None:  # send refuses what a batch of our own may hold
                    await producer.flush()
                    batch = producer.create_batch()
                    batch.append(key=None, value=None, timestamp=one.timestamp_ms, headers=list(one.headers))
                    await (await producer.send_batch(batch, topic, partition=place))
                    continue
                await producer.send(
                    topic, one.value, key=one.key, partition=place,
                    timestamp_ms=one.timestamp_ms, headers=list(one.headers),
                )  # fmt: skip
            await producer.flush()
        finally:
            await producer.stop()

    async def produce_in_transactions(self, records: Iterable[Sent]) -> None:
        """One committed transaction per record, and after each an aborted one."""
        settings = self.settings
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap_servers, transactional_id=f"{settings.app_id}-upstream"
        )
        await producer.start()
        try:
            for one in records:
                place = partition_of(one.key or b"", settings.partitions)
                for end in (producer.commit_transaction, producer.abort_transaction):
                    await producer.begin_transaction()
                    await producer.send_and_wait(
                        settings.topic(one.source),
                        one.value,
                        key=one.key,
                        partition=place,
                        timestamp_ms=one.timestamp_ms,
                    )
                    await end()
        finally:
            await producer.stop()

    async def read(self, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
        """Every committed record that the topic holds now."""
        tps = [TopicPartition(topic, number) for number in range(self.settings.partitions)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.bootstrap_servers, isolation_level="read_committed",
            enable_auto_commit=False, max_partition_fetch_bytes=8 << 20,
        )  # fmt: skip
        await consumer.start()
        try:
            consumer.assign(tps)
            starts, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
            for tp in tps:
                consumer.seek(tp, starts[tp])  # seek_to_beginning may lose to the reset that assign has begun
            found: list[ConsumerRecord[bytes, bytes]] = []
            while unread := [tp for tp in tps if await consumer.position(tp) < ends[tp]]:
                for records in (await consumer.getmany(*unread, timeout_ms=200)).values():
                    found += records
            return found
        finally:
            await consumer.stop()

    async def state(self) -> dict[tuple[int, bytes], Any]:
        """The changelog as compaction would leave it: the last value of every key.

        The record `offsets` is decoded, and goes without the position in the re-routed topic: in which order the
        shards wrote there, and with how many control records in between, is a matter of the run.
        """
        last: dict[tuple[int, bytes], Any] = {}
        for record in await self.read(self.settings.changelog):
            last[record.partition, record.key] = record.value
        for place, value in last.items():
            if place[1] == b"o":
                last[place] = msgspec.msgpack.decode(value)
                last[place][1].pop("rerouted", None)
        return {place: value for place, value in last.items() if value is not None}

    @asynccontextmanager
    async def worker(self, new_shard: Callable[[int], Shard] = Shard) -> AsyncIterator[Worker]:
        """A worker in this process; leaving the block stops it, and raises what ended it."""
        quiet_logs()
        worker = Worker(replace(self.settings, advertised_url=next(_urls)), Parts(new_shard, self._hear))
        self.newest, self.running = None, worker
        self.work = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await self.work

    async def until_stopped(self) -> None:
        """Wait until the worker has ended by itself."""
        assert self.work is not None
        done, _ = await asyncio.wait({self.work}, timeout=LIMIT_S)
        assert done, f"still running; last: {self.newest}"

    def _hear(self, snapshot: WorkerSnapshot) -> None:
        self.newest = snapshot

    async def until(self, holds: Callable[[WorkerSnapshot], bool]) -> WorkerSnapshot:
        """The first snapshot that holds what is asked. Raises AssertionError, with the last one, after LIMIT_S."""
        try:
            async with asyncio.timeout(LIMIT_S):
                while self.newest is None or not holds(self.newest):
                    await asyncio.sleep(0.02)
                    if self.work is not None and self.work.done():
                        self.work.result()  # raises what ended the worker
        except TimeoutError:
            raise AssertionError(f"never came; last: {self.newest}") from None
        return self.newest

    async def until_counted(self, records: int) -> WorkerSnapshot:
        """A snapshot in which so many records of the log have been counted, and every shard has come to rest."""
        return await self.until(lambda snapshot: counted(snapshot) >= records and lag(snapshot) == 0 and self._rests())

    def _rests(self) -> bool:
        """No shard has buckets still to roll up: the state depends on what was read, no longer on when."""
        assert self.newest is not None
        rolled = Grid.at(self.newest.now).rolled
        shards = self.running.shards if self.running else None
        return shards is not None and all(owner.shard.grid.rolled == rolled for owner in shards.owners.values())


def counted(snapshot: WorkerSnapshot) -> int:
    """What the state itself says was read; a re-routed record is read twice, and counted here once."""
    views = [shard.view for shard in snapshot.shards if shard.view is not None]
    return sum(count for view in views for name, count in view.counts.items() if not name.endswith("/rerouted"))


def lag(snapshot: WorkerSnapshot) -> int | None:
    """Messages behind over all sources; None while that is not known or a shard is not ready."""
    lags = [source.lag_messages for source in snapshot.sources]
    if not lags or None in lags or any(shard.state != "ready" for shard in snapshot.shards):
        return None
    return sum(one for one in lags if one is not None)


def ready(snapshot: WorkerSnapshot) -> bool:
    return bool(snapshot.shards) and all(shard.state == "ready" for shard in snapshot.shards)


def sums(snapshot: WorkerSnapshot) -> dict[int, Any]:
    """What each shard shows: windows without zeros, and the live sums."""
    shown: dict[int, Any] = {}
    for shard in snapshot.shards:
        assert shard.view is not None
        windows = {
            name: {series: one for series, one in window.items() if one != (0, 0)}
            for name, window in shard.view.windows.items()
        }
        live = {series: one for series, one in shard.view.live.items() if one != (0, 0)}
        shown[shard.partition] = (windows, live)
    return shown


class ChildWorker:
    """A worker in a process of its own, to be killed or stopped; it tells its newest snapshot in short."""

    def __init__(self, deployment: Deployment, environment: Mapping[str, str] | None = None) -> None:
        self._environment = {**os.environ, "PYTHONPATH": os.getcwd(), **(environment or {})}
        self._settings = replace(deployment.settings, advertised_url=next(_urls))
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self.told: Mapping[str, Any] = {}
        self.errors = ""

    async def start(self) -> ChildWorker:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.runtime.child", json.dumps(asdict(self._settings)),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )  # fmt: skip
        self._listening = asyncio.create_task(self._listen())
        return self

    async def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.told = json.loads(line)

    async def until(self, holds: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(LIMIT_S):
                while not self.told or not holds(self.told):
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"never came; last told: {self.told}") from None
        return self.told

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._end()

    async def stop(self) -> int:
        """Stop by SIGTERM; return the exit code."""
        assert self._process is not None
        self._process.terminate()
        return await self._end()

    async def _end(self) -> int:
        assert self._process is not None
        assert self._process.stderr is not None
        self.errors = (await self._process.stderr.read()).decode()
        code = await self._process.wait()
        if self._listening is not None:
            await self._listening
        return code


async def create_topic(settings: RuntimeSettings, name: str, partitions: int, **config: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        named = {key.replace("_", "."): value for key, value in config.items()}
        response = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=named)])
        assert all(code == 0 for _, code, *_ in response.topic_errors)
    finally:
        await admin.close()


async def delete_topic(settings: RuntimeSettings, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([name])
        while name in await admin.list_topics():
            await asyncio.sleep(0.1)
    finally:
        await admin.close()


def event(
    type_: str, subject: str, customer: str, data: Mapping[str, Any], *, number: int = 0, at_s: float = 0.0
) -> Sent:
    """A structured CloudEvent *at_s* seconds after T0, its record stamped with its own time."""
    topic = {"ticket": "tickets", "booking": "bookings"}.get(type_.partition(".")[0], "reviews")
    at_ms = T0_MS + int(at_s * 1000)
    seconds, millis = divmod(at_ms, 1000)
    time = datetime.fromtimestamp(seconds, UTC)
    body = {
        "specversion": "1.0", "id": f"{subject}-{number}", "source": "/test", "type": type_, "subject": subject,
        "time": f"{time:%Y-%m-%dT%H:%M:%S}.{millis:03d}Z", "partitionkey": customer, "data": dict(data),
    }  # fmt: skip
    return Sent(topic, customer.encode(), json.dumps(body).encode(), at_ms)


def created(subject: str, customer: str, at_s: float = 0.0) -> Sent:
    data = {"channel": "chat", "priority": "high", "category": "question", "team": "care"}
    return event("ticket.created", subject, customer, data, at_s=at_s)


def customer_on(partition: int, partitions: int, name: str = "C") -> str:
    """A customer whom murmur2 puts on that partition."""
    return next(
        key
        for number in itertools.count()
        if partition_of((key := f"{name}-{number}").encode(), partitions) == partition
    )


# So small that a log of thousands of records has many, and a scrape or a kill falls between two of them.
SMALL_CHECKPOINTS = {"fetch_records": 500, "batch_records": 500}


def new_settings(bootstrap_servers: str, partitions: int = 4) -> RuntimeSettings:
    name = f"rt{os.getpid()}-{next(_numbers)}"
    return RuntimeSettings(
        bootstrap_servers, app_id=name, topic_prefix=f"{name}.", partitions=partitions, clock="events",
        session_timeout=3.0, heartbeat=0.5, tick=0.2, snapshot_interval=0.05,
    )  # fmt: skip
