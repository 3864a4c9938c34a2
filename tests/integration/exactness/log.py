"""Logs that end about now and go on live, and how they come to Kafka and back."""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_right
from collections.abc import Callable
from random import Random
from typing import Any

from aiokafka import AIOKafkaProducer

from stream.runtime.clock import now_us
from tests.integration.runtime.harness import Deployment, Sent
from tests.oracle.envelope import RejectedError, decode
from tests.oracle.generator import Mix, generate, rfc3339
from tests.oracle.values import MICRO, instant

DAY_US = 86_400 * MICRO
Record = dict[str, Any]


def generated(mix: Mix) -> list[Record]:
    """A generated log, its bad records on the partition of the customer that they name.

    It has no privacy deletions: they erase at once, whatever the order, which the oracle does not know.
    """
    changes = [(b'"privacy"', b'"other"'), (b'"partitionkey": "C-0"', b'"partitionkey": "%s"')]
    records = [dict(record) for record in generate(mix)]
    for record in records:
        for old, new in changes if record["value"] else ():
            record["value"] = record["value"].replace(old, new.replace(b"%s", record["key"]))
        record["headers"] = [*record["headers"], ("traceparent", b"\x00\xff")]
    return records


def live_log(mix: Mix, start_us: int, live_us: int) -> list[Record]:
    """A generated log on another time scale, in log order, its Kafka timestamps ending `live_us` after `start_us`.

    Two thirds of its records come live. A sixth fills the ten minutes before, so that records leave the 5-minute window
    all the while; the others keep their distances, days long. Of the live events some are stamped ahead of the wall
    clock, some come up to two hours late, some after the horizon (to entities that are known, since the oracle knows no
    sealing).
    """
    records = generated(mix)
    records = records[: len(records) * 97 // 100]  # what lives for very long would stretch the live part
    at_us = [record["timestamp_ms"] * 1000 for record in records]
    knots = [at_us[0], at_us[len(at_us) // 6], at_us[len(at_us) // 3], at_us[-1]]
    history_us = start_us - 600 * MICRO
    scaled = scale(knots, [history_us - knots[1] + knots[0], history_us, start_us, start_us + live_us])
    known: set[tuple[str, str]] = set()
    return [_moved(record, scaled, known, start_us, mix.seed) for record in records]


def scale(knots: list[int], images: list[int]) -> Callable[[int], int]:
    """The monotone function that takes each knot to its image, linear between them and of slope 1 outside."""

    def scaled(at: int) -> int:
        place = bisect_right(knots, at)
        if place in (0, len(knots)):
            end = min(place, len(knots) - 1)
            return images[end] + at - knots[end]
        left, right = knots[place - 1], knots[place]
        return images[place - 1] + (at - left) * (images[place] - images[place - 1]) // (right - left)

    return scaled


def _moved(
    record: Record, scaled: Callable[[int], int], known: set[tuple[str, str]], start_us: int, seed: int
) -> Record:
    arrives_us = scaled(record["timestamp_ms"] * 1000)
    moved = {**record, "timestamp_ms": -(-arrives_us // 1000)}
    try:
        event = decode(record)
    except RejectedError:
        return moved  # its times are part of what is wrong with it
    at_us = scaled(event.time_us)
    if at_us > start_us:
        # The same for an event sent twice, and another for one sent again with another body.
        random = Random(f"{seed} {event.source} {event.id} {event.time_us}")
        at_us += _disorder(random, (event.kind, event.subject) in known)
    known.add((event.kind, event.subject))
    return _timed(moved, at_us)


def _disorder(random: Random, is_known: bool) -> int:
    draw = random.random()
    if draw < 0.03:
        return random.randint(1, 60 * MICRO)
    if draw < 0.10:
        return -random.randint(1, 7_200 * MICRO)
    if draw < 0.12 and is_known:
        return -random.randint(36 * DAY_US, 39 * DAY_US)
    return 0


def _timed(record: Record, at_us: int) -> Record:
    """The record of an event with another time."""
    headers = dict(record["headers"])
    if "ce_time" in headers:
        return {**record, "headers": list({**headers, "ce_time": rfc3339(at_us).encode()}.items())}
    envelope = json.loads(record["value"])
    assert instant(envelope["time"])
    return {**record, "value": json.dumps({**envelope, "time": rfc3339(at_us)}).encode()}


def rejection(record: Record) -> str | None:
    """The oracle's reason to refuse a record, None if it is good."""
    try:
        decode(record)
    except RejectedError as rejected:
        return str(rejected.args[0])
    return None


def sent(record: Record) -> Sent:
    return Sent(
        record["topic"], record["key"], record["value"], record["timestamp_ms"], record["partition"],
        tuple(record["headers"]),
    )  # fmt: skip


class Publication:
    """Sends each record of a log when the wall clock reaches its Kafka timestamp; those of the past at once.

    It may be stopped and started again, so that a test need not know beforehand how long a worker takes.
    """

    def __init__(self, deployment: Deployment, log: list[Record]) -> None:
        self._deployment = deployment
        self._log = log
        self._sending: asyncio.Task[None] | None = None
        self._stopping = False
        self.sent = 0

    def start(self) -> None:
        self._stopping = False
        self._sending = asyncio.create_task(self._send())

    async def stop(self) -> None:
        """Return when Kafka has all that was sent. Raises AssertionError when the log was not long enough."""
        assert self._sending is not None
        assert not self._sending.done(), "events must flow all the while"
        self._stopping = True
        await self._sending

    async def cancel(self) -> None:
        """Send nothing more, whatever state it is in."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})

    async def _send(self) -> None:
        settings = self._deployment.settings
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap_servers, linger_ms=5, max_request_size=8 << 20, enable_idempotence=True
        )
        await producer.start()
        try:
            while self.sent < len(self._log) and not self._stopping:
                record = self._log[self.sent]
                await asyncio.sleep(max(0, record["timestamp_ms"] / 1000 - now_us() / MICRO))
                await producer.send(
                    settings.topic(record["topic"]), record["value"], key=record["key"],
                    partition=record["partition"], timestamp_ms=record["timestamp_ms"], headers=record["headers"],
                )  # fmt: skip
                self.sent += 1
        finally:
            await producer.stop()


async def read_back(deployment: Deployment) -> list[Record]:
    """All records of the three topics as the oracle takes them, in log order."""
    found = [
        {
            "topic": source, "partition": record.partition, "offset": record.offset, "key": record.key,
            "timestamp_ms": record.timestamp, "value": record.value, "headers": list(record.headers),
        }
        for source in ("bookings", "tickets", "reviews")
        for record in await deployment.read(deployment.settings.topic(source))
    ]  # fmt: skip
    return sorted(found, key=lambda record: (record["topic"], record["partition"], record["offset"]))
