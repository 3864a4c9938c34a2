"""Workers as processes, seen only through their HTTP server, and killed without warning."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

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
        async with ClientSession() as session, session.get(self._url) as response:
            assert response.status == 200
            return Page.parse(await response.text())

    async def until(self, holds: Callable[[Page], bool]) -> Page:
        """The first page that is as asked. Raises AssertionError after LIMIT_S or when the process has ended."""
        page = None
        try:
            async with asyncio.timeout(LIMIT_S):
                while page is None or not holds(page):
                    await asyncio.sleep(0.05)
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
    """A worker that shows a snapshot, though hardly a shard yet; leaving the block kills it."""
    async with _worker("tests.integration.exactness.child", json.dumps(asdict(deployment.settings))) as worker:
        yield worker


@asynccontextmanager
async def commanded_worker(deployment: Deployment, folder: Path) -> AsyncIterator[ScrapedWorker]:
    """The same by the command `deskpulse worker`, configured to the deployment's broker, group and topics alone."""
    settings, config = deployment.settings, folder / "deskpulse.toml"
    names = {
        "bootstrap_servers": settings.bootstrap_servers,
        "app_id": settings.app_id,
        "topic_prefix": settings.topic_prefix,
    }
    config.write_text("[kafka]\n" + "".join(f'{name} = "{value}"\n' for name, value in names.items()))
    async with _worker("stream", "worker", "--config", str(config), "--port", "0") as worker:
        yield worker


@asynccontextmanager
async def _worker(module: str, *arguments: str) -> AsyncIterator[ScrapedWorker]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "DESKPULSE_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stderr=asyncio.subprocess.PIPE, env=environment | {"PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert process.stderr is not None
    telling: asyncio.Task[None] | None = None
    try:
        url = await _metrics_url(process.stderr)
        telling = asyncio.create_task(_pass_on(process.stderr))
        worker = ScrapedWorker(process, url)
        await worker.until(lambda page: bool(page.labelled("deskpulse_snapshot_timestamp_seconds")))
        yield worker
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if telling is not None:
            await telling


async def _metrics_url(lines: asyncio.StreamReader) -> str:
    """What stands behind the word `metrics` on a line of its own. Raises AssertionError when the process ends first."""
    said = []
    async for line in lines:
        said.append(line.decode())
        match line.decode().split():
            case ["metrics", url, *_]:
                return url
    raise AssertionError(f"the worker ended: {said}")


async def _pass_on(lines: asyncio.StreamReader) -> None:
    """What the worker says belongs into the report of a failed test; unread, it would block."""
    async for line in lines:
        print(line.decode(), end="", file=sys.stderr)
