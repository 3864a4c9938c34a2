"""What a transaction costs on Kafka, by the number of records in it: one checkpoint after the other, back to back."""

from __future__ import annotations

import asyncio
from statistics import median
from time import perf_counter, process_time
from typing import Any

from stream.runtime.checkpoint import CheckpointWriter
from stream.runtime.settings import RuntimeSettings
from tests.bench.meter import Task, task, tell
from tests.bench.rig import Rig, say

SIZES = (1, 100, 1_000, 5_000)
TIMES = 30
VALUE = bytes(200)  # bytes of state; a ticket of five events has some 600


def measure(at: Rig) -> list[dict[str, Any]]:
    """A row per size: milliseconds (median and longest) and CPU of the client per transaction."""
    say("transactions: " + ", ".join(f"{size:,}" for size in SIZES) + " records")
    app_id = "bench-transactions"
    at.load(app_id, f"{app_id}.", ())
    with at.process("transactions", at.task(app_id, f"{app_id}.", TIMES)) as process:
        rows: list[dict[str, Any]] = process.until("rows")["rows"]
    return rows


async def run(given: Task) -> None:
    writer = CheckpointWriter(RuntimeSettings(given.servers, app_id=given.app_id), 0)
    await writer.start()
    await _time(writer, 1, given.events)  # The first ones find the topics, and the interpreter its caches.
    tell(rows=[await _time(writer, size, given.events) for size in SIZES])
    await writer.stop()


async def _time(writer: CheckpointWriter, records: int, times: int) -> dict[str, Any]:
    changes = [(f"key-{number:06d}".encode(), VALUE) for number in range(records)]
    spent, cpu = [], process_time()
    for _ in range(times):
        began = perf_counter()
        await writer.write(changes)
        spent.append(perf_counter() - began)
    return {
        "records": records,
        "median_ms": median(spent) * 1e3,
        "max_ms": max(spent) * 1e3,
        "cpu_ms": (process_time() - cpu) / times * 1e3,
    }


if __name__ == "__main__":
    asyncio.run(run(task()))
