"""The index of open runs: what fires when, and how many are late or near, against a plain look at all of them."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from stream.domain.sla.deadlines import NOTHING_DUE, SOON, Deadlines, Due, Outlook, due_of
from stream.domain.sla.timeline import Group
from stream.domain.windows import WINDOWS
from stream.events.values import MICRO
from tests.unit.domain.sla.desk import Desk, clock, policy
from tests.unit.domain.world import MINUTE, at, created, event, says, status

GROUP = ("resolution", "all", "normal", "blue", "red")  # missed by blue, held by red
HELD = ("resolution", "all", "red")
DESK = Desk(policy("all", clock("first_response", 60, warnings=(15,)), clock("resolution", 480)))


def due(*deadlines: int, warnings: tuple[int, ...] = (), unanswered: int | None = None) -> Due:
    return Due(tuple((GROUP, deadline) for deadline in deadlines), warnings, unanswered, "red")


def index() -> Deadlines:
    return Deadlines(len(WINDOWS))


def advance(deadlines: Deadlines, frontier: int, now: int) -> None:
    deadlines.advance(frontier, now, [window.left(now) for window in WINDOWS])


def test_what_may_fall_due_is_every_deadline_and_warning_of_the_open_runs() -> None:
    found = due_of(DESK.fold(created(team="blue")).sla)
    assert sorted(found.deadlines) == [
        (("first_response", "all", "normal", "blue", "blue"), at(60)),
        (("resolution", "all", "normal", "blue", "blue"), at(480)),
    ]
    assert (found.warnings, found.unanswered, found.team) == ((at(45),), at(0), "blue")


def test_a_breached_run_counts_for_the_team_that_missed_it_and_shows_at_the_one_that_holds_it() -> None:
    folded = DESK.fold(created(team="blue"), says(1, "agent"), event("ticket.assigned", 490, team="red"))
    assert due_of(folded.sla).deadlines == ((GROUP, at(480)),)


def test_a_run_carried_over_from_a_missed_one_neither_pages_nor_counts() -> None:
    carried = DESK.fold(created(), says(1, "agent"), status(500, "resolved"), status(600, "open"))
    assert carried.phase("resolution", 600) == "breached_open"
    assert due_of(carried.sla) == NOTHING_DUE


def test_nothing_may_fall_due_of_a_paused_or_a_closed_run() -> None:
    paused = DESK.fold(created(), says(1, "agent"), status(2, "pending"))
    closed = DESK.fold(created(), status(5, "closed"))
    assert [due_of(folded.sla) for folded in (paused, closed)] == [NOTHING_DUE] * 2


def test_an_entity_is_reached_until_its_firing_is_committed() -> None:
    deadlines = index()
    deadlines.update(b"a", due(at(10), warnings=(at(5),)))
    assert deadlines.reached(at(5) - 1) == set()
    assert [deadlines.reached(at(5)), deadlines.reached(at(9))] == [{b"a"}, {b"a"}]
    deadlines.fire(at(9))
    assert [deadlines.reached(at(10) - 1), deadlines.reached(at(10))] == [set(), {b"a"}]
    deadlines.fire(at(11))
    assert deadlines.reached(at(99)) == set()


def test_a_firing_committed_within_a_second_leaves_the_rest_of_that_second_to_come() -> None:
    deadlines = index()
    deadlines.update(b"a", due(at(10) + 700_000))
    deadlines.fire(at(10) + 600_000)
    assert deadlines.reached(at(10) + 700_000) == {b"a"}


def test_a_deadline_that_moved_does_not_fire_at_its_old_place() -> None:
    deadlines = index()
    deadlines.update(b"a", due(at(10)))
    deadlines.update(b"a", due(at(20)))
    assert (deadlines.reached(at(19)), deadlines.reached(at(20))) == (set(), {b"a"})
    deadlines.update(b"a", NOTHING_DUE)
    assert (deadlines.reached(at(20)), len(deadlines)) == (set(), 0)


def test_a_deadline_between_frontier_and_clock_is_unconfirmed() -> None:
    deadlines = index()
    deadlines.update(b"a", due(at(10), at(20), at(30)))
    advance(deadlines, at(10), at(20))
    assert deadlines.outlooks() == {HELD: Outlook(1, 1, {"15m": 1, "1h": 1}, at(20))}


def test_a_deadline_at_this_very_instant_is_breached_and_one_in_an_hour_is_due_soon() -> None:
    deadlines = index()
    deadlines.update(b"a", due(at(0), at(15), at(60), at(60) + 1))
    advance(deadlines, at(0), at(0))
    assert deadlines.outlooks() == {HELD: Outlook(1, 0, {"15m": 1, "1h": 2}, at(15))}


def test_what_lives_shows_under_the_team_that_holds_it_and_a_miss_counts_for_the_one_that_missed_it() -> None:
    deadlines = index()
    deadlines.update(b"a", due(at(10)))
    advance(deadlines, at(10), at(10))
    assert list(deadlines.counts()) == [("sla_breached_open", ("resolution", "all", "normal", "red"), 1)]
    assert deadlines.missed(0) == {("resolution", "all", "normal", "blue"): 1}


def test_the_oldest_unanswered_is_the_one_left_when_older_ones_are_answered() -> None:
    deadlines = index()
    for key, since in ((b"a", at(5)), (b"b", at(3)), (b"c", at(3))):
        deadlines.update(key, due(at(100), unanswered=since))
    deadlines.update(b"b", due(at(100)))
    assert deadlines.oldest_unanswered() == {"red": at(3)}
    deadlines.update(b"c", NOTHING_DUE)
    assert deadlines.oldest_unanswered() == {"red": at(5)}
    deadlines.update(b"a", NOTHING_DUE)
    assert deadlines.oldest_unanswered() == {}


def test_overdue_names_the_entities_behind_a_page() -> None:
    deadlines = index()
    deadlines.update(b"a", due(at(10)))
    deadlines.update(b"b", due(at(20)))
    assert list(deadlines.overdue(at(10))) == [b"a"]


TEAMS = ("red", "blue")


def some(random: Random) -> Due:
    """Return what may fall due of an entity, on few instants, so that many entities share a second or an instant."""

    def instant(first: int, last: int) -> int:
        return at(random.randrange(first, last)) + random.choice([0, 0, 0, 1, 999_999])

    team = random.choice(TEAMS)
    clocks = random.sample(["first_response", "next_response", "resolution"], random.randrange(3))
    deadlines = tuple(
        ((clock, "all", "normal", random.choice(TEAMS), team), instant(-60 * 30, 200)) for clock in clocks
    )
    if not deadlines or random.random() < 0.3:
        return NOTHING_DUE
    warnings = tuple(instant(-30, 200) for _ in range(random.randrange(2)))
    return Due(deadlines, warnings, random.choice([None, instant(-90, 0)]), team)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_comes_and_goes_the_figures_are_those_of_a_plain_count(seed: int) -> None:
    random = Random(seed)
    deadlines, held = index(), {}
    frontier = now = fired = at(0)
    deadlines.fire(fired)
    for _ in range(200):
        key = bytes([random.randrange(30)])
        held[key] = some(random)
        deadlines.update(key, held[key])
        now += random.choice([0, 0, 1, MICRO, 30 * MICRO, MINUTE, 40 * MINUTE])
        frontier = max(frontier, random.choice([frontier, now, now - 5 * MINUTE]))
        advance(deadlines, frontier, now)
        news = {key for key, one in held.items() if any(fired < at <= frontier for at in instants(one))}
        assert news <= deadlines.reached(frontier)
        second = fired - fired % MICRO
        near = {key for key, one in held.items() if any(second <= at <= frontier for at in instants(one))}
        assert deadlines.reached(frontier) <= near
        if random.random() < 0.2:
            deadlines.fire(frontier)
            fired = frontier
        compare(deadlines, list(held.values()), now, frontier)


def instants(one: Due) -> list[int]:
    return [*(deadline for _, deadline in one.deadlines), *one.warnings]


def held_by(group: Group) -> tuple[str, str, str]:
    return group[0], group[1], group[4]


def compare(deadlines: Deadlines, held: list[Due], now: int, frontier: int) -> None:
    """Hold every figure of the index against a plain count over *held*."""
    runs = [run for one in held for run in one.deadlines]
    for holder in {held_by(group) for group, _ in runs}:
        mine = [deadline for group, deadline in runs if held_by(group) == holder]
        ahead = [deadline for deadline in mine if deadline > frontier]
        expected = Outlook(
            breached=sum(deadline <= frontier for deadline in mine),
            unconfirmed=sum(frontier < deadline <= now for deadline in mine),
            soon={name: sum(now < deadline <= now + span for deadline in mine) for name, span in SOON.items()},
            next_deadline=min(ahead, default=None),
        )
        assert deadlines.outlooks().get(holder, Outlook(0, 0, dict.fromkeys(SOON, 0), None)) == expected
    live = Counter({(measure, labels): count for measure, labels, count in deadlines.counts()})
    spans = {"sla_breached_open": (-(2**62), now), **{f"sla_due_soon_{n}": (now, now + s) for n, s in SOON.items()}}
    assert live == Counter(
        (measure, (*group[:3], group[4]))
        for measure, (after, until) in spans.items()
        for group, deadline in runs
        if after < deadline <= until
    )
    for place, window in enumerate(WINDOWS):
        inside = Counter(group[:4] for group, deadline in runs if window.left(now) <= deadline <= now)
        assert deadlines.missed(place) == inside
    waits = {
        team: min((one.unanswered for one in held if one.team == team and one.unanswered is not None), default=None)
        for team in TEAMS
    }
    assert deadlines.oldest_unanswered() == {team: since for team, since in waits.items() if since is not None}
