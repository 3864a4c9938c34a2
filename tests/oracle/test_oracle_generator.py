"""The generator makes the logs it says it makes."""

from collections import defaultdict
from itertools import pairwise

import pytest

from .envelope import TYPES
from .generator import Mix, generate, newest_us
from .live import live
from .log import entities
from .murmur2 import murmur2, partition_of

ROUGH = Mix(seed=3, entities=400, bad=0.05, late=0.05)


# The values of Kafka's own test of its murmur2.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_murmur2_is_that_of_the_java_client(text, value):
    assert murmur2(text.encode()) == value


def test_the_same_seed_gives_the_same_records_and_another_one_others():
    assert generate(ROUGH) == generate(ROUGH)
    assert generate(ROUGH) != generate(Mix(seed=4, entities=400, bad=0.05, late=0.05))


def test_a_log_has_every_event_type_and_every_result():
    log = entities(generate(ROUGH))
    types = {f"{event.kind}.{event.verb}" for ledger in log.ledgers.values() for event in ledger}
    assert types == set(TYPES)
    for result in ("applied", "duplicate", "late", "rejected", "heartbeat", "id_conflict"):
        assert log.counts[result] > 0
    results = ("applied", "duplicate", "late", "rejected", "heartbeat")
    assert log.counts["read"] == sum(log.counts[result] for result in results)


def test_partitions_follow_the_key_and_kafka_timestamps_and_offsets_go_up():
    places = defaultdict(list)
    for record in generate(ROUGH):
        assert record["partition"] == partition_of(record["key"], ROUGH.partitions)
        places[record["topic"], record["partition"]].append(record)
    assert len(places) == 3 * ROUGH.partitions
    for records in places.values():
        assert [each["offset"] for each in records] == list(range(len(records)))
        stamps = [each["timestamp_ms"] for each in records]
        assert stamps == sorted(stamps)


def test_without_disorder_no_event_is_late_rejected_or_out_of_order():
    calm = Mix(seed=5, disorder=0, ahead=0, duplicates=0, missing_created=0, delayed_created=0, heartbeats=0)
    log = entities(generate(calm))
    assert log.counts["read"] == log.counts["applied"]
    assert all(ledger[0].verb in ("created", "enquired", "posted", "sent") for ledger in log.ledgers.values())


def test_many_events_of_one_entity_happen_at_the_same_time():
    ledgers = entities(generate(ROUGH)).ledgers.values()
    equal = [a for ledger in ledgers for a, b in pairwise(ledger) if a.time_us == b.time_us]
    assert len(equal) > 100


def test_the_order_of_arrival_changes_no_value_where_no_duplicate_differs():
    records = generate(Mix(seed=6, conflicts=0))
    now_us = newest_us(records)
    assert live(records, now_us) == live(records[::-1], now_us)
