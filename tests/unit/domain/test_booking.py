"""A booking's contributions, clause by clause of the contract."""

from __future__ import annotations

from itertools import permutations

import pytest

from stream.events.values import MICRO
from tests.unit.domain.world import Told, booked, event


def amounts(told):
    return [
        (labels[-1], value / MICRO)
        for (name, _, labels, value), number in told.net.items()
        for _ in range(number)
        if name == "revenue"
    ]


def test_revenue_is_the_completed_amount_else_the_created_one_at_completion():
    assert amounts(Told(booked(), event("booking.completed", 5, "B", amount="80.5"))) == [("EUR", 80.5)]
    told = Told(booked(), event("booking.completed", 5, "B"))
    assert amounts(told) == [("EUR", 100)]
    assert told.minutes("revenue") == [5]


def test_a_booking_that_was_never_completed_brings_no_revenue():
    assert amounts(Told(booked(), event("booking.cancelled", 5, "B", by="customer"))) == []


def test_cancellations_and_no_shows_count_at_their_time_and_for_the_rates_at_the_booking():
    told = Told(booked(), event("booking.cancelled", 5, "B", by="business"), event("booking.no_show", 6, "B"))
    assert (told.minutes("booking_cancelled"), told.minutes("created_cancelled")) == ([5], [0])
    assert (told.minutes("booking_no_show"), told.minutes("created_no_show")) == ([6], [0])
    assert told.labels("created_cancelled") == [("web", "none", "business")]


@pytest.mark.parametrize("kind", ["completed", "cancelled", "no_show"])
def test_each_kind_of_ending_counts_by_its_first(kind):
    data = {"by": "customer"} if kind == "cancelled" else {}
    endings = [event(f"booking.{kind}", minute, "B", **data) for minute in (5, 9)]
    assert Told(booked(), *endings).minutes(f"booking_{kind}") == [5]


def test_only_the_first_created_counts():
    told = Told(booked(amount=1), booked(3, amount=2), event("booking.completed", 5, "B"))
    assert told.minutes("booking_created") == [0]
    assert amounts(told) == [("EUR", 1)]


@pytest.mark.parametrize("reason", ["spam", "test"])
def test_spam_and_test_bookings_are_retracted_everywhere(reason):
    told = Told(booked(), event("booking.completed", 5, "B"), event("booking.deleted", 9, "B", reason=reason))
    assert +told.net == {}


def test_other_deletions_keep_what_was_counted_and_nothing_after_them_counts():
    told = Told(booked(), event("booking.deleted", 3, "B", reason="other"), event("booking.completed", 5, "B"))
    assert told.counted() == {"booking_created": 1}


def test_a_quote_in_another_currency_is_counted_as_a_conflict_and_adds_no_money():
    quoted = event("booking.quoted", -1, "B", amount=7, currency="USD")
    told = Told(quoted, booked(), event("booking.completed", 5, "B"))
    assert told.counted()["currency_conflict"] == 1
    assert amounts(told) == [("EUR", 100)]


def test_only_a_booking_with_a_job_to_come_is_open():
    assert Told(booked()).entity.state.open
    assert not Told(event("booking.enquired", 0, "B", channel="web")).entity.state.open
    for kind, data in (("completed", {}), ("cancelled", {"by": "customer"}), ("no_show", {})):
        assert not Told(booked(), event(f"booking.{kind}", 5, "B", **data)).entity.state.open


def test_a_booking_contributes_the_same_in_every_order():
    events = [
        event("booking.enquired", -9, "B", channel="web"),
        booked(),
        event("booking.rescheduled", 0, "B", scheduled_for="2026-03-09T09:00:00Z"),
        event("booking.completed", 5, "B", amount=5),
        event("booking.cancelled", 5, "B", by="customer"),
    ]
    wanted = +Told(*events).net
    assert all(+Told(*order).net == wanted for order in permutations(events))
