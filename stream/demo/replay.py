"""Event files (JSON lines, .gz too) as one stream in the order of time, and its publication at a chosen speed.

A file is read twice: once to survey it, once to publish it, so that its size does not matter. Only a file whose lines
are not in the order of time is held in memory.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from heapq import merge
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import orjson
from msgspec import DecodeError, Struct, json

from stream.events.registry import EVENT_TYPES, HEARTBEAT
from stream.events.values import MICRO, Instant, micros, parse_instant, rfc3339

# What an event's type begins with -> its topic. An unknown type of a known kind is published, for the worker to refuse.
TOPIC_OF = {row.kind: row.topic for row in EVENT_TYPES}
HEARTBEAT_TOPIC = "tickets"  # a heartbeat may come on any topic
INSTANTS = {
    row.name: names
    for row in EVENT_TYPES
    if (names := [name for name, kind in row.data.__annotations__.items() if Instant.__name__ in str(kind)])
}
PACE_S = 0.05  # a paced stream goes out in batches this far apart; finer ones would cost a request per event
YIELD_EVERY = 500  # events between two turns of the event loop: some 10 ms


class ReplayError(Exception):
    """A file cannot be replayed; the message is one line for the user."""


class Message(Struct, frozen=True):
    """What is published: the topic's name in the contract, key, value, and time in microseconds (UTC)."""

    source: str
    key: bytes
    value: bytes
    time: int


class Survey(Struct):
    """What the files hold; times in microseconds since the epoch (UTC), None without any event."""

    events: int = 0
    oldest: int | None = None
    newest: int | None = None
    skipped: int = 0
    first_skipped: str = ""
    unsorted: set[Path] = set()


class _Head(Struct, frozen=True):
    type: str
    time: datetime
    subject: str = ""
    partitionkey: str | None = None
    source: str = ""


_HEAD = json.Decoder(_Head)


def survey(files: Iterable[Path]) -> Survey:
    """Read the files once. Raises ReplayError for a file that cannot be read."""
    found = Survey(unsorted=set())
    for file in files:
        last = None
        for message in _messages(file):
            if isinstance(message, str):
                found.skipped += 1
                found.first_skipped = found.first_skipped or message
                continue
            found.events += 1
            found.oldest = message.time if found.oldest is None else min(found.oldest, message.time)
            found.newest = message.time if found.newest is None else max(found.newest, message.time)
            if last is not None and message.time < last:
                found.unsorted.add(file)
            last = message.time
    return found


def messages(files: Iterable[Path], found: Survey, shift: int = 0) -> Iterator[Message]:
    """Yield the events of the surveyed files in the order of time, later by *shift* microseconds.

    Equal times keep the order of the files and of the lines in them. Without a shift a value is exactly the line.
    """
    streams = [_sorted(_valid(file)) if file in found.unsorted else _valid(file) for file in files]
    for message in merge(*streams, key=_time):
        yield shifted(message, shift) if shift else message


def shifted(message: Message, shift: int) -> Message:
    """Return the event later by *shift* microseconds, together with the times in its data."""
    try:
        event = orjson.loads(message.value)
    except orjson.JSONDecodeError:  # broken beyond what was looked at: as it is, for the worker to refuse
        return Message(message.source, message.key, message.value, message.time + shift)
    event["time"] = rfc3339(message.time + shift)
    data = event.get("data")
    for name in INSTANTS.get(event["type"], ()):
        if isinstance(data, dict) and data.get(name) is not None:
            data[name] = _moved(data[name], shift)
    return Message(message.source, message.key, orjson.dumps(event), message.time + shift)


class Sink(Protocol):
    """Where messages go; the runtime's feed is one."""

    async def send(self, source: str, key: bytes, value: bytes, time: int) -> None:
        """Take a message, to be delivered soon."""

    async def flush(self) -> None:
        """Return when all messages are delivered."""


async def publish(
    stream: Iterable[Message],
    sink: Sink,
    *,
    speed: float | None = None,
    advance: Callable[[int], None] = lambda published: None,
) -> int:
    """Publish the events *speed* times as fast as they happened (None = as fast as possible); return their number.

    *advance* is told the number of events published so far, now and then.
    """
    began, first, number = monotonic(), None, 0
    for message in stream:
        if speed is not None:
            first = message.time if first is None else first
            wait = (message.time - first) / MICRO / speed - (monotonic() - began)
            if wait > 0:
                await sink.flush()
                advance(number)
                await asyncio.sleep(max(wait, PACE_S))
        await sink.send(message.source, message.key, message.value, message.time)
        number += 1
        if number % YIELD_EVERY == 0:
            advance(number)
            await asyncio.sleep(0)
    await sink.flush()
    advance(number)
    return number


async def publish_until(time: int, stream: Iterator[Message], sink: Sink) -> Message:
    """Publish the events before *time* (microseconds, UTC) as fast as possible; return the first one from then on."""
    for number, message in enumerate(stream, 1):
        if message.time >= time:
            await sink.flush()
            return message
        await sink.send(message.source, message.key, message.value, message.time)
        if number % YIELD_EVERY == 0:
            await asyncio.sleep(0)
    raise ValueError("the stream ended before its time")


def _messages(file: Path) -> Iterator[Message | str]:
    """Yield each line's event, or why it cannot be published."""
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                value = line.rstrip(b"\r\n")
                if value:
                    yield _message(value) or f"{file}:{number}: no event with a type, a time and a subject"
    except (OSError, EOFError) as error:  # EOFError is what a cut .gz gives
        raise ReplayError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _message(value: bytes) -> Message | None:
    try:
        head = _HEAD.decode(value)
        time = micros(head.time) if head.time.tzinfo else None
    except (DecodeError, UnicodeDecodeError, ValueError, OverflowError):
        return None
    kind = head.type.partition(".")[0]
    topic = HEARTBEAT_TOPIC if head.type == HEARTBEAT else TOPIC_OF.get(kind)  # type: ignore[call-overload] # any text
    key = head.partitionkey or head.subject or (head.source if head.type == HEARTBEAT else "")
    if topic is None or time is None or time < 0 or not key:
        return None
    return Message(topic, key.encode(), value, time)


def _valid(file: Path) -> Iterator[Message]:
    return (message for message in _messages(file) if not isinstance(message, str))


def _sorted(stream: Iterator[Message]) -> Iterator[Message]:
    return iter(sorted(stream, key=_time))


def _time(message: Message) -> int:
    return message.time


def _moved(instant: Any, shift: int) -> Any:
    try:
        return rfc3339(parse_instant(instant) + shift)
    except ValueError:  # for the worker to refuse
        return instant
