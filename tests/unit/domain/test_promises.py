"""Promises of a whole shard: what fires when, what is told and counted, and what a restart keeps."""

from __future__ import annotations

from random import Random

import pytest

from stream.domain.keys import HISTORY_KEY, OFFSETS_KEY, entity_key
from stream.domain.windows import WINDOWS
from stream.events.event import Event
from tests.unit.domain.floor import Floor, deleted, enquired, index, merged, net, words
from tests.unit.domain.sla.desk import clock, policy
from tests.unit.domain.world import DAY, at, booked, created, event, says, status

FIRST = clock("first_response", 60, warnings=(15,))
RESOLUTION = clock("resolution", 480)
ALL = policy("all", FIRST)
BOTH = policy("all", FIRST, RESOLUTION)
QUOTES = policy("quotes", clock("quote_response", 60))


# What fires, and when.


def test_a_breach_fires_once_when_the_frontier_reaches_it_and_not_before() -> None:
    floor = Floor(ALL)
    floor.take(created(), now=0)
    told = [floor.tick(minute) for minute in (44, 45, 59, 60, 60, 61)]
    assert told == [[], ["first_response warning"], [], ["first_response breached"], [], []]


def test_the_clock_alone_fires_nothing_and_neither_does_a_frontier_ahead_of_it() -> None:
    floor = Floor(ALL)
    floor.take(created(), now=0)
    assert floor.take(now=200, frontier=44) == []
    ahead = Floor(ALL)
    ahead.take(created(), now=0)
    assert ahead.take(now=44, frontier=200) == []


@pytest.mark.parametrize("at_once", [True, False])
def test_a_backlog_that_still_holds_the_answer_fires_nothing(at_once: bool) -> None:
    floor = Floor(ALL)
    if at_once:
        assert floor.take(created(), says(10, "agent"), now=500, frontier=500) == ["first_response met"]
    else:
        assert floor.take(created(), now=500, frontier=0) == []
        assert floor.take(says(10, "agent"), now=500, frontier=10) == ["first_response met"]
    assert floor.tick(600) == []


def test_a_deadline_that_has_passed_when_its_ticket_comes_fires_in_that_fold() -> None:
    floor = Floor(ALL)
    floor.tick(1_000)
    assert floor.take(created(), now=1_000) == ["first_response breached"]
    assert floor.tick(1_001) == []


def test_a_deadline_that_an_event_moves_to_where_time_has_passed_fires_in_that_fold() -> None:
    floor = Floor(policy("high", clock("resolution", 100), priority="high"), policy("rest", RESOLUTION))
    floor.take(created(), now=0)
    floor.tick(300)
    assert floor.take(event("ticket.updated", 200, priority="high"), now=300) == ["resolution breached"]


def test_a_late_answer_takes_the_breach_back_and_the_gauge_falls() -> None:
    floor = Floor(ALL)
    floor.take(created(), now=0)
    floor.tick(70)
    assert (floor.count("sla_breached_open"), floor.count("sla_missed")) == (1, 1)
    assert floor.take(says(30, "agent"), now=70) == ["first_response retracted", "first_response met"]
    assert floor.told[-2]["data"]["retracts"] == "sla.breached"
    assert [floor.count(measure) for measure in ("sla_breached_open", "sla_missed", "sla_met")] == [0, 0, 1]


@pytest.mark.parametrize("end", [merged(80), deleted(80, "spam"), deleted(80, "test")])
def test_all_that_was_told_of_a_ticket_is_taken_back_when_it_was_none(end: Event) -> None:
    floor = Floor(BOTH)
    floor.take(created(), now=0)
    floor.tick(70)
    assert floor.take(end, now=80, frontier=80) == ["first_response retracted"]
    assert floor.tick(1_000) == []
    assert [floor.count(measure) for measure in ("sla_breached_open", "sla_missed", "sla_met")] == [0, 0, 0]
    assert len(floor.shard.deadlines) == 0


def test_a_deletion_for_privacy_keeps_what_was_told_and_nothing_falls_due_any_more() -> None:
    floor = Floor(BOTH)
    floor.take(created(), now=0)
    floor.tick(70)
    assert floor.take(deleted(80, "privacy"), now=80, frontier=80) == ["first_response missed"]
    assert floor.tick(1_000) == []
    assert [floor.count(measure) for measure in ("sla_breached_open", "sla_missed")] == [0, 1]


def test_a_booking_breaches_its_quote_and_is_met_by_a_late_event() -> None:
    floor = Floor(QUOTES)
    floor.take(enquired(), now=0)
    assert floor.tick(60) == ["quote_response breached"]
    assert floor.take(booked(50), now=60) == ["quote_response retracted", "quote_response met"]


