"""The probes: whether the worker is alive, and whether it shows complete and fresh numbers.

Neither asks Kafka: a broker that is down must not get every worker restarted.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from stream.events.values import MICRO
from stream.metrics.model import Health, WorkerSnapshot


class ProbeLimits(Struct, frozen=True):
    """How old, in microseconds, the loop's last sign of life and the snapshot may be.

    Snapshots come every 200 ms and a checkpoint has 10 s (design, "Faust"), so 10 s without one is not fresh; a loop
    silent for 30 s, Faust's longest step included, hangs.
    """

    beat: int = 30 * MICRO
    snapshot: int = 10 * MICRO


class Verdict(Struct, frozen=True):
    """The answer of a probe, with its reason in one line."""

    ok: bool
    reason: str


def live(health: Health, started: int, now: int, limits: ProbeLimits) -> Verdict:
    """Say whether the worker's loop still turns; *started* counts as its first sign of life."""
    silent = now - max(health.beat, started)
    if silent > limits.beat:
        return Verdict(ok=False, reason=f"the worker's loop has been silent for {silent // MICRO} s")
    return Verdict(ok=True, reason="alive")


def ready(health: Health, snapshot: WorkerSnapshot | None, now: int, limits: ProbeLimits) -> Verdict:
    """Say whether the worker is in the group, has recovered all its shards and shows fresh numbers."""
    reason = next(_obstacles(health, snapshot, now, limits), None)
    return Verdict(ok=reason is None, reason=reason or "ready")


def _obstacles(health: Health, snapshot: WorkerSnapshot | None, now: int, limits: ProbeLimits) -> Iterator[str]:
    if health.failure is not None:
        yield f"going down: {health.failure}"
    if health.stopping:
        yield "stopping"
    if snapshot is None:
        yield "starting: no snapshot yet"
        return
    if now - snapshot.time > limits.snapshot:
        yield f"the snapshot is {(now - snapshot.time) // MICRO} s old"
    if not snapshot.joined:
        yield "no assignment from the consumer group yet"
    waiting = [str(shard.partition) for shard in snapshot.shards if shard.state != "ready"]
    if waiting:
        yield f"partitions not recovered yet: {', '.join(waiting)}"
