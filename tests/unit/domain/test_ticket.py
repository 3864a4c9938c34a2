"""A ticket: its transition table, and the contract's rows for the KPIs it contributes to."""

from __future__ import annotations

import pytest

from stream.domain.ticket import ACTIVE, ENDED
from tests.unit.domain.world import DAY, Told, created, event, says, status

STATUSES = ("new", "open", "pending", "on_hold", "resolved", "closed")
KEEPS = {one: one for one in STATUSES}
NOT_FROM_CLOSED = ("new", "pending", "on_hold", "resolved")
# What an event at minute 20 makes of a ticket in each status.
TABLE = {
    "a customer message": (lambda: says(20, "customer"), KEEPS | {"pending": "open", "resolved": "open"}),
    "a hidden customer message": (lambda: says(20, "customer", public=False), KEEPS),
    "an agent message": (lambda: says(20, "agent"), KEEPS),
    "a bot message": (lambda: says(20, "bot"), KEEPS),
    "a system message": (lambda: says(20, "system"), KEEPS),
    "assigned": (lambda: event("ticket.assigned", 20, team="t"), KEEPS),
    "escalated": (lambda: event("ticket.escalated", 20, tier=2), KEEPS),
    "handed_off": (lambda: event("ticket.handed_off", 20), KEEPS),
    "updated": (lambda: event("ticket.updated", 20, priority="high"), KEEPS),
    "worked": (lambda: event("ticket.worked", 20, seconds=5), KEEPS),
    "abandoned": (lambda: event("ticket.abandoned", 20), KEEPS),
    "another created": (lambda: created(20, channel="phone"), KEEPS),
    "open": (lambda: status(20, "open"), dict.fromkeys(STATUSES, "open")),
    "closed": (lambda: status(20, "closed"), dict.fromkeys(STATUSES, "closed")),
    **{
        to: (lambda to=to: status(20, to), dict.fromkeys(STATUSES, to) | {"closed": "closed"}) for to in NOT_FROM_CLOSED
    },
}
CASES = [(was, name) for was in STATUSES for name in TABLE]


def in_status(was):
    """Return a ticket's events up to a status, reached at minute 10."""
    return [created()] if was == "new" else [created(), status(10, was)]


@pytest.mark.parametrize(("was", "name"), CASES)
def test_the_transition_table_says_where_each_event_leads(was, name):
    make, leads_to = TABLE[name]
    told = Told(*in_status(was), make())
    now = leads_to[was]
    assert told.entity.state.status == now
    assert told.counted().get("ticket_active", 0) == (now in ACTIVE and name != "abandoned")
    assert told.counted().get("ticket_reopened", 0) == (was in ENDED and now in ACTIVE)
    assert told.counted().get("ticket_resolved", 0) == ("resolved" in (was, now))


@pytest.mark.parametrize(("was", "name"), CASES)
def test_an_event_that_comes_first_leads_to_the_same_as_in_its_order(was, name):
    make, _ = TABLE[name]
    events = [*in_status(was), make()]
    forward, backward = Told(*events), Told(*reversed(events))
    assert +forward.net == +backward.net
    assert forward.entity.state == backward.entity.state


def test_the_first_response_is_the_first_public_agent_message():
    told = Told(created(), says(1, "bot"), says(2, "agent", public=False), says(7, "agent"), says(9, "agent"))
    assert told.all("first_response") == [(7, 7)]


def test_a_hand_off_from_a_bot_starts_the_first_response_anew_until_there_was_one():
    hand_off = event("ticket.handed_off", 5, to_team="humans")
    told = Told(created(), hand_off, says(7, "agent"), event("ticket.handed_off", 8), says(9, "agent"))
    assert told.all("first_response") == [(7, 2)]
    assert told.labels("first_response") == [("chat", "normal", "humans", "none")]


@pytest.mark.parametrize(("by", "took"), [("bot", 10), ("agent", 40), ("customer", 40), (None, 40)])
def test_a_reopen_starts_the_first_response_anew_only_after_a_bots_resolve(by, took):
    resolve = status(10, "resolved", **({"by": by} if by else {}))
    assert Told(created(), resolve, says(30, "customer"), says(40, "agent")).all("first_response") == [(40, took)]


def test_a_ticket_that_an_agent_requested_gives_no_first_response_but_next_ones():
    told = Told(created(requested_by="agent"), says(1, "agent"), says(5, "customer"), says(9, "agent"))
    assert told.all("first_response") == []
    assert told.all("next_response") == [(9, 4)]


def test_on_the_phone_the_agents_first_message_counts_though_it_is_not_public():
    hidden = says(3, "agent", public=False)
    assert Told(created(channel="phone"), hidden).all("first_response") == [(3, 3)]
    assert Told(created(channel="email"), hidden).all("first_response") == []


def test_a_reply_before_created_gives_no_sample_and_is_counted():
    told = Told(says(-1, "agent"), created())
    assert told.all("first_response") == []
    assert told.counted()["negative_duration"] == 1


def test_the_next_response_answers_the_oldest_waiting_customer_message():
    told = Told(
        created(), says(1, "customer"), says(2, "agent"),
        says(5, "customer"), says(6, "customer"), says(7, "agent", public=False), says(9, "agent"), says(11, "agent"),
    )  # fmt: skip
    assert told.all("next_response") == [(9, 4)]


@pytest.mark.parametrize("end", ["resolved", "closed"])
def test_an_end_stops_the_wait_for_the_next_response_without_a_sample(end):
    told = Told(created(), says(2, "agent"), says(5, "customer"), status(6, end), says(9, "agent"))
    assert told.all("next_response") == []


def test_a_customer_message_that_reopens_waits_for_the_next_response():
    told = Told(created(), says(2, "agent"), status(6, "resolved"), says(8, "customer"), says(9, "agent"))
    assert told.all("next_response") == [(9, 1)]


