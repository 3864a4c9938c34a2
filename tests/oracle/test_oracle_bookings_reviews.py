"""The oracle's bookings, reviews and surveys against answers worked out by hand from the contract."""

from .cases import BOOKING, at, count, event, labels, told


def booked(clock="10:00", **data):
    return event("booking.created", clock, **(BOOKING | data))


def test_revenue_is_the_completed_amount_else_the_created_one_at_the_completion():
    own = told(booked(amount="10.50"), event("booking.completed", "12:00", amount="12.25"))
    created = told(booked(amount="10.50", currency="USD"), event("booking.completed", "12:00"))
    assert [(e.part, e.at_us, e.value) for e in own if e.kpi == "revenue"] == [("sum:EUR", at("12:00"), 12_250_000)]
    assert [(e.part, e.at_us, e.value) for e in created if e.kpi == "revenue"] == [("sum:USD", at("12:00"), 10_500_000)]


def test_cancellation_and_no_show_rates_lie_at_the_creation_of_the_booking():
    given = told(booked(), event("booking.cancelled", "18:00", by="business"))
    rates = {(e.kpi, e.part): (e.at_us, e.value) for e in given if e.kpi in ("cancellation_rate", "no_show_rate")}
    assert rates == {
        ("cancellation_rate", "numerator"): (at("10:00"), 1),
        ("cancellation_rate", "denominator"): (at("10:00"), 1),
        ("no_show_rate", "numerator"): (at("10:00"), 0),
        ("no_show_rate", "denominator"): (at("10:00"), 1),
    }
    assert [e.at_us for e in given if e.kpi == "bookings_cancelled"] == [at("18:00")]


def test_a_booking_never_created_or_deleted_as_spam_counts_nowhere():
    assert told(event("booking.enquired", "10:00", channel="web"), event("booking.completed", "12:00")) == []
    assert told(booked(), event("booking.deleted", "12:00", reason="spam")) == []


def test_a_privacy_deletion_keeps_the_booking_and_stops_it():
    given = told(booked(), event("booking.deleted", "11:00", reason="privacy"), event("booking.completed", "12:00"))
    assert (count(given, "bookings_created"), count(given, "bookings_completed")) == (1, 0)


def test_the_first_event_of_a_kind_counts():
    given = told(booked(), event("booking.completed", "13:00", amount=1), event("booking.completed", "12:00", amount=2))
    assert [(e.at_us, e.value) for e in given if e.kpi == "revenue"] == [(at("12:00"), 2_000_000)]
    assert count(given, "bookings_completed") == 1


def test_a_booking_carries_the_labels_of_its_creation():
    given = told(event("booking.enquired", "09:00", channel="phone", brand="north"), booked(channel="OTA Partner"))
    assert labels(given, "bookings_created") == [{"channel": "OTA Partner", "brand": "none"}]


def test_a_review_counts_at_its_posting_by_its_latest_rating():
    given = told(
        event("review.posted", "10:00", rating=1, site="maps"),
        event("review.updated", "11:00", rating=4),
        event("review.updated", "10:30", rating=2),
    )
    assert [(e.at_us, e.value) for e in given if e.kpi == "mean_rating"] == [(at("10:00"), 4)]
    assert count(given, "positive_review_rate", "numerator") == 1
    assert count(given, "negative_feedback_rate", "numerator") == 0
    assert labels(given, "reviews") == [{"site": "maps", "brand": "none", "stars": "4"}]


def test_a_removed_review_is_gone():
    assert told(event("review.posted", "10:00", rating=1, site="maps"), event("review.removed", "11:00")) == []


def test_the_latest_answer_of_a_survey_counts_at_its_own_instant():
    given = told(
        event("survey.sent", "09:00", survey="csat"),
        event("survey.answered", "12:00", survey="csat", score=2),
        event("survey.answered", "11:00", survey="csat", score=5),
    )
    assert [(e.part, e.at_us, e.value) for e in given] == [
        ("numerator", at("12:00"), 0),
        ("denominator", at("12:00"), 1),
    ]


def test_csat_counts_4_as_satisfied_and_3_not():
    answers = [event("survey.answered", "10:00", subject=f"S-{n}", survey="csat", score=n) for n in range(1, 6)]
    assert (count(told(*answers), "csat", "numerator"), count(told(*answers), "csat", "denominator")) == (2, 5)


def test_nps_counts_9_as_a_promoter_7_as_a_passive_and_6_as_a_detractor():
    answers = [event("survey.answered", "10:00", subject=f"S-{n}", survey="nps", score=n) for n in range(11)]
    given = told(*answers)
    assert [count(given, "nps", part) for part in ("promoters", "passives", "detractors")] == [2, 2, 7]
