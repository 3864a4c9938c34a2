"""The oracle's live windows and reports against answers worked out by hand from the contract."""

import pytest

from .cases import BOOKING, at, created, event, record, says, status
from .live import live
from .report import quantile, report


def test_a_window_begins_at_the_grain_below_its_left_edge_and_ends_exactly_now():
    # At 12:00:02.5 the 5m window, of grain 5 s, begins at 11:55:00; the 1h one, of grain 1 min, at 11:00:00.
    now_us = at("12:00") + 2_500_000
    seconds = {
        "T-1": "11:54:59.999999",
        "T-2": "11:55:00",
        "T-3": "12:00:02.500000",
        "T-4": "12:00:02.500001",
        "T-5": "10:59:59",
    }
    records = [
        record({**created(), "subject": subject, "time": f"2026-03-02T{clock}Z"}) for subject, clock in seconds.items()
    ]
    values = live(records, now_us)
    assert values["tickets_created", "count", "5m", "", ""] == 2
    assert values["tickets_created", "count", "1h", "", ""] == 3
    assert values["tickets_created", "count", "24h", "", ""] == 4


@pytest.mark.parametrize(("clock", "held"), [("05:59", 0), ("06:00", 1)])
def test_the_30_day_window_has_a_grain_of_six_hours(clock, held):
    values = live([record(event("ticket.created", clock, day="2026-01-31", **TICKET))], at("11:00"))
    assert values.get(("tickets_created", "count", "30d", "", ""), 0) == held


TICKET = {"channel": "email", "priority": "high", "category": "complaint", "brand": "north"}


def test_live_gives_the_total_and_one_label_dimension_at_a_time():
    events = [
        event("ticket.created", "10:00", subject="T-1", **TICKET),
        event("ticket.created", "10:00", subject="T-2", **(TICKET | {"channel": "chat", "team": "billing"})),
        says("agent", "10:01", subject="T-1"),
        event("booking.created", "10:00", subject="B-1", **(BOOKING | {"brand": "north", "amount": "0.1"})),
        event("booking.completed", "10:30", subject="B-1"),
    ]
    values = live([record(each) for each in events], at("11:00"))
    created_1h = {k[3:]: v for k, v in values.items() if k[:3] == ("tickets_created", "count", "1h")}
    assert created_1h == {
        ("", ""): 2,
        ("channel", "email"): 1,
        ("channel", "chat"): 1,
        ("priority", "high"): 2,
        ("team", "none"): 1,
        ("team", "billing"): 1,
        ("brand", "north"): 2,
    }
    assert values["first_response_time", "sum", "1h", "channel", "email"] == 60.0
    assert values["first_response_time", "count", "1h", "channel", "email"] == 1
    assert values["revenue", "sum:EUR", "1h", "channel", "web"] == 0.1
    rate = {k[1:]: v for k, v in values.items() if k[0] == "complaint_rate" and k[2] == "1h"}
    assert rate == {
        ("numerator", "1h", "", ""): 2,
        ("denominator", "1h", "", ""): 1,
        ("numerator", "1h", "brand", "north"): 2,
        ("denominator", "1h", "brand", "north"): 1,
    }


def test_quantiles_are_linearly_interpolated():
    assert quantile([10, 20, 30, 40], 50) == 25
    assert quantile([10, 20, 30, 40], 90) == 37
    assert quantile([7], 99) == 7


def test_a_time_sample_lies_in_the_period_of_its_end_and_a_ratio_where_its_row_says():
    events = [
        event("ticket.created", "23:00", subject="T-1", day="2026-03-01", **TICKET),
        status("resolved", "01:00", subject="T-1"),
        event("booking.created", "23:00", subject="B-1", day="2026-03-01", **BOOKING),
        event("booking.cancelled", "01:00", subject="B-1", by="customer"),
    ]
    first, second = report(events, at("00:00", "2026-03-01"), at("00:00", "2026-03-03"), "day")
    assert (first["from"], first["to"]) == ("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")
    assert first["kpis"]["resolution_time"] is None
    hours_2 = 7200.0
    assert second["kpis"]["resolution_time"] == {"count": 1} | dict.fromkeys(
        ("mean", "p50", "p90", "p95", "p99", "max"), hours_2
    )
    assert first["kpis"]["cancellation_rate"] == {"value": 1.0, "numerator": 1, "denominator": 1}
    assert second["kpis"]["cancellation_rate"] is None
    assert (first["kpis"]["bookings_cancelled"], second["kpis"]["bookings_cancelled"]) == (0, 1)


def test_days_are_those_of_the_zone_weeks_start_on_monday_and_months_on_the_first():
    def edges(by, from_day, to_day, tz="UTC"):
        rows = report([], at("00:00", from_day), at("00:00", to_day), by, tz=tz)
        return [row["from"] for row in rows]

    # Berlin's clocks go forward on 29 March 2026, so that day begins at 23:00 UTC and the next at 22:00 UTC.
    assert edges("day", "2026-03-29", "2026-03-30", "Europe/Berlin") == ["2026-03-29T00:00:00Z", "2026-03-29T22:00:00Z"]
    assert edges("week", "2026-03-04", "2026-03-17") == [
        "2026-03-04T00:00:00Z", "2026-03-09T00:00:00Z", "2026-03-16T00:00:00Z"
    ]  # fmt: skip
    assert edges("month", "2026-01-31", "2026-03-02") == [
        "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"
    ]  # fmt: skip


def test_a_grouped_report_has_a_row_per_combination_and_only_kpis_that_have_the_labels():
    events = [
        event("ticket.created", "10:00", subject="T-1", **TICKET),
        event("ticket.created", "10:00", subject="T-2", **(TICKET | {"channel": "chat"})),
        event("booking.created", "10:00", subject="B-1", **BOOKING),
    ]
    rows = report(events, at("00:00"), at("23:00"), group=("channel", "priority"))
    assert [row["group"] for row in rows] == [
        {"channel": "chat", "priority": "high"}, {"channel": "email", "priority": "high"}
    ]  # fmt: skip
    assert all("bookings_created" not in row["kpis"] and row["kpis"]["tickets_created"] == 1 for row in rows)


def test_nps_is_the_difference_of_the_shares_in_points():
    scores = [10, 9, 8, 0]
    events = [event("survey.answered", "10:00", subject=f"S-{n}", survey="nps", score=s) for n, s in enumerate(scores)]
    kpis = report(events, at("00:00"), at("23:00"))[0]["kpis"]
    assert kpis["nps"] == {"value": 25.0, "promoters": 2, "passives": 1, "detractors": 1}
