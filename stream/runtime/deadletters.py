"""The dead letters of a deployment: read back, and put onto their source topics again, each once.

A letter is known by where its record was first read, so one that is written again (the state was rebuilt) is the same.
That it was replayed is noted behind it in its own partition, in the transaction that replays it, as a record without a
value. So a second replay, or one after a crash, writes nothing twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from msgspec import Struct

from stream.events.registry import TOPICS
from stream.events.values import EPOCH
from stream.ingest.deadletter import DEAD_LETTER
from stream.runtime.checkpoint import COMMIT_LIMIT_S, START_LIMIT_S, STOP_LIMIT_S, OutRecord
from stream.runtime.clock import now_us
from stream.runtime.failure import WorkerFailure
from stream.runtime.settings import RuntimeSettings
from stream.runtime.topics import MIB

REPLAYED: Final = f"{DEAD_LETTER}replayed"
IDENTITY: Final = tuple(f"{DEAD_LETTER}original-{part}" for part in ("partition", "offset", "timestamp"))
CHUNK: Final = 100  # letters in one transaction, which takes 10 ms or so whatever it holds
POLL_MS: Final = 200


class Filter(Struct, frozen=True):
    """Which letters are meant; an empty set means all of them.

    ``since`` <= when it was written < ``until``, in microseconds since the epoch (UTC).
    """

    sources: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    partitions: frozenset[int] = frozenset()
    since: int = 0
    until: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Tell whether *letter* is meant."""
        return (
            (not self.sources or letter.source in self.sources)
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.partitions or letter.partition in self.partitions)
            and self.since <= letter.written
            and (self.until is None or letter.written < self.until)
        )


class Letter(Struct, frozen=True):
    """A dead letter; ``written`` in microseconds since the epoch (UTC); a text whose header is missing is empty."""

    source: str
    partition: int
    offset: int
    written: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    replayed: bool

    def about(self, name: str) -> str:
        """Return what the header dlq-*name* says."""
        return (dict(self.headers).get(f"{DEAD_LETTER}{name}") or b"").decode(errors="replace")

    @property
    def reason(self) -> str:
        """Why the record was refused."""
        return self.about("reason")

    @property
    def replayable(self) -> bool:
        """Whether the record is all there, and its topic one that others write to."""
        cut = any(name.startswith(f"{DEAD_LETTER}truncated") for name, _ in self.headers)
        return self.source in TOPICS and not cut


class Replay(Struct):
    """What a replay came to, in letters."""

    written: int = 0
    replayed_before: int = 0
    not_replayable: int = 0


async def letters(settings: RuntimeSettings, partitions: int, wanted: Filter) -> AsyncGenerator[Letter, None]:
    """Yield the letters of all shards that are there now, by topic and partition in the order they were written.

    Raises WorkerFailure when Kafka does not give them.
    """
    sources = {settings.dead_letter_topic(source): source for source in settings.sources}
    tps = [TopicPartition(topic, partition) for topic in sources for partition in range(partitions)]
    try:
        async with _log(settings, tps) as log:
            replayed = {_identity(record) async for record in log.records() if _is_note(record)}
            seen = set()
            async for record in log.records():
                identity = _identity(record)
                if _is_note(record) or identity in seen:
                    continue
                seen.add(identity)
                letter = _letter(sources[record.topic], record, identity in replayed)
                if wanted.takes(letter):
                    yield letter
    except (KafkaError, OSError) as error:
        raise WorkerFailure(f"the dead letters on {settings.bootstrap_servers} cannot be read: {error!r}") from error


async def replay(
    settings: RuntimeSettings,
    partitions: int,
    wanted: Filter,
    *,
    rate: float | None = None,
    dry_run: bool = False,
) -> Replay:
    """Put the letters that are meant onto their source topics, at most *rate* in a second; with *dry_run* only count.

    Key, value and headers stay as they were, the shard too (a re-routed record goes straight to its own); the Kafka
    timestamp is that of the replay, since that is when the record arrives. Raises WorkerFailure; what was written by
    then is noted, and the next replay goes on.
    """
    done = Replay()
    async with AsyncExitStack() as stack:
        # The writer first: it ends another replay that runs, so that the notes read next are all there will be.
        writer = None if dry_run else await stack.enter_async_context(_writer(settings))
        found = await stack.enter_async_context(aclosing(letters(settings, partitions, wanted)))
        chunk: list[Letter] = []
        async for letter in found:
            if letter.replayed:
                done.replayed_before += 1
            elif not letter.replayable:
                done.not_replayable += 1
            else:
                done.written += 1
                chunk += [letter] if writer else []
            if writer and len(chunk) == _chunk_size(rate):
                await _write(settings, writer, chunk)
                await asyncio.sleep(0 if rate is None else len(chunk) / rate)
                chunk = []
        if writer and chunk:
            await _write(settings, writer, chunk)
    return done


