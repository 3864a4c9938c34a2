"""Publishes events to the source topics, in batches, each with its own time as the Kafka timestamp."""

from __future__ import annotations

import asyncio
from functools import partial
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from stream.events.registry import TOPICS
from stream.ingest.partitioner import partition_for
from stream.runtime.failure import WorkerFailure
from stream.runtime.settings import RuntimeSettings
from stream.runtime.topics import MIB, read_config

Place = tuple[str, int]  # source and partition

# With batches of 512 KiB a replay is bound by the processor; a record beyond that becomes a batch of its own.
BATCH_BYTES = MIB // 2
MS_US = 1_000
# Retention is looked at now and deletes later: records this close to their end would be gone before they are read.
RETENTION_MARGIN_MS = 3_600_000


class Feed:
    """A producer for the three source topics, to be used as an asynchronous context manager.

    Its methods raise WorkerFailure when Kafka does not take the events.
    """

    def __init__(self, settings: RuntimeSettings, partitions: int) -> None:
        self._settings = settings
        self._partitions = partitions
        self._builders: dict[Place, BatchBuilder] = {}
        self._sent: set[asyncio.Future[object]] = set()
        self._error: BaseException | None = None
        self.ends: dict[Place, int] = {}  # the offset after the last acknowledged record

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            **self._settings.client(),
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            max_request_size=4 * MIB,
        )
        try:
            await self._producer.start()
        except (KafkaError, OSError) as error:
            await self._producer.stop()
            raise self._failure(error) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            async with asyncio.timeout(1.0):  # what is not acknowledged by then was given up by the caller
                await self._producer.stop()
        except TimeoutError:
            pass

    async def send(self, source: str, key: bytes, value: bytes, time: int) -> None:
        """Add an event to its partition's batch; *time* in microseconds since the epoch (UTC). A full batch is sent."""
        partitioner = self._settings.partitioner(source)
        # Where producers choose freely, any place is right, the default one too.
        partition = partition_for(key, self._partitions, "murmur2" if partitioner == "any" else partitioner)
        place = (source, partition)
        builder = self._builders.get(place)
        if builder is not None and builder.append(timestamp=time // MS_US, key=key, value=value) is not None:
            return
        await self._ship(place)
        builder = self._builders[place] = self._producer.create_batch()
        builder.append(timestamp=time // MS_US, key=key, value=value)  # the first record of a batch always fits

    async def flush(self) -> None:
        """Return when Kafka has acknowledged everything."""
        for place in list(self._builders):
            await self._ship(place)
        while self._sent:
            await asyncio.wait(self._sent)
        self._check()

    async def _ship(self, place: Place) -> None:
        self._check()
        builder = self._builders.pop(place, None)
        if builder is None:
            return
        source, partition = place
        try:
            future = await self._producer.send_batch(builder, self._settings.topic(source), partition=partition)
        except (KafkaError, OSError) as error:
            raise self._failure(error) from error
        self._sent.add(future)
        future.add_done_callback(partial(self._acknowledged, place, builder.record_count()))

    def _acknowledged(self, place: Place, records: int, future: asyncio.Future[object]) -> None:
        self._sent.discard(future)
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            self._error = self._error or error
            return
        first: int = future.result().offset  # type: ignore[attr-defined] # a RecordMetadata, which has no types
        self.ends[place] = first + records

    def _check(self) -> None:
        if self._error is not None:
            raise self._failure(self._error)

    def _failure(self, error: BaseException) -> WorkerFailure:
        return WorkerFailure(f"Kafka at {self._settings.bootstrap_servers} does not take the events: {error!r}")


async def check_replayable(settings: RuntimeSettings, oldest: int, now: int) -> None:
    """Check that the source topics keep events as old as *oldest* (both in microseconds since the epoch, UTC).

    Raises WorkerFailure for a topic that replaces the events' timestamps or would delete them soon.
    """
    age_ms = (now - oldest) // MS_US
    admin = AIOKafkaAdminClient(**settings.client())
    try:
        await admin.start()
        for source in TOPICS:
            topic = settings.topic(source)
            config = await read_config(admin, topic)
            if config.get("message.timestamp.type") == "LogAppendTime":
                raise WorkerFailure(
                    f"topic {topic} has message.timestamp.type=LogAppendTime, which gives replayed events the time of "
                    "their arrival; a replay needs CreateTime"
                )
            kept_ms = int(config.get("retention.ms", -1))
            deletes = "delete" in config.get("cleanup.policy", "delete")
            if deletes and 0 <= kept_ms < age_ms + RETENTION_MARGIN_MS:
                raise WorkerFailure(
                    f"topic {topic} has retention.ms={kept_ms} and would delete events that are "
                    f"{age_ms / 86_400_000:.1f} days old; set it to -1 or shift the events (--shift-to-now)"
                )
    except (KafkaError, OSError) as error:
        raise WorkerFailure(f"Kafka at {settings.bootstrap_servers} does not answer: {error!r}") from error
    finally:
        await admin.close()


async def log_ends(settings: RuntimeSettings, partitions: int) -> dict[Place, int]:
    """Return the end of each partition of the source topics: 0 where nothing was ever written."""
    places = {TopicPartition(settings.topic(source), at): (source, at) for source in TOPICS for at in range(partitions)}
    consumer = AIOKafkaConsumer(**settings.client())
    try:
        await consumer.start()
        ends = await consumer.end_offsets(list(places))
    except (KafkaError, OSError) as error:
        raise WorkerFailure(f"Kafka at {settings.bootstrap_servers} does not answer: {error!r}") from error
    finally:
        await consumer.stop()
    return {places[partition]: end for partition, end in ends.items()}