# Outcomes are counted once.


def test_an_outcome_is_counted_once_whether_or_not_the_breach_was_told_first() -> None:
    told, untold = Floor(ALL), Floor(ALL)
    told.take(created(), now=0)
    told.tick(60)
    told.take(says(90, "agent"), now=90)
    untold.take(created(), says(90, "agent"), now=90, frontier=90)
    for floor in (told, untold):
        floor.tick(500)
        assert floor.outcomes == {("first_response", "all", "normal", "missed"): 1}


def test_a_breach_that_gives_way_to_a_miss_by_another_deadline_is_counted_in_the_end() -> None:
    floor = Floor(policy("all", RESOLUTION))
    floor.take(created(), now=0)
    floor.tick(480)
    late = status(10, "pending"), status(20, "open"), status(600, "resolved")
    assert floor.take(*late, now=600) == ["resolution retracted", "resolution missed"]
    assert net(floor.outcomes) == {("resolution", "all", "normal", "missed"): 1}


def test_what_a_merge_takes_back_is_taken_from_where_it_was_counted() -> None:
    floor = Floor(ALL)
    floor.take(created(priority="high"), now=0)
    floor.tick(60)
    floor.take(merged(70), now=70)
    assert net(floor.outcomes) == {}


# Overlays in flight, and ticks.


def test_what_an_overlay_in_flight_has_told_is_not_told_by_the_next() -> None:
    floor = Floor(ALL)
    floor.take(created(), now=0)
    first = floor.fold(now=60, frontier=60)
    second = floor.fold(now=61, frontier=61, base=first)
    assert (words(first), words(second)) == (["first_response breached"], [])


def test_a_deadline_that_an_overlay_in_flight_brought_fires_in_the_next() -> None:
    floor = Floor(ALL)
    floor.tick(0)
    first = floor.fold(created(), now=0, frontier=0)
    second = floor.fold(now=60, frontier=60, base=first)
    assert (words(first), words(second)) == ([], ["first_response breached"])


QUICK = policy("all", clock("first_response", 0.5))


def test_a_tick_that_changes_nothing_writes_nothing_but_how_far_has_been_fired() -> None:
    floor = Floor(QUICK)
    floor.take(created(), now=0)
    overlay = floor.fold(now=0.4, frontier=0.4)
    assert (overlay.changed, [key for key, _ in overlay.records]) == (False, [OFFSETS_KEY])
    assert overlay.meta.fired_until == at(0.4)


def test_a_tick_that_fires_writes_no_entity() -> None:
    floor = Floor(QUICK)
    floor.take(created(), now=0)
    overlay = floor.fold(now=0.5, frontier=0.5)
    assert (words(overlay), overlay.changed) == (["first_response breached"], True)
    assert [key for key, _ in overlay.records] == [OFFSETS_KEY]


# Configurations edited.

SHORTER = policy("all", clock("first_response", 40))


def test_open_tickets_follow_an_edited_configuration_and_ended_ones_stay() -> None:
    floor = Floor(ALL)
    floor.take(created(), created(0, "Y"), says(50, "agent", "Y"), now=50, frontier=50)
    floor.restart(SHORTER)
    floor.tick(55)
    assert floor.tick(56) == ["first_response breached"]
    assert floor.deadlines() == {"first_response": pytest.approx(55, abs=1e-6)}
    assert (floor.count("sla_met"), floor.count("sla_missed")) == (1, 1)


def test_a_configuration_that_stayed_the_same_is_no_edit() -> None:
    floor = Floor(ALL)
    floor.take(created(), now=0)
    floor.restart(ALL)
    overlay = floor.fold(now=1)
    assert HISTORY_KEY not in overlay.writes
    assert not overlay.changed


def test_an_event_of_the_very_instant_of_an_edit_stays_judged_as_it_was() -> None:
    floor = Floor(ALL)
    floor.take(created(), says(50, "agent"), now=50)
    floor.restart(SHORTER)
    floor.take(now=50)
    floor.take(says(20, "agent"), now=50)  # has the ledger folded anew, the old one and the new
    assert (floor.count("sla_met"), floor.count("sla_missed")) == (1, 0)


def test_an_open_ticket_follows_although_an_event_from_before_the_edit_comes_first() -> None:
    floor = Floor(BOTH)
    floor.take(created(), now=30)
    floor.restart(policy("all", FIRST, clock("resolution", 100)))
    floor.take(now=30)
    floor.take(says(29, "agent"), now=31)
    floor.take(now=32)
    assert floor.deadlines() == {"resolution": 100}


