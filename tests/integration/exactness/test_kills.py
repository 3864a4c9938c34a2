"""A worker killed without warning leaves what one never killed leaves, and both leave what the oracle says."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from stream.domain.shard import Shard
from tests.integration.exactness.log import Record, generated, read_back, sent
from tests.integration.exactness.page import Page, differences, results, total_shown
from tests.integration.exactness.scraped import scraped_worker
from tests.integration.exactness.state import dead_letters, refused, restored
from tests.integration.runtime.harness import Deployment
from tests.oracle import entities
from tests.oracle.generator import Mix

pytestmark = pytest.mark.kafka

MIX = Mix(seed=12, customers=300, entities=3_500, bad=0.01, heartbeats=40)


async def killed_twice(deployment: Deployment, log: list[Record]) -> Page:
    """Replay the log to a worker that is killed at work, twice; the last page of the third one."""
    half = len(log) // 2
    await deployment.produce(sent(record) for record in log[:half])
    async with scraped_worker(deployment) as worker:
        await worker.until_applied(half // 5)
        await worker.kill()
    await deployment.produce(sent(record) for record in log[half:])
    async with scraped_worker(deployment) as worker:
        await worker.until_applied(half + half // 5)
        await worker.kill()
    async with scraped_worker(deployment) as worker:
        page = await worker.until_applied(len(log))
    own = total_shown(page, "deskpulse_stream_events_total", "result").total()
    assert 0 < own < len(log), "the last worker must have begun in the middle"
    return page


def test_a_worker_killed_twice_in_a_replay_ends_as_one_never_killed_and_as_the_oracle(deployment: Deployment) -> None:
    async def scenario() -> None:
        log = generated(MIX)
        await deployment.create_topics()
        page = await killed_twice(deployment, log)
        twin = deployment.on_same_topics()
        await twin.create_topics()
        async with scraped_worker(twin) as worker:
            undisturbed = await worker.until_applied(len(log))
        records = await read_back(deployment)
        for one in (page, undisturbed):
            assert differences(one, records, one.instant_us("window_end")) == []
        await _same_state(deployment, twin, records)
        assert await dead_letters(deployment) == await dead_letters(twin) == refused(records)

    asyncio.run(scenario())


async def _same_state(deployment: Deployment, twin: Deployment, records: list[Record]) -> None:
    killed, whole = await restored(deployment), await restored(twin)
    assert killed.keys() == whole.keys()
    counts: Counter[str] = Counter()
    for partition, shard in killed.items():
        other = whole[partition]
        assert shard.store == other.store
        now = max(shard.meta.newest_event, shard.meta.rolled, other.meta.rolled)
        # Which cells hold a 0 and which none depends on when buckets were rolled up, which no number does.
        assert _numbers(shard, now) == _numbers(other, now)
        assert shard.meta.positions == other.meta.positions
        assert shard.meta.counts == other.meta.counts
        assert shard.meta.upstream == other.meta.upstream
        for name, count in shard.meta.counts.items():
            counts[name.partition("/")[2]] += count
    assert counts == results(entities(records))


def _numbers(shard: Shard, now: int) -> dict[str, dict[Any, Any]]:
    view = shard.view(now)
    tables = {**view.windows, "live": view.live}
    return {name: {series: sums for series, sums in table.items() if any(sums)} for name, table in tables.items()}
