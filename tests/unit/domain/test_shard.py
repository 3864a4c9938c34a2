"""A shard: overlays, restoring, joins and customers."""

from __future__ import annotations

from copy import deepcopy

import msgspec
import pytest

from stream.domain import customer
from stream.domain.keys import CUSTOMER, OFFSETS_KEY
from stream.domain.overlay import STATE_VERSION, Meta, Record, ReRouted
from stream.domain.shard import Shard
from stream.domain.tables import ShardTable
from stream.events.event import Heartbeat, Reason, Rejected
from tests.unit.domain.world import DAY, START, World, booked, created, event, says, status


def review(minute, subject="R", **data):
    return event("review.posted", minute, subject, rating=1, site="maps", **data)


def state(shard):
    return deepcopy(
        (
            shard.store,
            sorted(shard.buckets),
            shard.meta,
            shard.windows.sums,
            shard.expiry.steps,
            shard.waiting,
            shard.grid,
        )
    )


def test_a_shard_is_unchanged_until_the_overlay_is_merged():
    world = World()
    world.put(created(), booked(), review(0, booking_id="nowhere"))
    before = state(world.shard)
    records = [world.record(one) for one in (status(2, "resolved"), created(3, "Y"), booked(4, "nowhere"))]
    overlay = world.shard.fold(records, START + 40 * DAY * 60_000_000)
    again = world.shard.fold(records, START + 40 * DAY * 60_000_000, base=overlay)
    assert state(world.shard) == before
    assert again is not overlay
    world.shard.merge(overlay)
    assert state(world.shard) != before


def test_a_dropped_overlay_leaves_no_trace():
    kept, tried = World(), World()
    for world in (kept, tried):
        world.put(created(id="first"))
    tried.shard.fold([tried.record(status(2, "resolved"))], tried.now)
    for world in (kept, tried):
        world._offsets["tickets"] = 1
        world.put(says(3, "agent", id="same"))
    assert state(kept.shard) == state(tried.shard)


def test_a_shard_restored_from_its_log_goes_on_as_if_nothing_had_happened():
    world = World()
    world.put(created(), *(says(minute, "agent") for minute in range(1, 200)), booked(), review(1, booking_id="later"))
    again = world.restored()
    more = [world.record(one) for one in (status(300, "resolved"), booked(301, "later"))]
    overlays = [shard.fold(more, world.now + DAY * 60_000_000) for shard in (world.shard, again)]
    assert overlays[0].records == overlays[1].records
    for shard, overlay in zip((world.shard, again), overlays, strict=True):
        shard.merge(overlay)
    assert world.shard.store == again.store
    assert world.shard.expiry.steps == again.expiry.steps
    assert world.shard.waiting == again.waiting == {}


def test_a_compacted_log_restores_the_same_state():
    world = World()
    for minute in range(100):
        world.put(created(minute, f"T-{minute}"), says(minute, "agent", f"T-{minute // 2}"))
    again = Shard(0)
    again.restore(dict(world.log).items())
    again.restored(world.now)
    assert again.store == world.shard.store
    assert sorted(again.buckets) == sorted(world.shard.buckets)


def test_a_state_of_another_version_is_refused():
    other = msgspec.msgpack.encode(Meta(version=STATE_VERSION + 1))
    with pytest.raises(ValueError, match="version"):
        Shard(0).restore([(OFFSETS_KEY, other)])


def test_every_kind_of_record_moves_its_source_on_and_counts_once():
    items = [created(), Heartbeat("/shop", START), Rejected(Reason.MALFORMED), ReRouted(3)]
    records = [Record("tickets", 10 + n, START + n, 7 + n, item) for n, item in enumerate(items)]
    shard = Shard(0)
    overlay = shard.fold(records, START)
    shard.merge(overlay)
    assert {result: n for (_, _, result), n in overlay.results.items()} == {
        "applied": 1, "heartbeat": 1, "rejected": 1, "rerouted": 1,
    }  # fmt: skip
    position = shard.offsets["tickets"]
    assert (position.next_offset, position.timestamp, position.crc, position.newest) == (14, START + 3, 10, START + 3)
    assert shard.view(START).upstream == {"/shop": START}
    assert [(index, refusal.reason) for index, refusal in overlay.rejected] == [(2, Reason.MALFORMED)]


def test_counts_go_on_from_checkpoint_to_checkpoint_and_through_a_restore():
    world = World()
    world.put(created())
    world.put(says(1, "agent"), says(2, "agent"))
    assert dict(world.restored().view(world.now).counts) == {"tickets/applied": 3}


def test_an_event_over_five_minutes_ahead_of_its_record_is_refused():
    world = World()
    overlay = world.put((created(5), 0), (created(5.001, "Y"), 0))
    assert [(index, refusal.reason) for index, refusal in overlay.rejected] == [(1, Reason.FUTURE)]


def test_a_review_before_its_booking_is_unjoined_until_that_comes():
    world = World()
    world.put(review(0, booking_id="B"))
    assert world.live("unjoined") == 1
    world.put(booked(5))
    assert world.live("unjoined") == 0
    assert "u" not in world.kinds()


def test_a_review_after_its_booking_is_never_unjoined():
    world = World()
    world.put(booked(0), review(5, booking_id="B"))
    assert world.live("unjoined") == 0


