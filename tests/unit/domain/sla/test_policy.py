"""Which policy a ticket or booking gets, and which messages count as a reply."""

from __future__ import annotations

import pytest

from stream.domain.sla.calendar import ALWAYS
from stream.domain.sla.policy import Clock, Policies, Policy, Replies

RESPONSE = Clock("first_response", 1, ALWAYS)
QUOTE = Clock("quote_response", 1, ALWAYS)


def policies(*of: Policy) -> Policies:
    return Policies("v", of, {}, Replies())


def policy(name: str, clock: Clock | None = RESPONSE, **match: set[str]) -> Policy:
    conditions = tuple((label, frozenset(values)) for label, values in match.items())
    return Policy(name, conditions, () if clock is None else (clock,))


def name(chosen: Policy | None) -> str | None:
    return None if chosen is None else chosen.name


def test_the_first_policy_whose_conditions_all_hold_is_taken() -> None:
    some = policies(
        policy("both", channel={"chat"}, priority={"urgent", "high"}), policy("chat", channel={"chat"}), policy("rest")
    )
    assert name(some.select({"channel": "chat", "priority": "high"})) == "both"
    assert name(some.select({"channel": "chat", "priority": "low"})) == "chat"
    assert name(some.select({"channel": "email", "priority": "high"})) == "rest"


def test_where_nothing_matches_there_is_no_policy() -> None:
    assert policies(policy("chat", channel={"chat"})).select({"channel": "email"}) is None


@pytest.mark.parametrize("labels", [{}, {"team": None}, {"team": "none"}])
def test_a_missing_label_has_the_value_none(labels: dict[str, str | None]) -> None:
    assert name(policies(policy("nobody", team={"none"})).select(labels)) == "nobody"
    assert policies(policy("somebody", team={"blue"})).select(labels) is None


def test_one_of_several_tags_is_enough() -> None:
    some = policies(policy("vip", tags={"vip", "gold"}), policy("untagged", tags={"none"}), policy("rest"))
    assert name(some.select({"tags": ["new", "gold"]})) == "vip"
    assert name(some.select({"tags": []})) == "untagged"
    assert name(some.select({})) == "untagged"
    assert name(some.select({"tags": ("new",)})) == "rest"


def test_a_booking_gets_no_policy_of_tickets_and_a_ticket_none_of_bookings() -> None:
    some = policies(policy("tickets"), policy("bookings", QUOTE))
    assert name(some.select({})) == "tickets"
    assert name(some.select({}, "booking")) == "bookings"


def test_a_policy_without_clocks_exempts_tickets_and_bookings_alike() -> None:
    some = policies(policy("exempt", None, channel={"web"}), policy("tickets"), policy("bookings", QUOTE))
    assert [name(some.select({"channel": "web"}, kind)) for kind in ("ticket", "booking")] == ["exempt", "exempt"]


def test_a_public_message_of_an_agent_is_a_reply_and_an_internal_note_is_none() -> None:
    replies = Replies()
    assert replies.counts("agent", True, "email", first=True)
    assert replies.counts("agent", True, "email", first=False)
    assert not replies.counts("agent", False, "email", first=True)
    assert not any(replies.counts(author, True, "email", first=True) for author in ("customer", "bot", "system"))


def test_on_the_phone_a_note_is_the_first_reply_but_no_later_one() -> None:
    assert Replies().counts("agent", False, "phone", first=True)
    assert not Replies().counts("agent", False, "phone", first=False)


def test_who_replies_is_configuration() -> None:
    replies = Replies(frozenset({"agent", "bot"}), frozenset())
    assert replies.counts("bot", True, "chat", first=True)
    assert not replies.counts("agent", False, "phone", first=True)
