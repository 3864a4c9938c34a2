"""The oracle's tickets against answers worked out by hand from the contract."""

from .cases import count, created, event, labels, minutes, says, status, told


def test_first_response_runs_from_created_to_the_first_public_agent_message():
    given = told(created("10:00"), says("bot", "10:01"), says("agent", "10:05", public=False), says("agent", "10:20"))
    assert minutes(given, "first_response_time") == [("10:20", 20)]


def test_first_response_starts_at_the_latest_hand_off_before_the_reply():
    hand_offs = [event("ticket.handed_off", clock) for clock in ("10:10", "10:15", "11:00")]
    assert minutes(told(created("10:00"), *hand_offs, says("agent", "10:20")), "first_response_time") == [("10:20", 5)]


def test_first_response_starts_at_the_reopen_after_a_bot_resolved():
    by_bot = [
        created("10:00"),
        status("resolved", "10:10", by="bot"),
        says("customer", "10:30"),
        says("agent", "10:50"),
    ]
    by_agent = [*by_bot[:1], status("resolved", "10:10", by="agent"), *by_bot[2:]]
    assert minutes(told(*by_bot), "first_response_time") == [("10:50", 20)]
    assert minutes(told(*by_agent), "first_response_time") == [("10:50", 50)]


def test_on_the_phone_the_first_agent_message_is_the_response_public_or_not():
    spoken = [says("agent", "10:02", public=False), says("agent", "10:20")]
    assert minutes(told(created("10:00", channel="phone"), *spoken), "first_response_time") == [("10:02", 2)]
    assert minutes(told(created("10:00", channel="chat"), *spoken), "first_response_time") == [("10:20", 20)]


def test_a_ticket_requested_by_an_agent_has_no_first_response_but_next_ones():
    given = told(
        created("10:00", requested_by="agent"),
        says("agent", "10:05"),
        says("customer", "10:10"),
        says("agent", "10:40"),
    )
    assert minutes(given, "first_response_time") == []
    assert minutes(given, "next_response_time") == [("10:40", 30)]


def test_a_reply_before_created_gives_no_sample_and_is_still_the_first_reply():
    given = told(says("agent", "09:50"), created("10:00"), says("customer", "10:10"), says("agent", "10:15"))
    assert minutes(given, "first_response_time") == []
    assert minutes(given, "next_response_time") == [("10:15", 5)]


def test_next_response_runs_from_the_oldest_unanswered_public_customer_message():
    given = told(
        created("10:00"),
        says("customer", "10:01"),
        says("agent", "10:05"),
        says("customer", "10:10", public=False),
        says("customer", "10:20"),
        says("customer", "10:25"),
        says("agent", "10:30", public=False),
        says("agent", "10:50"),
        says("agent", "10:55"),
    )
    assert minutes(given, "next_response_time") == [("10:50", 30)]


def test_a_resolve_ends_the_wait_without_a_sample():
    given = told(
        created("10:00"), says("agent", "10:05"), says("customer", "10:10"), status("resolved", "10:20"),
        says("agent", "10:25"), says("customer", "10:30"), says("agent", "10:37"),
    )  # fmt: skip
    assert minutes(given, "next_response_time") == [("10:37", 7)]


def test_a_public_customer_message_reopens_a_resolved_ticket_and_a_hidden_one_does_not():
    resolved = [created("10:00"), status("resolved", "11:00")]
    assert count(told(*resolved, says("customer", "11:05")), "tickets_reopened") == 1
    assert count(told(*resolved, says("customer", "11:05")), "tickets_active") == 1
    assert count(told(*resolved, says("customer", "11:05", public=False)), "tickets_reopened") == 0
    assert count(told(*resolved, says("customer", "11:05", public=False)), "tickets_active") == 0


def test_every_active_status_reopens_a_resolved_ticket_but_only_open_a_closed_one():
    resolved = [created("10:00"), status("resolved", "11:00")]
    closed = [*resolved, status("closed", "11:30")]
    for word in ("new", "open", "pending", "on_hold"):
        assert count(told(*resolved, status(word, "12:00")), "tickets_reopened") == 1
        assert count(told(*closed, status(word, "12:00")), "tickets_reopened") == (word == "open")
        assert count(told(*closed, status(word, "12:00")), "tickets_active") == (word == "open")
    assert count(told(*closed, says("customer", "12:00")), "tickets_reopened") == 0


def test_a_ticket_counts_once_however_often_it_is_resolved_reopened_and_escalated():
    given = told(
        created("10:00"),
        *[status(word, clock) for clock, word in
          [("10:10", "resolved"), ("10:20", "open"), ("10:30", "resolved"), ("10:40", "open"), ("10:50", "resolved")]],
        event("ticket.escalated", "10:15", tier="2"), event("ticket.escalated", "10:45", tier="3"),
    )  # fmt: skip
    for kpi in ("tickets_resolved", "tickets_reopened", "tickets_escalated"):
        assert count(given, kpi) == 1
    assert minutes(given, "resolution_time") == [("10:10", 10)]
    # 50 minutes, less 10:10-10:20 and 10:30-10:40.
    assert minutes(given, "full_resolution_time") == [("10:50", 30)]


def test_closing_a_resolved_ticket_changes_no_resolution_and_its_closed_time_is_not_work():
    given = told(
        created("10:00"), status("resolved", "10:10"), status("closed", "10:15"), status("resolved", "10:16"),
        status("open", "10:30"), status("resolved", "10:45"),
    )  # fmt: skip
    assert minutes(given, "full_resolution_time") == [("10:45", 25)]
    assert count(given, "tickets_closed_unresolved") == 0