def test_a_ticket_from_before_the_edit_that_comes_after_it_follows_as_well() -> None:
    floor = Floor(ALL)
    floor.take(created(0, "Y"), now=30)
    floor.restart(SHORTER)
    floor.take(now=30)
    floor.take(created(20), now=31)
    floor.take(now=32)
    assert floor.deadlines() == {"first_response": 60}


MANY = 1_200


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("flight", [False, True])
def test_many_open_tickets_follow_over_several_folds(restart: bool, flight: bool) -> None:
    floor = Floor(policy("all", RESOLUTION))
    floor.take(*(created(0, f"T-{number}") for number in range(MANY)), now=0)
    floor.restart(policy("all", clock("resolution", 240)))
    for minute in (1, 2, 3, 4):
        overlays = [floor.fold(now=minute)]
        if flight:
            overlays.append(floor.fold(now=minute, base=overlays[0]))
        for overlay in overlays:
            floor.merge(overlay)
        if restart and minute == 2:
            floor.restart()
    assert {tuple(floor.deadlines(f"T-{number}").items()) for number in range(MANY)} == {(("resolution", 240),)}
    assert len(floor.tick(240)) == MANY


def test_a_fold_lets_only_some_tickets_follow() -> None:
    floor = Floor(policy("all", RESOLUTION))
    floor.take(*(created(0, f"T-{number}") for number in range(MANY)), now=0)
    floor.restart(policy("all", clock("resolution", 240)))
    written = [sum(key[:1] == b"e" for key in floor.fold(now=1).writes)]
    floor.merge(floor.fold(now=1))
    written += [sum(key[:1] == b"e" for key in floor.fold(now=2).writes)]
    assert written[1] == 500


def test_a_booking_without_an_enquiry_has_nothing_to_follow() -> None:
    floor = Floor(QUOTES)
    floor.take(booked(), now=0)
    floor.restart(policy("quotes", clock("quote_response", 30)))
    floor.take(now=1)
    assert entity_key("booking", "B") not in floor.fold(now=2).writes


# Windows.


@pytest.mark.parametrize("seed", range(5))
def test_open_runs_past_their_deadline_count_as_missed_in_every_window(seed: int) -> None:
    random = Random(seed)
    floor = Floor(policy("high", clock("resolution", 90), priority="high"), policy("rest", RESOLUTION))
    missed: list[float] = []
    met: list[float] = []
    for number in range(150):
        start = random.randrange(0, 40 * DAY) + random.choice([0, 0.5])
        priority = random.choice(["high", "low"])
        deadline = start + (90 if priority == "high" else 480)
        took = random.choice([10, 89, 200, 480, 1_000, None])
        life = [created(start, f"T-{number}", priority=priority)]
        if took is not None:
            life.append(status(start + took, "resolved", f"T-{number}"))
        floor.take(*life, now=0)
        if took is not None and start + took <= deadline:
            met.append(start + took)
        else:
            missed.append(deadline)
    for now in (1, 60, 300, DAY, 7 * DAY, 7 * DAY + 0.25, 29 * DAY, 33 * DAY + 7, 42 * DAY):
        view = floor.view(now)
        for window in WINDOWS:
            sums = view.windows[window.name]
            for measure, instants in (("sla_missed", missed), ("sla_met", met)):
                left = window.left(at(now))
                expected = sum(left <= at(instant) <= at(now) for instant in instants)
                assert sums.get((measure, 0, "", "", ""), (0, 0))[0] == expected, (measure, window.name, now)


# Restoring.


def test_a_restored_shard_has_the_same_index_and_tells_the_same() -> None:
    floor = Floor(BOTH, QUOTES)
    floor.take(created(), created(10, "Y"), enquired(20), enquired(0, "E"), now=20, frontier=20)
    floor.tick(62)
    floor.take(says(62, "agent", "Y"), status(62, "pending", "X"), now=63, frontier=63)
    again = floor.restored()
    assert index(again, floor.now) == index(floor.shard, floor.now)
    known = at(5_000)
    overlays = [shard.fold([], known, frontier=known) for shard in (floor.shard, again)]
    assert {one["id"] for _, one in overlays[0].notices} == {one["id"] for _, one in overlays[1].notices}
    assert words(overlays[1])


def test_a_shard_restored_while_tickets_follow_goes_on_with_those_that_are_left() -> None:
    floor = Floor(policy("all", RESOLUTION))
    floor.take(*(created(0, f"T-{number}") for number in range(MANY)), now=0)
    floor.restart(policy("all", clock("resolution", 240)))
    for minute in (1, 2):
        floor.take(now=minute)
    assert index(floor.restored(), floor.now) == index(floor.shard, floor.now)
