"""Measures: the additive facts that entities contribute and KPIs are made of.

A *contribution* is one measure at one instant under one tuple of labels. It carries a count (1, or -1 when it is
retracted) and an integer value: microseconds for durations, millionths for money, stars or points for scores. Counts
and values only ever add up, so contributions may come, go and be corrected in any order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from msgspec import Struct

from stream.events.values import MICRO

TICKET_LABELS = ("channel", "priority", "team", "brand")
BOOKING_LABELS = ("channel", "brand")
MONEY_LABELS = (*BOOKING_LABELS, "currency")
ENDED_LABELS = (*BOOKING_LABELS, "by")
REVIEW_LABELS = ("site", "brand")
SURVEY_LABELS = ("purpose",)
SLA_LABELS = ("clock", "policy", "priority", "team")

# Upper bounds of the duration bins, in seconds: the usual targets of support desks (research: 1 min to 72 h), finer
# below an hour where first responses live, and a week and 30 days for resolutions.
DURATION_BOUNDS = (
    *(15, 30, 60, 120, 300, 600, 900, 1_800, 2_700, 3_600),
    *(7_200, 14_400, 28_800, 43_200, 86_400, 172_800, 259_200, 604_800, 2_592_000),
)
_BOUNDS_US = tuple(bound * MICRO for bound in DURATION_BOUNDS)


def duration_bin(value: int) -> int:
    """Return the index of the first bound that *value* (microseconds) does not exceed; the last bin is open."""
    return bisect_left(_BOUNDS_US, value)


def score_bin(value: int) -> int:
    """Return the score itself: a rating or an answer is its own bin."""
    return value


class Measure(Struct, frozen=True):
    """One additive fact: its name, the labels its contributions carry, and how values fall into bins, if they do."""

    name: str
    labels: tuple[str, ...]
    bin: Callable[[int], int] | None = None
    live: bool = False


_TABLE = (
    Measure("ticket_created", TICKET_LABELS),
    Measure("ticket_complaint", TICKET_LABELS),
    Measure("ticket_resolved", TICKET_LABELS),
    Measure("ticket_reopened", TICKET_LABELS),
    Measure("ticket_escalated", TICKET_LABELS),
    Measure("ticket_abandoned", TICKET_LABELS),
    Measure("ticket_closed_unresolved", TICKET_LABELS),
    Measure("ticket_active", TICKET_LABELS, live=True),
    Measure("first_response", TICKET_LABELS, duration_bin),
    Measure("next_response", TICKET_LABELS, duration_bin),
    Measure("resolution", TICKET_LABELS, duration_bin),
    Measure("resolved_in_24h", TICKET_LABELS),
    Measure("full_resolution", TICKET_LABELS, duration_bin),
    Measure("first_response_business", TICKET_LABELS, duration_bin),
    Measure("next_response_business", TICKET_LABELS, duration_bin),
    Measure("sla_met", SLA_LABELS),
    Measure("sla_missed", SLA_LABELS),
    Measure("sla_breached_open", SLA_LABELS, live=True),
    Measure("sla_due_soon_15m", SLA_LABELS, live=True),
    Measure("sla_due_soon_1h", SLA_LABELS, live=True),
    Measure("booking_created", BOOKING_LABELS),
    Measure("booking_completed", BOOKING_LABELS),
    Measure("booking_cancelled", ENDED_LABELS),
    Measure("booking_no_show", BOOKING_LABELS),
    Measure("created_cancelled", ENDED_LABELS),
    Measure("created_no_show", BOOKING_LABELS),
    Measure("revenue", MONEY_LABELS),
    Measure("review", REVIEW_LABELS, score_bin),
    Measure("nps_answer", SURVEY_LABELS, score_bin),
    Measure("csat_answer", SURVEY_LABELS, score_bin),
    Measure("ces_answer", SURVEY_LABELS, score_bin),
    Measure("self_service_answer", SURVEY_LABELS, score_bin),
    Measure("negative_duration", (), live=True),
    Measure("currency_conflict", (), live=True),
    Measure("unjoined", (), live=True),
    Measure("incomplete", (), live=True),
)

MEASURES: dict[str, Measure] = {measure.name: measure for measure in _TABLE}
BINS = {measure.name: measure.bin for measure in _TABLE}

# The instant of a live contribution: it holds now, in no window.
LIVE = None

# emit(measure, at, labels, value, count): one contribution, or with count -1 the retraction of one.
Emit = Callable[[str, "int | None", tuple[str, ...], int, int], None]
