"""`deskpulse report` gives the numbers that others computed from the same data, with pandas and DuckDB."""

from __future__ import annotations

import json
import math

import pytest

from tests.support.data import report


@pytest.fixture(scope="module")
def uci_facts(data_folder):
    return json.loads((data_folder / "uci_incident_facts.json").read_text())


@pytest.fixture(scope="module")
def hotel_facts(data_folder):
    return json.loads((data_folder / "hotel_bookings_facts.json").read_text())


def total(events):
    [row] = report(events)
    return row["kpis"]


def test_uci_by_column_gives_the_published_resolution_times(imported, uci_facts):
    kpis = total(imported("uci-incident-column", "tickets_uci_incident"))
    facts = uci_facts["resolution_hours_opened_to_resolved"]
    took = kpis["resolution_time"]
    assert kpis["tickets_created"] == uci_facts["incidents"]
    assert kpis["tickets_resolved"] == took["count"] == facts["n"]
    assert took["mean"] / 3600 == pytest.approx(facts["mean_h"], abs=1e-6)
    for quantile in ("p50", "p90", "p95", "p99"):
        assert took[quantile] / 3600 == pytest.approx(facts[f"{quantile}_h"], abs=1e-5)
    assert took["max"] / 3600 == pytest.approx(facts["max_h"], abs=1e-6)
    assert kpis["resolved_within_24h"]["value"] == pytest.approx(facts["share_le_24h"], abs=1e-6)
    first = uci_facts["first_response_hours_first_row_not_New"]
    assert kpis["first_response_time"]["count"] == first["n"] - first["negative"]  # a negative one gives no sample


def test_uci_by_audit_reopens_276_tickets(imported):
    # 24,905 and 276 stand in the data's README: resolved -> any active status, or closed -> open, by time and sequence.
    kpis = total(imported("uci-incident-audit", "tickets_uci_incident"))
    assert kpis["tickets_resolved"] == 24_905
    assert kpis["tickets_reopened"] == 276
    assert kpis["resolution_time"]["p50"] / 3600 == pytest.approx(13.88, abs=0.005)
    assert kpis["resolution_time"]["mean"] / 3600 == pytest.approx(162.92, abs=0.005)
    assert kpis["resolved_within_24h"]["value"] == pytest.approx(0.5519, abs=5e-5)


def test_hotel_bookings_give_the_published_cancellations_in_all_and_by_channel(imported, hotel_facts):
    events = imported("hotel-bookings", "bookings_hotel")
    kpis, facts = total(events), hotel_facts["all"]
    cancelled, no_show = kpis["cancellation_rate"], kpis["no_show_rate"]
    assert kpis["bookings_created"] == cancelled["denominator"] == facts["bookings"]
    assert kpis["bookings_cancelled"] == cancelled["numerator"] == hotel_facts["reservation_status"]["Canceled"]
    assert kpis["bookings_no_show"] == no_show["numerator"] == facts["no_show"]
    assert cancelled["numerator"] + no_show["numerator"] == facts["cancelled"]
    assert math.isclose(kpis["revenue"]["EUR"], facts["revenue_of_stays"], abs_tol=0.005)
    by_channel = {row["group"]["channel"]: row["kpis"] for row in report(events, "--group", "channel")}
    for channel, facts in hotel_facts["by_distribution_channel"].items():
        assert by_channel[channel]["bookings_created"] == facts["bookings"]
        assert by_channel[channel]["bookings_no_show"] == facts["no_show"]


def test_olist_reviews_give_the_published_means(imported):
    kpis = total(imported("olist", "bookings_reviews_olist_random5000"))
    assert kpis["reviews"] == 4_988
    assert kpis["mean_rating"]["value"] == pytest.approx(4.1193, abs=5e-5)
    assert kpis["negative_feedback_rate"]["value"] == pytest.approx(0.1385, abs=5e-5)
    assert kpis["positive_review_rate"]["value"] == pytest.approx(0.7821, abs=5e-5)


def test_weeks_add_up_to_the_total(imported):
    events = imported("uci-incident-audit", "tickets_uci_incident")
    weeks = report(events, "--by", "week")
    whole = total(events)
    for kpi in ("tickets_created", "tickets_resolved", "tickets_reopened"):
        assert sum(week["kpis"][kpi] for week in weeks) == whole[kpi]
    assert all(week["from"] < week["to"] for week in weeks)
