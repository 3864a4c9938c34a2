"""The benchmark's own parts: the peers' jobs give the answer of brute force, and its arithmetic is right."""

from __future__ import annotations

from typing import Any

import orjson

from tests.bench import plain_steps
from tests.bench.bars import bars
from tests.bench.check import compare_tables
from tests.bench.job import PARTITIONS, expected, records
from tests.bench.latency import Seen, Shipment
from tests.bench.open_tickets import MOVES, created, moves
from tests.bench.rig import place_of
from tests.bench.small_job import SmallJob, outcome
from tests.bench.stages import shares

LOG = records(5_000)


def run_plain_steps(log: list[Any]) -> dict[str, Any]:
    tickets: dict[str, Any] = {}
    buckets: dict[str, Any] = {}
    for record in log:
        event = orjson.loads(record.value)
        ticket, contributions = plain_steps.fold(tickets.get(event["subject"]), event)
        if ticket is not None:
            tickets[event["subject"]] = ticket
        for each in contributions:
            buckets[each["bucket"]] = plain_steps.add(buckets.get(each["bucket"]), each)
    return plain_steps.outcome(tickets.values(), buckets)


def run_small_jobs(log: list[Any]) -> dict[str, Any]:
    jobs = [SmallJob() for _ in range(PARTITIONS)]
    for record in log:
        jobs[place_of(record.key, PARTITIONS)].fold(record.value)
    return outcome(jobs)


def test_the_log_holds_redelivered_events() -> None:
    assert len({record.value for record in LOG}) < len(LOG)


def test_the_job_by_hand_gives_the_answer_of_brute_force() -> None:
    assert compare_tables(run_small_jobs(LOG), expected(LOG)) == ""


def test_the_job_in_plain_steps_gives_the_answer_of_brute_force() -> None:
    assert compare_tables(run_plain_steps(LOG), expected(LOG)) == ""


def test_an_answer_that_misses_an_event_is_called_wrong() -> None:
    assert "created" in compare_tables(run_plain_steps(LOG[1:]), expected(LOG))


def test_the_small_jobs_changes_are_everything_that_changed_since_they_were_last_asked_for() -> None:
    job = SmallJob()
    for record in LOG:
        job.fold(record.value)
    assert len(list(job.changes())) == len(job.tickets) + len(job.buckets)
    assert list(job.changes()) == []


def test_what_happens_to_open_tickets_is_the_same_number_of_events_however_many_are_open() -> None:
    few, many = moves(10_000), moves(50_000)
    assert len(few) == len(many) == MOVES
    assert [record.timestamp_ms for record in few] == [record.timestamp_ms for record in many]


def test_the_moved_tickets_are_among_the_open_ones() -> None:
    def subjects(log: Any, type_: str) -> set[str]:
        events = [orjson.loads(record.value) for record in log]
        return {event["subject"] for event in events if event["type"] == type_}

    assert subjects(moves(10_000), "ticket.assigned") <= subjects(created(10_000), "ticket.created")


def test_a_delay_ends_with_the_first_page_that_shows_the_last_event_of_its_shipment() -> None:
    seen = Seen()
    for at, offset in ((1.0, 5), (2.0, 9), (3.0, 20)):
        seen(f'deskpulse_stream_applied_offset{{partition="0",topic="tickets"}} {offset}', at)
    shipments = [Shipment(0, 5, 5, 0.5), Shipment(0, 2, 7, 0.75), Shipment(0, 3, 10, 1.5)]
    assert list(seen.delays(shipments)) == [0.5] * 5 + [1.25] * 2 + [1.5] * 3


def test_a_sample_belongs_to_the_innermost_stage_that_a_rule_knows() -> None:
    run = "run (asyncio/base_events.py);_work (stream/runtime/owner.py)"
    raw = f"{run};fold (stream/domain/shard.py);append (aiokafka/record/default.py);crc (lib.py) 3\n{run} 1\n"
    assert shares(raw) == {"checkpoint: write and commit": 0.75, "owner and other runtime": 0.25}


def test_a_bar_is_met_at_its_bound_and_missed_beyond_it() -> None:
    def met(ours: float) -> bool:
        rows = [
            {"name": "deskpulse", "wrong": "", "cpu_us_per_event": ours},
            {"name": "quixstreams", "wrong": "", "cpu_us_per_event": 100.0},
        ]
        (bar,) = bars({"rows": rows})
        return bar.met

    assert met(50.0)
    assert not met(50.1)
