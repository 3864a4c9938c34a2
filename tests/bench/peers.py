"""The reference job on deskpulse and on its peers, one after the other, over the same log and on the same core.

Each is checked before its time counts; one that is not installed, or fails, has the reason in its row.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from tests.bench import job
from tests.bench.check import compare_page, compare_tables
from tests.bench.rig import BenchError, Progress, Rig, Told, say

Row = dict[str, Any]
PREFIX = "job."
NO_CLOCKS = "deskpulse-no-clocks"  # with a policy that promises nothing: what the SLA clocks cost


class Peer(NamedTuple):
    """A peer's distribution and the module that is its process."""

    distribution: str
    module: str
    makes_topics: bool = True


PEERS = {
    "deskpulse": Peer("deskpulse", "deskpulse"),
    NO_CLOCKS: Peer("deskpulse", "deskpulse"),
    "stock-faust": Peer("faust-streaming", "stock_faust"),
    "quixstreams": Peer("quixstreams", "quixstreams_app"),
    "bytewax": Peer("bytewax", "bytewax_flow"),
    "aiokafka": Peer("aiokafka", "aiokafka_loop", makes_topics=False),
    "confluent-kafka": Peer("confluent-kafka", "confluent_loop", makes_topics=False),
}


def measure(at: Rig, name: str, log: list[job.Sent], prefix: str = PREFIX) -> Row:
    """One row of the results; `wrong` says what is wrong with the answer, `absent` why there is none."""
    peer = PEERS[name]
    number = installed(peer.distribution)
    if number is None:
        return {"name": name, "absent": f"{peer.distribution} is not installed"}
    say(f"{name}: {len(log):,} events")
    app_id = f"bench-{name}"
    if not peer.makes_topics:
        at.make_compacted(f"{app_id}-changelog")
    try:
        told, wrong = _run(at, peer, app_id, prefix, log)
    except BenchError as error:
        return {"name": name, "absent": str(error)}
    changelogs = at.changelogs(app_id)
    # Besides its records each of deskpulse's transactions leaves one marker in the changelog partition of its shard.
    records = sum(at.end_offsets(changelogs).values()) - told.get("checkpoints", 0)
    return {"version": number, **row(name, told, wrong, records, at.log_bytes(changelogs))}


def recovery_of_stock_faust(at: Rig, prefix: str = PREFIX) -> dict[str, Any]:
    """How stock Faust recovers the tables that its run has left in its changelogs."""
    say("stock-faust: recovery")
    with at.process("stock_faust", at.task("bench-stock-faust", prefix, 1), "stock-faust-recovery") as process:
        told = process.until("restored")
    return {
        "records": told["restored"],
        "records_per_second": told["restored"] / told["restoring"]["seconds"],
        "cpu_us_per_record": told["restoring"]["cpu_seconds"] / told["restored"] * 1e6,
    }


def installed(distribution: str) -> str | None:
    """The version of a distribution; None where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _run(at: Rig, peer: Peer, app_id: str, prefix: str, log: list[job.Sent]) -> tuple[Told, str]:
    with at.process(peer.module, at.task(app_id, prefix, len(log))) as process:
        if peer.module == "deskpulse":
            url = process.until("url")["url"]
            told = process.until("seconds", Progress(app_id, len(log)))
            return told, compare_page(url, job.expected(log))
        told = process.until("seconds", Progress(app_id, len(log)))
        return told, compare_tables(told["outcome"], job.expected(log))


def row(name: str, told: Told, wrong: str, changelog_records: int, changelog_bytes: int) -> Row:
    """One row, after the check."""
    events = told["events"]
    return {
        "name": name,
        "events": events,
        "wrong": wrong,
        "events_per_second": events / told["seconds"],
        "cpu_us_per_event": told["cpu_seconds"] / events * 1e6,
        "memory_mib": told["memory_mib"],
        "grown_mib": told["grown_mib"],
        "changelog_records_per_event": changelog_records / events,
        "changelog_bytes_per_event": changelog_bytes / events,
        "seconds": told["seconds"],
        "loop_lag": told.get("loop_lag"),
    }
