"""Windows slide on their grain, in event time, whatever the clock does."""

from __future__ import annotations

import random

import pytest

from stream.domain import cells, windows
from stream.domain.cells import pack
from stream.domain.shard import Shard
from stream.domain.windows import EXACT, WINDOWS, Buckets, Grid, WindowTable
from stream.events.values import DAY_US, MICRO
from tests.unit.domain.world import DAY, MINUTE, START, World, created, event, status

SECOND = MICRO
LENGTHS = {"5m": 5, "1h": 60, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: window.name)
def test_a_window_holds_exactly_what_lies_from_its_left_edge_to_now(window):
    now = START + 17 * SECOND + 3
    left = (now - window.length) // window.grain * window.grain
    for at, inside in ((left, 1), (left - 1, 0), (now, 1), (now + 1, 0)):
        shard = Shard(0)
        world = World()
        record = world.record(created((at - START) / MINUTE), (now - START) / MINUTE)
        assert record.item.time == at
        shard.merge(shard.fold([record], now))
        assert shard.view(now).windows[window.name].get(("ticket_created", 0, "", "", ""), (0, 0))[0] == inside


@pytest.mark.parametrize("name", LENGTHS)
def test_a_contribution_leaves_when_the_edge_has_passed_its_bucket_and_not_before(name):
    window = next(one for one in WINDOWS if one.name == name)
    world = World()
    world.put(created(0))
    leaves = START + window.length + window.grain  # START lies on every grain: its bucket ends one grain later
    for now, inside in ((leaves - 1, 1), (leaves, 0)):
        world.now = now
        assert world.total("ticket_created", name) == inside


@pytest.mark.parametrize("days", [0.001, 0.3, 1.7, 6.9, 29, 31, 400])
def test_a_clock_that_jumps_arrives_where_small_steps_arrive(days):
    jumped, stepped = World(), World()
    events = [created(minute, f"T-{minute}") for minute in range(0, 600, 7)]
    for world in (jumped, stepped):
        world.put(*events)
    jumped.put(now=600 + days * DAY)
    for step in range(1, 51):
        stepped.put(now=600 + days * DAY * step / 50)
    for name in LENGTHS:
        assert jumped.total("ticket_created", name) == stepped.total("ticket_created", name), name
    assert sorted(jumped.shard.buckets) == sorted(stepped.shard.buckets)


def test_a_clock_that_goes_back_loses_nothing_and_counts_nothing_twice():
    world = World()
    world.put(created(0, "A"), now=100)
    world.put(created(50, "B"), now=40)  # the clock was set back an hour; B lies ahead of it
    world.put(event("ticket.deleted", 51, "A", reason="spam"), now=45)
    world.put(created(99, "C"), now=101)
    world.now = START + 101 * MINUTE
    assert world.total("ticket_created") == 2
    assert not world.shard.buckets.grains.get(EXACT)


def test_an_event_ahead_of_the_clock_is_shown_when_its_microsecond_has_come_without_a_fold():
    world = World()
    world.put((created(4), 0), now=0)
    for now, shown in ((START + 4 * MINUTE - 1, 0), (START + 4 * MINUTE, 1)):
        world.now = now
        assert world.total("ticket_created", "5m") == shown


def test_what_was_ahead_of_the_clock_and_is_retracted_in_its_bucket_leaves_no_trace():
    world = World()
    world.put((created(4), 0), now=0)
    world.put((event("ticket.deleted", 4, reason="spam"), 0), now=5)
    assert world.total("ticket_created") == 0
    assert list(world.shard.buckets) == []


def test_fine_buckets_roll_up_so_that_their_number_follows_the_windows_and_not_the_events():
    world = World()
    for day in range(60):
        world.put(*(created(day * DAY + minute, f"T-{day}-{minute}") for minute in range(0, DAY, 3)))
    grains = {grain: len(starts) for grain, starts in world.shard.buckets.grains.items() if grain > 0}
    for window, finer in zip(WINDOWS, (0, *(one.length for one in WINDOWS)), strict=False):
        assert grains[window.grain] <= (window.length - finer) / window.grain + 60 * 60 * SECOND * 6 / window.grain + 8


