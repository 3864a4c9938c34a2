"""Scrapes a worker's page again and again, as Prometheus does but more often, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from types import TracebackType
from typing import Self
from urllib.request import urlopen


class Scraper:
    """While the block runs: a scrape every *pause* seconds. *see* gets each page with the moment it was there."""

    def __init__(self, url: str, pause: float, see: Callable[[str, float], None] = lambda page, at: None) -> None:
        self._url = f"{url}/metrics"
        self._pause = pause
        self._see = see
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.seconds: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._pause):
            self.scrape()

    def scrape(self) -> None:
        began = time.perf_counter()
        try:
            with urlopen(self._url, timeout=10) as response:
                page = response.read().decode()
        except (OSError, HTTPException):
            return  # A worker that stops under a scrape; what was seen before stands.
        ended = time.perf_counter()
        self.seconds.append(ended - began)
        self._see(page, ended)


def quantile(values: list[float], share: float) -> float:
    """The value that *share* of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
