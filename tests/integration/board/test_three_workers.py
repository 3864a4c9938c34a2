"""Three real workers on a real Kafka: whichever is asked answers for all."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession

from stream.board.whole import decode
from tests.integration.runtime.harness import Deployment, created, customer_on, new_settings
from tests.kafka.broker import KafkaCluster

pytestmark = pytest.mark.kafka

LIMIT_S = 100.0  # a busy machine needs half of it for three workers to start and join
# Faust's assignor lets a worker keep up to ceil(partitions / workers), so with 4 the third may get none.
PARTITIONS = 6
TICKETS = 2**PARTITIONS - 1  # 1 + 2 + 4 + ... by shard, so that any sum tells which shards are in it


@dataclass(frozen=True)
class Process:
    """A worker as a process, seen through its HTTP server."""

    process: asyncio.subprocess.Process
    url: str

    async def kpis(self) -> Any:
        async with ClientSession() as session, session.get(f"{self.url}/api/kpis") as response:
            return json.loads(await response.read())

    async def partitions(self) -> list[int]:
        """The partitions that it shows; none before its first snapshot."""
        async with ClientSession() as session, session.get(f"{self.url}/api/worker") as response:
            snapshot = decode(await response.read()) if response.status == 200 else None
        return [shard.partition for shard in snapshot.shards if shard.view is not None] if snapshot is not None else []


@asynccontextmanager
async def worker(deployment: Deployment, folder: Path) -> AsyncIterator[Process]:
    """`deskpulse worker`, configured to the deployment; the newest event is now."""
    settings, config = deployment.settings, folder / "deskpulse.toml"
    config.write_text(
        f"""
        [kafka]
        bootstrap_servers = "{settings.bootstrap_servers}"
        app_id = "{settings.app_id}"
        topic_prefix = "{settings.topic_prefix}"
        [ingest]
        clock = "events"
        """
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "DESKPULSE_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stream", "worker", "--config", str(config), "--port", "0",
        stderr=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert process.stderr is not None
    rest: asyncio.Task[bytes] | None = None
    try:
        line = (await process.stderr.readline()).decode()
        assert line.startswith("metrics http"), line
        rest = asyncio.create_task(process.stderr.read())  # unread, what it says would hold it up
        yield Process(process, line.split()[1].removesuffix("/metrics"))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if rest is not None:
            print((await rest).decode(), file=sys.stderr)


async def until(asked: Process, holds: Callable[[Any], bool]) -> Any:
    """The first answer that is as wanted."""
    answer = None
    try:
        async with asyncio.timeout(LIMIT_S):
            while answer is None or "windows" not in answer or not holds(answer):
                await asyncio.sleep(0.05)
                answer = await asked.kpis()
    except (TimeoutError, ClientError) as error:
        raise AssertionError(f"never came ({error!r}); last: {str(answer)[:500]}") from None
    return answer


async def shared(workers: list[Process]) -> list[list[int]]:
    """The partitions of each worker, as soon as every worker has some and all of them are somewhere."""
    held: list[list[int]] = []
    try:
        async with asyncio.timeout(LIMIT_S):
            while not all(held) or sorted(chain.from_iterable(held)) != list(range(PARTITIONS)):
                await asyncio.sleep(0.1)
                held = [await one.partitions() for one in workers]
    except TimeoutError:
        raise AssertionError(f"never shared out; last: {held}") from None
    return held


def is_whole(answer: Any) -> bool:
    if not answer["complete"] or not answer["windows"]:
        return False
    return bool(answer["windows"]["24h"]["kpis"]["tickets_created"] == TICKETS)


def test_every_worker_answers_for_all_and_one_that_dies_is_missed_until_its_shards_have_moved(
    kafka: KafkaCluster, tmp_path: Path
) -> None:
    deployment = Deployment(new_settings(kafka.bootstrap_servers, PARTITIONS))

    async def scenario() -> None:
        await deployment.create_topics()
        await deployment.produce(
            created(f"T-{partition}-{number}", customer_on(partition, PARTITIONS))
            for partition in range(PARTITIONS)
            for number in range(2**partition)
        )
        async with AsyncExitStack() as stack:
            workers = [await stack.enter_async_context(worker(deployment, tmp_path)) for _ in range(3)]
            held = await shared(workers)
            for one in workers:
                answer = await until(one, is_whole)
                assert answer["live"]["kpis"]["tickets_active"] == TICKETS

            workers[2].process.kill()
            for survivor in workers[:2]:
                answer = await until(survivor, lambda answer: not answer["complete"])
                assert answer["missing_partitions"] == held[2]
                present = TICKETS - sum(2**partition for partition in held[2])
                assert answer["windows"]["24h"]["kpis"]["tickets_created"] == present
            for survivor in workers[:2]:
                await until(survivor, is_whole)

    asyncio.run(scenario())
