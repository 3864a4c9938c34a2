"""The laws of the core, over generated logs with every event type, held against an oracle without its code."""

from __future__ import annotations

import math
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.entity import FOLDS, Entity, refold
from stream.domain.overlay import FoldError
from stream.domain.sla.clocks import Clocks
from stream.domain.tables import ShardTable
from stream.events.event import Reason, Rejected
from tests.oracle import contributions, entities, live_of
from tests.oracle.generator import Mix, generate, newest_us
from tests.support.core import folded, numbers, run

HOUR = 3_600_000_000
SEEDS = st.integers(0, 2**32)
LAWS = settings(max_examples=25, deadline=None)


def log(seed, **changes):
    """One shard's log. Privacy deletions erase at once whatever the order, so they have tests of their own."""
    records = generate(Mix(seed=seed, entities=60, customers=8, partitions=1, **changes))
    return [raw | {"value": raw["value"] and raw["value"].replace(b'"privacy"', b'"other"')} for raw in records]


def split(random, records):
    """Cut a log into random batches."""
    out, start = [], 0
    while start < len(records):
        size = random.choice([1, 2, 7, 50, 400])
        out.append(records[start : start + size])
        start += size
    return out


def expected(records, now):
    return {key: value for key, value in live_of(contributions(entities(records)), now).items() if key[3] != "stars"}


def shown(shard, now):
    return {key: value for key, value in numbers(shard.view(now)).items() if key[3] not in ("purpose", "by")}


def close(found, wanted):
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert math.isclose(found[key], value, rel_tol=1e-9), key


@LAWS
@given(SEEDS)
def test_every_window_equals_brute_force_over_the_raw_events_at_every_instant_tried(seed):
    random = Random(seed)
    records = log(seed, bad=0.05)
    shard, _ = run(split(random, records))
    now = max(newest_us(records), shard.meta.newest_event)  # nobody looks at a time that its clock has passed
    for _ in range(6):
        close(shown(shard, now), expected(records, now))
        now += random.choice([1, 4_999_999, 61_000_000, HOUR, 23 * HOUR, 6 * 24 * HOUR])


@LAWS
@given(SEEDS)
def test_a_wall_clock_keeps_out_exactly_what_lies_after_it(seed):
    random = Random(seed)
    records = log(seed, ahead=0.3)
    cut = random.randrange(1, len(records))
    now = records[cut - 1]["timestamp_ms"] * 1000
    shard, _ = run(split(random, records[:cut]), now=now)
    for step in (0, 30_000_000, 30_000_000, 70_000_000, HOUR):
        now += step
        close(shown(shard, now), expected(records[:cut], now))
        shard.merge(shard.fold([], now))  # a tick moves what was ahead into its bucket and changes no number
        close(shown(shard, now), expected(records[:cut], now))


@LAWS
@given(SEEDS)
def test_any_order_and_any_duplication_give_the_same_state_and_the_same_numbers(seed):
    random = Random(seed)
    records = log(seed, duplicates=0.0, late=0.0)
    shuffled = random.sample(records, len(records)) + random.choices(records, k=20)
    random.shuffle(shuffled)
    now = newest_us(records) + HOUR
    one, _ = run(split(random, records), now=now)
    other, _ = run(split(random, shuffled), now=now)
    assert ledgers(one) == ledgers(other)
    assert numbers(one.view(now)) == numbers(other.view(now))
    assert customers(one) == customers(other)


def ignore(*_):
    """Hear of contributions and of runs that end."""


def ledgers(shard):
    kinds = {kind: ShardTable(shard, kind) for kind in FOLDS}
    return {(kind, subject): held.entries() for kind, table in kinds.items() for subject, held in table.items()}


def customers(shard):
    return {key: value for key, value in shard.store.items() if key[:1] in b"ku"}


@LAWS
@given(SEEDS, st.sampled_from([{"late": 0.05, "duplicates": 0.0}, {"late": 0.0, "duplicates": 0.2}]))
def test_every_record_read_has_exactly_one_result_and_it_is_the_oracles(seed, mix):
    # A duplicate that comes after its entity was sealed counts as late, which the oracle cannot know: one at a time.
    records = log(seed, bad=0.2, **mix)
    _, counts = run(split(Random(seed), records))
    results = ("applied", "duplicate", "late", "rejected", "rerouted", "heartbeat")
    assert len(records) == sum(counts[result] for result in results)
    wanted = entities(records).counts
    assert {key: counts[key] for key in wanted if key != "read"} == {
        key: wanted[key] for key in wanted if key != "read"
    }


