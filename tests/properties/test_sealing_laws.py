"""Sealing changes no number: a shard that forgets old entities shows what brute force over the whole log shows."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.sealing import Limits
from stream.events.values import DAY_US
from tests.oracle.generator import Mix, generate, newest_us
from tests.properties.test_core_laws import close, expected, shown, split
from tests.support.core import run

# Ten days: longer than any generated story sleeps, and short enough that most of a log's entities are sealed.
SHORT = Limits(horizon=10 * DAY_US, retention=100 * DAY_US)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_windows_over_sealed_entities_equal_brute_force(seed):
    mix = Mix(seed=seed, entities=150, customers=20, partitions=1, days=45)
    records = [
        raw | {"value": raw["value"] and raw["value"].replace(b'"privacy"', b'"other"')} for raw in generate(mix)
    ]
    shard, _ = run(split(Random(seed), records), limits=SHORT)
    stubs = sum(key[:1] == b"s" for key in shard.store)
    assert stubs > 20
    now = max(newest_us(records), shard.meta.newest_event)
    for _ in range(3):
        close(shown(shard, now), expected(records, now))
        now += 3 * DAY_US
