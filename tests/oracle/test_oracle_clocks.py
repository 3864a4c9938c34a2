"""The oracle's clocks by hand-made cases: the rules of the contract's "SLA conventions", one by one."""

from .cases import count, created, event, labels, says, status, told
from .catalogue import Contribution
from .values import MICRO

URGENT = created(priority="urgent")  # at 10:00: responses within 30 min, resolution within 2 h


def runs(given: list[Contribution], clock: str) -> list[tuple[str, str]]:
    """When the runs of a clock are decided, by the time of day, and how."""
    parts = [
        (f"{each.at_us // (3_600 * MICRO) % 24:02}:{each.at_us // (60 * MICRO) % 60:02}", each.part)
        for each in given
        if each.kpi == "sla_attainment" and each.labels["clock"] == clock and each.at_us is not None
    ]
    return sorted(
        (at, "met" if (at, "numerator") in parts else "missed") for at, part in parts if part == "denominator"
    )


def test_a_reply_at_the_deadline_meets_it_and_a_later_one_misses_it_at_the_deadline() -> None:
    assert runs(told(URGENT, says("agent", "10:30")), "first_response") == [("10:30", "met")]
    late = told(URGENT, says("agent", "10:31"))
    assert runs(late, "first_response") == [("10:30", "missed")]
    assert count(late, "first_response_time_business", "sample") == 31 * 60 * MICRO


def test_a_next_response_waits_from_the_oldest_unanswered_message_until_a_reply_or_a_resolve() -> None:
    asked = [URGENT, says("agent", "10:01"), says("customer", "10:10"), says("customer", "10:20")]
    assert runs(told(*asked, says("agent", "10:41")), "next_response") == [("10:40", "missed")]
    assert runs(told(*asked, status("resolved", "10:35")), "next_response") == [("10:35", "met")]


def test_pauses_push_the_deadline_and_one_inside_a_pause_is_void() -> None:
    paused = [URGENT, status("pending", "11:00"), status("open", "15:00")]
    assert runs(told(*paused), "resolution") == [("16:00", "missed")]
    assert runs(told(*paused[:2]), "resolution") == []
    at_the_deadline = told(URGENT, status("on_hold", "12:00"), status("open", "13:00"))
    assert runs(at_the_deadline, "resolution") == [("13:00", "missed")]


def test_a_reopen_carries_on_with_the_time_spent_and_is_silent_after_a_miss() -> None:
    met = [URGENT, status("resolved", "11:00"), status("open", "12:00")]
    assert runs(told(*met), "resolution") == [("11:00", "met"), ("13:00", "missed")]
    missed = told(URGENT, status("resolved", "12:01"), status("open", "12:02"))
    assert runs(missed, "resolution") == [("12:00", "missed")]
    assert count(missed, "sla_breached_open") == 0


def test_a_stricter_policy_breaches_at_the_change_and_a_milder_one_undoes_no_miss() -> None:
    raised = told(created(), event("ticket.updated", "13:00", priority="urgent"))
    assert runs(raised, "resolution") == [("13:00", "missed")]
    lowered = told(URGENT, event("ticket.updated", "12:30", priority="low"))
    assert runs(lowered, "resolution") == [("12:00", "missed")]
    assert labels(lowered, "sla_breached_open")[0]["policy"] == "urgent-24x7"


def test_a_bots_resolve_is_out_and_the_reopen_starts_the_first_response_anew() -> None:
    given = told(URGENT, status("resolved", "10:10", by="bot"), says("customer", "14:00"))
    assert runs(given, "first_response") == [("14:30", "missed")]
    assert runs(given, "resolution") == [("15:50", "missed")]


def test_what_is_closed_abandoned_or_deleted_ends_without_an_outcome_and_merged_never_was() -> None:
    for ending in (
        status("closed", "10:10"),
        event("ticket.abandoned", "10:10"),
        event("ticket.deleted", "10:10", reason="other"),
        event("ticket.merged", "13:00", into="T-2"),
    ):
        assert count(told(URGENT, ending), "sla_attainment", "denominator") == 0, ending["type"]


def test_a_hand_off_starts_the_first_response_anew_and_an_agents_request_has_none() -> None:
    handed_off = told(URGENT, event("ticket.handed_off", "11:00"), says("agent", "11:20"))
    assert runs(handed_off, "first_response") == [("11:20", "met")]
    assert runs(told(created(requested_by="agent"), says("agent", "10:01")), "first_response") == []
