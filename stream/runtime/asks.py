"""Answers to questions that need an entity, given on the worker's own loop, which alone touches the shards."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from stream.domain.overdue import ledger_of, promised
from stream.domain.shard import Shard
from stream.events.values import MICRO
from stream.runtime.context import Context
from stream.runtime.shards import Shards

# Entities looked at before the loop has its turn: a millisecond or two, also while a million are open.
AT_ONCE = 5_000


class ShardAsks:
    """What the HTTP server asks of this worker's shards; both run on the worker's loop."""

    def __init__(self, shards: Shards, context: Context) -> None:
        self._shards = shards
        self._clock = context.clock

    async def overdue(self, filters: Mapping[str, str]) -> Sequence[Mapping[str, Any]] | None:
        """Return the open runs past their deadline, or due within ``filters["within"]`` seconds; None without clocks.

        The other filters name a value each of clock, policy, brand, channel, team.
        """
        until = self._clock.now() + int(filters.get("within", "0")) * MICRO
        wanted = {name: value for name, value in filters.items() if name != "within"}
        owners = list(self._shards.owners.values())
        if all(owner.shard.terms is None for owner in owners):
            return None
        found: list[dict[str, Any]] = []
        for owner in owners:
            await self._look(owner.shard, until, wanted, found)
        return found

    async def _look(self, shard: Shard, until: int, wanted: Mapping[str, str], found: list[dict[str, Any]]) -> None:
        keys = shard.deadlines.overdue(until)
        while some := list(islice(keys, AT_ONCE)):
            for key in some:
                found += promised(shard, key, until, wanted)
            await asyncio.sleep(0)

    async def ticket(self, ticket: str) -> Mapping[str, Any] | None:
        """Return a ticket's ledger, or None if no shard here has it."""
        now = self._clock.now()
        for owner in list(self._shards.owners.values()):
            found = ledger_of(owner.shard, ticket, now)
            if found is not None:
                return found
        return None
