"""The catalogue of KPIs: one entry each.

A KPI is a formula over measures. Its *parts* are sums that add up over shards and workers; the figure people read is
made from the parts at the very end (`value`), so that a ratio is never averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from stream.domain.measures import MEASURES

Shape = Literal["count", "ratio", "mean", "time", "score", "money", "live"]
Where = Callable[[int], bool]


class Part(Struct, frozen=True):
    """A sum of one measure: of its counts or (``of_values``) of its values, in the bins that *where* admits."""

    name: str
    measure: str
    where: Where | None = None
    of_values: bool = False


class Kpi(Struct, frozen=True):
    """One entry. ``labels`` are the dimensions it can be split by; ``source`` says who defines it so.

    Parts of the same name add up. ``always`` are dimensions by which it is split in every window.
    """

    id: str
    shape: Shape
    parts: tuple[Part, ...]
    labels: tuple[str, ...]
    unit: str
    help: str
    formula: str
    source: str = "contract"
    always: tuple[str, ...] = ()


def _common(parts: tuple[Part, ...]) -> tuple[str, ...]:
    """Return the labels that all parts' measures carry; one that only some carry cannot split the figure."""
    first, *rest = (MEASURES[part.measure].labels for part in parts)
    return tuple(label for label in first if all(label in labels for labels in rest))


def count(kpi: str, measure: str, text: str, formula: str, where: Where | None = None) -> Kpi:
    """Return a KPI that counts contributions."""
    parts = (Part("count", measure, where),)
    return Kpi(kpi, "count", parts, _common(parts), "1", text, formula)


def ratio(kpi: str, top: Part, bottom: Part, text: str, formula: str) -> Kpi:
    """Return a KPI that divides two counts."""
    return Kpi(kpi, "ratio", (top, bottom), _common((top, bottom)), "ratio", text, formula)


def time(kpi: str, measure: str, text: str, formula: str) -> Kpi:
    """Return a KPI of durations: count, sum and bins."""
    parts = (Part("count", measure), Part("sum", measure, of_values=True))
    return Kpi(kpi, "time", parts, _common(parts), "seconds", text, formula)


def _live(kpi: str, text: str, formula: str) -> Kpi:
    return Kpi(kpi, "live", (Part("count", kpi),), MEASURES[kpi].labels, "1", text, formula)


def _over(measure: str, where: Where | None = None) -> Part:
    return Part("numerator", measure, where)


def _of(measure: str) -> Part:
    return Part("denominator", measure)


def _low(stars: int) -> bool:
    return stars <= 2


def _high(stars: int) -> bool:
    return stars >= 4


def _promoter(score: int) -> bool:
    return score >= 9


def _passive(score: int) -> bool:
    return score in (7, 8)


def _detractor(score: int) -> bool:
    return score <= 6


_MEAN_RATING = (Part("count", "review"), Part("sum", "review", of_values=True))
_NPS = (
    Part("promoters", "nps_answer", _promoter),
    Part("passives", "nps_answer", _passive),
    Part("detractors", "nps_answer", _detractor),
)