def test_the_full_resolution_is_the_last_and_leaves_out_the_time_spent_closed():
    told = Told(created(), status(10, "resolved"), status(15, "closed"), status(30, "open"), status(40, "resolved"))
    assert told.all("resolution") == [(10, 10)]
    assert told.all("full_resolution") == [(40, 20)]
    assert told.minutes("ticket_resolved") == [10]
    assert told.minutes("ticket_reopened") == [30]


def test_only_the_first_reopen_counts():
    events = [created(), status(1, "resolved"), status(2, "open"), status(3, "resolved"), says(4, "customer")]
    assert Told(*events).minutes("ticket_reopened") == [2]


def test_what_lies_before_created_is_no_closed_time():
    told = Told(status(-30, "resolved"), created(), status(5, "open"), status(9, "resolved"))
    assert told.all("full_resolution") == [(9, 4)]


def test_a_resolve_before_created_is_the_first_one_and_gives_no_duration():
    told = Told(status(-1, "resolved"), created())
    assert told.minutes("ticket_resolved") == [-1]
    assert told.all("resolution") == []
    assert told.counted()["negative_duration"] == 2  # the resolution and the full resolution


@pytest.mark.parametrize(("minutes", "within"), [(DAY, 1), (DAY + 1 / 60, 0)])
def test_a_resolve_after_exactly_24_hours_is_within_them(minutes, within):
    assert Told(created(), status(minutes, "resolved")).counted().get("resolved_in_24h", 0) == within


def test_closed_without_a_resolve_is_unresolved_and_in_no_resolution():
    told = Told(created(), status(5, "closed"))
    assert told.minutes("ticket_closed_unresolved") == [5]
    assert not told.all("resolution") + told.all("full_resolution") + told.all("ticket_resolved")


def test_closed_after_any_resolve_is_not_unresolved():
    told = Told(created(), status(5, "resolved"), status(6, "open"), status(7, "closed"))
    assert told.counted().get("ticket_closed_unresolved", 0) == 0


def test_a_complaint_counts_by_the_latest_category_at_its_created_with_its_labels():
    told = Told(
        created(team="a"),
        event("ticket.assigned", 3, team="b"),
        event("ticket.updated", 5, category="complaint", priority="urgent"),
    )
    assert told.minutes("ticket_complaint") == [0]
    assert told.labels("ticket_complaint") == [("chat", "normal", "a", "none")]


def test_a_complaint_that_is_put_in_another_category_counts_no_more():
    told = Told(created(category="complaint"), event("ticket.updated", 5, category="question"))
    assert told.counted().get("ticket_complaint", 0) == 0


def test_each_contribution_carries_the_labels_of_its_own_instant():
    told = Told(
        created(team="a", brand="north"),
        event("ticket.escalated", 1, tier=2, team="b"),
        says(2, "agent"),
        event("ticket.updated", 3, priority="urgent", channel="phone", brand="south"),
        status(4, "resolved"),
    )
    assert told.labels("ticket_created") == [("chat", "normal", "a", "north")]
    assert told.labels("ticket_escalated") == [("chat", "normal", "b", "north")]
    assert told.labels("first_response") == [("chat", "normal", "b", "north")]
    assert told.labels("resolution") == [("phone", "urgent", "b", "south")]


def test_an_escalated_ticket_counts_once_however_many_hops():
    assert Told(created(), *(event("ticket.escalated", n, tier=n) for n in (2, 3))).minutes("ticket_escalated") == [2]


def test_an_abandoned_ticket_is_over_unless_an_event_follows():
    over = Told(created(), event("ticket.abandoned", 5))
    assert (over.counted().get("ticket_active", 0), over.entity.state.open) == (0, False)
    back = Told(created(), event("ticket.abandoned", 5), says(6, "customer"))
    assert (back.counted()["ticket_active"], back.entity.state.open) == (1, True)
    assert back.minutes("ticket_abandoned") == [5]


REMOVALS = {
    "merged": ("ticket.merged", {"into": "Y"}),
    **{r: ("ticket.deleted", {"reason": r}) for r in ("spam", "test")},
}


@pytest.mark.parametrize("how", REMOVALS)
@pytest.mark.parametrize("when", [-5, 2, 100])
def test_a_merged_spam_or_test_ticket_is_retracted_everywhere_whenever_that_is_said(how, when):
    kind, data = REMOVALS[how]
    life = [created(category="complaint"), says(2, "agent"), status(5, "resolved"), says(7, "customer")]
    told = Told(*life, event(kind, when, **data))
    told.net.pop(("incomplete", None, (), 0), None)
    assert +told.net == {}
    assert not told.entity.state.open


@pytest.mark.parametrize("reason", ["other", "privacy", "unheard-of"])
def test_any_other_deletion_keeps_what_was_counted_and_ends_the_ticket(reason):
    told = Told(created(), says(2, "agent"), event("ticket.deleted", 3, reason=reason), status(5, "resolved"))
    assert told.counted() == {"ticket_created": 1, "first_response": 1}
    assert not told.entity.state.open


def test_of_several_removals_the_first_in_order_decides():
    keeps, merges = event("ticket.deleted", 3, reason="other"), event("ticket.merged", 4, into="Y")
    assert Told(created(), keeps, merges).counted() == {"ticket_created": 1}
    assert Told(created(), merges, keeps).counted() == {"ticket_created": 1}


def test_a_ticket_without_created_is_incomplete_and_in_no_kpi_until_it_comes():
    events = [says(2, "agent"), status(5, "resolved")]
    told = Told(*events)
    assert told.counted() == {"incomplete": 1}
    assert Told(*events, created()).counted() == Told(created(), *events).counted()
