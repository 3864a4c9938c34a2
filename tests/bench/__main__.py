"""`make bench`: what the whole worker costs, beside its peers in the same run, and what does not grow.

    python -m tests.bench [NAME...] [--events N] [--stock-events N] [--tickets N] [--write-docs NOTE]

Tables and one line of JSON at the end. `--write-docs` renews docs/performance.md and tests/bench/results.json.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from rich.console import Console

from stream.runtime.failure import WorkerFailure
from tests.bench import document, job, latency, peers, scale, stages, tables, transactions, two_workers
from tests.bench.peers import PEERS
from tests.bench.rig import BenchError, Rig, rig, say
from tests.bench.windows import bench as bench_windows
from tests.kafka.jars import KafkaUnavailableError

PARTS = ("stages", "transactions", "latency", "scale", "workers", "windows")
NAMES = (*PEERS, *PARTS)
# Stock Faust gets the log's beginning only: at about 2,000 events/s the whole would take minutes.
EVENTS, STOCK_EVENTS = 300_000, 20_000
FEW_TICKETS, TICKETS = 10_000, 1_000_000
WIDTH = 132  # of the tables where the terminal does not tell its own
RATE = 10_000  # events a second, of which the log of the job lasts half a minute

Results = dict[str, Any]


def run(names: set[str], events: int, stock_events: int, tickets: int) -> Results:
    """Measure what is named. A part that cannot be measured is missing, and said to be."""
    say(f"making {events:,} events")
    log = job.records(max(events, stock_events))
    results: Results = {"bytes_per_event": sum(len(record.value) for record in log) // len(log), "rows": []}
    with rig() as at:
        results["machine"] = tables.machine(at.worker_core is not None)
        say("a real Kafka is up" + ("; worker and broker have a core each" if at.worker_core is not None else ""))
        if names & {*PEERS, "stages"}:
            _run_peers(at, names, log[:events], log[:stock_events], results)
        parts: dict[str, Callable[[], Any]] = {
            "stages": lambda: stages.measure(at, events, peers.PREFIX),
            "transactions": lambda: transactions.measure(at),
            "latency": lambda: latency.measure(at, log, RATE),
            "scale": lambda: [scale.measure(at, number) for number in sorted({FEW_TICKETS, tickets})],
            "workers": lambda: [two_workers.measure(at, log[:events], number) for number in (1, 2)],
            "windows": bench_windows,
        }
        for name in PARTS:
            if name in names:
                with suppress_and_say(name):
                    results[name] = parts[name]()
    return results


def _run_peers(at: Rig, names: set[str], log: list[job.Sent], part: list[job.Sent], results: Results) -> None:
    at.load("bench-deskpulse", peers.PREFIX, log)
    for name in PEERS:
        if name == "stock-faust" and name in names:
            at.load("bench-stock", "stock.", part)
            results["rows"].append(peers.measure(at, name, part, "stock."))
            with suppress_and_say("recovery of stock Faust"):
                results["stock_recovery"] = peers.recovery_of_stock_faust(at, "stock.")
        elif name in names:
            results["rows"].append(peers.measure(at, name, log))


@contextmanager
def suppress_and_say(part: str) -> Iterator[None]:
    """Let the other parts go on when one cannot be measured."""
    try:
        yield
    except BenchError as error:
        say(f"{part}: {error}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(NAMES)} (default: all)")
    parser.add_argument("--events", type=int, default=EVENTS, help="events of the reference job (%(default)s)")
    parser.add_argument("--stock-events", type=int, default=STOCK_EVENTS, help="events for stock Faust (%(default)s)")
    parser.add_argument("--tickets", type=int, default=TICKETS, help="open tickets of the part scale (%(default)s)")
    parser.add_argument(
        "--write-docs", metavar="NOTE", help="renew docs/performance.md; NOTE says what has changed since the last time"
    )
    args = parser.parse_args()
    names = set(args.names or NAMES)
    if unknown := names - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if min(args.events, args.stock_events) < 1:
        parser.error("there must be at least one event")
    if args.tickets < FEW_TICKETS:
        parser.error(f"there must be at least {FEW_TICKETS:,} tickets")
    if args.write_docs and names != set(NAMES):
        parser.error("the page is written from one run of everything")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # It warns while a new topic's leaders are being chosen.
    try:
        results = run(names, args.events, args.stock_events, args.tickets)
    except (BenchError, KafkaUnavailableError, WorkerFailure) as error:
        say(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        return 130  # What a shell makes of a process that SIGINT ended; the broker has been stopped on the way out.
    if args.write_docs:
        document.write(results, args.write_docs)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    for shown in tables.all_of(results):
        console.print(tables.terminal(shown))
    sys.stdout.write(orjson.dumps(results).decode() + "\n")
    return 1 if any(row.get("wrong") for row in results["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
