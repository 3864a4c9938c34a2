"""The clock of bookings, from the enquiry to the quote."""

from __future__ import annotations

from collections import Counter

import pytest

from stream.domain import ledger
from stream.domain.sla.deadlines import due_of
from stream.domain.sla.quotes import QuoteEngine
from stream.domain.sla.rules import Book
from stream.domain.sla.runs import SlaState
from tests.unit.domain.sla.desk import clock, policies, policy
from tests.unit.domain.world import at, booked, event

QUOTED = policy("quotes", clock("quote_response", 60), channel="web")
ENQUIRED = event("booking.enquired", 0, "B", channel="web")


def fold(*events, edits=(), until=0):
    """Return (state, outcomes, contributions) of a booking."""
    book = Book("booking", policies(QUOTED), edits)
    sla, ended, emitted = SlaState(), [], Counter()

    def emit(measure, instant, labels, value, count):
        emitted[measure, instant, labels] += count

    engine = QuoteEngine(book, emit, lambda run, count: ended.append((run.outcome, run.no_reply)))
    for entry in sorted(map(ledger.entry_of, events), key=lambda entry: entry.order):
        engine.advance(sla, entry.code, entry.time, entry.data)
    engine.reconfigure(sla, "web", "none", book.number(at(until)))
    return sla, ended, +emitted


def quoted(minute):
    return event("booking.quoted", minute, "B", amount=5, currency="EUR")


@pytest.mark.parametrize(("minute", "outcome"), [(60, "met"), (61, "missed")])
def test_a_quote_ends_the_run_once(minute, outcome):
    sla, ended, _ = fold(ENQUIRED, quoted(minute), quoted(minute + 5))
    assert (ended, sla.runs) == ([(outcome, False)], [])


def test_a_booking_without_a_quote_answers_the_enquiry():
    assert fold(ENQUIRED, booked(5))[1] == [("met", True)]


def test_a_cancelled_enquiry_is_out_of_attainment():
    _, ended, emitted = fold(ENQUIRED, event("booking.cancelled", 5, "B", by="customer"))
    assert (ended, emitted) == ([("cancelled", False)], {})


def test_without_an_answer_it_falls_due_at_the_deadline():
    sla, _, emitted = fold(ENQUIRED)
    assert due_of(sla).deadlines == ((("quote_response", "quotes", "none", "none", "none"), at(60)),)
    assert emitted == {}


def test_a_late_answer_is_missed_at_the_deadline():
    assert fold(ENQUIRED, quoted(90))[2] == {("sla_missed", at(60), ("quote_response", "quotes", "none", "none")): 1}


def test_a_booking_without_enquiry_or_policy_has_no_run():
    assert fold(booked(0))[0].runs == []
    assert fold(event("booking.enquired", 0, "B", channel="phone"))[0].runs == []
    assert fold(quoted(-1), ENQUIRED)[0].runs == []


@pytest.mark.parametrize(("verb", "data"), [("deleted", {"reason": "other"}), ("cancelled", {"by": "business"})])
def test_an_enquiry_stamped_after_the_end_of_its_booking_waits_for_nothing(verb, data):
    assert fold(event(f"booking.{verb}", -1, "B", **data), ENQUIRED)[0].runs == []


def test_an_edited_target_moves_an_open_run():
    edit = (at(10), policies(policy("quotes", clock("quote_response", 90))))
    assert [run.deadline for run in fold(ENQUIRED, edits=[edit], until=20)[0].runs] == [at(90)]
