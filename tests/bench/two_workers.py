"""What a second worker brings: the time from the first fold to the last committed event, with one and with two.

The workers have joined before the log is written, so the time holds no rebalance. The second worker's core is the
broker's and the publisher's too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import msgspec

from tests.bench.job import PARTITIONS, Sent
from tests.bench.rig import CHILD_LIMIT_S, BenchError, Process, Progress, Rig, Told, say


class Team:
    """Workers of one group, and what each has told last."""

    def __init__(self, workers: list[Process]) -> None:
        self._workers = workers
        self._begun: list[Told] = []
        self._last: list[Told] = [{"progress": 0, "cpu": 0.0, "at": 0.0} for _ in workers]

    def wait_until_joined(self) -> None:
        for worker in self._workers:
            while len(worker.until("ready")["ready"]) != PARTITIONS // len(self._workers):
                pass

    def work(self, events: int, show: Progress) -> dict[str, float]:
        """Waits until all events are applied; returns seconds and CPU seconds of all workers together."""
        deadline = time.monotonic() + CHILD_LIMIT_S
        while self._applied() < events:
            if time.monotonic() > deadline:
                raise BenchError(f"{self._applied():,} of {events:,} events after {CHILD_LIMIT_S:.0f} s")
            for place, worker in enumerate(self._workers):
                for told in worker.heard():
                    if "begun" in told:
                        self._begun.append(told)
                    if "progress" in told:
                        self._last[place] = told
            show({"progress": self._applied()})
            time.sleep(0.02)
        seconds = max(told["at"] for told in self._last) - min(told["begun"] for told in self._begun)
        cpu = sum(told["cpu"] for told in self._last) - sum(told["cpu"] for told in self._begun)
        return {"seconds": seconds, "cpu_seconds": cpu}

    def _applied(self) -> int:
        return sum(told["progress"] for told in self._last)


def measure(at: Rig, log: Sequence[Sent], workers: int) -> dict[str, Any]:
    """One row: events a second and CPU per event of so many workers together."""
    say(f"workers: {workers}, {len(log):,} events")
    app_id, prefix = f"bench-team-{workers}", f"team-{workers}."
    at.load(app_id, prefix, ())
    # One event more than there are: they tell their progress for as long as they are asked.
    task = at.task(app_id, prefix, len(log) + 1)
    cores = (at.worker_core, at.broker_core)
    with ExitStack() as stack:
        tasks = [msgspec.structs.replace(task, core=cores[number]) for number in range(workers)]
        team = Team([
            stack.enter_context(at.process("deskpulse", each, f"{app_id}-{number}"))
            for number, each in enumerate(tasks)
        ])  # fmt: skip
        team.wait_until_joined()
        at.load(app_id, prefix, log)
        told = team.work(len(log), Progress(app_id, len(log)))
    return {
        "workers": workers,
        "seconds": told["seconds"],
        "events_per_second": len(log) / told["seconds"],
        "cpu_us_per_event": told["cpu_seconds"] / len(log) * 1e6,
    }
