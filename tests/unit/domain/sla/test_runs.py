"""The runs of a ticket's clocks, rule by rule. Times are minutes after Sunday 2026-03-01T00:00Z."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from stream.domain.sla.calendar import OpeningHours
from stream.domain.sla.engine import ahead
from stream.domain.sla.policy import Replies
from stream.domain.sla.runs import CLOCKS
from tests.unit.domain.sla.desk import Desk, clock, policies, policy
from tests.unit.domain.world import DAY, at, created, event, says, status

FIRST = clock("first_response", 60)
NEXT = clock("next_response", 30)
UPDATE = clock("periodic_update", 240)
RESOLUTION = clock("resolution", 480)
OFFICE = OpeningHours("office", ZoneInfo("UTC"), (((9 * 3600, 17 * 3600),),) * 5 + ((), ()), {}, lambda year: set())
MONDAY = DAY  # START is a Sunday
DESK = Desk(policy("all", FIRST, NEXT, UPDATE, RESOLUTION))


def hours(count: float) -> float:
    return count * 60


# First response.


def test_a_reply_at_exactly_the_deadline_meets_it_and_a_moment_later_misses_it() -> None:
    assert DESK.fold(created(), says(60, "agent")).outcome("first_response") == "met"
    assert DESK.fold(created(), says(60.001, "agent")).outcome("first_response") == "missed"


def test_notes_and_messages_of_bots_are_no_reply() -> None:
    folded = DESK.fold(created(), says(1, "agent", public=False), says(2, "bot"), says(3, "system"))
    assert folded.deadline("first_response") == 60


def test_which_messages_count_as_a_reply_is_configuration() -> None:
    desk = Desk(policy("all", FIRST), replies=Replies(frozenset({"agent", "bot"}), frozenset()))
    assert desk.fold(created(), says(2, "bot")).outcome("first_response") == "met"


def test_a_ticket_that_an_agent_requested_owes_no_first_response() -> None:
    assert not DESK.fold(created(requested_by="agent"), says(90, "agent")).missed("first_response", 999)


def test_a_breach_needs_no_event() -> None:
    folded = DESK.fold(created())
    assert [folded.phase("first_response", minute) for minute in (59, 60, 90)] == [
        "running",
        "breached_open",
        "breached_open",
    ]
    assert folded.missed("first_response", until=59) == []
    assert folded.missed("first_response", until=60) == [60]


def test_a_run_counts_once_at_the_earlier_of_its_end_and_its_deadline() -> None:
    late, timely = DESK.fold(created(), says(90, "agent")), DESK.fold(created(), says(20, "agent"))
    assert (late.missed("first_response", 999), late.met("first_response")) == ([60], [])
    assert (timely.missed("first_response", 999), timely.met("first_response")) == ([], [20])


def test_a_bot_hand_off_starts_the_wait_anew_even_after_the_deadline() -> None:
    assert DESK.fold(created(), event("ticket.handed_off", 10)).deadline("first_response") == 70
    folded = DESK.fold(created(), event("ticket.handed_off", 100), says(150, "agent"))
    assert folded.outcome("first_response") == "met"
    assert folded.missed("first_response", 999) == []


def test_a_resolve_without_a_reply_meets_the_first_response_and_is_flagged() -> None:
    folded = DESK.fold(created(), status(30, "resolved"))
    (run,) = [run for run in folded.ended if run.clock == 0]
    assert (run.outcome, run.no_reply) == ("met", True)
    (run,) = [run for run in DESK.fold(created(), status(61, "resolved")).ended if run.clock == 0]
    assert (run.outcome, run.no_reply) == ("missed", False)


def test_a_reply_while_pending_meets_the_first_response() -> None:
    assert DESK.fold(created(), status(5, "pending"), says(9, "agent")).outcome("first_response") == "met"


def test_a_reply_stamped_before_created_leaves_nothing_to_wait_for() -> None:
    folded = DESK.fold(says(-1, "agent"), created())
    assert folded.outcome("first_response") is None
    assert not folded.missed("first_response", 999)


# Next response and periodic update.


def test_the_next_response_waits_from_the_oldest_unanswered_message() -> None:
    folded = DESK.fold(created(), says(1, "agent"), says(10, "customer"), says(20, "customer"))
    assert folded.deadline("next_response") == 40
    assert folded.sla.unanswered == folded.run("next_response").start


def test_each_wait_is_a_run_and_a_reply_ends_it_once() -> None:
    folded = DESK.fold(
        *(created(), says(1, "agent")),
        *(says(10, "customer"), says(30, "agent"), says(31, "agent")),
        *(says(50, "customer"), says(99, "agent")),
    )
    assert [folded.outcome("next_response", n) for n in (1, 2)] == ["met", "missed"]


def test_before_the_first_reply_only_the_first_response_runs() -> None:
    folded = DESK.fold(created(), says(1, "customer"))
    assert [run.clock for run in folded.sla.runs if run.clock == 1] == []


def test_a_resolve_ends_a_wait_and_a_thank_you_after_closing_starts_none() -> None:
    folded = DESK.fold(created(), says(1, "agent"), says(2, "customer"), status(3, "closed"), says(4, "customer"))
    assert folded.sla.runs == []


def test_a_periodic_update_starts_at_the_first_reply_and_again_at_each() -> None:
    folded = DESK.fold(created(), says(10, "agent"))
    assert folded.deadline("periodic_update") == 250
    assert DESK.fold(created(), says(10, "agent"), says(200, "agent")).deadline("periodic_update") == 440


# Pauses.


def test_a_pause_pushes_the_deadline_and_makes_it_void_meanwhile() -> None:
    paused = DESK.fold(created(), status(100, "pending"))
    assert paused.deadline("resolution") is None
    assert paused.phase("resolution", 9_999) == "paused"
    assert DESK.fold(created(), status(100, "pending"), status(400, "open")).deadline("resolution") == 780


def test_a_pause_counts_in_open_time_not_by_the_wall_clock() -> None:
    desk = Desk(policy("office", clock("resolution", hours(8), OFFICE)))
    thursday = MONDAY + 3 * DAY
    paused, resumed = thursday + DAY + hours(11), thursday + 4 * DAY + hours(10)
    folded = desk.fold(created(thursday + hours(16)), status(paused, "pending"), status(resumed, "open"))
    assert folded.deadline("resolution") == thursday + 4 * DAY + hours(15)


def test_created_in_pending_is_paused_from_the_start() -> None:
    folded = DESK.fold(created(), status(0, "pending"))
    assert folded.deadline("resolution") is None
    assert DESK.fold(created(), status(0, "pending"), status(500, "open")).deadline("resolution") == 980


def test_a_customer_message_resumes_pending_without_a_status_event() -> None:
    assert DESK.fold(created(), status(100, "pending"), says(400, "customer")).deadline("resolution") == 780


def test_a_pause_at_exactly_the_deadline_makes_it_void_until_the_resume() -> None:
    assert DESK.fold(created(), status(480, "pending")).deadline("resolution") is None
    folded = DESK.fold(created(), status(480, "pending"), status(700, "open"))
    assert folded.deadline("resolution") == 700


def test_a_target_used_up_at_the_start_of_a_pause_is_not_past_when_another_policy_reckons() -> None:
    urgent = event("ticket.updated", 300, priority="urgent")
    desk = Desk(policy("urgent", clock("resolution", 100), priority="urgent"), policy("rest", RESOLUTION))
    folded = desk.fold(created(), status(100, "pending"), urgent, status(500, "open"))
    assert folded.deadline("resolution") == 500


def test_a_pause_after_the_deadline_does_not_undo_the_breach() -> None:
    folded = DESK.fold(created(), status(481, "pending"), status(900, "resolved"))
    assert (folded.outcome("resolution"), folded.missed("resolution", 999)) == ("missed", [480])


def test_what_pauses_a_clock_is_its_policys() -> None:
    desk = Desk(policy("all", clock("requester_wait", 60), clock("agent_work", 60)))
    folded = desk.fold(created(), status(10, "on_hold"))
    assert (folded.deadline("requester_wait"), folded.deadline("agent_work")) == (60, None)


# Warnings.


def test_warnings_come_in_open_time_before_the_deadline_and_not_while_paused() -> None:
    desk = Desk(policy("all", clock("resolution", 480, warnings=(120, 30))))
    folded = desk.fold(created())
    assert [folded.phase("resolution", minute) for minute in (359, 360, 480)] == ["running", "warning", "breached_open"]
    paused = desk.fold(created(), status(100, "pending"))
    assert paused.run("resolution").warnings == ()
    resumed = desk.fold(created(), status(100, "pending"), status(200, "open"))
    assert [resumed.phase("resolution", minute) for minute in (459, 460)] == ["running", "warning"]


def test_a_warning_that_has_been_given_is_not_given_again_after_a_pause() -> None:
    desk = Desk(policy("all", clock("resolution", 480, warnings=(120, 30))))
    folded = desk.fold(created(), status(370, "pending"), status(1_000, "open"))
    assert len(folded.run("resolution").warnings) == 1
    assert folded.phase("resolution", 1_000) == "warning"


# Resolve and reopen.


def test_a_reopen_starts_the_next_run_with_the_open_time_spent() -> None:
    folded = DESK.fold(created(), status(100, "resolved"), status(1_000, "open"))
    assert folded.outcome("resolution", 1) == "met"
    assert (folded.run("resolution").n, folded.deadline("resolution")) == (2, 1_380)


def test_a_customer_message_reopens_what_is_resolved_but_not_what_is_closed() -> None:
    assert DESK.fold(created(), status(100, "resolved"), says(200, "customer")).deadline("resolution") == 580
    assert DESK.fold(created(), status(100, "closed"), says(200, "customer")).sla.runs == []
    assert DESK.fold(created(), status(100, "closed"), status(200, "open")).deadline("resolution") == 580


def test_after_a_missed_run_the_next_is_overdue_but_never_counts() -> None:
    folded = DESK.fold(created(), status(500, "resolved"), status(600, "open"))
    assert folded.outcome("resolution", 1) == "missed"
    assert folded.phase("resolution", 600) == "breached_open"
    again = DESK.fold(created(), status(500, "resolved"), status(600, "open"), status(700, "resolved"))
    assert (again.missed("resolution", 9_999), again.met("resolution")) == ([480], [])
    assert [run.silent for run in again.ended if run.clock == 3] == [False, True]


def test_a_met_run_that_spent_all_its_time_is_breached_at_the_reopen() -> None:
    folded = DESK.fold(created(), status(480, "resolved"), status(600, "open"))
    assert folded.outcome("resolution", 1) == "met"
    assert (folded.phase("resolution", 600), folded.missed("resolution", 600)) == ("breached_open", [600])


def test_closing_after_the_resolve_changes_nothing() -> None:
    with_close = DESK.fold(created(), status(100, "resolved"), status(200, "closed"), status(300, "open"))
    assert with_close.deadline("resolution") == 680


def test_closing_what_was_never_resolved_cancels_what_is_in_time() -> None:
    folded = DESK.fold(created(), status(100, "closed"))
    assert [folded.outcome(name) for name in ("first_response", "resolution")] == ["missed", "cancelled"]


def test_a_resolve_by_a_bot_is_out_of_attainment_unless_it_came_too_late() -> None:
    timely = DESK.fold(created(), status(30, "resolved", by="bot"))
    assert [run.outcome for run in timely.ended] == ["bot", "bot"]
    assert timely.contributions == {}
    assert DESK.fold(created(), status(500, "resolved", by="bot")).missed("resolution", 999) == [480]


def test_a_reopen_after_a_persons_resolve_starts_no_first_response_even_at_the_instant_of_a_hand_off() -> None:
    handed_off = event("ticket.handed_off", 100, to_team="billing")
    folded = DESK.fold(created(), status(30, "resolved"), handed_off, status(100, "open"))
    assert [CLOCKS[run.clock] for run in folded.sla.runs] == ["resolution"]


def test_after_a_bots_resolve_the_first_response_waits_from_the_reopen() -> None:
    folded = DESK.fold(created(), status(30, "resolved", by="bot"), says(100, "customer"))
    assert (folded.run("first_response").n, folded.deadline("first_response")) == (2, 160)
    by_a_person = DESK.fold(created(), status(30, "resolved"), says(100, "customer"))
    assert all(run.clock for run in by_a_person.sla.runs)


# Endings that are no answer.


def test_abandoned_runs_are_cancelled_and_work_logged_later_does_not_start_them() -> None:
    folded = DESK.fold(created(), event("ticket.abandoned", 5), event("ticket.worked", 9, seconds=60))
    assert {run.outcome for run in folded.ended} == {"cancelled"}
    assert (folded.contributions, folded.sla.runs) == ({}, [])


def test_a_customer_who_comes_back_is_waited_for_anew() -> None:
    folded = DESK.fold(created(), event("ticket.abandoned", 5), says(100, "customer"))
    assert (folded.deadline("first_response"), folded.deadline("resolution")) == (160, 575)


def test_merged_and_spam_tickets_have_no_runs() -> None:
    for end in (event("ticket.merged", 5, into="Y"), event("ticket.deleted", 5, reason="spam")):
        folded = DESK.fold(created(), says(90, "agent"), end)
        assert (folded.contributions, folded.ended, folded.sla.runs) == ({}, [], [])


def test_a_deletion_for_privacy_ends_the_runs_and_keeps_what_counted() -> None:
    folded = DESK.fold(created(), event("ticket.deleted", 100, reason="privacy"), says(101, "customer"))
    assert [folded.outcome(name) for name in ("first_response", "resolution")] == ["missed", "cancelled"]
    assert (folded.missed("first_response", 999), folded.sla.runs) == ([60], [])


def test_a_ticket_without_created_or_policy_has_no_runs() -> None:
    assert DESK.fold(says(1, "customer")).sla.runs == []
    assert Desk(policy("vip", FIRST, priority="high")).fold(created()).sla.runs == []


def test_a_ticket_deleted_before_its_created_has_no_runs() -> None:
    folded = DESK.fold(event("ticket.deleted", -1, reason="other"), created())
    assert (folded.sla.runs, folded.contributions) == ([], {})


# Labels and policies in mid-flight.

BY_PRIORITY = Desk(policy("high", FIRST, clock("resolution", 120), priority="high"), policy("rest", NEXT, RESOLUTION))


def test_a_change_of_priority_reckons_from_the_original_start() -> None:
    folded = BY_PRIORITY.fold(created(), event("ticket.updated", 50, priority="high"))
    assert (folded.deadline("resolution"), folded.deadline("first_response")) == (120, 60)


def test_what_is_past_under_the_new_target_is_breached_at_the_change() -> None:
    folded = BY_PRIORITY.fold(created(), event("ticket.updated", 200, priority="high"))
    assert folded.missed("resolution", 999) == [200]
    assert folded.phase("resolution", 200) == "breached_open"


def test_a_pause_before_the_change_counts_after_it() -> None:
    folded = BY_PRIORITY.fold(
        created(), status(10, "pending"), status(90, "open"), event("ticket.updated", 110, priority="high")
    )
    assert folded.deadline("resolution") == 200


def test_a_missed_run_stays_missed_under_a_longer_target() -> None:
    folded = BY_PRIORITY.fold(created(priority="high"), event("ticket.updated", 130, priority="low"))
    assert (folded.missed("resolution", 999), folded.phase("resolution", 130)) == ([120], "breached_open")


def test_a_clock_that_the_new_policy_lacks_is_cancelled() -> None:
    folded = BY_PRIORITY.fold(created(priority="high"), event("ticket.updated", 10, priority="low"))
    assert (folded.outcome("first_response"), folded.missed("first_response", 999)) == ("cancelled", [])


def test_a_missed_run_that_loses_its_clock_is_over_and_does_not_return() -> None:
    lower, higher = (event("ticket.updated", at, priority=to) for at, to in ((70, "low"), (80, "high")))
    folded = BY_PRIORITY.fold(created(priority="high"), lower, higher, says(90, "agent"))
    assert (folded.outcome("first_response"), folded.missed("first_response", 999)) == ("missed", [60])


def test_a_policy_that_comes_later_reckons_from_created() -> None:
    desk = Desk(policy("vip", FIRST, RESOLUTION, customer_segment="vip"))
    folded = desk.fold(created(), status(10, "pending"), event("ticket.updated", 20, customer_segment="vip"))
    assert (folded.deadline("first_response"), folded.deadline("resolution")) == (60, None)


def test_tags_choose_a_policy() -> None:
    desk = Desk(policy("tagged", FIRST, tags="vip"))
    assert desk.fold(created(tags=["new", "vip"])).deadline("first_response") == 60
    assert desk.fold(created(tags=["vip"]), event("ticket.updated", 5, tags=[])).sla.runs == []


def test_a_miss_counts_for_the_team_that_held_the_ticket_at_the_deadline() -> None:
    before = DESK.fold(created(team="blue"), event("ticket.assigned", 59, team="red"), says(90, "agent"))
    after = DESK.fold(created(team="blue"), event("ticket.assigned", 61, team="red"), says(90, "agent"))
    for folded, team in ((before, "red"), (after, "blue")):
        (labels,) = [key[2] for key in folded.contributions if key[1] == 60]
        assert labels == ("first_response", "all", "normal", team)


def test_an_escalation_lets_the_run_go_on() -> None:
    folded = DESK.fold(created(), event("ticket.escalated", 30, tier=2, team="second"))
    assert (folded.deadline("resolution"), folded.ended) == (480, [])


def test_a_shorter_target_warns_at_once_where_its_warning_is_past() -> None:
    desk = Desk(
        policy("high", clock("resolution", 120, warnings=(30,)), priority="high"),
        policy("rest", clock("resolution", 480, warnings=(30,))),
    )
    folded = desk.fold(created(), event("ticket.updated", 100, priority="high"))
    assert (folded.phase("resolution", 100), len(folded.run("resolution").warnings)) == ("warning", 1)


# Configurations edited.


@pytest.mark.parametrize(("target", "due"), [(40, 40), (20, 30), (90, 90)])
def test_an_edited_target_moves_open_runs_from_its_hour_on(target: float, due: float) -> None:
    desk = Desk(policy("all", FIRST), edits=[(30, policies(policy("all", clock("first_response", target))))])
    folded = desk.fold(created(), until=30)
    assert folded.deadline("first_response") == due
    assert folded.missed("first_response", 999) == [due]


def test_what_was_judged_before_the_edit_stays() -> None:
    desk = Desk(policy("all", FIRST), edits=[(100, policies(policy("all", clock("first_response", 500))))])
    assert desk.fold(created(), says(50, "agent"), until=200).met("first_response") == [50]
    assert desk.fold(created(), until=200).missed("first_response", 999) == [60]


def test_an_event_before_the_edit_is_judged_by_the_old_target() -> None:
    desk = Desk(policy("all", FIRST), edits=[(100, policies(policy("all", clock("first_response", 10))))])
    assert desk.fold(created(), says(50, "agent"), until=200).outcome("first_response") == "met"
    assert desk.fold(created(90), says(105, "agent")).outcome("first_response") == "missed"


def test_a_ticket_reopened_after_the_edit_runs_under_the_new_target() -> None:
    desk = Desk(policy("all", RESOLUTION), edits=[(200, policies(policy("all", clock("resolution", 50))))])
    folded = desk.fold(created(), status(100, "resolved"), status(300, "open"))
    assert (folded.outcome("resolution"), folded.missed("resolution", 999)) == ("met", [300])


def test_applying_a_configuration_again_changes_nothing() -> None:
    desk = Desk(policy("all", FIRST), edits=[(30, policies(policy("all", clock("first_response", 20))))])
    ticket = created()
    once, later = desk.fold(ticket, until=30), desk.fold(ticket, event("ticket.worked", 40, seconds=5), until=50)
    assert (later.sla, later.contributions) == (once.sla, once.contributions)


def test_an_event_from_before_an_edit_that_was_applied_needs_a_refold() -> None:
    desk = Desk(policy("all", FIRST), edits=[(30, policies(policy("all", FIRST)))])
    applied = desk.fold(created(), until=30).sla
    assert [ahead(applied, at(minute), desk.book) for minute in (29.9, 30)] == [True, False]
    assert not ahead(desk.fold(created(), until=29).sla, at(29), desk.book)


def test_configurations_come_in_order_of_time() -> None:
    with pytest.raises(ValueError, match="order of time"):
        Desk(policy("all", FIRST), edits=[(30, policies()), (20, policies())])


# Business hours and samples.


def test_created_outside_hours_the_clock_starts_at_the_opening() -> None:
    desk = Desk(policy("office", clock("first_response", 60, OFFICE)))
    assert desk.fold(created()).deadline("first_response") == MONDAY + hours(10)


def test_a_target_used_up_at_closing_is_due_at_closing() -> None:
    desk = Desk(policy("office", clock("first_response", 60, OFFICE)))
    assert desk.fold(created(MONDAY + hours(16))).deadline("first_response") == MONDAY + hours(17)


@pytest.mark.parametrize(("zone", "sunday"), [("Europe/Berlin", 28), ("America/New_York", 7)])
def test_hours_are_wall_clock_and_durations_physical_when_the_clock_goes_forward(zone: str, sunday: int) -> None:
    always = OpeningHours("always", ZoneInfo(zone), (((0, 86_400),),) * 7, {}, lambda year: set())
    desk = Desk(policy("all", clock("first_response", hours(24), always)))
    assert desk.fold(created(sunday * DAY)).deadline("first_response") == (sunday + 1) * DAY


def test_responses_are_sampled_in_the_open_time_of_their_clocks_calendar() -> None:
    desk = Desk(policy("office", clock("first_response", 60, OFFICE), clock("next_response", 60, OFFICE)))
    folded = desk.fold(
        created(),
        says(MONDAY + hours(9.5), "agent"),
        says(MONDAY + hours(16), "customer"),
        says(MONDAY + hours(34), "agent"),
    )
    samples = {key[0]: key[3] / 60_000_000 for key in folded.contributions if key[0].endswith("_business")}
    assert samples == {"first_response_business": 30, "next_response_business": 120}


def test_a_customer_who_writes_to_a_closed_ticket_is_answered_in_opening_hours_too() -> None:
    asked = [created(), says(5, "agent"), status(10, "closed"), says(20, "customer"), says(30, "customer")]
    folded = DESK.fold(*asked, says(50, "agent"), says(60, "agent"))
    samples = [key[3] / 60_000_000 for key in folded.contributions if key[0] == "next_response_business"]
    assert samples == [30]
    ended = DESK.fold(created(), says(5, "agent"), says(20, "customer"), status(30, "resolved"), says(50, "agent"))
    assert not any(key[0] == "next_response_business" for key in ended.contributions), "a resolve ends the wait"
