"""The atomic write of a shard's changes, its next offsets and its side records: one transaction."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnknownTopicOrPartitionError,
)
from msgspec import Struct

from stream.runtime.failure import WorkerFailure
from stream.runtime.settings import RuntimeSettings

# aiokafka sets no deadline of its own on any of these.
START_LIMIT_S = 20.0
COMMIT_LIMIT_S = 10.0
REQUEST_LIMIT_MS = 5_000  # shorter, so that the reason of a refusal is known before the deadline hides it
STOP_LIMIT_S = 2.0
# Longer than a commit may take, so that the broker does not abort under a commit still waited for.
TRANSACTION_TIMEOUT_MS = 15_000
BATCH_BYTES = (
    524_288  # per record batch; a larger record goes alone, as the first of its batch is always taken
)
REQUEST_BYTES = 16 * 1_048_576

# What no retry can heal: the topic, the right or the size is wrong, and going on would drop records.
HOPELESS = (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnknownTopicOrPartitionError,
)

Headers = Sequence[tuple[str, bytes | None]]


class OutRecord(Struct, frozen=True, gc=False):
    """A record to write beside the changelog; ``timestamp`` in milliseconds, None = when it is written."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int | None = None


class UnknownOutcome(Exception):  # noqa: N818 -- that is the very thing: neither a success nor a failure
    """Nobody can say whether a transaction took effect; only the log can."""


class CheckpointWriter:
    """The transactional producer of one shard. One is made per takeover and never used again after an error."""

    def __init__(self, settings: RuntimeSettings, partition: int) -> None:
        self._changelog = settings.changelog
        self._partition = partition
        self._producer = AIOKafkaProducer(
            **settings.client(),
            transactional_id=settings.transactional_id(partition),
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
            request_timeout_ms=REQUEST_LIMIT_MS,
        )

    async def start(self) -> None:
        """Fence every earlier owner of the shard; its open transaction is aborted.

        Raises TimeoutError or KafkaError when the broker does not answer.
        """
        async with asyncio.timeout(START_LIMIT_S):
            await self._producer.start()

    async def write(
        self, changes: Iterable[tuple[bytes, bytes | None]], side: Iterable[OutRecord] = ()
    ) -> int:
        """Commit *changes* to the changelog and *side* to their topics, all or nothing.

        Returns the changelog offset after the last change. Raises WorkerFailure when a record cannot be written at
        all, UnknownOutcome when the broker did not say what became of the transaction.
        """
        try:
            async with asyncio.timeout(COMMIT_LIMIT_S):
                await self._producer.begin_transaction()
                end = await self._send(changes, side)
                await self._producer.commit_transaction()
                return end
        except HOPELESS as error:
            raise WorkerFailure(
                f"shard {self._partition}: its checkpoint cannot be written: {error!r}"
            ) from error
        except (KafkaError, TimeoutError, AssertionError) as error:
            # aiokafka asserts its own state machine, so a transaction begun on a broken producer is an AssertionError.
            raise UnknownOutcome(f"{type(error).__name__}: {error}") from error

    async def _send(self, changes: Iterable[tuple[bytes, bytes | None]], side: Iterable[OutRecord]) -> int:
        changelog = [OutRecord(self._changelog, self._partition, key, value) for key, value in changes]
        pending: list[asyncio.Future[Any]] = []
        last: asyncio.Future[Any] | None = None
        count = 0
        for batch, topic, partition in self._batches([*side, *changelog]):
            last = await self._producer.send_batch(batch, topic, partition=partition)
            count = batch.record_count()
            pending.append(last)
        results = await asyncio.gather(*pending)
        return int(results[-1].offset) + count if results else 0

    def _batches(self, records: Sequence[OutRecord]) -> Iterable[tuple[Any, str, int]]:
        """Yield full record batches per partition; those of the changelog come last, in order."""
        by_target: dict[tuple[str, int], list[OutRecord]] = defaultdict(list)
        for record in records:
            by_target[record.topic, record.partition].append(record)
        for (topic, partition), group in by_target.items():
            batch = self._producer.create_batch()
            for record in group:
                if not _append(batch, record):
                    yield batch, topic, partition
                    batch = self._producer.create_batch()
                    if not _append(batch, record):
                        raise MessageSizeTooLargeError(f"a record for {topic} fits no batch")
            yield batch, topic, partition

    async def stop(self) -> None:
        """Close the connection; an open transaction is left to the broker or the next owner to abort."""
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await self._producer.client.close()
                await self._producer.stop()
        except (KafkaError, TimeoutError, AssertionError):
            pass


def _append(batch: Any, record: OutRecord) -> bool:
    """Add *record*; False when the batch is full, which aiokafka says by returning None."""
    added = batch.append(
        key=record.key, value=record.value, headers=list(record.headers), timestamp=record.timestamp
    )
    return added is not None
