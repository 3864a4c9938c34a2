"""Workers as processes, seen only through their HTTP server, and killed without warning."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict

from aiohttp import ClientError, ClientSession

from tests.integration.exactness.page import Page
from tests.integration.runtime.harness import Deployment

LIMIT_S = 60.0


class ScrapedWorker:
    """A worker process; `scrape` is all that can be known of it."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self._url = url

    async def scrape(self) -> Page:
        async with ClientSession() as session, session.get(f"{self._url}/metrics") as response:
            assert response.status == 200
            return Page.parse(await response.text())

    async def until(self, holds: Callable[[Page], bool]) -> Page:
        """The first page that holds what is asked. Raises AssertionError after LIMIT_S or when the process has ended."""
        page = None
        try:
            async with asyncio.timeout(LIMIT_S):
                while page is None or not holds(page):
                    await asyncio.sleep(0.02)
                    page = await self.scrape()
        except (TimeoutError, ClientError) as error:
            last = page and f"ready {page.ready}, applied {page.offsets}"
            raise AssertionError(f"never came ({error!r}); last seen: {last}") from None
        return page

    async def until_applied(self, records: int) -> Page:
        return await self.until(lambda page: page.applied >= records)

    async def kill(self) -> None:
        """End it by SIGKILL. Safe to repeat."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def scraped_worker(deployment: Deployment) -> AsyncIterator[ScrapedWorker]:
    """A worker; leaving the block kills it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.exactness.child", json.dumps(asdict(deployment.settings)),
        stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    worker = ScrapedWorker(process, url)
    try:
        yield worker
    finally:
        await worker.kill()
