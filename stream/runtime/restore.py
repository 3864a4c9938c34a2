"""The takeover of shards: fence, read the changelog to its end, hold the state against the sources.

The order of the steps is what makes it safe; see `take_over`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.domain.shard import Shard
from stream.runtime.checkpoint import CheckpointWriter
from stream.runtime.failure import WorkerFailure
from stream.runtime.settings import RuntimeSettings
from stream.runtime.sourcecheck import Checked, check_sources
from stream.runtime.topics import plan

log = logging.getLogger(__name__)

FETCH_BYTES = 4 * 1_048_576
POLL_MS = 200


class Superseded(Exception):  # noqa: N818 -- not an error: the shards are somebody else's, or to be taken anew
    """The assignment changed during a takeover."""


@dataclass(frozen=True)
class Kept:
    """A shard that this worker held before the rebalance, and where the changelog ended for it."""

    shard: Shard
    changelog_end: int


@dataclass
class Taken:
    """A shard taken over: fenced, restored and checked; ``positions`` by Kafka topic."""

    shard: Shard
    writer: CheckpointWriter
    changelog_end: int = 0
    checked: Checked = field(default_factory=Checked)


@dataclass(frozen=True)
class Takeover:
    """What a takeover needs. ``valid`` tells whether the shards are still ours, ``remaining`` hears of progress."""

    settings: RuntimeSettings
    new_shard: Callable[[int], Shard]
    now: Callable[[], int]
    valid: Callable[[], bool]
    remaining: Callable[[int, int], None]


async def take_over(takeover: Takeover, partitions: Iterable[int], kept: Mapping[int, Kept]) -> dict[int, Taken]:
    """Take over *partitions*; of a shard in *kept* only the changelog's tail is read.

    Raises Superseded when the assignment changed, WorkerFailure when the state does not fit the sources, KafkaError or
    TimeoutError when the broker does not answer. In every such case nothing stays open.
    """
    settings = takeover.settings
    writers = {partition: CheckpointWriter(settings, partition) for partition in partitions}
    reader = AIOKafkaConsumer(
        **settings.client(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    done = False
    try:
        # 1. A new producer fences the old owner and aborts what it had open: the log cannot grow behind our back.
        await asyncio.gather(*(writer.start() for writer in writers.values()))
        _check(takeover)
        await reader.start()
        await _check_topics(settings, reader)
        # 2. Only then the end, 3. and everything before it.
        taken = await _restore(takeover, reader, writers, kept)
        # 4. Does the state belong to these source topics? Seeking (5) and resuming (6) are the caller's.
        for partition, checked in (await check_sources(settings, reader, _shards(taken))).items():
            taken[partition].checked = checked
        _check(takeover)
        done = True
        return taken
    finally:
        await asyncio.shield(_close(reader, () if done else writers.values()))


def _shards(taken: Mapping[int, Taken]) -> dict[int, Shard]:
    return {partition: one.shard for partition, one in taken.items()}


async def _close(reader: AIOKafkaConsumer, writers: Iterable[CheckpointWriter]) -> None:
    await asyncio.gather(reader.stop(), *(writer.stop() for writer in writers), return_exceptions=True)


async def _check_topics(settings: RuntimeSettings, reader: AIOKafkaConsumer) -> None:
    """Raise WorkerFailure when a topic was deleted: aiokafka would look for its partitions for ever."""
    missing = {topic.name for topic in plan(settings)} - await reader.topics()
    if missing:
        raise WorkerFailure(f"missing topics: {', '.join(sorted(missing))}; see deskpulse topics")


def _check(takeover: Takeover) -> None:
    if not takeover.valid():
        raise Superseded


async def _restore(
    takeover: Takeover,
    reader: AIOKafkaConsumer,
    writers: Mapping[int, CheckpointWriter],
    kept: Mapping[int, Kept],
) -> dict[int, Taken]:
    tps = {TopicPartition(takeover.settings.changelog, partition): partition for partition in writers}
    reader.assign(list(tps))
    starts, ends = await reader.beginning_offsets(list(tps)), await reader.end_offsets(list(tps))
    _check(takeover)
    taken, tails = {}, set()
    for tp, partition in tps.items():
        held = kept.get(partition)
        if held is not None and held.changelog_end <= ends[tp]:
            tails.add(partition)
            taken[partition] = Taken(held.shard, writers[partition])
            reader.seek(tp, held.changelog_end)
        else:
            taken[partition] = Taken(takeover.new_shard(partition), writers[partition])
            reader.seek(tp, starts[tp])
    unread = set(tps)
    while unread := await _unread(takeover, reader, tps, ends, unread):
        for tp, records in (await reader.getmany(*unread, timeout_ms=POLL_MS)).items():
            partition = tps[tp]
            if partition in tails:
                # Another worker wrote after us, so what we hold is not the state any more.
                tails.remove(partition)
                taken[partition].shard = takeover.new_shard(partition)
                reader.seek(tp, starts[tp])
            else:
                _apply(taken[partition].shard, ((record.key, record.value) for record in records))
        _check(takeover)
    for tp, partition in tps.items():
        taken[partition].changelog_end = ends[tp]
        if partition not in tails:
            taken[partition].shard.restored(takeover.now())
    return taken


async def _unread(
    takeover: Takeover,
    reader: AIOKafkaConsumer,
    tps: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    among: Iterable[TopicPartition],
) -> set[TopicPartition]:
    """Return the partitions not read to their end; the last offset may be a control record that nobody gets."""
    unread = set()
    for tp in among:
        left = ends[tp] - await reader.position(tp)
        takeover.remaining(tps[tp], max(0, left))
        if left > 0:
            unread.add(tp)
    return unread


def _apply(shard: Shard, records: Iterable[tuple[bytes, bytes | None]]) -> None:
    try:
        shard.restore(records)
    except Exception as error:
        log.debug("restore", exc_info=True)
        raise WorkerFailure(f"shard {shard.partition}: its changelog cannot be read: {error}") from error
