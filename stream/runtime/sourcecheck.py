"""Whether a restored state belongs to the source topics as they are now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from zlib import crc32

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from stream.domain.overlay import Position
from stream.domain.shard import Shard
from stream.runtime.failure import WorkerFailure
from stream.runtime.settings import RuntimeSettings

CHECK_LIMIT_S = 20.0
POLL_MS = 200


@dataclass
class Checked:
    """Where to read on, and how many records retention removed before that, both by Kafka topic."""

    positions: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)


async def check_sources(
    settings: RuntimeSettings, reader: AIOKafkaConsumer, shards: Mapping[int, Shard]
) -> dict[int, Checked]:
    """Hold every shard's positions against the start, the end and the last folded record of its sources' logs.

    Raises WorkerFailure where a topic was deleted and made anew, TimeoutError when the broker does not answer. The
    reader's assignment is changed.
    """
    tps = {
        TopicPartition(settings.topic(source), partition): shards[partition].offsets.get(source)
        for partition in shards
        for source in settings.sources
    }
    # Assigned first: of topics it does not follow, aiokafka learns one by one, 0.7 s each. Paused: nothing is to be
    # fetched until it is known from where.
    reader.assign(list(tps))
    reader.pause(*tps)
    starts, ends = await reader.beginning_offsets(list(tps)), await reader.end_offsets(list(tps))
    checked = {partition: Checked() for partition in shards}
    to_compare: dict[TopicPartition, Position] = {}
    for tp, position in tps.items():
        one = checked[tp.partition]
        one.positions[tp.topic] = starts[tp]
        if position is None:
            continue
        one.positions[tp.topic] = read_on(tp, position.next_offset, starts[tp], ends[tp])
        if starts[tp] > position.next_offset:
            one.lost[tp.topic] = starts[tp] - position.next_offset
        elif starts[tp] < position.next_offset:
            to_compare[tp] = position
    async with asyncio.timeout(CHECK_LIMIT_S):
        await _compare(reader, to_compare)
    return checked


def read_on(tp: TopicPartition, position: int, start: int, end: int) -> int:
    """Return from where a log that spans [start, end) is read on after *position*. Raises WorkerFailure beyond it."""
    if end < position:
        raise WorkerFailure(
            f"{tp.topic}-{tp.partition} ends at offset {end}, but {position} was folded already: the topic was "
            "deleted and made anew; restore it, or start under another app id"
        )
    return max(position, start)


async def _compare(reader: AIOKafkaConsumer, positions: Mapping[TopicPartition, Position]) -> None:
    """Compare the record last folded with what is now at its offset, if anything still is."""
    for tp, position in positions.items():
        reader.seek(tp, position.next_offset - 1)
    reader.resume(*positions)
    waiting = set(positions)
    while waiting:
        for tp, records in (await reader.getmany(*waiting, timeout_ms=POLL_MS)).items():
            _same(records[0], positions[tp])
            waiting.discard(tp)
        # Past the offset without a record: it was compacted away or is a control record.
        for tp in list(waiting):
            if await reader.position(tp) >= positions[tp].next_offset:
                waiting.discard(tp)


def _same(record: ConsumerRecord[bytes, bytes], position: Position) -> None:
    if record.offset != position.next_offset - 1:
        return
    crc = crc32(record.value or b"", crc32(record.key or b""))
    if (record.timestamp * 1000, crc) != (position.timestamp, position.crc):
        raise WorkerFailure(
            f"{record.topic}-{record.partition} holds another record at offset {record.offset} than the one folded: "
            "the topic was deleted and made anew; restore it, or start under another app id"
        )
