"""The HTTP server of a worker, in a thread and an event loop of its own.

It answers from the latest snapshot, so the scrape page, the probes and the aggregates stand even while the worker's
loop hangs: that is when somebody looks at them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from aiohttp import web

from stream.board import probes
from stream.board.access import guard
from stream.board.desk import ClosedError
from stream.board.live import Board
from stream.board.responses import json
from stream.board.view import SelectionError
from stream.metrics.collector import ScrapePage
from stream.metrics.latest import Latest
from stream.metrics.model import Health

log = logging.getLogger(__name__)

HOST, PORT = "127.0.0.1", 6066
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
START_SECONDS = STOP_SECONDS = 5.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BindError(Exception):
    """The address cannot be listened on; the message is one clear line."""


def bind(host: str = HOST, port: int = PORT) -> socket.socket:
    """Return a listening socket; port 0 is a free one. Raises BindError."""
    if not 0 <= port <= 65_535:
        raise BindError(f"cannot listen on {host}:{port}: a port lies between 0 and 65535")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address, family=family, backlog=128)
    except socket.gaierror as error:
        raise BindError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    except OSError as error:
        raise BindError(f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}") from None


def url_of(listening: socket.socket, scheme: str = "http") -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class _OneLine(logging.LoggerAdapter[logging.Logger]):
    """Logs what clients send amiss in one line: their mistakes are no tracebacks of ours."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        error = kwargs.pop("exc_info", None)
        return (f"{msg}: {type(error).__name__}" if isinstance(error, BaseException) else msg), kwargs


class BoardServer:
    """Serves one worker's snapshot. `start` returns once requests are answered; `stop` ends the thread.

    *now* is the wall clock in microseconds UTC; *listening* comes from `bind` and is closed by `stop`.
    """

    def __init__(
        self,
        listening: socket.socket,
        latest: Latest,
        health: Health,
        now: Callable[[], int],
        *,
        limits: probes.ProbeLimits | None = None,
        board: Board | None = None,
    ) -> None:
        self.board = board or Board(latest, now)
        self._access = self.board.access
        self.url = url_of(listening, "https" if self._access.serving else "http")
        self._socket = listening
        self._latest = latest
        self._health = health
        self._now = now
        self._limits = limits or probes.ProbeLimits()
        self._started = now()
        self._page = ScrapePage(latest)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="board", daemon=True)
        self._answering = threading.Event()

    def start(self) -> None:
        """Start the thread. Raises BindError if it does not answer in time."""
        self._thread.start()
        if not self._answering.wait(START_SECONDS):
            raise BindError(f"the HTTP server on {self.url} did not start")

    def stop(self) -> None:
        """Stop serving and close the socket; safe to call twice and before `start`."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_SECONDS)
        elif not self._loop.is_closed():
            self._loop.close()
        self._socket.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(self._application(), access_log=None, logger=_OneLine(log, {}), shutdown_timeout=1.0)
        try:
            self._loop.run_until_complete(self._serve(runner))
            self._loop.call_soon(self._answering.set)
            self._loop.run_forever()
            self._loop.run_until_complete(runner.cleanup())
        finally:
            self._loop.close()

    async def _serve(self, runner: web.AppRunner) -> None:
        await runner.setup()
        await web.SockSite(runner, self._socket, ssl_context=self._access.serving).start()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[guard(self._access), answer_errors_in_json])
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/livez", self._livez)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_routes(self.board.routes())
        application.on_response_prepare.append(_secure)
        application.cleanup_ctx.append(self._remembering)
        application.on_shutdown.append(self._close_board)
        return application

    async def _remembering(self, _: web.Application) -> AsyncIterator[None]:
        remembering = asyncio.create_task(self.board.remember())
        yield
        remembering.cancel()
        await asyncio.wait({remembering})

    async def _close_board(self, _: web.Application) -> None:
        await self.board.close()

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._page.render(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _livez(self, _: web.Request) -> web.Response:
        return _verdict(probes.live(self._health, self._started, self._now(), self._limits))

    async def _readyz(self, _: web.Request) -> web.Response:
        return _verdict(probes.ready(self._health, self._latest.snapshot, self._now(), self._limits))


def _verdict(verdict: probes.Verdict) -> web.Response:
    return json({"ok": verdict.ok, "reason": verdict.reason}, status=200 if verdict.ok else 503)


@web.middleware
async def answer_errors_in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what goes wrong into JSON with a reason; an error of ours is logged in one line and shows no internals."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        response = json({"error": error.reason.lower()}, status=error.status)
        response.headers.update(allowed)
    except SelectionError as error:
        response = json({"error": str(error)}, status=web.HTTPBadRequest.status_code)
    except ClosedError as error:
        response = json({"error": str(error)}, status=web.HTTPServiceUnavailable.status_code)
    except Exception as error:  # the server outlives any answer it cannot make
        log.error("GET %s failed: %r", request.path, error)
        response = json({"error": "internal error"}, status=500)
    return response


async def _secure(request: web.Request, response: web.StreamResponse) -> None:
    """Let the page load nothing that the worker does not serve, and let nobody keep numbers that change."""
    # Scripts and styles may be kept as long as the server is asked whether they have changed.
    response.headers["Cache-Control"] = "no-cache" if request.path.startswith("/static/") else "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