def test_cells_that_have_left_every_window_are_forgotten_and_no_figure_changes(monkeypatch):
    monkeypatch.setattr(cells, "FEW", 200)
    world = World()
    for day in range(120):
        world.put(*(created(day * DAY + n, f"T-{day}-{n}", team=f"team-{day}-{n}", brand="b") for n in range(10)))
        if day % 7 == 0:
            world.put(*(status(day * DAY + 20, "closed", f"T-{day - ago}-3") for ago in (0, 20, 50) if day >= ago))
    known = len(world.shard.buckets.cells.names)
    assert known < 120 * 10 * 2  # each ticket had two cells of its own at least
    anew = World()
    anew.log = world.log
    again = anew.restored()
    assert sorted(again.buckets) == sorted(world.shard.buckets)
    for name in LENGTHS:
        assert {key: sums for key, sums in world.shard.view(world.now).windows[name].items() if any(sums)} == {
            key: sums for key, sums in again.view(world.now).windows[name].items() if any(sums)
        }


def test_an_event_older_than_every_window_is_in_none_and_takes_no_room():
    world = World()
    world.put((created(-40 * DAY), -40 * DAY), now=0)
    assert world.total("ticket_created") == 0
    assert list(world.shard.buckets) == [((-1, 0), {("ticket_active", 0, ("chat", "normal", "none", "none")): (1, 0)})]


def test_every_left_edge_from_the_roll_up_on_falls_between_buckets():
    rolled = Grid.at(START)
    for now in (START + n * 777_777_777 for n in range(200)):
        for place, window in enumerate(WINDOWS):
            left = window.left(now)
            start = rolled.bucket(left)
            below = rolled.bucket(left - 1)
            assert start is None or start[1] == left or start[0] <= window.grain, (place, now)
            assert below is None or below[1] + below[0] <= left


def test_a_table_can_have_other_windows():
    buckets = Buckets()
    table = WindowTable(buckets, 0, (windows.Window("10s", 10 * SECOND, SECOND),))
    cell = buckets.cells.number(("ticket_created", 0, ("chat", "low", "t", "b")))
    table.add([((SECOND, 3 * SECOND), {cell: pack(1, 0)})])
    assert dict(table) == {"10s": table.view("10s")}
    assert table["10s"]["ticket_created", 0, "team", "t", ""] == (1, 0)


def test_beyond_200_labels_of_a_dimension_the_rest_is_other_and_the_total_stays_right():
    world = World()
    world.put(*(created(0, f"T-{n}", team=f"team-{n}") for n in range(300)))
    view = world.shard.view(world.now)
    series = {key: sums for key, sums in view.windows["30d"].items() if key[:3] == ("ticket_created", 0, "team")}
    assert len(series) == windows.MAX_LABELS + 1
    assert series["ticket_created", 0, "team", "other", ""] == (100, 0)
    assert world.total("ticket_created") == 300
    assert view.overflow["team"] > 0


def test_a_view_is_not_changed_by_what_comes_after_it():
    world = World()
    world.put(created(0))
    view = world.shard.view(world.now)
    before = {name: dict(sums) for name, sums in view.windows.items()}
    world.put(*(created(n, f"T-{n}") for n in range(1, 50)))
    assert {name: dict(sums) for name, sums in view.windows.items()} == before


def test_money_is_summed_only_within_its_currency():
    world = World()
    for n, currency in enumerate(["EUR", "USD", "EUR"]):
        data = {"channel": "web", "service": "s", "amount": 10, "currency": currency}
        world.put(event("booking.created", n, f"B{n}", **data), event("booking.completed", n, f"B{n}"))
    sums = world.shard.view(world.now).windows["30d"]
    totals = {key[4]: pair for key, pair in sums.items() if key[:4] == ("revenue", 0, "", "")}
    assert totals == {"EUR": (2, 20 * MICRO), "USD": (1, 10 * MICRO)}


def test_sums_kept_up_to_date_equal_sums_built_anew_after_any_walk_of_the_clock():
    pick = random.Random(3)
    world, minute = World(), 0.0
    for n in range(150):
        minute += pick.choice([0.01, 1, 30, 400])
        world.put((created(minute - pick.choice([0, 3, 2000]), f"T-{n}"), minute), now=minute)
    anew = WindowTable(world.shard.buckets, world.now)
    kept = world.shard.view(world.now).windows
    for name in LENGTHS:
        assert {k: v for k, v in kept[name].items() if v != (0, 0)} == dict(anew.view(name)), name
    assert anew.now - START < 200 * DAY_US
