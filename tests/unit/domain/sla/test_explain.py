"""The ledger of a ticket: where the time of each run went, and who held the ticket."""

from __future__ import annotations

from typing import Any

from stream.domain.sla.explain import CLOSED, COUNTED, PAUSED, Explained, explain
from tests.unit.domain.sla.desk import Desk, clock, minutes, policies, policy
from tests.unit.domain.sla.test_runs import MONDAY, OFFICE, hours
from tests.unit.domain.world import DAY, MINUTE, at, created, event, says, status

DESK = Desk(policy("office", clock("resolution", hours(4), OFFICE)))
NINE = MONDAY + hours(9)


def explained(*events: Any, until: float, desk: Desk = DESK) -> list[Explained]:
    return explain(desk.fold(*events).entries, desk.book, at(until))


def parts(run: Explained) -> list[tuple[float, float, str, str]]:
    return [(minutes(part.start) - NINE, minutes(part.end) - NINE, part.kind, part.team) for part in run.segments]


def test_segments_follow_status_calendar_and_holder() -> None:
    (run,) = explained(
        created(NINE, team="blue"),
        status(NINE + 60, "pending"),
        event("ticket.assigned", NINE + 90, team="red"),
        status(NINE + 420, "open"),
        until=NINE + 540,
    )
    assert parts(run) == [
        (0, 60, COUNTED, "blue"),
        (60, 90, PAUSED, "blue"),
        (90, 420, PAUSED, "red"),
        (420, 480, COUNTED, "red"),
        (480, 540, CLOSED, "red"),
    ]
    assert run.total(COUNTED) == 120 * MINUTE
    assert run.total(COUNTED, "red") == 60 * MINUTE
    assert (run.state, minutes(run.deadline or 0)) == ("running", NINE + DAY + 120)


def test_a_reopened_run_shows_what_it_carries() -> None:
    first, second = explained(
        created(NINE), status(NINE + 60, "resolved"), status(NINE + 120, "open"), until=NINE + 150
    )
    assert (first.state, second.n, second.carried, second.total(COUNTED)) == ("met", 2, 60 * MINUTE, 30 * MINUTE)


def test_who_held_the_ticket_before_created_is_known() -> None:
    (run,) = explained(event("ticket.assigned", NINE - 1, team="early"), created(NINE), until=NINE + 5)
    assert {part.team for part in run.segments} == {"early"}


def test_a_merged_ticket_is_explained_up_to_its_merge() -> None:
    (run,) = explained(created(NINE), event("ticket.merged", NINE + 30, into="Y"), until=NINE + 90)
    assert (run.state, minutes(run.end)) == ("cancelled", NINE + 30)


def test_what_came_after_the_instant_asked_for_is_unknown() -> None:
    (run,) = explained(created(NINE), status(NINE + 60, "resolved"), until=NINE + 30)
    assert (run.state, minutes(run.end)) == ("running", NINE + 30)


def test_an_edited_configuration_explains_each_run_by_its_own_target() -> None:
    edit = (NINE + 100, policies(policy("office", clock("resolution", 90, OFFICE))))
    desk = Desk(policy("office", clock("resolution", hours(4), OFFICE)), edits=[edit])
    first, second = explained(
        created(NINE), status(NINE + 60, "resolved"), says(NINE + 120, "customer"), until=NINE + 130, desk=desk
    )
    assert [run.target for run in (first, second)] == [240 * MINUTE, 90 * MINUTE]
    assert minutes(second.deadline or 0) == NINE + 150


def test_a_ticket_without_created_has_nothing_to_explain() -> None:
    assert explained(says(NINE, "customer"), until=NINE + 10) == []
