"""The systems that deskpulse reads from: a heartbeat every half second, and events when asked."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.oracle.murmur2 import partition_of

SOURCE = "/helpdesk"
BEAT_S = 0.5
_number = count(1)


def event(
    kind: str, subject: str, data: Mapping[str, Any], *, at: float | None = None, customer: str = ""
) -> dict[str, Any]:
    """A structured CloudEvent, now or at another instant (seconds since the epoch)."""
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    about = {"specversion": "1.0", "id": f"e-{next(_number)}", "source": SOURCE, "type": kind}
    when = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if kind == "heartbeat":
        return {**about, "time": when}
    return {**about, "subject": subject, "time": when, "partitionkey": customer or f"C-{subject}", "data": dict(data)}


class Upstream:
    """A producer in a thread and an event loop of its own; it beats until it is told to fall silent."""

    def __init__(self, bootstrap_servers: str, prefix: str, partitions: int) -> None:
        self._servers, self._topic, self._partitions = bootstrap_servers, f"{prefix}tickets", partitions
        self._loop = asyncio.new_event_loop()
        self._beating = True
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._producer = self._run(self._start())
        self._beats = asyncio.run_coroutine_threadsafe(self._beat(), self._loop)

    def publish(self, events: Iterable[dict[str, Any]]) -> None:
        """Send tickets' events, each with the Kafka timestamp of its own time; return when Kafka has them."""
        self._run(self._send(list(events)))

    def fall_silent(self) -> None:
        self._beating = False

    def stop(self) -> None:
        self._beats.cancel()
        self._run(self._producer.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _start(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(bootstrap_servers=self._servers, linger_ms=5)
        await producer.start()
        return producer

    async def _beat(self) -> None:
        while True:
            if self._beating:
                with suppress(KafkaError):  # the broker is down: that is what some scenarios are about
                    await self._send([event("heartbeat", "", {})])
            await asyncio.sleep(BEAT_S)

    async def _send(self, events: list[dict[str, Any]]) -> None:
        sent = []
        for one in events:
            key = one.get("partitionkey", SOURCE).encode()
            millis = round(datetime.fromisoformat(one["time"]).timestamp() * 1000)
            place = partition_of(key, self._partitions)
            value = json.dumps(one).encode()
            sent.append(await self._producer.send(self._topic, value, key=key, partition=place, timestamp_ms=millis))
        await asyncio.gather(*sent)