@pytest.mark.parametrize("first", ["booking", "review"])
def test_a_review_that_names_another_customers_booking_stays_unjoined(first):
    pair = [booked(0, customer="one"), review(0, booking_id="B", customer="two")]
    world = World()
    for one in pair if first == "booking" else reversed(pair):
        world.put(one)
    assert world.live("unjoined") == 1
    assert world.total("review") == 1


def test_a_reference_is_joined_within_a_batch_and_across_the_overlay_in_flight():
    world = World()
    world.put(review(0, booking_id="B"), booked(1))
    assert world.live("unjoined") == 0
    first = world.shard.fold([world.record(review(2, "R2", booking_id="B2"))], world.now)
    second = world.shard.fold([world.record(booked(3, "B2"))], world.now, base=first)
    world.merge(first)
    assert world.live("unjoined") == 1
    world.merge(second)
    assert world.live("unjoined") == 0


def test_many_may_wait_for_one_and_each_counts_once():
    world = World()
    world.put(*(review(0, f"R{n}", booking_id="B") for n in range(5)))
    world.put(event("review.posted", 1, "R0", rating=2, site="maps", booking_id="B"))
    assert world.live("unjoined") == 5
    world.put(booked(2))
    assert world.live("unjoined") == 0


def customer_of(world, key="C"):
    return customer.load(world.shard.store[CUSTOMER + key.encode()])


def test_a_customer_sums_over_everything_that_came_under_its_key():
    world = World()
    for n, amount in enumerate([10, 20]):
        world.put(booked(n, f"B{n}", amount=amount), event("booking.completed", n + 5, f"B{n}"))
    world.put(created(30), created(31, "Y", customer="someone else"))
    held = customer_of(world)
    assert (held.first, held.last) == (START, START + DAY * 60_000_000)  # START is a midnight
    assert held.entities == {"booking": 2, "ticket": 1}
    assert (held.completed, held.value) == (2, {"EUR": 30_000_000})


def test_a_retracted_booking_leaves_nothing_in_its_customers_sums():
    world = World()
    world.put(booked(), event("booking.completed", 5, "B"), event("booking.deleted", 9, "B", reason="test"))
    assert (customer_of(world).completed, customer_of(world).value) == (0, {})


def test_an_entity_belongs_to_the_customer_of_its_first_event():
    world = World()
    world.put(booked(customer="one"), event("booking.completed", 5, "B", customer="two"))
    assert customer_of(world, "one").completed == 1
    assert CUSTOMER + b"two" not in world.shard.store


def test_privacy_keeps_the_counts_removes_the_entity_and_a_replay_cannot_revive_it():
    life = [
        created(0, "secret"),
        *(says(minute, "agent", "secret") for minute in range(1, 150)),
        status(200, "resolved", "secret"),
    ]
    world = World()
    world.put(*life, event("ticket.deleted", 201, "secret", reason="privacy"))
    counts = {name: world.total(name) for name in ("ticket_created", "first_response", "ticket_resolved")}
    assert set(counts.values()) == {1}
    assert world.live("ticket_active") == 0
    assert not [key for key in world.shard.store if b"secret" in key]
    world.put(*((one, 300) for one in life))
    assert world.results["late"] == len(life)
    assert {name: world.total(name) for name in counts} == counts
    assert not [key for key in world.restored().store if b"secret" in key]


def test_a_privacy_deletion_that_comes_out_of_order_keeps_only_what_lies_before_it():
    world = World()
    world.put(created(), says(2, "agent"), status(5, "resolved"), (event("ticket.deleted", 3, reason="privacy"), 6))
    assert [world.total(name) for name in ("ticket_created", "first_response", "ticket_resolved")] == [1, 1, 0]
    assert world.kinds()["e"] == 0


def test_what_is_erased_waits_for_nothing_any_more():
    world = World()
    world.put(
        says(0, "agent"),
        event("ticket.created", 1, "Y", channel="chat", priority="low", category="lead", booking_id="B"),
    )
    assert (world.live("incomplete"), world.live("unjoined")) == (1, 1)
    world.put(*(event("ticket.deleted", 2, subject, reason="privacy") for subject in "XY"))
    assert (world.live("incomplete"), world.live("unjoined")) == (0, 0)
    assert world.shard.waiting == {}


def test_a_table_of_entities_reads_like_a_mapping():
    world = World()
    world.put(created(0, "A"), created(1, "B"), booked(2, "A"))
    table = ShardTable(world.shard, "ticket")
    assert sorted(table) == ["A", "B"]
    assert len(table) == 2
    assert ("A" in table, "C" in table, table.get("C")) == (True, False, None)
    assert table["A"].state.created == START
    with pytest.raises(KeyError):
        table["C"]


def test_a_review_of_an_erased_booking_is_joined_whichever_came_first():
    """Whose an erased booking was, nobody knows, so the order of the topics must not show."""
    posted = event("review.posted", 1, "R", rating=5, site="maps", booking_id="B", customer="other")
    gone = (booked(0), event("booking.deleted", 2, "B", reason="privacy"))
    before, after = World(), World()
    before.put(*gone, posted)
    after.put(gone[0], posted)
    assert after.live("unjoined") == 1
    after.put(gone[1])
    assert before.live("unjoined") == after.live("unjoined") == 0
    assert before.shard.store == after.shard.store
