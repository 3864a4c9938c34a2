"""The scrape page, at any moment while events flow, shows what the oracle makes of the records it says it has."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random

import pytest

from stream.runtime.clock import now_us
from tests.integration.exactness.log import live_log, publish_live, read_back
from tests.integration.exactness.page import Page, Record, differences, reasons, results, shown
from tests.integration.exactness.scraped import scraped_worker
from tests.integration.runtime.harness import Deployment
from tests.oracle import entities
from tests.oracle.generator import Mix
from tests.oracle.values import MICRO

pytestmark = pytest.mark.kafka

MIX = Mix(seed=5, customers=60, days=20, entities=1_300, bad=0.01, heartbeats=40)
LIVE_S = 20
SCRAPES = 20


async def watched(live: Deployment) -> tuple[list[Page], list[Record]]:
    """Pages scraped at random moments of a live log's publication, and the log as Kafka has it."""
    await live.create_topics()
    log = live_log(MIX, now_us() + 3 * MICRO, LIVE_S * MICRO)
    random = Random(7)
    async with scraped_worker(live) as worker:
        publishing = asyncio.create_task(publish_live(live, log))
        await worker.until(lambda page: bool(page.ready))
        pages = []
        for _ in range(SCRAPES):
            await asyncio.sleep(random.uniform(0, 1.7))
            pages.append(await worker.scrape())
        assert not publishing.done(), "events must flow at every scrape"
        await publishing
    return pages, await read_back(live)


def compared(pages: list[Page], records: list[Record]) -> Mapping[int, list[str]]:
    """Every page's differences from the oracle, by the page's number; none where there are none."""
    found = {
        number: differences(page, shown(page, records), page.instant_us("snapshot")) for number, page in enumerate(pages)
    }
    return {number: some for number, some in found.items() if some}


def test_at_random_moments_every_gauge_equals_the_oracle(live: Deployment) -> None:
    pages, records = asyncio.run(watched(live))
    assert compared(pages, records) == {}
    for page in pages:
        log = entities(shown(page, records))
        assert page.sum("deskpulse_stream_events_total", "result") == results(log)
        assert page.sum("deskpulse_stream_dead_letters_total", "reason") == reasons(log)
        assert page.value("deskpulse_stream_id_conflicts_total") == log.counts["id_conflict"]
    assert len({page.applied for page in pages}) == SCRAPES, "the scrapes must see different states"
    assert all(results(entities(records)).values()), "every result must occur"
