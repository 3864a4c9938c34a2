"""Where every microsecond of the worker goes: py-spy's samples of a run of the reference job, grouped by stage.

Samples are taken of the thread that holds the interpreter; what the kernel does for a call that let go of it shares in
proportion. A sample belongs to the stage of the innermost frame that a rule knows, so that what a library does for a
stage counts there. The shares are multiplied with the CPU per event of a run without a profiler.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.bench.rig import BenchError, Progress, Rig, say

SAMPLES_PER_SECOND = 500
# In this order: the first rule that fits a frame names the stage. A rule is a part of `function (file:line)`.
RULES = (
    ("look for duplicates", ("domain/ledger.py",)),
    ("decode and validate", ("ingest/", "runtime/records.py", "stream/events/")),
    ("windows and buckets", ("domain/windows.py", "domain/bucketlog.py", "domain/layers.py", "domain/measures.py")),
    ("KPI rules (ticket, booking, ...)", ("domain/ticket.py", "domain/booking.py", "domain/review.py",
                                          "domain/customer.py", "domain/sla", "domain/calendar")),
    ("load and store entities", ("domain/entity.py", "domain/keys.py", "domain/shard.py", "domain/tables.py")),
    ("fold: the rest", ("domain/",)),
    ("checkpoint: write and commit", ("runtime/checkpoint.py", "aiokafka/producer/", "record/default_records",
                                      "aiokafka/record/")),
    ("fetch", ("aiokafka/consumer/", "runtime/transport.py")),
    ("snapshot and exposition", ("runtime/publisher.py", "metrics/", "board/", "aiohttp/", "runtime/freshness.py")),
    ("owner and other runtime", ("stream/runtime/",)),
    ("Faust", ("faust/", "mode/")),
    ("Kafka connections", ("aiokafka/",)),
    ("event loop", ("asyncio/", "selectors.py", "threading.py")),
    ("the benchmark itself", ("tests/bench/", "psutil/")),
)  # fmt: skip
OTHER = "other"


def stage_of(stack: str) -> str:
    """The stage of a stack in py-spy's raw format: frames from the outermost to the innermost, parted by `;`."""
    for frame in reversed(stack.split(";")):
        for stage, parts in RULES:
            if any(part in frame for part in parts):
                return stage
    return OTHER


def shares(raw: str) -> dict[str, float]:
    """The share of each stage in raw samples, a line per stack with its count at the end; they add up to 1."""
    counts: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        counts[stage_of(stack)] += int(count)
    return {stage: count / counts.total() for stage, count in counts.most_common()}


def py_spy() -> str | None:
    """The command, beside this interpreter or on the path; None where it is not installed."""
    return shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")


def measure(at: Rig, events: int, prefix: str) -> dict[str, float]:
    """The shares of the stages in a run over a topic that holds *events* already."""
    command = py_spy()
    if command is None:
        raise BenchError("py-spy is not installed")
    say(f"stages: {events:,} events under py-spy")
    app_id, samples = "bench-stages", at.folder / "samples.txt"
    with at.process("deskpulse", at.task(app_id, prefix, events)) as process:
        pid = process.until("pid")["pid"]
        options = ["--rate", str(SAMPLES_PER_SECOND), "--format", "raw", "--full-filenames", "--nolineno", "--gil"]
        spy = subprocess.Popen(
            [command, "record", "--pid", str(pid), "--output", str(samples), "--duration", "600", *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.until("seconds", Progress(app_id, events))
        finally:
            spy.send_signal(signal.SIGINT)
            spy.wait(30)
    if not samples.exists():
        raise BenchError("py-spy wrote no samples; it may need the right to look into other processes")
    return shares(samples.read_text())
