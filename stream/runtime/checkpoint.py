"""The atomic write of a shard's changes, its next offsets and its side records: one transaction."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, TypeAlias

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.producer import sender
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
BATCH_BYTES = 524_288  # per record batch; a larger record goes alone, as the first of its batch is always taken
REQUEST_BYTES = 16 * 1_048_576

# After a commit the broker still writes its markers, and refuses the first partition of the next transaction meanwhile.
# aiokafka then waits 20 ms whatever `retry_backoff_ms` says, 25 ms from one checkpoint to the next. Measured with 2 ms:
# 5.0 ms and less CPU; with 1 ms: 3.8 ms, for twice the questions to a busy broker. aiokafka is pinned to 0.14.0.
MARKERS_PAUSE_S = 0.002

# What no retry can heal: the topic, the right or the size is wrong, and going on would drop records. An unknown topic
# is not among them, since aiokafka calls it that too when no broker answers; the takeover that follows finds out.
HOPELESS = (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

Headers = Sequence[tuple[str, bytes | None]]
# Timestamp in milliseconds, key, value, headers.
Fields: TypeAlias = tuple[int | None, bytes | None, bytes | None, list[tuple[str, bytes | None]]]
Placed: TypeAlias = tuple[Any, str, int]  # a record batch (aiokafka's, untyped), topic, partition


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
        sender.BACKOFF_OVERRIDE = MARKERS_PAUSE_S
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
        self, changes: Iterable[tuple[bytes, bytes | None]], side: Iterable[OutRecord] = (), *, after: int = 0
    ) -> int:
        """Commit *changes* to the changelog and *side* to their topics, all or nothing.

        *after* is where the changelog ended for the shard that the changes are made on. Returns the changelog offset
        after the last change. Raises WorkerFailure when a record cannot be written at all or the changelog is another
        one, UnknownOutcome when the broker did not say what became of the transaction.
        """
        try:
            async with asyncio.timeout(COMMIT_LIMIT_S):
                await self._producer.begin_transaction()
                end = await self._send(changes, side, after)
                await self._producer.commit_transaction()
                return end
        except HOPELESS as error:
            raise WorkerFailure(f"shard {self._partition}: its checkpoint cannot be written: {error!r}") from error
        except (KafkaError, TimeoutError, AssertionError) as error:
            # aiokafka asserts its own state machine, so a transaction begun on a broken producer is an AssertionError.
            raise UnknownOutcome(f"{type(error).__name__}: {error}") from error

    async def _send(self, changes: Iterable[tuple[bytes, bytes | None]], side: Iterable[OutRecord], after: int) -> int:
        pending: list[asyncio.Future[Any]] = []
        count = 0
        for batch, topic, partition in chain(self._side(side), self._changes(changes)):
            pending.append(await self._producer.send_batch(batch, topic, partition=partition))
            count = batch.record_count()
        results = await asyncio.gather(*pending)
        placed: list[int] = [one.offset for one in results if one.topic == self._changelog]
        if placed and placed[0] < after:
            # Alone in an empty log, these changes would pass for the whole state.
            raise WorkerFailure(
                f"{self._changelog}-{self._partition} takes records at offset {placed[0]}, but it ended at {after}: "
                "the changelog was deleted and made anew; the next start reads the sources from their beginning"
            )
        return placed[-1] + count if placed else 0

    def _side(self, records: Iterable[OutRecord]) -> Iterator[Placed]:
        by_target: dict[tuple[str, int], list[Fields]] = defaultdict(list)
        for one in records:
            fields = (one.timestamp, one.key, one.value, list(one.headers))
            by_target[one.topic, one.partition].append(fields)
        for (topic, partition), group in by_target.items():
            yield from self._batches(topic, partition, group)

    def _changes(self, changes: Iterable[tuple[bytes, bytes | None]]) -> Iterator[Placed]:
        fields: Iterator[Fields] = ((None, key, value, []) for key, value in changes)
        yield from self._batches(self._changelog, self._partition, fields)

    def _batches(self, topic: str, partition: int, records: Iterable[Fields]) -> Iterator[Placed]:
        """Yield full record batches for one partition, in order."""
        batch = self._producer.create_batch()
        for timestamp, key, value, headers in records:
            if batch.append(timestamp=timestamp, key=key, value=value, headers=headers) is None:  # it is full
                yield batch, topic, partition
                batch = self._producer.create_batch()
                if batch.append(timestamp=timestamp, key=key, value=value, headers=headers) is None:
                    raise MessageSizeTooLargeError(f"a record for {topic} fits no batch")
        if batch.record_count():
            yield batch, topic, partition

    async def stop(self) -> None:
        """Close the connection; an open transaction is left to the broker or the next owner to abort."""
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await self._producer.client.close()
                await self._producer.stop()
        except (KafkaError, TimeoutError, AssertionError):
            pass
