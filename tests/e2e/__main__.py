"""`make e2e`: every case so many times, with figures: time to page, false pages, missed pages."""

from __future__ import annotations

import argparse
import logging
import platform
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from tests.e2e.cases import CASES, Case
from tests.e2e.scenarios import Outcome
from tests.e2e.stack import missing_programs, running
from tests.kafka.broker import KafkaCluster
from tests.kafka.jars import KafkaUnavailableError, find_kafka

RESULTS = Path(__file__).with_name("results.json")


def main() -> int:
    """Run the cases and write the figures; 1 when a page was false or missed."""
    every = {case.name: case for case in CASES}
    parser = argparse.ArgumentParser(prog="python -m tests.e2e", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="runs of each case (default: 20)")
    parser.add_argument("--case", choices=sorted(every), action="append", help="only this one; may be repeated")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FILE", help="where the figures go")
    args = parser.parse_args()
    if missing := missing_programs():
        sys.exit(f"e2e: not found: {', '.join(missing)}; Debian has packages of these names")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # of the simulated upstream, while the broker is dead
    figures = {}
    with broker() as cluster:
        for case in [every[name] for name in args.case or every]:
            outcomes = list(runs(cluster, case, args.runs))
            figures[case.name] = summary(case, outcomes)
            print(f"{case.name}: {orjson.dumps(figures[case.name]).decode()}", flush=True)
    about = {"at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "machine": platform.processor() or platform.machine()}
    args.out.write_bytes(orjson.dumps({**about, "cases": figures}, option=orjson.OPT_INDENT_2) + b"\n")
    failed = sum(one["false_pages"] + one["missed_pages"] for one in figures.values())
    print(f"{len(figures)} cases, {failed} false or missed pages; figures in {args.out}")
    return 1 if failed else 0


@contextmanager
def broker() -> Iterator[KafkaCluster]:
    """A real Kafka while the block runs."""
    try:
        install = find_kafka()
    except KafkaUnavailableError as error:
        sys.exit(f"e2e: no Kafka: {error}")
    with tempfile.TemporaryDirectory(prefix="deskpulse-e2e-") as folder:
        cluster = KafkaCluster(install, Path(folder) / "kafka")
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.kill()


def runs(cluster: KafkaCluster, case: Case, times: int) -> Iterator[Outcome]:
    """Run a case so many times, each on a deployment of its own."""
    for number in range(1, times + 1):
        with tempfile.TemporaryDirectory(prefix="deskpulse-e2e-") as folder:
            arguments = {"scale": case.scale, "scrape": case.scrape, "config": case.config}
            with running(cluster, Path(folder), **arguments) as stack:
                outcome = case.scenario(stack, case.settle)
        print(f"{case.name} {number}/{times}: {outcome}", file=sys.stderr, flush=True)
        yield outcome


def summary(case: Case, outcomes: list[Outcome]) -> dict[str, Any]:
    """Add up the runs of a case; seconds are those to the first page."""
    seconds = [outcome.seconds for outcome in outcomes if outcome.seconds is not None]
    return {
        "runs": len(outcomes),
        "time_scale": case.scale,
        "seconds_median": round(statistics.median(seconds), 1) if seconds else None,
        "seconds_worst": round(max(seconds), 1) if seconds else None,
        "false_pages": sum(map(case.false, outcomes)),
        "missed_pages": sum(map(case.missed, outcomes)),
    }


if __name__ == "__main__":
    sys.exit(main())
