"""`make bench`: CPU per event and events/s of the whole worker, beside stock Faust doing the same in the same run.

    python -m tests.bench [NAME...] [--events N] [--stock-events N] [--write-docs]

A table and one line of JSON at the end. `--write-docs` renews docs/performance.md and tests/bench/results.json.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from typing import Any

import orjson
from rich.console import Console

from stream.runtime.failure import WorkerFailure
from tests.bench import job, table
from tests.bench.check import compare_page, compare_tables
from tests.bench.rig import BenchError, Rig, rig
from tests.bench.windows import bench as bench_windows
from tests.kafka.jars import KafkaUnavailableError

NAMES = ("deskpulse", "stock-faust", "windows")
# Stock Faust gets the log's beginning only: at about 1,000 events/s the whole would take five minutes.
EVENTS, STOCK_EVENTS = 300_000, 20_000


class Progress:
    """Says on standard error how far a measured process is, at most once a second."""

    def __init__(self, name: str, events: int) -> None:
        self._name = name
        self._events = events
        self._last = 0.0

    def __call__(self, done: int) -> None:
        if time.monotonic() - self._last >= 1.0:
            self._last = time.monotonic()
            say(f"  {self._name}: {done:,} of {self._events:,} events")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure_deskpulse(at: Rig, log: list[job.Sent]) -> dict[str, Any]:
    app_id = f"deskpulse-{len(log)}"
    at.load(f"{app_id}.", app_id, log)
    with at.measured("tests.bench.deskpulse", app_id, f"{app_id}.", len(log), Progress("deskpulse", len(log))) as told:
        wrong = compare_page(told["url"], job.expected(log))
    # Besides its records each transaction leaves one marker in the changelog partition of its shard.
    told["changelog_records"] = at.end_offsets([f"{app_id}-shard-changelog"]) - told["checkpoints"]
    return row("deskpulse", told, wrong)


def measure_stock_faust(at: Rig, log: list[job.Sent]) -> dict[str, Any]:
    app_id = "stock-faust"
    at.load(f"{app_id}.", f"{app_id}-topics", log)
    with at.measured("tests.bench.stock_faust", app_id, f"{app_id}.", len(log), Progress(app_id, len(log))) as told:
        wrong = compare_tables(told["outcome"], job.expected(log))
    told["changelog_records"] = at.end_offsets([f"{app_id}-tickets-changelog", f"{app_id}-buckets-changelog"])
    return row("stock Faust", told, wrong)


def row(name: str, told: dict[str, Any], wrong: str) -> dict[str, Any]:
    """One row of the results; `wrong` says how the answer differs from brute force, empty = it does not."""
    events = told["events"]
    return {
        "name": name,
        "events": events,
        "wrong": wrong,
        "events_per_second": events / told["seconds"],
        "cpu_us_per_event": told["cpu_seconds"] / events * 1e6,
        "memory_mib": told["memory_mib"],
        "changelog_records_per_event": told["changelog_records"] / events,
        "seconds": told["seconds"],
    }


def run(names: set[str], events: int, stock_events: int) -> dict[str, Any]:
    say(f"making {events:,} events")
    log = job.records(max(events, stock_events))
    part, pinned, rows = log[:stock_events], False, []
    if names & {"deskpulse", "stock-faust"}:
        with rig() as at:
            pinned = at.worker_core is not None
            say("a real Kafka is up" + ("; worker and broker have a core each" if pinned else ""))
            if "deskpulse" in names:
                rows.append(measure_deskpulse(at, log[:events]))
            if names >= {"deskpulse", "stock-faust"} and stock_events != events:
                rows.append(measure_deskpulse(at, part))
            if "stock-faust" in names:
                rows.append(measure_stock_faust(at, part))
    windows = []
    if "windows" in names:
        say("windows of 5m and of 30d, without Kafka")
        windows = bench_windows()
    bytes_per_event = table.mean_bytes(log)
    return {"machine": table.machine(pinned), "bytes_per_event": bytes_per_event, "rows": rows, "windows": windows}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(NAMES)} (default: all)")
    parser.add_argument("--events", type=int, default=EVENTS, help="events for deskpulse (%(default)s)")
    parser.add_argument("--stock-events", type=int, default=STOCK_EVENTS, help="events for stock Faust (%(default)s)")
    parser.add_argument("--write-docs", action="store_true", help="renew docs/performance.md and results.json")
    args = parser.parse_args()
    if unknown := set(args.names) - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if min(args.events, args.stock_events) < 1:
        parser.error("there must be at least one event")
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # It warns while a new topic's leaders are being chosen.
    try:
        results = run(set(args.names or NAMES), args.events, args.stock_events)
    except (BenchError, KafkaUnavailableError, WorkerFailure) as error:
        say(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        return 130  # What a shell makes of a process that SIGINT ended; the broker has been stopped on the way out.
    for shown in table.terminal(results):
        Console().print(shown)
    sys.stdout.write(orjson.dumps(results).decode() + "\n")
    if args.write_docs:
        table.write(results)
    return 1 if any(each["wrong"] for each in results["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
