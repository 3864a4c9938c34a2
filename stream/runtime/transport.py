"""Faust's transport, changed to hand over whole fetched batches, each with the range of the log that it covers.

Stock Faust makes two tasks per record (about 180 us); one message per batch removes that. A batch says from which
position to which position of the log it was read, so its receiver can prove that nothing between two batches was
lost: offsets alone cannot show that, since holes in them are legal (compaction, aborted transactions).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.events import Event
from faust.topics import Topic
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

# Faust asks the broker to hold an empty fetch for 1.5 s; the answer is also our look at the log's end, so an idle
# partition would be known to be fresh that rarely.
FETCH_WAIT_MS = 250
FETCH_TIMEOUT_S = 1.0
COMMIT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Batch:
    """The committed records in the range [start, end) of one source partition's log; there may be none.

    ``seeks`` is how often the partition had been sought when it was read: a batch from before a seek is stale.
    """

    topic: str
    partition: int
    start: int
    end: int
    records: list[ConsumerRecord[bytes, bytes]]
    size: int  # bytes of all keys and values
    seeks: int


@dataclass(frozen=True, slots=True)
class LogEnd:
    """The high watermark of a partition and when the broker told it (microseconds, UTC).

    ``stable`` is the last stable offset: what lies beyond is part of a transaction still open, or comes after one.
    """

    offset: int
    stable: int
    seen_at: int


class BatchThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc] # Faust ships no types.
    """The consumer's thread: it alone moves positions, so a range and a seek never interleave."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seeks: Counter[TP] = Counter()

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust reads uncommitted unless it is in a transaction itself, and fixes the wait; aiokafka takes both from
        # the consumer when that starts.
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def on_thread_stop(self) -> None:
        """Close the consumer.

        aiokafka lets the cancellation of its own fetch through when that waits to ask a broker again that is gone; it
        would end the thread with a traceback and leave the client open.
        """
        try:
            await super().on_thread_stop()
        except asyncio.CancelledError:
            await self._ensure_consumer()._client.close()

    async def fetch(self, active: Iterable[TP]) -> list[Batch]:
        """Return what was fetched from the *active* partitions, empty after FETCH_TIMEOUT_S without news."""
        fetched: list[Batch] = await self.call_thread(self._fetch, frozenset(active))
        return fetched

    async def _fetch(self, active: frozenset[TP]) -> list[Batch]:
        consumer = self._ensure_consumer()
        fetcher, subscriptions = consumer._fetcher, consumer._subscription
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with subscriptions.fetch_context():
            batches = await self._drain(consumer, active)
            if not batches:
                news = fetcher._create_fetch_waiter()
                await asyncio.wait([news], timeout=FETCH_TIMEOUT_S)
                if news.done():
                    news.result()  # raises what the broker refused, such as a missing authorization
                else:
                    news.cancel()
                batches = await self._drain(consumer, active)
        return batches

    async def _drain(self, consumer: Any, active: frozenset[TP]) -> list[Batch]:
        """Take what the fetcher holds. Nothing in here gives up control, so no seek can come in between."""
        subscriptions = consumer._subscription
        if subscriptions.reassignment_in_progress or not self.consumer.flow_active:
            return []
        before = self._positions(subscriptions, active)
        limit = consumer._max_poll_records
        records = await consumer._fetcher.fetched_records(active, timeout=0, max_records=limit)
        after = self._positions(subscriptions, active)
        batches = []
        for tp, start in before.items():
            if after.get(tp, start) != start:
                held = records.get(tp, [])
                size = sum(max(0, one.serialized_key_size) + max(0, one.serialized_value_size) for one in held)
                batches.append(Batch(tp.topic, tp.partition, start, after[tp], held, size, self.seeks[tp]))
        return batches

    @staticmethod
    def _positions(subscriptions: Any, active: Iterable[TP]) -> dict[TP, int]:
        assignment = subscriptions.subscription.assignment
        states = {tp: assignment.state_value(tp) for tp in active}
        return {tp: state.position for tp, state in states.items() if state and state.has_valid_position}

    async def seek_all(self, positions: Mapping[TP, int]) -> None:
        """Read on from *positions*; what was fetched before counts as stale. Partitions not assigned are left out."""
        await self.call_thread(self._seek_all, dict(positions))

    async def _seek_all(self, positions: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        for tp in consumer.assignment() & positions.keys():
            self.seeks[tp] += 1
            consumer.seek(tp, positions[tp])

    async def commit_for_lag_tools(self, positions: Mapping[TP, int]) -> None:
        """Commit offsets to the group, in the consumer's thread."""
        consumer = self._ensure_consumer()
        held = {tp: OffsetAndMetadata(positions[tp], "") for tp in consumer.assignment() & positions.keys()}
        if held:
            await self.call_thread(consumer.commit, held)

    def check_group(self) -> None:
        """Raise the KafkaError that ended this worker's part in the group, if one did; aiokafka only logs it."""
        coordinator = self._consumer and self._consumer._coordinator
        if coordinator is not None:
            coordinator.check_errors()

    def log_end(self, tp: TP) -> LogEnd | None:
        """Return the end of a partition's log as the newest fetch showed it, None before the first."""
        assignment = self._ensure_consumer()._subscription.subscription.assignment
        state = assignment and assignment.state_value(tp)
        if not state or state.highwater is None or state.timestamp is None:
            return None
        return LogEnd(state.highwater, state.lso, state.timestamp * 1000)


class BatchConsumer(driver.Consumer):  # type: ignore[misc] # Faust ships no types.
    """A consumer that delivers batches, and reads on from the shards' checkpoints, never from committed offsets."""

    _thread: BatchThread

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def thread(self) -> BatchThread:
        """The thread that reads."""
        return self._thread

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                for message in await self._next_messages():
                    # A rebalance suspends the flow; the batch is then dropped and read again from the checkpoint.
                    await self.wait_first(self.callback(message), self.suspend_flow.wait())
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _next_messages(self) -> list[Any]:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        generation = self.app.consumer_generation_id  # before the fetch, so that a change meanwhile shows
        active = self._get_active_partitions()
        if not active:
            await self.sleep(0.05)
            return []
        batches = await self._thread.fetch(active)
        if not self.flow_active or self.app.consumer_generation_id != generation:
            return []
        return [self._message(batch, generation) for batch in batches]

    @staticmethod
    def _message(batch: Batch, generation: int) -> Any:
        tp = TP(batch.topic, batch.partition)
        fields = (*tp, batch.end - 1, None, None, [], None, batch, None, 0, batch.size, tp)
        return ConsumerMessage(*fields, generation_id=generation)

    def on_buffer_full(self, tp: TP) -> None:
        """Keep fetching from *tp*: the flow simply waits where a stream's buffer is full."""

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Read on from where the shards' checkpoints are, whatever the group has committed."""
        positions: Mapping[TP, int] = self.app.positions()
        await self._thread.seek_all(positions)
        return positions

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit the checkpoints' offsets for the eyes of lag tools; nothing ever reads them back."""
        positions = self.app.positions()
        if self.app.rebalancing or not positions:
            return False
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await self._thread.commit_for_lag_tools(positions)
        except (KafkaError, TimeoutError) as error:
            self.log.debug("offsets for lag tools not committed: %r", error)
            return False
        return True


class BatchTransport(driver.Transport):  # type: ignore[misc] # Faust ships no types.
    """Faust's aiokafka transport with our consumer."""

    Consumer = BatchConsumer


class BatchTopic(Topic):  # type: ignore[misc] # Faust ships no types.
    """A topic whose messages are batches; there is nothing to decode yet."""

    async def decode(self, message: Any, *, propagate: bool = False) -> Event:
        """Wrap the batch as Faust's event."""
        return Event(self.app, None, message.value, message.headers, message)