def test_the_status_a_ticket_already_has_changes_nothing():
    given = told(created("10:00"), status("resolved", "10:10"), status("resolved", "10:20"))
    assert minutes(given, "full_resolution_time") == [("10:10", 10)]


def test_closed_time_before_created_is_not_taken_off():
    given = told(status("resolved", "09:00"), status("open", "09:30"), created("10:00"), status("resolved", "10:20"))
    assert minutes(given, "full_resolution_time") == [("10:20", 20)]


def test_only_the_first_created_of_the_ledger_counts():
    again = created("10:30", team="billing", channel="web")
    given = told(created("10:00"), status("resolved", "10:10"), again, event("ticket.escalated", "10:40", tier="2"))
    assert count(given, "tickets_created") == 1
    assert count(given, "tickets_active") == 0
    assert labels(given, "tickets_escalated") == labels(given, "tickets_created")


def test_a_ticket_closed_without_a_resolve_is_in_no_resolution_kpi():
    given = told(created("10:00"), status("closed", "10:10"), status("resolved", "10:20"))
    assert count(given, "tickets_closed_unresolved") == 1
    assert count(given, "tickets_resolved") == 0
    assert minutes(given, "resolution_time") == minutes(given, "full_resolution_time") == []


def test_resolved_within_24h_takes_exactly_24_hours_in():
    for clock, hits in (("10:00", 1), ("10:01", 0)):
        given = told(created("10:00"), status("resolved", clock, day="2026-03-03"))
        assert count(given, "resolved_within_24h", "numerator") == hits
        assert count(given, "resolved_within_24h", "denominator") == 1


def test_a_resolve_before_created_counts_but_has_no_time():
    given = told(status("resolved", "09:00"), created("10:00"))
    assert count(given, "tickets_resolved") == 1
    assert count(given, "resolved_within_24h", "denominator") == 0
    assert minutes(given, "resolution_time") == []
    assert count(given, "tickets_active") == 0


def test_an_abandoned_ticket_is_over_unless_an_event_follows():
    abandoned = [created("10:00"), event("ticket.abandoned", "10:05")]
    assert count(told(*abandoned), "tickets_active") == 0
    assert count(told(*abandoned, event("ticket.worked", "10:06", seconds=1)), "tickets_active") == 1
    assert count(told(*abandoned, event("ticket.worked", "10:04", seconds=1)), "tickets_active") == 0


def test_merged_spam_and_test_tickets_count_nowhere():
    life = [created("10:00"), says("agent", "10:01"), status("resolved", "10:02")]
    assert told(*life, event("ticket.merged", "10:03", into="T-2")) == []
    for reason in ("spam", "test"):
        assert told(*life, event("ticket.deleted", "10:03", reason=reason)) == []


def test_a_privacy_deletion_keeps_what_was_counted_and_stops_the_ticket():
    gone = event("ticket.deleted", "10:05", reason="privacy")
    given = told(created("10:00"), says("agent", "10:01"), gone, status("resolved", "10:10"))
    assert count(given, "tickets_created") == 1
    assert minutes(given, "first_response_time") == [("10:01", 1)]
    assert count(given, "tickets_active") == count(given, "tickets_resolved") == 0


def test_a_ticket_whose_created_has_not_come_is_in_no_kpi():
    assert told(says("agent", "10:01"), status("resolved", "10:02")) == []


def test_a_contribution_carries_the_labels_of_its_own_instant():
    given = told(
        created("10:00", team="frontline", brand="north"),
        event("ticket.updated", "10:05", priority="urgent"),
        event("ticket.escalated", "10:10", tier="2", team="technical"),
        status("resolved", "10:20"),
    )
    first = {"channel": "chat", "priority": "normal", "team": "frontline", "brand": "north"}
    later = first | {"priority": "urgent", "team": "technical"}
    assert labels(given, "tickets_created") == [first]
    assert labels(given, "tickets_escalated") == labels(given, "tickets_resolved") == [later]


def test_the_team_is_the_one_that_holds_the_ticket_then():
    def team(*moves):
        (held,) = labels(
            told(created("10:00", team="frontline"), *moves, status("resolved", "12:00")), "tickets_resolved"
        )
        return held["team"]

    assert team() == "frontline"
    assert team(event("ticket.assigned", "11:00", team="billing")) == "billing"
    assert team(event("ticket.assigned", "11:00", agent_id="A-1")) == "frontline"
    assert team(event("ticket.handed_off", "11:00", to_team="technical")) == "technical"


def test_a_complaint_counts_at_created_by_the_latest_category():
    given = told(created("10:00"), event("ticket.updated", "15:00", category="complaint", priority="urgent"))
    complaints = [each for each in given if (each.kpi, each.part) == ("complaint_share", "numerator")]
    assert [(each.value, each.labels["priority"]) for each in complaints] == [(1, "normal")]
    assert complaints[0].at_us == next(each.at_us for each in given if each.kpi == "tickets_created")


def test_at_one_instant_sequence_comes_before_the_life_cycle_rank():
    ranked = told(created("10:00"), status("resolved", "11:00"), says("customer", "11:00"))
    numbered = told(created("10:00"), status("resolved", "11:00", _sequence=1), says("customer", "11:00", _sequence=2))
    half = told(created("10:00"), status("resolved", "11:00", _sequence=1), says("customer", "11:00"))
    assert count(ranked, "tickets_reopened") == 0
    assert count(numbered, "tickets_reopened") == 1
    assert count(half, "tickets_reopened") == 0  # a missing sequence is the first