@LAWS
@given(SEEDS)
def test_folding_a_batch_at_once_or_in_parts_gives_the_same_state(seed):
    records = log(seed)
    now = newest_us(records)
    whole, _ = run([records], now=now)
    parts, _ = run(split(Random(seed), records), now=now)
    assert whole.store == parts.store
    assert whole.meta == parts.meta
    assert sorted(whole.buckets) == sorted(parts.buckets)


@LAWS
@given(SEEDS)
def test_an_overlay_folded_on_the_one_in_flight_equals_folding_after_it(seed):
    records = [folded(raw) for raw in log(seed)]
    now = newest_us(log(seed))
    third = len(records) // 3
    flying, waiting = run([])[0], run([])[0]
    first = flying.fold(records[:third], now)
    second = flying.fold(records[third:], now + 90_000_000, base=first)
    flying.merge(first)
    flying.merge(second)
    waiting.merge(waiting.fold(records[:third], now))
    waiting.merge(waiting.fold(records[third:], now + 90_000_000))
    assert flying.store == waiting.store
    assert sorted(flying.buckets) == sorted(waiting.buckets)
    assert flying.windows.sums == waiting.windows.sums
    assert flying.parts == waiting.parts


@LAWS
@given(SEEDS)
def test_a_saved_state_advanced_event_by_event_equals_a_refold_of_the_whole_ledger(seed):
    shard, _ = run([[raw] for raw in log(seed)])
    for kind in FOLDS:
        for held in ShardTable(shard, kind).values():
            again = refold(kind, held.entries(), ignore, Clocks(shard.history.books, ignore, ignore))
            assert msgspec.msgpack.encode(held.state) == msgspec.msgpack.encode(again)


@LAWS
@given(SEEDS)
def test_a_shard_restored_from_its_changelog_shows_the_same_numbers(seed):
    records = log(seed)
    now = newest_us(records)
    shard, changelog = run([])[0], []
    for batch in split(Random(seed), [folded(raw) for raw in records]):
        overlay = shard.fold(batch, now)
        changelog += overlay.records
        shard.merge(overlay)
    again = run([])[0]
    again.restore(changelog)
    again.restored(now)
    assert again.store == shard.store
    assert again.meta == shard.meta
    assert dict(again.buckets) == dict(shard.buckets)
    assert again.parts == shard.parts
    assert numbers(again.view(now + HOUR)) == numbers(shard.view(now + HOUR))


def test_folding_changes_nothing_until_the_merge():
    records = [folded(raw) for raw in log(5)]
    shard = run([])[0]
    shard.merge(shard.fold(records[:100], 0))
    before = (
        dict(shard.store),
        sorted(shard.buckets),
        shard.meta,
        {name: dict(s) for name, s in shard.windows.sums.items()},
    )
    shard.fold(records[100:], newest_us(log(5)))
    after = (
        dict(shard.store),
        sorted(shard.buckets),
        shard.meta,
        {name: dict(s) for name, s in shard.windows.sums.items()},
    )
    assert before == after


def test_a_record_that_makes_the_fold_raise_is_named_and_the_rest_folds_without_it():
    records = [folded(raw) for raw in log(6)]
    spoilt = msgspec.structs.replace(records[70].item, data=object())
    records[70] = msgspec.structs.replace(records[70], item=spoilt)
    shard = run([])[0]
    with pytest.raises(FoldError) as raised:
        shard.fold(records, 0)
    assert raised.value.index == 70
    records[70] = msgspec.structs.replace(records[70], item=Rejected(Reason.FOLD_ERROR))
    overlay = shard.fold(records, 0)
    assert [index for index, refusal in overlay.rejected if refusal.reason == Reason.FOLD_ERROR] == [70]
    assert sum(overlay.results.values()) == len(records)


def test_entity_lookups_return_copies():
    shard, _ = run([log(8)])
    table = ShardTable(shard, "ticket")
    subject = next(iter(table))
    assert isinstance(table[subject], Entity)
    assert table[subject] is not table[subject]