CATALOGUE: tuple[Kpi, ...] = (
    count("tickets_created", "ticket_created", "Tickets created.", "tickets whose created lies in the window"),
    count("tickets_resolved", "ticket_resolved", "Tickets resolved.", "tickets whose first resolve lies in the window"),
    count("tickets_reopened", "ticket_reopened", "Tickets reopened.", "tickets whose first reopen lies in the window"),
    count("tickets_escalated", "ticket_escalated", "Tickets escalated.", "tickets first escalated in the window"),
    count("tickets_abandoned", "ticket_abandoned", "Tickets abandoned.", "tickets first abandoned in the window"),
    count(
        "tickets_closed_unresolved",
        "ticket_closed_unresolved",
        "Tickets closed without ever being resolved.",
        "tickets closed in the window without an earlier resolve",
    ),
    Kpi(
        "tickets_active",
        "live",
        (Part("count", "ticket_active"),),
        MEASURES["ticket_active"].labels,
        "1",
        "Tickets that somebody waits for now.",
        "tickets in new, open, pending, on_hold; an abandoned one is over unless an event follows",
    ),
    time(
        "first_response_time",
        "first_response",
        "Time to the first answer by a human.",
        "first public agent message - start (created, hand-off from a bot, reopen after a bot's resolve)",
    ),
    time(
        "next_response_time",
        "next_response",
        "Time to each further answer.",
        "first public agent message - oldest unanswered customer message, after the first reply",
    ),
    time(
        "first_response_time_business",
        "first_response_business",
        "Time to the first answer by a human, in opening hours.",
        "as first_response_time, in the open time of the calendar of its policy's clock; no clock, no sample",
    ),
    time(
        "next_response_time_business",
        "next_response_business",
        "Time to each further answer, in opening hours.",
        "as next_response_time, in the open time of the calendar of its policy's clock; no clock, no sample",
    ),
    time("resolution_time", "resolution", "Time to the first resolve.", "first resolved - created"),
    time(
        "full_resolution_time",
        "full_resolution",
        "Time to the last resolve.",
        "last resolved - created - time spent resolved or closed before it",
    ),
    Kpi(
        "sla_attainment",
        "ratio",
        (_over("sla_met"), _of("sla_met"), _of("sla_missed")),
        MEASURES["sla_met"].labels,
        "ratio",
        "Share of promises kept.",
        "runs met / (met + missed); a run counts once, at the earlier of its end and its deadline",
        always=("clock",),
    ),
    _live("sla_breached_open", "Promises broken and still open.", "open runs past their deadline"),
    _live("sla_due_soon_15m", "Promises due within 15 minutes.", "open runs with a deadline within 15 minutes"),
    _live("sla_due_soon_1h", "Promises due within an hour.", "open runs with a deadline within an hour"),
    ratio(
        "resolved_within_24h",
        _over("resolved_in_24h"),
        _of("resolution"),
        "Share of resolved tickets that took at most 24 hours.",
        "resolution_time <= 24 h / tickets whose first resolve lies in the window",
    ),
    Kpi(
        "complaint_rate",
        "ratio",
        (_over("ticket_complaint"), _of("booking_completed")),
        ("brand",),  # a booking and a complaint about it may come over different channels
        "ratio",
        "Complaints per completed booking, by brand.",
        "complaint tickets, counted at their created / bookings completed in the window",
    ),
    ratio(
        "complaint_share",
        _over("ticket_complaint"),
        _of("ticket_created"),
        "Share of tickets that are complaints.",
        "complaint tickets / tickets created",
    ),
    count("bookings_created", "booking_created", "Bookings made.", "bookings created in the window"),
    count("bookings_completed", "booking_completed", "Jobs done.", "bookings completed in the window"),
    count("bookings_cancelled", "booking_cancelled", "Bookings cancelled.", "bookings cancelled in the window"),
    count("bookings_no_show", "booking_no_show", "Customers who did not come.", "no-shows in the window"),
    ratio(
        "cancellation_rate",
        _over("created_cancelled"),
        _of("booking_created"),
        "Share of bookings that were cancelled, by the time they were made.",
        "of bookings created in the window: cancelled",
    ),
    ratio(
        "no_show_rate",
        _over("created_no_show"),
        _of("booking_created"),
        "Share of bookings whose customer did not come, by the time they were made.",
        "of bookings created in the window: no-show",
    ),
    Kpi(
        "revenue",
        "money",
        (Part("sum", "revenue", of_values=True),),
        tuple(label for label in MEASURES["revenue"].labels if label != "currency"),
        "currency",
        "Amounts of completed bookings, per currency.",
        "completed.amount, else created.amount, at completion",
    ),
    count("reviews", "review", "Reviews posted.", "reviews posted in the window and not removed"),
    Kpi(
        "mean_rating",
        "mean",
        _MEAN_RATING,
        _common(_MEAN_RATING),
        "stars",
        "Mean rating of the reviews posted.",
        "sum of stars / reviews",
    ),
    ratio("negative_feedback_rate", _over("review", _low), _of("review"), "Share of 1-2 stars.", "1-2 stars / reviews"),
    ratio("positive_review_rate", _over("review", _high), _of("review"), "Share of 4-5 stars.", "4-5 stars / reviews"),
    Kpi(
        "nps",
        "score",
        _NPS,
        _common(_NPS),
        "points",
        "Net promoter score, -100 to 100.",
        "100 * (promoters 9-10 - detractors 0-6) / answers",
        "Reichheld 2003",
    ),
    ratio(
        "csat",
        _over("csat_answer", _high),
        _of("csat_answer"),
        "Share of satisfied answers.",
        "answers 4-5 / all answers",
    ),
)

KPIS: dict[str, Kpi] = {kpi.id: kpi for kpi in CATALOGUE}


def value(kpi: Kpi, parts: Mapping[str, int]) -> float | int | None:
    """Return the figure people read, or None where a denominator is 0: no value is neither 0 nor 100 %.

    Durations come out in seconds, money in whole units; counts stay integers.
    """
    if kpi.shape in ("count", "live"):
        return parts["count"]
    if kpi.shape == "money":
        return parts["sum"] / 1_000_000
    if kpi.shape == "score":
        answers = parts["promoters"] + parts["passives"] + parts["detractors"]
        return 100 * (parts["promoters"] - parts["detractors"]) / answers if answers else None
    top, bottom = ("numerator", "denominator") if kpi.shape == "ratio" else ("sum", "count")
    scale = 1_000_000 if kpi.shape == "time" else 1
    return parts[top] / scale / parts[bottom] if parts[bottom] else None