def _chunk_size(rate: float | None) -> int:
    return CHUNK if rate is None else max(1, min(CHUNK, int(rate)))


class _Log:
    """The dead-letter topics as they were when it was made: what is written later is not part of it."""

    def __init__(self, reader: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        self._reader = reader
        self._ends = ends

    async def records(self) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
        """Yield every record; may be called again."""
        for tp, start in (await self._reader.beginning_offsets(list(self._ends))).items():
            self._reader.seek(tp, start)
        for tp, end in sorted(self._ends.items()):
            while await self._reader.position(tp) < end:
                for record in (await self._reader.getmany(tp, timeout_ms=POLL_MS)).get(tp, []):
                    if record.offset < end:
                        yield record


@asynccontextmanager
async def _log(settings: RuntimeSettings, tps: list[TopicPartition]) -> AsyncIterator[_Log]:
    reader = AIOKafkaConsumer(
        **settings.client(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * MIB,
    )
    try:
        await reader.start()
        reader.assign(tps)
        yield _Log(reader, await reader.end_offsets(tps))
    finally:
        await reader.stop()


@asynccontextmanager
async def _writer(settings: RuntimeSettings) -> AsyncIterator[AIOKafkaProducer]:
    writer = AIOKafkaProducer(
        **settings.client(),
        transactional_id=f"{settings.app_id}-deadletters",
        # A letter is as large as its topic allows, and on the source topic it is no larger.
        max_request_size=5 * MIB,
    )
    try:
        async with asyncio.timeout(START_LIMIT_S):
            await writer.start()
        yield writer
    except (KafkaError, OSError, TimeoutError, AssertionError) as error:
        raise WorkerFailure(f"Kafka at {settings.bootstrap_servers} does not take the letters: {error!r}") from error
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_LIMIT_S):
                await writer.stop()


async def _write(settings: RuntimeSettings, writer: AIOKafkaProducer, chunk: Sequence[Letter]) -> None:
    """Write letters and their notes in one transaction."""
    async with asyncio.timeout(COMMIT_LIMIT_S), writer.transaction():
        pending: list[asyncio.Future[Any]] = []
        for record in (record for letter in chunk for record in _again(settings, letter)):
            batch = writer.create_batch()
            batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
            pending.append(await writer.send_batch(batch, record.topic, partition=record.partition))
        await asyncio.gather(*pending)


def _again(settings: RuntimeSettings, letter: Letter) -> tuple[OutRecord, OutRecord]:
    """Return the record as it first came, and the note that it was replayed."""
    note = [(name, text) for name, text in letter.headers if name in IDENTITY]
    note.append((REPLAYED, (EPOCH + timedelta(microseconds=now_us())).isoformat(timespec="milliseconds").encode()))
    return (
        OutRecord(settings.topic(letter.source), letter.partition, letter.key, letter.value, letter.headers),
        OutRecord(settings.dead_letter_topic(letter.source), letter.partition, letter.key, None, note),
    )


def _identity(record: ConsumerRecord[bytes, bytes]) -> tuple[object, ...]:
    """Return what is the same for a letter, the note about it, and a letter about the same record written again."""
    headers = dict(record.headers)
    origin = tuple(headers.get(name) for name in IDENTITY)
    return (record.topic, *origin) if None not in origin else (record.topic, record.partition, record.offset)


def _is_note(record: ConsumerRecord[bytes, bytes]) -> bool:
    return any(name == REPLAYED for name, _ in record.headers)


def _letter(source: str, record: ConsumerRecord[bytes, bytes], replayed: bool) -> Letter:
    written = record.timestamp * 1000
    headers = tuple(record.headers)
    return Letter(source, record.partition, record.offset, written, record.key, record.value, headers, replayed)
