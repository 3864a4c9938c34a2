"""Somebody who is paged: a webhook that Alertmanager posts to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Notice:
    """One notification: who was told, when (seconds since the epoch), and of which alerts."""

    at: float
    receiver: str
    status: str
    alerts: tuple[dict[str, Any], ...]

    @property
    def firing(self) -> list[dict[str, Any]]:
        return [alert for alert in self.alerts if alert["status"] == "firing"]

    @property
    def names(self) -> set[str]:
        """The names of the alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self.firing}


class Receiver:
    """An HTTP server on a free port that remembers every notification; a thread of its own answers."""

    def __init__(self) -> None:
        self._notices: list[Notice] = []
        self._news = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver._take(Notice(time.time(), self.path.strip("/"), body["status"], tuple(body["alerts"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def notices(self, receiver: str = "pager", since: float = 0.0) -> list[Notice]:
        """What one receiver was told since then."""
        with self._news:
            return [notice for notice in self._notices if notice.receiver == receiver and notice.at >= since]

    def pages(self, since: float = 0.0) -> list[Notice]:
        """The notifications to the pager that something fires."""
        return [notice for notice in self.notices("pager", since) if notice.status == "firing"]

    def wait(self, holds: Callable[[], Any], seconds: float) -> bool:
        """Whether it came to hold within so many seconds; asked anew at every notification."""
        with self._news:
            return bool(self._news.wait_for(holds, seconds))

    def _take(self, notice: Notice) -> None:
        with self._news:
            self._notices.append(notice)
            self._news.notify_all()
