"""What the runtime counts about itself since the process started; only the event loop's thread touches it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from stream.metrics.model import CheckpointResult, Histogram
from stream.metrics.names import CHECKPOINT_BUCKETS


@dataclass
class Counters:
    """Plain sums, named as the fields of the snapshot that shows them."""

    events: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    dead_letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)  # clock, policy, priority, outcome
    rerouted: Counter[str] = field(default_factory=Counter)
    source_lost_records: Counter[str] = field(default_factory=Counter)
    checkpoints: Counter[str] = field(default_factory=Counter)
    takeovers: int = 0
    rebalances: int = 0
    _durations: list[int] = field(default_factory=lambda: [0] * (len(CHECKPOINT_BUCKETS) + 1))
    _duration_sum: float = 0.0

    def checkpoint(self, result: CheckpointResult, seconds: float) -> None:
        """Count a finished checkpoint."""
        self.checkpoints[result] += 1
        self._durations[bisect_left(CHECKPOINT_BUCKETS, seconds)] += 1
        self._duration_sum += seconds

    @property
    def checkpoint_seconds(self) -> Histogram:
        """The durations so far."""
        return Histogram(tuple(self._durations), self._duration_sum)
