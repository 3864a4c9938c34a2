"""What a worker shows of itself at one instant: plain immutable data, handed over by reference to the HTTP thread.

Every time is in microseconds since the epoch (UTC). Counters run since the start of the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from stream.domain.shard import ShardView

ShardState = Literal["waiting", "restoring", "ready", "stopped"]
CheckpointResult = Literal["committed", "aborted", "unknown"]


class Histogram(Struct, frozen=True):
    """Samples per bucket, not cumulative, the last one beyond every bound; ``sum`` in seconds."""

    counts: tuple[int, ...]
    sum: float


class ShardSnapshot(Struct, frozen=True):
    """One assigned shard. ``view`` is None until it is recovered, and nothing of it may be shown before."""

    partition: int
    state: ShardState
    view: ShardView | None = None
    frontier: int | None = None  # how far event time is known
    restore_remaining: int = 0  # changelog offsets still to read
    checkpoint_time: int | None = None  # of the last committed checkpoint, in this run or restored


class SourceSnapshot(Struct, frozen=True):
    """One partition of a source of a recovered shard; ``topic`` is the contract's name, or "rerouted"."""

    topic: str
    partition: int
    applied_offset: int  # next offset of the view in the same snapshot, -1 before the first record
    watermark: int | None  # the look at the log's end if caught up, else the last folded record's Kafka timestamp
    lag_messages: int | None  # None before the first look at the log's end
    lag: float | None  # seconds: 0 when caught up, else the age of the last folded record


class WorkerSnapshot(Struct, frozen=True):
    """All shards of a worker at one instant: views, offsets and times belong together."""

    time: int  # the wall clock
    now: int  # the instant the windows end at: the wall clock, or the newest event time with the events clock
    joined: bool = False  # the group has given an assignment, be it an empty one
    shards: tuple[ShardSnapshot, ...] = ()
    sources: tuple[SourceSnapshot, ...] = ()
    topic_partitions: Mapping[str, int] = {}
    events: Mapping[tuple[str, str, str], int] = {}  # (topic, event type, result), of committed checkpoints
    dead_letters: Mapping[tuple[str, str], int] = {}  # (topic, reason)
    notes: Mapping[str, int] = {}  # the core's, of committed checkpoints: id_conflict, unknown_value/FIELD
    outcomes: Mapping[tuple[str, str, str, str], int] = {}  # of runs: (clock, policy, priority, outcome)
    rerouted: Mapping[str, int] = {}
    source_lost_records: Mapping[str, int] = {}
    checkpoints: Mapping[str, int] = {}  # by CheckpointResult
    checkpoint_seconds: Histogram = Histogram((), 0.0)  # bounds: stream.metrics.names.CHECKPOINT_BUCKETS
    takeovers: int = 0
    rebalances: int = 0
    agent_crashes: int = 0
    loop_lag: float = 0.0  # seconds the event loop's last timer was late
    upstream_last_seen: Mapping[str, int] = {}


class Health:
    """What the probes ask: written by the worker's loop, read by the HTTP thread, one plain attribute each.

    ``failure`` is the one line that says why the worker is going down, None while it is not.
    """

    def __init__(self) -> None:
        self.beat: int = 0  # wall clock of the event loop's last sign of life
        self.stopping: bool = False
        self.failure: str | None = None
