"""Sealing follows log time: what is closed for long leaves a stub, what is open stays, and memory stays bounded."""

from __future__ import annotations

import pytest

from stream.domain.sealing import EXPIRY_STEP, SEAL_AT_ONCE, Limits
from stream.domain.tables import ShardTable
from stream.events.values import DAY_US
from tests.unit.domain.world import DAY, MINUTE, World, booked, created, event, says, status

HORIZON = 35 * DAY
STEP = EXPIRY_STEP / MINUTE
GONE = HORIZON + DAY + STEP  # by when what was last touched at minute 0 must be sealed


def closed(minute=0.0, subject="X", **data):
    return [created(minute, subject, **data), status(minute, "resolved", subject)]


def test_a_closed_ticket_is_sealed_when_log_time_has_passed_its_last_event_by_the_horizon_and_a_day():
    world = World()
    world.put(*closed())
    world.pass_time(HORIZON + DAY)
    assert "X" in ShardTable(world.shard, "ticket")
    world.pass_time(GONE)
    assert "X" not in ShardTable(world.shard, "ticket")
    assert world.kinds()["s"] == 1
    assert world.restored().store == world.shard.store


def test_an_event_of_a_sealed_ticket_counts_as_late_and_changes_nothing():
    world = World()
    world.put(*closed())
    world.pass_time(GONE)
    world.put(says(GONE + 1, "customer"))
    assert world.results["late"] == 1
    assert world.live("ticket_active") == 0
    assert "X" not in ShardTable(world.shard, "ticket")


@pytest.mark.parametrize("again", [True, False])
def test_whether_an_event_of_a_closed_ticket_is_late_does_not_depend_on_when_sealing_came_round(again):
    events = closed()
    last = events[-1] if again else says(1, "customer")  # a duplicate, or news
    prompt, tardy = World(), World()
    for world in (prompt, tardy):
        world.put(*events)
    prompt.pass_time(GONE)
    for world in (prompt, tardy):
        world.put((last, GONE))
        assert world.results["late"] == 1, world.results


def test_an_open_ticket_or_booking_is_never_sealed():
    world = World()
    world.put(created(0, "T"), booked(0, "B"))
    world.pass_time(300 * DAY)
    world.put(status(300 * DAY, "resolved", "T"), event("booking.completed", 300 * DAY, "B"))
    assert world.results["late"] == 0
    assert (world.total("resolution"), world.total("booking_completed")) == (1, 1)


def test_an_old_event_of_a_live_or_unknown_entity_is_folded_and_counted_as_late():
    world = World()
    world.put(created(0))
    world.put((says(1, "agent"), HORIZON + 10), (created(2, "new"), HORIZON + 10))
    assert world.results["late"] == 2
    table = ShardTable(world.shard, "ticket")
    assert (table["X"].events, table["new"].events) == (2, 1)


def test_a_long_ledger_is_sealed_with_all_its_chunks():
    world = World()
    world.put(created(), *(says(1, "agent") for _ in range(300)), status(2, "resolved"))
    assert world.kinds()["c"] > 0
    world.pass_time(GONE + 10)
    assert (world.kinds()["c"], world.kinds()["e"]) == (0, 1)  # the clock's own invitation is left


def test_a_lagging_source_holds_sealing_back_and_one_read_to_its_end_does_not():
    world = World()
    world.put(*closed(), booked(1))
    world.put((event("survey.sent", 2, "S", survey="ces"), 2))
    late = event("booking.cancelled", GONE + 5, "B", by="customer")
    world.put(late)
    world.put(created(GONE + 5, "Y"))
    assert "X" in ShardTable(world.shard, "ticket")  # reviews stands at minute 2
    world.put(now=GONE + 5, at_end=frozenset({"reviews"}))
    assert "X" not in ShardTable(world.shard, "ticket")


def test_a_source_whose_time_goes_back_does_not_turn_log_time_back():
    world = World()
    world.put(*closed())
    world.put((created(0, "Y"), GONE), (created(0, "Z"), 5))
    assert "X" not in ShardTable(world.shard, "ticket")


