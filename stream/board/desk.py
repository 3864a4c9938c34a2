"""Questions that need an entity: put to the worker's loop, which owns the shards, with a limit of time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

LIMIT_SECONDS = 2.0  # design, "The way of an event"

T = TypeVar("T")


class Asks(Protocol):
    """What the worker's loop can be asked about the entities of its own shards. Both run on that loop."""

    async def overdue(self, filters: Mapping[str, str]) -> Sequence[Mapping[str, Any]] | None:
        """Return the tickets past a deadline, or due within ``filters["within"]`` seconds; None without any policy.

        Each is a mapping with at least ``id``, ``policy``, ``clock``, ``deadline`` (RFC 3339, UTC), ``confirmed``,
        ``team`` and ``agent``. The other filters (clock, policy, brand, channel, team) name a value each.
        """

    async def ticket(self, ticket: str) -> Mapping[str, Any] | None:
        """Return a ticket's ledger, or None if no shard here has it."""


class ClosedError(Exception):
    """Nobody answers: the worker has not started, is gone or hangs. The message is one clear line."""


class Desk:
    """Where the HTTP thread puts its questions. `open` is called by the worker's loop when it can answer."""

    def __init__(self) -> None:
        self._at: tuple[Asks, asyncio.AbstractEventLoop] | None = None

    def open(self, asks: Asks, loop: asyncio.AbstractEventLoop) -> None:
        """Answer by *asks*, on *loop*."""
        self._at = (asks, loop)

    async def put(self, question: Callable[[Asks], Coroutine[Any, Any, T]]) -> T:
        """Return the answer to *question*. Raises ClosedError when none came in time."""
        if self._at is None:
            raise ClosedError("starting: the worker does not answer yet")
        asks, loop = self._at
        if loop.is_closed():
            raise ClosedError("the worker has stopped")
        answer = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(question(asks), loop))
        try:
            return await asyncio.wait_for(answer, LIMIT_SECONDS)
        except TimeoutError:
            raise ClosedError(f"the worker did not answer within {LIMIT_SECONDS:g} s") from None
