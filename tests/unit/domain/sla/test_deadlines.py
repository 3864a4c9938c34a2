"""The index of open runs: what fires when, and how many are late or near, against a plain look at all of them."""

from __future__ import annotations

from random import Random

import pytest

from stream.domain.sla.deadlines import NOTHING_DUE, Deadlines, Due, Outlook, due_of
from tests.unit.domain.sla.desk import Desk, clock, policy
from tests.unit.domain.world import MINUTE, at, created, says, status

GROUP = ("resolution", "all", "none")
SPANS = {"15m": 15, "1h": 60}  # minutes
DESK = Desk(policy("all", clock("first_response", 60, warnings=(15,)), clock("resolution", 480)))


def due(*deadlines: int, unanswered: int | None = None) -> Due:
    return Due(tuple((GROUP, deadline) for deadline in deadlines), deadlines, unanswered, "none")


def test_what_may_fall_due_is_every_deadline_and_warning_of_the_open_runs() -> None:
    found = due_of(DESK.fold(created(team="blue")).sla)
    assert found.deadlines == (
        (("resolution", "all", "blue"), at(480)),
        (("first_response", "all", "blue"), at(60)),
    )
    assert sorted(found.instants) == [at(45), at(60), at(480)]
    assert (found.unanswered, found.team) == (at(0), "blue")


def test_a_run_carried_over_from_a_missed_one_is_overdue_and_fires_nothing() -> None:
    carried = due_of(DESK.fold(created(), says(1, "agent"), status(500, "resolved"), status(600, "open")).sla)
    index = Deadlines()
    index.update(b"a", carried)
    index.advance(at(700), at(700))
    assert (index.overdue(at(700)), index.reached(at(700)), index.outlooks()) == ([b"a"], set(), {})


def test_nothing_may_fall_due_of_a_paused_or_a_closed_run() -> None:
    paused = DESK.fold(created(), says(1, "agent"), status(2, "pending"))
    closed = DESK.fold(created(), status(5, "closed"))
    assert [due_of(folded.sla) for folded in (paused, closed)] == [NOTHING_DUE] * 2


def test_an_entity_is_reached_until_the_firing_is_committed() -> None:
    index = Deadlines()
    index.update(b"a", due(10))
    assert index.reached(9) == set()
    assert [index.reached(10), index.reached(10)] == [{b"a"}, {b"a"}]
    index.fire(10)
    assert index.reached(99) == set()


def test_a_deadline_that_moved_does_not_fire_at_its_old_place() -> None:
    index = Deadlines()
    index.update(b"a", due(10))
    index.update(b"a", due(20))
    assert (index.reached(10), index.reached(20)) == (set(), {b"a"})
    index.update(b"a", NOTHING_DUE)
    assert index.reached(20) == set()


def test_a_deadline_between_frontier_and_clock_is_unconfirmed() -> None:
    index = Deadlines()
    index.update(b"a", due(at(10), at(20), at(30)))
    index.advance(at(10), at(20))
    assert index.outlooks() == {GROUP: Outlook(1, 1, {"15m": 1, "1h": 1}, at(20))}


def test_a_deadline_at_this_very_instant_is_breached_and_one_in_an_hour_is_due_soon() -> None:
    index = Deadlines()
    index.update(b"a", due(at(0), at(15), at(60), at(60) + 1))
    index.advance(at(0), at(0))
    assert index.outlooks() == {GROUP: Outlook(1, 0, {"15m": 1, "1h": 2}, at(15))}


def test_the_oldest_unanswered_is_the_one_left_when_older_ones_are_answered() -> None:
    index = Deadlines()
    for key, since in ((b"a", 5), (b"b", 3), (b"c", 3)):
        index.update(key, due(100, unanswered=since))
    index.update(b"b", due(100))
    assert index.oldest_unanswered() == {"none": 3}
    index.update(b"c", NOTHING_DUE)
    assert index.oldest_unanswered() == {"none": 5}
    index.update(b"a", NOTHING_DUE)
    assert index.oldest_unanswered() == {}


def test_overdue_names_the_entities_behind_a_page() -> None:
    index = Deadlines()
    index.update(b"a", due(at(10)))
    index.update(b"b", due(at(20)))
    assert index.overdue(at(10)) == [b"a"]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_and_goes_the_figures_are_those_of_a_plain_count(seed: int) -> None:
    random = Random(seed)
    index, held = Deadlines(), {}
    frontier = now = fired = at(0)
    for _ in range(300):
        key = bytes([random.randrange(20)])
        found = due(*(at(random.randrange(-30, 200)) for _ in range(random.randrange(3))))
        if random.random() < 0.3 or not found.deadlines:
            found = NOTHING_DUE
        held[key] = found
        index.update(key, found)
        now += random.choice([0, 0, MINUTE])
        frontier = random.choice([frontier, now])
        index.advance(frontier, now)
        fresh = {key for key, one in held.items() if any(fired < at <= frontier for at in one.instants)}
        assert fresh <= index.reached(frontier)
        assert all(any(at <= frontier for at in held[key].instants) for key in index.reached(frontier))
        if random.random() < 0.2:
            index.fire(frontier)
            fired = frontier
        instants = [at for one in held.values() for _, at in one.deadlines]
        if not instants:
            assert index.outlooks() == {}
            continue
        ahead = [at for at in instants if at > frontier]
        assert index.outlooks() == {
            GROUP: Outlook(
                breached=sum(at <= frontier for at in instants),
                unconfirmed=sum(frontier < at <= now for at in instants),
                soon={name: sum(now < at <= now + span * MINUTE for at in instants) for name, span in SPANS.items()},
                next_deadline=min(ahead) if ahead else None,
            )
        }
