"""What a measured process tells about itself: wall time, CPU time of all its threads, memory."""

from __future__ import annotations

import os
import resource
import sys
from time import perf_counter, process_time
from typing import Any

import msgspec
import psutil
from msgspec import Struct


class Meter:
    """Measures from `start` to `stop`; what the process did before `start` is not counted, peak memory excepted."""

    def __init__(self) -> None:
        self._begun = (0.0, 0.0)
        self._ended = (0.0, 0.0)
        self._resident = 0.0

    def start(self) -> None:
        self._resident = resident_mib()
        self._begun = perf_counter(), process_time()

    def stop(self) -> None:
        self._ended = perf_counter(), process_time()

    def figures(self) -> dict[str, float]:
        """Wall and CPU time in seconds; peak memory, and by how much memory has grown, in MiB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        unit = 1 if sys.platform == "darwin" else 1024  # macOS gives bytes, Linux KiB
        return {
            "seconds": self._ended[0] - self._begun[0],
            "cpu_seconds": self._ended[1] - self._begun[1],
            "memory_mib": peak * unit / 2**20,
            "grown_mib": resident_mib() - self._resident,
        }


def resident_mib() -> float:
    """The memory that this process has now, in MiB."""
    return float(psutil.Process().memory_info().rss) / 2**20


class Task(Struct, frozen=True):
    """What a measured process is told, as JSON in its only argument; no core = it is not pinned.

    It is to handle *events*; a worker that is also given *more* says so when it has, and is then measured once again.
    """

    servers: str
    app_id: str
    topic_prefix: str
    events: int
    more: int = 0
    core: int | None = None


def task() -> Task:
    """The task of this process, which from now on stays on its core."""
    given = msgspec.json.decode(sys.argv[1], type=Task)
    pin(given.core)
    return given


def pin(core: int | None) -> None:
    """Keep this process, and the threads and children that it starts, on one core."""
    if core is not None:
        os.sched_setaffinity(0, {core})


def tell(**said: Any) -> None:
    """Tell the driver something: one JSON line on standard output, where Faust's spinner may have begun a line."""
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(said) + b"\n")
    sys.stdout.flush()
