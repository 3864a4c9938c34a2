"""The scrape page, at any moment while events flow, shows what the oracle makes of the records it says it has."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from stream.runtime.clock import now_us
from tests.integration.exactness.log import Publication, Record, live_log, read_back
from tests.integration.exactness.page import (
    MICRO,
    RESULTS,
    Page,
    differences,
    reasons,
    results,
    series,
    shown,
    total_shown,
)
from tests.integration.exactness.scraped import commanded_worker
from tests.integration.runtime.harness import Deployment, new_settings
from tests.kafka.broker import KafkaCluster
from tests.oracle import entities
from tests.oracle.generator import Mix

pytestmark = pytest.mark.kafka

MIX = Mix(seed=5, customers=60, days=20, entities=1_600, bad=0.03, heartbeats=40)
LIVE_S = 60  # longer than the scrapes take, on a busy machine too
SCRAPES = 20
Watched = tuple[list[Page], list[Record]]


@pytest.fixture(scope="module")
def watched(kafka: KafkaCluster, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Pages scraped at random moments of a live log's publication, and the log as Kafka has it."""
    deployment = Deployment(new_settings(kafka.bootstrap_servers))
    return asyncio.run(_watch(deployment, tmp_path_factory.mktemp("worker")))


async def _watch(live: Deployment, folder: Path) -> Watched:
    await live.create_topics()
    log = live_log(MIX, now_us() + 3 * MICRO, LIVE_S * MICRO)
    random = Random(7)
    async with commanded_worker(live, folder) as worker:
        publication = Publication(live, log)
        publication.start()
        await worker.until(lambda page: bool(page.ready))
        pages = []
        for _ in range(SCRAPES):
            await asyncio.sleep(random.uniform(0, 1.5))
            pages.append(await worker.scrape())
        await publication.stop()
    return pages, await read_back(live)


def test_at_random_moments_while_events_flow_every_gauge_equals_the_oracle(watched: Watched) -> None:
    pages, records = watched
    found = [
        f"page {number}: {line}"
        for number, page in enumerate(pages)
        for line in differences(page, shown(page, records), page.instant_us("snapshot"))
    ]
    assert not found, "\n".join(found[:50])
    assert len({page.applied for page in pages}) == SCRAPES, "the scrapes must see different states"


def test_at_random_moments_every_record_shown_is_counted_under_the_oracles_result_and_reason(watched: Watched) -> None:
    pages, records = watched
    for page in pages[::5]:  # the oracle takes its time
        log = entities(shown(page, records))
        assert total_shown(page, "deskpulse_stream_events_total", "result") == results(log)
        assert total_shown(page, "deskpulse_stream_dead_letters_total", "reason") == reasons(log)
        assert page.value("deskpulse_stream_id_conflicts_total") == log.counts["id_conflict"]
    log = entities(records)
    assert set(results(log)) == set(RESULTS), "the log must have every result"
    assert set(reasons(log)) == {"malformed", "invalid", "unknown_type", "wrong_topic", "too_large", "future"}


@pytest.mark.parametrize("change", [1, -1])
def test_the_comparison_reports_a_page_with_one_wrong_number_and_that_alone(watched: Watched, change: int) -> None:
    pages, records = watched
    page = pages[-1]
    wrong = series("deskpulse_window_tickets_created", window="24h", channel="chat")
    forged = Page({**page.samples, wrong: page.samples[wrong] + change})
    (found,) = differences(forged, shown(page, records), page.instant_us("snapshot"))
    assert 'deskpulse_window_tickets_created{channel="chat",window="24h"}' in found


def test_the_comparison_reports_a_series_that_is_missing_and_one_too_many(watched: Watched) -> None:
    pages, records = watched
    page = pages[-1]
    missing = series("deskpulse_window_revenue", window="7d", currency="EUR")
    invented = series("deskpulse_window_nps_count", window="5m", team="care")
    forged = Page({key: value for key, value in page.samples.items() if key != missing} | {invented: 1.0})
    found = differences(forged, shown(page, records), page.instant_us("snapshot"))
    assert len(found) == 2
    assert found[0].startswith('deskpulse_window_nps_count{team="care",window="5m"}: page 1.0, oracle None')
    assert found[1].startswith('deskpulse_window_revenue{currency="EUR",window="7d"}: page None')


def test_the_comparison_reports_a_page_that_is_one_record_behind_its_offsets(watched: Watched) -> None:
    pages, records = watched
    page = pages[-1]
    behind = [record for record in shown(page, records) if b"booking.completed" not in (record["value"] or b"")]
    assert differences(page, behind, page.instant_us("snapshot"))
