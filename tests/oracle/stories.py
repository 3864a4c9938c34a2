"""The lives of tickets, bookings, reviews and surveys, for the generator."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from .values import MICRO

if TYPE_CHECKING:
    from .generator import Mix

MINUTE_US, DAY_US = 60 * MICRO, 86_400 * MICRO
BRANDS = ["north", "south", "Müller & Söhne"]
TEAMS = ["frontline", "billing", "technical"]
# An unknown word in each open enum, which becomes `other`.
CHANNELS = ["chat", "email", "phone", "phone", "social", "web", "marketplace", "in_person", "pigeon"]
PRIORITIES = ["low", "normal", "high", "urgent", "P0"]
CATEGORIES = ["question", "incident", "complaint", "complaint", "return_request", "lead", "praise"]
STATUSES = ["new", "open", "pending", "on_hold", "resolved", "resolved", "resolved", "closed", "open"]
SCORE_LIMITS = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7), "self_service": (1, 5)}


@dataclass(frozen=True)
class Story:
    """One entity's events in order, as (type, instant in microseconds, data, sequence)."""

    subject: str
    customer: str
    events: list[tuple[str, int, dict[str, Any], int | None]]


class Pen:
    """Writes a story: the clock moves on at random and often stands still."""

    def __init__(self, random: Random, mix: "Mix") -> None:
        self.random = random
        self.now_us = mix.start_us + random.randrange(int(mix.days * DAY_US))
        self.numbered = random.random() < 0.3  # sources that number their events do so for the whole entity
        self.events: list[tuple[str, int, dict[str, Any], int | None]] = []
        self.pace_us = random.choice([MINUTE_US, 20 * MINUTE_US, 300 * MINUTE_US])

    def write(self, type_: str, **data: Any) -> None:
        """Add an event now; fields that are None are left out."""
        at_us = self.now_us if self.random.random() < 0.3 else self.now_us // MINUTE_US * MINUTE_US
        if self.events:
            at_us = max(at_us, self.events[-1][1])
        sequence = len(self.events) if self.numbered else None
        self.events.append((type_, at_us, {k: v for k, v in data.items() if v is not None}, sequence))
        if self.random.random() < 0.75:  # else the next event happens at the same time
            self.now_us += int(self.random.expovariate(1 / self.pace_us))

    def maybe(self, chance: float, value: Any) -> Any:
        """The value with that chance, else None."""
        return value if self.random.random() < chance else None


def stories(random: Random, mix: "Mix") -> Iterator[Story]:
    """One story per entity, customers drawn with skew so that some have many entities."""
    tell = [_ticket, _ticket, _ticket, _booking, _booking, _review, _survey]
    for number in range(mix.entities):
        customer = f"C-{int(mix.customers * random.random() ** 2)}"
        kind = random.choice(tell)
        pen = Pen(random, mix)
        kind(pen, random)
        yield Story(f"{kind.__name__.lstrip('_')[0].upper()}-{number}", customer, pen.events)


def _ticket(pen: Pen, random: Random) -> None:
    pen.write(
        "ticket.created",
        channel=random.choice(CHANNELS),
        priority=random.choice(PRIORITIES),
        category=random.choice(CATEGORIES),
        team=pen.maybe(0.5, random.choice(TEAMS)),
        brand=pen.maybe(0.6, random.choice(BRANDS)),
        complexity=pen.maybe(0.2, random.choice(["simple", "baroque"])),
        market=pen.maybe(0.2, "DE"),
        requested_by=pen.maybe(0.2, random.choice(["customer", "agent"])),
        customer_segment=pen.maybe(0.1, "gold"),
        tags=pen.maybe(0.1, ["vip", "eu"]),
        booking_id=pen.maybe(0.1, "B-1"),
    )
    for _ in range(random.randrange(14)):
        _ticket_step(pen, random)
    if random.random() < 0.6:
        pen.write("ticket.status_changed", status="resolved", by=pen.maybe(0.6, random.choice(["agent", "bot"])))
    if random.random() < 0.3:
        pen.write("ticket.message", author="customer", public=pen.maybe(0.5, random.random() < 0.8))
    ending = random.random()
    if ending < 0.06:
        pen.write("ticket.abandoned", waited_seconds=pen.maybe(0.5, random.choice([4, 31.5])))
        if random.random() < 0.4:
            _ticket_step(pen, random)
    elif ending < 0.10:
        pen.write("ticket.merged", into="T-1")
    elif ending < 0.16:
        pen.write("ticket.deleted", reason=random.choice(["spam", "test", "privacy", "other", "gdpr"]))
        if random.random() < 0.4:
            _ticket_step(pen, random)


