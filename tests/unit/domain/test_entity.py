"""An entity: refolding, its limit, and what many events cost."""

from __future__ import annotations

import random

import pytest

from stream.domain import entity as entities
from stream.domain.overlay import FoldError
from stream.events.event import Reason
from tests.unit.domain.world import MINUTE, START, Told, World, created, event, says, status


def test_settling_once_for_many_events_gives_what_settling_after_each_gives():
    events = [created(), says(2, "agent"), status(5, "resolved"), says(7, "customer"), status(9, "closed")]
    for seed in range(20):
        order = random.Random(seed).sample(events, len(events))
        once, each = Told(*order, settle_each=False), Told(*order)
        assert +once.net == +each.net
        assert once.entity.record() == each.entity.record()


def test_of_6000_events_an_entity_keeps_5000_and_refuses_the_rest():
    world = World()
    for start in range(0, 6000, 500):
        world.put(*(says(minute, "agent") for minute in range(start, start + 500)))
    assert world.results == {"applied": 5000, "rejected": 1000}
    overlay = world.put(says(7000, "agent"))
    assert [refusal.reason for _, refusal in overlay.rejected] == [Reason.ENTITY_TOO_BIG]
    assert all(len(value or b"") < 1 << 20 for _, value in world.log)


@pytest.mark.parametrize("clock", ["in order", "all at one time", "backwards"])
def test_a_long_ledger_is_refolded_at_most_once_a_batch(clock, monkeypatch):
    refolds = []
    original = entities.refold
    monkeypatch.setattr(entities, "refold", lambda *args: refolds.append(len(args[1])) or original(*args))
    minutes = {"in order": range(4000), "all at one time": [0] * 4000, "backwards": range(4000, 0, -1)}[clock]
    events = [says(minute, "agent", id=f"{random.Random(n).random()}") for n, minute in enumerate(minutes)]
    world = World()
    for start in range(0, 4000, 1000):
        world.put(*((one, 4000) for one in events[start : start + 1000]))
    assert len(refolds) <= (0 if clock == "in order" else 2 * 4)  # to take back, and to contribute anew
    assert world.results == {"applied": 4000}


def test_only_the_touched_chunk_of_a_long_ledger_is_written():
    world = World()
    world.put(created(), *(says(minute, "agent") for minute in range(1, 1000)))
    overlay = world.put(says(1000, "agent"))
    assert not [key for key in overlay.writes if key[:1] == b"c"]
    assert sum(len(value or b"") for _, value in overlay.records) < 64 * 200


def test_a_refold_that_raises_blames_the_last_event_its_entity_took(monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    world = World()
    world.put(created(), says(5, "agent"))
    records = [world.record(one) for one in (created(1, "Y"), says(3, "agent"), created(2, "Z"))]
    monkeypatch.setattr(entities, "refold", fail)
    with pytest.raises(FoldError) as raised:
        world.shard.fold(records, START + 9 * MINUTE)
    assert (raised.value.index, raised.value.reason, raised.value.detail) == (1, Reason.FOLD_ERROR, "ZeroDivisionError")


def test_an_entry_over_16_kib_is_refused_and_changes_nothing():
    world = World()
    overlay = world.put(created(tags=["x" * 200] * 90))
    assert [refusal.reason for _, refusal in overlay.rejected] == [Reason.TOO_LARGE]
    assert world.kinds() == {}


def test_the_first_body_of_an_id_wins_and_another_one_is_counted():
    world = World()
    world.put(created(id="1", priority="low"), created(id="1", priority="urgent"), created(id="1", priority="low"))
    assert world.results == {"applied": 1, "duplicate": 2}
    assert world.notes["id_conflict"] == 1
    assert world.total("ticket_created") == 1
    series = world.shard.view(world.now).windows["30d"]
    assert series["ticket_created", 0, "priority", "low", ""] == (1, 0)


def test_the_same_id_of_another_source_or_subject_is_another_event():
    world = World()
    world.put(created(id="1", source="a"), says(1, "agent", id="1", source="b"), created(2, "Y", id="1", source="a"))
    assert world.results == {"applied": 3}


def test_unknown_words_are_counted_once_for_an_event_and_not_for_its_duplicates():
    world = World()
    odd = created(channel="pigeon")
    world.put(odd, odd, event("ticket.updated", 1, priority="P0"))
    assert world.notes == {"unknown_value/channel": 1, "unknown_value/priority": 1}
