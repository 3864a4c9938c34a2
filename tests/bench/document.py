"""docs/performance.md and results.json, from the results of one run; no figure on the page is typed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from tests.bench import tables

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("results.json")
DOC = ROOT / "docs" / "performance.md"

Results = dict[str, Any]


def write(results: Results, note: str) -> None:
    """Write both files; the history that the last results had goes on with this run, which *note* describes."""
    before = orjson.loads(RESULTS.read_bytes()).get("history", []) if RESULTS.exists() else []
    results["history"] = [*before, entry(results, note)]
    RESULTS.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    DOC.write_text(page(results))


def entry(results: Results, note: str) -> dict[str, Any]:
    """What the history keeps of a run."""
    cost = {row["name"]: row.get("cpu_us_per_event") for row in results["rows"]}
    return {
        "date": results["machine"]["date"],
        "note": note,
        "cpu_us_per_event": cost["deskpulse"],
        "of_loop": cost["deskpulse"] / cost["aiokafka"],
        "stages": tables.stage_costs(results),
    }


def page(results: Results) -> str:
    return "\n\n".join(_blocks(results)) + "\n"


def _blocks(results: Results) -> Iterator[str]:
    machine = results["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    placed = "worker and broker on a core each" if machine["pinned"] else "worker and broker on the same core"
    yield HEAD.format(bytes=results["bytes_per_event"])
    yield tables.markdown(tables.peers(results))
    yield (
        f"{machine['kind']}, {placed}; Apache Kafka {machine['kafka']}, Python {machine['python']}, {packages}; "
        f"{machine['date']}. Where other work shares the machine, ratios within a run are steadier than the figures."
    )
    yield PEERS
    yield PROMISES
    yield tables.markdown(tables.promises(results))
    for part, text in SECTIONS.items():
        if results.get(part):
            yield text
            yield tables.markdown(getattr(tables, part)(results))
    if "stock_recovery" in results:
        told = results["stock_recovery"]
        yield (
            f"Stock Faust recovered {told['records']:,} records at {told['records_per_second']:,.0f} a second, for "
            f"{told['cpu_us_per_record']:.1f} us of CPU each."
        )


HEAD = """\
# Performance

`make bench` measures this and prints the tables; `python -m tests.bench --write-docs NOTE` also renews this page, so no
figure here was typed by hand.

A log of ticket events lies in a real Apache Kafka when the measured process starts: five events per ticket (created,
assigned, agent message, customer message, resolved), one in a hundred delivered twice, six hours of event time, about
{bytes} bytes each, four partitions, keyed by customer. `deskpulse : it` is what an event costs deskpulse, as a part
of what it costs the other; `log` is the changelog."""

PEERS = """\
- **deskpulse** is the whole worker: consumer, decoding, all KPIs in five windows and by label, one transaction per
  checkpoint, snapshots, the HTTP server. It is measured from the first fold to the snapshot in which all events are
  committed. Its clock is `events`, so every window slides through the six hours meanwhile.
- All others do the **small job**: created, complaints, resolved, active and first response per minute, channel and
  team, duplicates dropped; no windows, no ledgers, no exposition, no transactions. They are measured from the first
  event to the last commit.
- **stock-faust**, **quixstreams** and **bytewax** are written as their documentation teaches, with its default settings
  (Bytewax: larger polls, an epoch a second). Stock Faust, being slower, gets the beginning of the same log. Quix has to
  write what tickets contribute to a topic of its own, to add it up by another key. Bytewax keeps its state in SQLite on
  the local disk, so it has no changelog.
- **aiokafka** and **confluent-kafka** are loops written by hand for this very job, as bounds: typed decoding, plain
  dictionaries, whole batches, a changelog that is acknowledged before offsets are committed. They have no rebalance,
  no restore and no protection against a half-written batch.
- CPU is user and system time of all threads of the process, start-up excluded. Memory is the peak of the process. A
  changelog's bytes are what lay on the broker's disk right after the run.
- A time counts only for a right answer: all results are compared with brute force in plain Python, deskpulse's from
  its scrape page. A peer that differs has that in its row in place of a time."""

PROMISES = """\
## What was promised"""

SECTIONS = {
    "stages": """\
## Where every microsecond goes

py-spy's samples of a run over the same log, each put to the innermost stage it was in, times the CPU per event above.
The first column is from the first run in the history below. The mapping is in `tests/bench/stages.py`.""",
    "history": """\
## What helped

A line per run that this page was written from.""",
    "transactions": """\
## What a transaction costs

deskpulse's own checkpoint writer, values of 200 bytes, one transaction right after the other. The broker's markers of
one hold up the start of the next, so small transactions cost as much time as larger ones: that is why a shard folds
what has come in meanwhile into one checkpoint.""",
    "latency": """\
## Latency

Events are published at a steady rate. One counts as shown when a scrape has come back that says its offset is
applied; the scraper asks twenty times a second, and its pauses are in the figures. Publisher, scraper and broker share
a core.""",
    "scale": """\
## Open tickets

A live worker is given so many tickets (one event each), then 50,000 further events: four for each of 10,000 of those
tickets and 10,000 new tickets. The CPU per event and the scrapes are of that second part. Memory is what the process
has grown by over the first. Then the worker is killed, another one with the default settings is started at the same
moment and takes all shards over, its wait for the group's session of 10 s included; and a third one joins, so that the
second keeps some shards and gives some away.""",
    "workers": """\
## Two workers

The log is written after the workers have joined. The second worker shares its core with the broker.""",
    "windows": """\
## The length of a window costs nothing

CPU per contribution of the window table alone, in a steady state of as much leaving the window as coming in.""",
}
