"""The handlers that need an entity: the tickets behind a deadline figure, and the ledger of one ticket.

Each worker's loop is asked for its own shards, with a limit of time; the peers' answers are put beside them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import orjson
from aiohttp import web

from stream.board.desk import Desk
from stream.board.peers import ENTITY_SECONDS, Answers, Peers
from stream.board.responses import json, unavailable
from stream.board.view import SelectionError
from stream.metrics.latest import Latest

MAX_TICKETS = 500  # in one answer; whoever needs more filters
MAX_WITHIN = 86_400  # seconds ahead; the longest that the board asks for is an hour
FILTERS = ("clock", "policy", "brand", "channel", "team")
OWN = "worker"  # ?scope=worker: of this worker's shards alone, which is how peers ask


class Tickets:
    """Answers about tickets of the whole deployment."""

    def __init__(self, latest: Latest, desk: Desk, peers: Peers) -> None:
        self._latest = latest
        self._desk = desk
        self._peers = peers

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the paths that are answered here."""
        return [web.get("/api/overdue", self._overdue), web.get("/api/tickets/{ticket}", self._ticket)]

    async def _overdue(self, request: web.Request) -> web.Response:
        filters = _filters(request.query)
        own, others = await asyncio.gather(self._desk.put(lambda asks: asks.overdue(filters)), self._of_peers(request))
        snapshot = self._latest.snapshot
        if snapshot is None:
            return unavailable("starting: there are no numbers yet")
        answers = [
            {
                "configured": own is not None,
                "partitions": [shard.partition for shard in snapshot.shards if shard.view is not None],
                "total": len(own or ()),
                "tickets": own or (),
            },
            *_given(others),
        ]
        held = set(chain.from_iterable(answer["partitions"] for answer in answers))
        missing = sorted(set(range(max(snapshot.topic_partitions.values(), default=0))) - held)
        tickets = chain.from_iterable(answer["tickets"] for answer in answers)
        return json(
            {
                "complete": not missing,
                "missing_partitions": missing,
                "configured": any(answer["configured"] for answer in answers),
                "partitions": sorted(held),
                "total": sum(answer["total"] for answer in answers),
                "tickets": sorted(tickets, key=lambda ticket: (ticket["deadline"], ticket["id"]))[:MAX_TICKETS],
            }
        )

    async def _ticket(self, request: web.Request) -> web.Response:
        name = request.match_info["ticket"]
        own, others = await asyncio.gather(self._desk.put(lambda asks: asks.ticket(name)), self._of_peers(request))
        found = own if own is not None else next(_given(others), None)
        if found is not None:
            return json(found)
        silent = [url for url, answer in others.items() if answer is None or answer[0] != web.HTTPNotFound.status_code]
        if silent:
            return unavailable(f"not on this worker, and no answer from {', '.join(silent)}")
        raise web.HTTPNotFound(reason="no such ticket")

    async def _of_peers(self, request: web.Request) -> Answers:
        """Put the same request to the peers, each for its own shards; a peer that asks us is asked nothing back."""
        if request.query.get("scope") == OWN:
            return {}
        return await self._peers.ask(str(request.rel_url.update_query(scope=OWN)), ENTITY_SECONDS)


def _given(answers: Answers) -> Iterator[Any]:
    """Yield what the peers that have an answer say."""
    for answer in answers.values():
        if answer is not None and answer[0] == web.HTTPOk.status_code:
            yield orjson.loads(answer[1])


def _filters(query: Mapping[str, str]) -> dict[str, str]:
    """Return what tickets are asked for. Raises SelectionError for a filter there is not."""
    for name in query:
        if name not in (*FILTERS, "within", "scope"):
            raise SelectionError(f"{name}: there are {', '.join(FILTERS)} and within")
    within = query.get("within", "0")
    digits = within.isascii() and within.isdigit() and len(within) <= len(str(MAX_WITHIN))
    if not digits or int(within) > MAX_WITHIN:
        raise SelectionError(f"within: whole seconds, at most {MAX_WITHIN:,}")
    return {"within": within, **{name: query[name] for name in FILTERS if name in query}}