def test_a_batch_seals_a_bounded_number_and_the_next_ones_the_rest():
    world = World()
    for start in range(0, 1200, 400):
        world.put(*(one for n in range(start, start + 400) for one in closed(0, f"T-{n}")))
    left = []
    for n in range(4):
        world.pass_time(GONE + n)
        left.append(len(ShardTable(world.shard, "ticket")))
    assert left == [1200 - SEAL_AT_ONCE, 1200 - 2 * SEAL_AT_ONCE, 0, 0]


def test_what_the_overlay_in_flight_sealed_is_not_sealed_again_by_the_next():
    world = World()
    world.put(*closed())
    tick = world.record(event("survey.sent", GONE, "S", survey="ces", customer="clock"))
    read = frozenset({"tickets"})
    first = world.shard.fold([tick], world.now, at_end=read)
    second = world.shard.fold([], world.now, base=first, at_end=read)
    assert [key[:1] for key, value in first.writes.items() if value is None] == [b"e"]
    assert second.writes == {}


def test_an_incomplete_entity_that_is_sealed_waits_for_its_created_no_more():
    world = World()
    world.put(says(0, "agent"), event("review.posted", 0, "R", rating=1, site="maps", booking_id="nowhere"))
    assert (world.live("incomplete"), world.live("unjoined")) == (1, 1)
    world.pass_time(GONE)
    assert (world.live("incomplete"), world.live("unjoined")) == (0, 0)
    assert world.kinds()["u"] == 0


def test_a_review_of_a_sealed_booking_is_joined_if_it_is_the_same_customers():
    world = World()
    world.put(booked(0, customer="one"), event("booking.completed", 1, "B", customer="one"))
    world.pass_time(GONE + 1)
    world.put(event("review.posted", GONE + 2, "R1", rating=5, site="maps", booking_id="B", customer="one"))
    assert world.live("unjoined") == 0
    world.put(event("review.posted", GONE + 2, "R2", rating=5, site="maps", booking_id="B", customer="two"))
    assert world.live("unjoined") == 1


def test_stubs_and_customers_go_after_the_retention():
    world = World(Limits(retention=50 * DAY_US))
    world.put(*closed())
    world.pass_time(GONE)
    assert (world.kinds()["s"], world.kinds()["k"]) == (1, 2)
    world.pass_time(50 * DAY + STEP)
    assert world.kinds()["s"] == 0
    world.pass_time(51 * DAY + STEP)  # of a customer only the day of its last event is known
    assert world.kinds()["k"] == 1  # the clock's own


def test_a_year_of_steady_traffic_does_not_make_the_state_grow():
    world = World(Limits(retention=50 * DAY_US))
    sizes = {}
    for day in range(365):
        minute = day * DAY
        events = []
        for n in range(20):
            subject, who = f"{day}-{n}", f"customer-{day}-{n}"
            events += [created(minute, subject, customer=who, team=f"team-{n}", booking_id="nowhere")]
            events += [
                says(minute + 5, "agent", subject, customer=who),
                status(minute + n, "resolved", subject, customer=who),
            ]
        events += [says(minute, "agent", f"headless-{day}")]
        events += [event("review.posted", minute, f"R-{day}", rating=3, site="maps", booking_id=f"gone-{day}")]
        world.put(*events)
        world.log.clear()
        cells = sum(1 for _ in world.shard.buckets)
        tables = sum(map(len, (*world.shard.windows.sums.values(), world.shard.windows.live())))
        sizes[day] = (len(world.shard.store), cells, tables, len(world.shard.expiry.steps), len(world.shard.waiting))
    grown = max(map(max, zip(*(sizes[day] for day in range(60, 100)), strict=True)))
    assert grown > 1000
    for early, late in zip(
        map(max, zip(*(sizes[day] for day in range(70, 120)), strict=True)),
        map(max, zip(*(sizes[day] for day in range(315, 365)), strict=True)),
        strict=True,
    ):
        assert late <= 1.02 * early
