"""The board's handlers: all shards of the deployment, whichever worker is asked.

A worker asks its peers for what they show (``/api/worker``) and adds it to its own. Everything here runs in the HTTP
server's loop and stands while the worker's loop hangs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import orjson
from aiohttp import web

from stream.board import api, view
from stream.board.access import Access
from stream.board.desk import Desk
from stream.board.history import INTERVAL_SECONDS, History
from stream.board.peers import Peers
from stream.board.responses import json, unavailable
from stream.board.tickets import Tickets
from stream.board.whole import Whole, decode, encode, merged
from stream.events.values import MICRO
from stream.metrics.latest import Latest
from stream.metrics.model import WorkerSnapshot
from stream.metrics.tally import Shown, Teller

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
UPDATE_SECONDS = 1.0
# Readers within this time share one question to the peers and one adding up, 5 to 10 ms of computing.
SHARE_SECONDS = 0.5
MAX_READERS = 200  # of the live stream: a wall of screens, and far below the number of open files a process may have


class Board:
    """Answers for the whole deployment. *now* is the wall clock in microseconds UTC."""

    def __init__(
        self,
        latest: Latest,
        now: Callable[[], int],
        teller: Teller | None = None,
        targets: view.Targets | None = None,
        access: Access | None = None,
    ) -> None:
        # Not the scrape page's, which adds up this worker's shards alone.
        self._teller = teller or Teller(view.widened(Shown()))
        self._latest = latest
        self._now = now
        self._targets = targets or {}
        self.history = History([kpi.id for kpi in view.shown()])
        self._gathering = asyncio.Lock()
        self._gathered: tuple[float, Whole] = (0.0, Whole(None))
        self._readers = 0
        self._closing = asyncio.Event()
        self.access = access or Access()
        self.peers = Peers(self.access)
        self.desk = Desk()

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the paths of the API and of the page."""
        return [
            web.get("/", self._index),
            web.static("/static", STATIC),
            web.get("/api/kpis", self._kpis),
            web.get("/api/board", self._board),
            web.get("/api/stream", self._stream),
            web.get("/api/history", self._series),
            web.get("/api/worker", self._worker),
            *Tickets(self._latest, self.desk, self.peers).routes(),
        ]

    async def remember(self) -> None:
        """Keep the last hour, until cancelled."""
        while True:
            try:
                self._sample((await self._whole()).snapshot)
            except Exception as error:  # the next sample may succeed; without this one there is a gap
                log.error("no sample for the board's history: %r", error)
            await asyncio.sleep(INTERVAL_SECONDS)

    def _sample(self, snapshot: WorkerSnapshot | None) -> None:
        """Take a sample; what is incomplete or late leaves a gap, since it would look like a fall of the figures."""
        if snapshot is not None:
            now = self._now()
            figures = view.samples(self._teller.tell(snapshot)) if view.is_current(snapshot, now) else {}
            self.history.add(now / MICRO, figures)

    async def close(self) -> None:
        """End the live streams and the connections to peers."""
        self._closing.set()
        await self.peers.close()

    async def _whole(self) -> Whole:
        loop = asyncio.get_running_loop()
        async with self._gathering:
            at, whole = self._gathered
            if whole.snapshot is None or loop.time() - at > SHARE_SECONDS:
                whole = await self._gather()
                self._gathered = (loop.time(), whole)
        return whole

    async def _gather(self) -> Whole:
        others, silent = [], []
        for url, answer in (await self.peers.ask("/api/worker")).items():
            with suppress(msgspec.DecodeError):  # a worker of another version is as good as silent
                if answer is not None and answer[0] == web.HTTPOk.status_code:
                    others.append(decode(answer[1]))
                    continue
            silent.append(url)
        own = self._latest.snapshot
        return Whole(None if own is None else merged(own, others), tuple(silent))

    async def _index(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(STATIC / "index.html")

    async def _kpis(self, _: web.Request) -> web.Response:
        snapshot = (await self._whole()).snapshot
        if snapshot is None:
            return unavailable("starting: there are no numbers yet")
        return json(api.kpis(snapshot, self._teller))

    async def _worker(self, _: web.Request) -> web.Response:
        """Answer a peer: this worker's part."""
        if self._latest.snapshot is None:
            return unavailable("starting: there are no numbers yet")
        return web.Response(body=encode(self._latest.snapshot), content_type="application/msgpack")

    async def _board(self, request: web.Request) -> web.Response:
        return json(self._answer(await self._whole(), view.select(request.query)))

    def _answer(self, whole: Whole, selection: view.Selection) -> dict[str, Any]:
        return view.board(whole, self._teller, selection, self._targets, self._now())

    async def _series(self, request: web.Request) -> web.Response:
        selection = view.select(request.query)
        return json(self.history.series(selection.window, selection.group))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Send the board's answer every second as server-sent events, until the reader goes."""
        selection = view.select(request.query)
        if self._readers >= MAX_READERS:
            return unavailable(f"{MAX_READERS} readers are connected, no more are served")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        self._readers += 1
        try:
            await response.prepare(request)
            while not self._closing.is_set():
                answer = orjson.dumps(self._answer(await self._whole(), selection))
                await response.write(b"data: " + answer + b"\n\n")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), UPDATE_SECONDS)
        except ConnectionError:
            pass  # the reader has gone
        finally:
            self._readers -= 1
        return response
