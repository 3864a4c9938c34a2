"""The other workers of the group: where they answer, and asking all of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from stream.board.access import Access

# A peer answers from memory in milliseconds. One that takes longer must not hold up a page that is drawn every second.
ANSWER_SECONDS = 1.0
# What needs an entity waits up to 2 s for the peer's loop (stream.board.desk), so the answer has a little longer.
ENTITY_SECONDS = 2.5
# 1,000 shards with every label value in use encode to about 100 MB; more is no answer of ours.
MAX_BYTES = 128 << 20

Answers = Mapping[str, tuple[int, bytes] | None]  # (status, body) by the peer's URL; None of one that stayed silent


class Peers:
    """Asks the peers over HTTP. `tell` is called by the worker's loop, `ask` and `close` by the server's."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.urls: frozenset[str] = frozenset()
        self._session: ClientSession | None = None

    def tell(self, urls: Iterable[str]) -> None:
        """Say where the peers answer now; replaced in one step, as the HTTP thread reads it meanwhile."""
        self.urls = frozenset(url.rstrip("/") for url in urls)

    async def ask(self, path: str, seconds: float = ANSWER_SECONDS) -> Answers:
        """Return every peer's answer to ``GET path``."""
        urls = sorted(self.urls)
        answers = await asyncio.gather(*(self._get(url + path, seconds) for url in urls))
        return dict(zip(urls, answers, strict=True))

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _get(self, url: str, seconds: float) -> tuple[int, bytes] | None:
        if self._session is None:
            connector = TCPConnector(ssl=self._access.asking or True)
            self._session = ClientSession(headers=self._access.headers, connector=connector)
        try:
            async with self._session.get(url, timeout=ClientTimeout(seconds), allow_redirects=False) as response:
                if response.content_length is None or response.content_length > MAX_BYTES:
                    return None
                return response.status, await response.read()
        except (ClientError, TimeoutError, OSError, ValueError):
            return None
