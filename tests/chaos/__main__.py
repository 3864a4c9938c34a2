"""`make chaos`: all runs one after the other, progress and a table on the terminal, the figures in results.json.

    python -m tests.chaos [RUN...] [--write]

Exit code 1 when a run fails or shows a difference, or a switched-off guarantee shows none.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.chaos import ends, report, runs
from tests.chaos.guarantees import TRIALS, differences_of
from tests.chaos.run import Run, Say
from tests.kafka.broker import KafkaCluster
from tests.kafka.jars import KafkaUnavailableError, find_kafka

RUNS: dict[str, tuple[int, Callable[[KafkaCluster, Say], Awaitable[Run]]]] = {  # name -> brokers, run
    "one-worker": (1, runs.one_worker),
    "two-workers": (1, runs.two_workers),
    "three-workers": (3, runs.three_workers),
    "default-session": (1, runs.default_session),
    "network": (1, runs.cut_network),
    "retention": (1, ends.retention),
    "deleted-topics": (1, ends.deleted_topics),
}
GUARANTEES = "guarantees"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"{', '.join([*RUNS, GUARANTEES])}; all by default")
    parser.add_argument("--write", action="store_true", help=f"write the figures to {report.RESULTS.name}")
    args = parser.parse_args()
    names = args.runs or [*RUNS, GUARANTEES]
    if unknown := set(names) - {*RUNS, GUARANTEES}:
        parser.error(f"no such run: {', '.join(sorted(unknown))}")
    quiet()
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", file=sys.stderr, flush=True)

    done, failed = [], []
    try:
        for name in RUNS:
            if name in names:
                try:
                    done.append(figures_of(name, say))
                except AssertionError as error:
                    failed.append(name)
                    say(f"{name} FAILED: {error}")
        guarantees = asyncio.run(try_guarantees(say)) if GUARANTEES in names else {}
    except KafkaUnavailableError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 1
    results = report.summary(done, guarantees, time.monotonic() - began)
    report.show(results)
    if args.write:
        report.write(results)
    unnoticed = [name for name, found in guarantees.items() if not found["without"]]
    return 1 if failed or results["differences"] or unnoticed else 0


def figures_of(name: str, say: Say) -> dict[str, Any]:
    """Make a run on brokers of its own and return its figures; its differences, if any, are said."""
    brokers, make = RUNS[name]
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        cluster = KafkaCluster(find_kafka(), Path(folder), brokers)
        cluster.start()
        try:
            figures = asyncio.run(_await(make(cluster, say))).figures
        finally:
            cluster.stop()
    for line in figures.differences[:20]:
        say(line)
    return figures.told()


async def _await(run: Awaitable[Run]) -> Run:
    return await run


async def try_guarantees(say: Say) -> dict[str, dict[str, int]]:
    """How many differences each trial shows with its guarantee and without."""
    found: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        cluster = KafkaCluster(find_kafka(), Path(folder))
        cluster.start()
        try:
            for name, trial in TRIALS.items():
                kept = await differences_of(cluster, trial, None)
                lost = await differences_of(cluster, trial, name)
                found[name] = {"with": len(kept), "without": len(lost)}
                say(f"{name}: {len(kept)} differences with it, {len(lost)} without")
        finally:
            cluster.stop()
    return found


def quiet() -> None:
    """What clients say of brokers that are gone is what a chaos run is for."""
    for name in ("aiokafka", "stream"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


if __name__ == "__main__":
    sys.exit(main())