def _ticket_step(pen: Pen, random: Random) -> None:
    match random.randrange(12):
        case 0:
            pen.write("ticket.assigned", team=pen.maybe(0.7, random.choice(TEAMS)), agent_id=pen.maybe(0.7, "A-1"))
        case 1:
            pen.write("ticket.escalated", tier="2", team=pen.maybe(0.4, random.choice(TEAMS)))
        case 2:
            pen.write("ticket.handed_off", to_team=pen.maybe(0.5, random.choice(TEAMS)))
        case 3:
            pen.write(
                "ticket.updated",
                channel=pen.maybe(0.2, random.choice(CHANNELS)),
                priority=pen.maybe(0.5, random.choice(PRIORITIES)),
                category=pen.maybe(0.4, random.choice(CATEGORIES)),
                brand=pen.maybe(0.2, random.choice(BRANDS)),
            )
        case 4:
            pen.write("ticket.worked", seconds=random.choice([0, 90, 612.5]), cost=pen.maybe(0.3, "3.25"))
        case 5 | 6 | 7:
            by = pen.maybe(0.6, random.choice(["customer", "agent", "bot", "system"]))
            pen.write("ticket.status_changed", status=random.choice(STATUSES), by=by)
        case _:
            author = random.choice(["customer", "customer", "agent", "agent", "bot", "system"])
            pen.write("ticket.message", author=author, public=pen.maybe(0.5, random.random() < 0.6))


def _booking(pen: Pen, random: Random) -> None:
    currency = random.choice(["EUR", "EUR", "USD", "JPY"])
    if random.random() < 0.3:
        pen.write("booking.enquired", channel="web", service="repair")
        pen.write("booking.quoted", amount=_amount(random), currency=random.choice([currency, "GBP"]))
    pen.write(
        "booking.created",
        channel=random.choice(["web", "phone", "OTA Partner", "walk-in"]),
        service=random.choice(["cleaning", "repair"]),
        amount=_amount(random),
        currency=currency,
        brand=pen.maybe(0.6, random.choice(BRANDS)),
        promised_by=pen.maybe(0.5, random.choice(["2026-03-20", "2026-03-21T12:00:00+01:00"])),
        technicians=pen.maybe(0.3, ["T1", "T2"]),
    )
    if random.random() < 0.3:
        pen.write("booking.rescheduled", scheduled_for="2026-03-22T08:00:00Z", by=pen.maybe(0.5, "business"))
    for _ in range(random.choice([0, 1, 1, 1, 1, 2])):
        match random.randrange(5):
            case 0:
                pen.write("booking.cancelled", by=random.choice(["customer", "business"]))
            case 1:
                pen.write("booking.no_show")
            case _:
                pen.write("booking.completed", amount=pen.maybe(0.4, _amount(random)), cost=pen.maybe(0.3, 10))
    if random.random() < 0.1:
        pen.write("booking.refunded", amount="5.50")
    if random.random() < 0.1:
        kind = random.choice(["guarantee_claim", "chargeback"])
        pen.write("booking.disputed", kind=kind, upheld=pen.maybe(0.5, False))
    if random.random() < 0.05:
        pen.write("booking.deleted", reason=random.choice(["spam", "test", "privacy", "other"]))


def _amount(random: Random) -> int | float | str:
    cents = random.randint(-500, 50_000)
    forms: list[int | float | str] = [cents // 100, cents / 100, f"{cents}.123456", 0]
    return random.choice(forms)


def _review(pen: Pen, random: Random) -> None:
    pen.write(
        "review.posted",
        rating=random.randint(1, 5),
        site=random.choice(["maps", "shop", "forum"]),
        brand=pen.maybe(0.5, random.choice(BRANDS)),
        booking_id=pen.maybe(0.3, "B-1"),
    )
    for _ in range(random.choice([0, 0, 0, 1, 2])):
        pen.write("review.updated", rating=random.randint(1, 5))
    if random.random() < 0.1:
        pen.write("review.removed")


def _survey(pen: Pen, random: Random) -> None:
    survey = random.choice(["csat", "csat", "nps", "nps", "ces", "self_service"])
    pen.write("survey.sent", survey=survey, purpose=pen.maybe(0.5, random.choice(["transactional", "curiosity"])))
    for _ in range(random.choice([0, 1, 1, 2])):
        aspects, words = pen.maybe(0.2, {"skill": 4, "speed": 2}), pen.maybe(0.2, ["friendly"])
        score = random.randint(*SCORE_LIMITS[survey])
        pen.write("survey.answered", survey=survey, score=score, aspects=aspects, attributes=words)
