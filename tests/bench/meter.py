"""What a measured process tells about itself: wall time, CPU time of all its threads, peak memory."""

from __future__ import annotations

import os
import resource
import sys
from time import perf_counter, process_time
from typing import Any

import orjson


class Meter:
    """Measures from `start` to `stop`; what the process did before `start` is not counted, peak memory excepted."""

    def __init__(self) -> None:
        self._begun = (0.0, 0.0)
        self._ended = (0.0, 0.0)

    def start(self) -> None:
        self._begun = perf_counter(), process_time()

    def stop(self) -> None:
        self._ended = perf_counter(), process_time()

    def figures(self) -> dict[str, float]:
        """Wall and CPU time in seconds, peak memory in MiB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        unit = 1 if sys.platform == "darwin" else 1024  # macOS gives bytes, Linux KiB
        return {
            "seconds": self._ended[0] - self._begun[0],
            "cpu_seconds": self._ended[1] - self._begun[1],
            "memory_mib": peak * unit / 2**20,
        }


def pin(core: int) -> bool:
    """Keep this process, and the children it starts, on one core; False where there is only one or no way to."""
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) <= core:
        return False
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[core]})
    return True


def tell(**said: Any) -> None:
    """Tell the driver something: one JSON line on standard output."""
    sys.stdout.buffer.write(orjson.dumps(said) + b"\n")
    sys.stdout.flush()
