"""Which KPIs there are in this step, of which shape, by which labels; and what a contribution to one is."""

from dataclasses import dataclass

TICKET = ("channel", "priority", "team", "brand")
BOOKING = ("channel", "brand")
REVIEW = ("brand", "site")
SLA = ("clock", "policy", "priority", "team")

# id -> (shape, labels). Shapes as in the contract's "Shape" and in what `report --format json` prints; what is "live"
# has no past: the active tickets, and the open runs, each at its deadline.
KPIS: dict[str, tuple[str, tuple[str, ...]]] = {
    "tickets_created": ("count", TICKET),
    "tickets_active": ("live", TICKET),
    "tickets_resolved": ("count", TICKET),
    "tickets_reopened": ("count", TICKET),
    "tickets_escalated": ("count", TICKET),
    "tickets_abandoned": ("count", TICKET),
    "tickets_closed_unresolved": ("count", TICKET),
    "first_response_time": ("time", TICKET),
    "next_response_time": ("time", TICKET),
    "first_response_time_business": ("time", TICKET),
    "next_response_time_business": ("time", TICKET),
    "resolution_time": ("time", TICKET),
    "full_resolution_time": ("time", TICKET),
    "resolved_within_24h": ("ratio", TICKET),
    "sla_attainment": ("ratio", SLA),
    "sla_breached_open": ("live", SLA),
    "sla_due_soon_15m": ("live", SLA),
    "sla_due_soon_1h": ("live", SLA),
    "complaint_rate": ("ratio", ("brand",)),  # a ticket and a booking share no other label
    "complaint_share": ("ratio", TICKET),
    "bookings_created": ("count", BOOKING),
    "bookings_completed": ("count", BOOKING),
    "bookings_cancelled": ("count", BOOKING),
    "bookings_no_show": ("count", BOOKING),
    "cancellation_rate": ("ratio", BOOKING),
    "no_show_rate": ("ratio", BOOKING),
    "revenue": ("money", BOOKING),
    "reviews": ("count", (*REVIEW, "stars")),
    "mean_rating": ("mean", REVIEW),
    "negative_feedback_rate": ("ratio", REVIEW),
    "positive_review_rate": ("ratio", REVIEW),
    "nps": ("nps", ()),
    "csat": ("ratio", ()),
}


@dataclass(frozen=True, slots=True)
class Contribution:
    """`value` for one part of one KPI at one instant (None: a state at the end of the log).

    Parts: count; numerator, denominator; sample (a time in microseconds, or a rating); promoters, passives, detractors;
    sum:CURRENCY (in millionths).
    """

    kpi: str
    part: str
    at_us: int | None
    value: int
    labels: dict[str, str]
