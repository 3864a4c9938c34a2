"""One whole example of each event type's data: for the schemas, and as the seed of tests."""

from __future__ import annotations

from typing import Any

EXAMPLES: dict[str, dict[str, Any]] = {
    "ticket.created": {
        "channel": "chat",
        "priority": "high",
        "category": "complaint",
        "team": "billing",
        "agent_id": "A-7",
        "complexity": "simple",
        "brand": "acme",
        "market": "DE",
        "booking_id": "B-2001",
        "requested_by": "customer",
        "customer_segment": "gold",
        "tags": ["invoice", "vip"],
    },
    "ticket.updated": {
        "channel": "email",
        "priority": "urgent",
        "category": "incident",
        "complexity": "complex",
        "brand": "acme",
        "market": "DE",
        "tags": ["outage"],
        "customer_segment": "gold",
    },
    "ticket.assigned": {"team": "billing", "agent_id": "A-7", "tier": 1},
    "ticket.handed_off": {"to_team": "billing"},
    "ticket.escalated": {"tier": 2, "team": "engineering", "reason": "needs a fix"},
    "ticket.message": {"author": "agent", "public": True, "agent_id": "A-7"},
    "ticket.worked": {"seconds": 420.5, "agent_id": "A-7", "cost": "7.35", "currency": "EUR"},
    "ticket.status_changed": {"status": "resolved", "by": "agent", "agent_id": "A-7"},
    "ticket.abandoned": {"waited_seconds": 95},
    "ticket.merged": {"into": "T-1000"},
    "ticket.deleted": {"reason": "spam"},
    "booking.enquired": {"channel": "web", "service": "deep clean", "brand": "acme"},
    "booking.quoted": {"amount": 180, "currency": "EUR"},
    "booking.created": {
        "channel": "partner site",
        "service": "deep clean",
        "amount": "199.90",
        "currency": "EUR",
        "crew": "north",
        "technicians": ["P-3", "P-9"],
        "scheduled_for": "2026-03-08T08:00:00+01:00",
        "promised_by": "2026-03-08",
        "brand": "acme",
    },
    "booking.rescheduled": {
        "scheduled_for": "2026-03-09T08:00:00+01:00",
        "promised_by": "2026-03-09T12:00:00+01:00",
        "by": "customer",
    },
    "booking.completed": {"amount": 199.9, "cost": 120, "crew": "north", "technicians": ["P-3"]},
    "booking.no_show": {},
    "booking.cancelled": {"by": "business", "reason": "storm"},
    "booking.refunded": {"amount": "20.00"},
    "booking.disputed": {"kind": "chargeback", "upheld": True},
    "booking.deleted": {"reason": "test"},
    "review.posted": {
        "rating": 2,
        "site": "trustpilot",
        "booking_id": "B-2001",
        "ticket_id": "T-1001",
        "product": "deep clean",
        "brand": "acme",
    },
    "review.updated": {"rating": 4},
    "review.removed": {},
    "survey.sent": {"survey": "csat", "purpose": "transactional", "ticket_id": "T-1001", "booking_id": "B-2001"},
    "survey.answered": {
        "survey": "csat",
        "score": 4,
        "ticket_id": "T-1001",
        "booking_id": "B-2001",
        "aspects": {"skill": 5, "speed": 3},
        "attributes": ["friendly", "quick"],
    },
}

_SUBJECTS = {"ticket": "T-1001", "booking": "B-2001", "review": "R-3001", "survey": "S-4001"}


def example(name: str) -> dict[str, Any]:
    """Return a whole event of the type *name* in structured mode, with every field of its data."""
    return {
        "specversion": "1.0",
        "id": "8f1c2d3e-4a5b",
        "source": "/helpdesk/acme",
        "type": name,
        "subject": _SUBJECTS[name.partition(".")[0]],
        "time": "2026-03-01T09:30:00.000Z",
        "partitionkey": "C-77",
        "sequence": 12,
        "data": EXAMPLES[name],
    }


HEARTBEAT_EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "8f1c2d3e-4a5c",
    "source": "/helpdesk/acme",
    "type": "heartbeat",
    "time": "2026-03-01T09:30:00.000Z",
}
