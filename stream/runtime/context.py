"""What every part of a worker shares."""

from __future__ import annotations

from dataclasses import dataclass

from stream.runtime.clock import Clock
from stream.runtime.counters import Counters
from stream.runtime.settings import RuntimeSettings


@dataclass(frozen=True)
class Context:
    """One worker's settings, its clock and its counters."""

    settings: RuntimeSettings
    clock: Clock
    counters: Counters
