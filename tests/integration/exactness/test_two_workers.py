"""Two workers share the shards: each page is exact for its own, and together they are the whole."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from stream.runtime.clock import now_us
from tests.integration.exactness.log import Publication, Record, live_log, read_back
from tests.integration.exactness.page import MICRO, Page, differences, results, shown, total_shown
from tests.integration.exactness.scraped import LIMIT_S, ScrapedWorker, scraped_worker
from tests.integration.runtime.harness import Deployment
from tests.oracle import entities
from tests.oracle.generator import Mix

pytestmark = pytest.mark.kafka

MIX = Mix(seed=23, customers=60, days=20, entities=1_200, bad=0.01)
LIVE_S = 60  # longer than a join and a takeover take, on a busy machine too
SHARDS = [0, 1, 2, 3]


class Album:
    """Every page seen, whatever happened at its moment."""

    def __init__(self) -> None:
        self.pages: list[Page] = []

    async def fill(self, workers: list[ScrapedWorker], until: Callable[[list[Page]], bool]) -> list[Page]:
        """Scrape the workers together, five times a second, until their pages are as asked; return those."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                pages = await asyncio.gather(*(worker.scrape() for worker in workers))
                self.pages += pages
                if until(pages):
                    return pages
                await asyncio.sleep(0.2)

    def differences(self, records: list[Record]) -> list[str]:
        """How the pages differ from the oracle."""
        return [
            f"page {number} of shards {page.ready}: {line}"
            for number, page in enumerate(self.pages)
            for line in differences(page, shown(page, records), page.instant_us("snapshot"))
        ]


def shared(pages: list[Page]) -> bool:
    """Whether every shard is in one of the pages and each page has some."""
    return sorted(partition for page in pages for partition in page.ready) == SHARDS and all(
        page.ready for page in pages
    )


def applied(pages: list[Page]) -> int:
    return sum(page.applied for page in pages)


def test_while_a_worker_joins_and_another_is_killed_every_gauge_of_both_equals_the_oracle(live: Deployment) -> None:
    async def scenario() -> None:
        await live.create_topics()
        publication = Publication(live, live_log(MIX, now_us() + 4 * MICRO, LIVE_S * MICRO))
        album = Album()
        async with scraped_worker(live) as first:
            publication.start()
            await album.fill([first], shared)
            async with scraped_worker(live) as second:
                both = [first, second]
                await album.fill(both, shared)
                await publication.stop()
                pages = await album.fill(both, lambda pages: shared(pages) and applied(pages) == publication.sent)
                _are_the_whole(pages, await read_back(live))

                before = pages[1].applied
                publication.start()
                await album.fill([second], lambda pages: applied(pages) > before)
                await first.kill()
                await album.fill([second], shared)
                await publication.stop()
                await album.fill([second], lambda pages: applied(pages) == publication.sent)
        found = album.differences(await read_back(live))
        assert not found, "\n".join(found[:50])

    asyncio.run(scenario())


def _are_the_whole(pages: list[Page], records: list[Record]) -> None:
    """Together the pages have every record once, under the oracle's result."""
    assert sum(len(shown(page, records)) for page in pages) == len(records)
    counted: Counter[str] = Counter()
    for page in pages:
        counted += total_shown(page, "deskpulse_stream_events_total", "result")
    assert counted == results(entities(records))
