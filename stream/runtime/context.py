"""What every part of a worker shares."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from stream.runtime.clock import Clock
from stream.runtime.counters import Counters
from stream.runtime.settings import RuntimeSettings


@dataclass(frozen=True)
class Context:
    """One worker's settings, its clock, its counters and the turn to compute.

    ``turn`` is held by the one shard that folds or merges now. Without it all shards would compute in one round of the
    event loop, and the snapshot that is due would wait for every one of them.
    """

    settings: RuntimeSettings
    clock: Clock
    counters: Counters
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
