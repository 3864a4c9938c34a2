"""Calm live traffic: customers of a cleaning and repair service who book, ask, wait, complain and rate.

A *story* is what one customer goes through, told as steps with the seconds that pass before each. The generator is
pure: the same seed, rate and start give the same events, and time is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

import orjson
from msgspec import Struct

from stream.demo.replay import HEARTBEAT_TOPIC, TOPIC_OF, Message
from stream.events.registry import HEARTBEAT
from stream.events.values import EPOCH, MICRO

HEARTBEAT_EVERY_S = 30.0

CHANNELS = {"email": 35, "chat": 30, "phone": 20, "web": 10, "social": 5}
PRIORITIES = {"normal": 60, "low": 20, "high": 15, "urgent": 5}
CATEGORIES = {"question": 62, "incident": 20, "return_request": 10, "lead": 8}
TEAMS = {"support": 60, "billing": 20, "field": 20}
BRANDS = {"Sparkle": 60, "FixIt": 40}
SERVICES = {"house clean": (90, 40), "deep clean": (220, 60), "repair": (150, 80)}  # mean and spread of the price, EUR
STARS = {5: 52, 4: 26, 3: 9, 2: 6, 1: 7}
STARS_AFTER_COMPLAINT = {5: 8, 4: 14, 3: 20, 2: 26, 1: 32}
NPS = {10: 30, 9: 22, 8: 18, 7: 11, 6: 6, 5: 4, 4: 2, 3: 2, 2: 2, 1: 1, 0: 2}
AGENTS_PER_TEAM = 8
CUSTOMERS = 5_000

SOURCES = {"tickets": "/simulator/helpdesk", "bookings": "/simulator/shop", "reviews": "/simulator/voice"}

Data = dict[str, Any]


class Step(Struct, frozen=True):
    """An event of a story, *after* seconds later than the one before."""

    after: float
    type: str
    subject: str
    data: Data


Story = Iterator[Step]


def traffic(seed: int, rate: float, start: int) -> Iterator[Message]:
    """Yield events in the order of time, for ever: *rate* per second from *start* (microseconds, UTC) on.

    Each instant belongs to the most overdue step of a story under way, and to a new customer's story when none is due;
    so the rate is exact from the first second, and stories never wait long. Heartbeats come on top.
    """
    teller = _Teller(Random(seed), start)
    due: list[tuple[float, int, Step, str, Story]] = []
    order = count()  # so that the heap never compares steps

    def push(at: float, customer: str, story: Story) -> None:
        teller.now = at
        step = next(story, None)
        if step is not None:
            heappush(due, (at + step.after, next(order), step, customer, story))

    now = beat = 0.0
    while True:
        while beat <= now:
            yield from teller.heartbeats(beat)
            beat += HEARTBEAT_EVERY_S
        if not due or due[0][0] > now:
            push(now, *teller.story())
        if due[0][0] <= now:
            _, _, step, customer, story = heappop(due)
            yield teller.message(step, customer, now)
            push(now, customer, story)
            now += teller.random.expovariate(rate)


class _Teller:
    """Makes up the stories and writes down their events."""

    def __init__(self, random: Random, start: int) -> None:
        self.random = random
        self.now = 0.0  # seconds since the start, of the step before the one being told
        self._start = start
        # The start is part of every name: a simulation started later is about other tickets, whatever its seed.
        self._run = f"{start // 1000:x}"
        self._number = count(1)
        self._event = count(1)

    def heartbeats(self, at: float) -> Iterator[Message]:
        """Yield the sign of life of each source."""
        for source in SOURCES.values():
            event = {"type": HEARTBEAT, "source": source}
            yield self._written(HEARTBEAT_TOPIC, source, event, at)

    def message(self, step: Step, customer: str, at: float) -> Message:
        """Return the event of a step."""
        topic = TOPIC_OF[step.type.partition(".")[0]]  # type: ignore[index] # the kinds of the registry
        event = {
            "type": step.type,
            "source": SOURCES[topic],
            "subject": step.subject,
            "partitionkey": customer,
            "data": step.data,
        }
        return self._written(topic, customer, event, at)

    def _written(self, topic: str, key: str, event: Data, at: float) -> Message:
        moment = self._start + round(at * MICRO)
        time = (EPOCH + timedelta(microseconds=moment)).isoformat(timespec="microseconds").replace("+00:00", "Z")
        head = {"specversion": "1.0", "id": f"{self._run}-{next(self._event)}", "time": time}
        return Message(topic, key.encode(), orjson.dumps(head | event), moment)

    def story(self) -> tuple[str, Story]:
        """Return a customer and what happens to them; its first step comes at once."""
        customer = f"C-{self.random.randrange(CUSTOMERS)}"
        brand = self._pick(BRANDS)
        if self.random.random() < 0.45:
            return customer, self._ticket(self._name("T"), brand, self._pick(CATEGORIES))
        return customer, self._booking(self._name("B"), brand)

    def _booking(self, booking: str, brand: str) -> Story:
        service = self._pick(dict.fromkeys(SERVICES, 1))
        price = f"{max(20.0, self.random.gauss(*SERVICES[service])):.2f}"
        label = {"service": service, "brand": brand}
        asked = self._chance(0.3)
        if asked:
            yield Step(0, "booking.enquired", booking, {"channel": "web", **label})
            yield Step(self._minutes(4), "booking.quoted", booking, {"amount": price, "currency": "EUR"})
            if self._chance(0.4):
                return
        yield Step(
            self._minutes(5) if asked else 0, "booking.created", booking,
            {"channel": self._pick({"web": 6, "phone": 3, "app": 1}), "amount": price, "currency": "EUR", **label},
        )  # fmt: skip
        if self._chance(0.01):
            yield Step(self._minutes(2), "booking.deleted", booking, {"reason": "test"})
            return
        if self._chance(0.1):
            later = self._instant(self._minutes(60))
            yield Step(self._minutes(3), "booking.rescheduled", booking, {"scheduled_for": later, "by": "customer"})
        if self._chance(0.12):
            by = self._pick({"customer": 4, "business": 1})
            yield Step(self._minutes(6), "booking.cancelled", booking, {"by": by})
            return
        if self._chance(0.03):
            yield Step(self._minutes(20), "booking.no_show", booking, {})
            return
        yield Step(self._minutes(12), "booking.completed", booking, {})
        complains = self._chance(0.06)
        if complains:
            yield from self._ticket(self._name("T"), brand, "complaint", booking)
            if self._chance(0.3):
                yield Step(self._minutes(3), "booking.refunded", booking, {"amount": price})
            if self._chance(0.1):
                yield Step(self._minutes(3), "booking.disputed", booking, {"kind": "guarantee_claim"})
        if self._chance(0.35):
            yield from self._review(booking, brand, STARS_AFTER_COMPLAINT if complains else STARS)
        if self._chance(0.3):
            yield from self._survey("nps", self._pick(NPS), {"booking_id": booking}, "relationship")

    def _review(self, booking: str, brand: str, stars: dict[int, int]) -> Story:
        review, site = self._name("R"), self._pick({"google": 6, "trustpilot": 4})
        about = {"site": site, "booking_id": booking, "brand": brand}
        yield Step(self._minutes(5), "review.posted", review, {"rating": self._pick(stars), **about})
        if self._chance(0.05):
            yield Step(self._minutes(5), "review.updated", review, {"rating": self._pick(STARS)})
        if self._chance(0.02):
            yield Step(self._minutes(10), "review.removed", review, {})

    def _ticket(self, ticket: str, brand: str, category: str, booking: str | None = None) -> Story:
        channel, team = self._pick(CHANNELS), self._pick(TEAMS)
        agent = f"{team}-{self.random.randrange(AGENTS_PER_TEAM)}"
        about = {"channel": channel, "priority": self._pick(PRIORITIES), "category": category, "brand": brand}
        yield Step(0 if booking is None else self._minutes(4), "ticket.created", ticket,
                   about if booking is None else {**about, "booking_id": booking})  # fmt: skip
        if self._chance(0.02):
            yield Step(self._minutes(1), "ticket.deleted", ticket, {"reason": "spam"})
            return
        if self._chance(0.02):
            double = self._name("T")
            yield Step(self._minutes(1), "ticket.created", double, about)
            yield Step(self._minutes(1), "ticket.merged", double, {"into": ticket})
        if channel == "chat" and self._chance(0.3):
            yield Step(5, "ticket.message", ticket, {"author": "bot"})
            yield Step(self._minutes(1), "ticket.handed_off", ticket, {"to_team": team})
        if channel in ("chat", "phone") and self._chance(0.05):
            waited = self._minutes(2)
            yield Step(waited, "ticket.abandoned", ticket, {"waited_seconds": round(waited, 1)})
            return
        yield Step(self._minutes(1), "ticket.assigned", ticket, {"team": team, "agent_id": agent})
        if self._chance(0.1):
            yield Step(self._minutes(1), "ticket.updated", ticket, {"priority": self._pick(PRIORITIES)})
        quick = 1 if channel in ("chat", "phone") else 6
        yield from self._exchange(ticket, agent, quick)
        if self._chance(0.08):
            yield Step(self._minutes(5), "ticket.escalated", ticket, {"tier": 2, "team": "field"})
            yield from self._exchange(ticket, agent, quick)
        if self._chance(0.2):
            yield Step(self._minutes(2), "ticket.status_changed", ticket, {"status": "pending", "agent_id": agent})
            yield Step(self._minutes(8), "ticket.message", ticket, {"author": "customer"})
            yield from self._exchange(ticket, agent, quick)
        yield from self._resolve(ticket, agent)
        if self._chance(0.06):
            yield Step(self._minutes(15), "ticket.status_changed", ticket, {"status": "open", "by": "customer"})
            yield from self._exchange(ticket, agent, quick)
            yield from self._resolve(ticket, agent)
        if self._chance(0.35):
            score = self._pick(STARS_AFTER_COMPLAINT if category == "complaint" else STARS)
            yield from self._survey("csat", score, {"ticket_id": ticket}, "transactional")

    def _exchange(self, ticket: str, agent: str, quick: float) -> Story:
        """Yield an answer, and now and then another question and its answer."""
        yield Step(self._minutes(quick), "ticket.message", ticket, {"author": "agent", "agent_id": agent})
        while self._chance(0.35):
            yield Step(self._minutes(3), "ticket.message", ticket, {"author": "customer"})
            yield Step(self._minutes(quick), "ticket.message", ticket, {"author": "agent", "agent_id": agent})

    def _resolve(self, ticket: str, agent: str) -> Story:
        worked = {"seconds": round(self._minutes(6), 1), "agent_id": agent, "cost": "4.50", "currency": "EUR"}
        yield Step(self._minutes(2), "ticket.worked", ticket, worked)
        yield Step(1, "ticket.status_changed", ticket, {"status": "resolved", "agent_id": agent})

    def _survey(self, survey: str, score: int, about: Data, purpose: str) -> Story:
        invitation = self._name("S")
        yield Step(self._minutes(1), "survey.sent", invitation, {"survey": survey, "purpose": purpose, **about})
        if self._chance(0.6):
            yield Step(self._minutes(5), "survey.answered", invitation, {"survey": survey, "score": score, **about})

    def _name(self, letter: str) -> str:
        return f"{letter}-{self._run}-{next(self._number)}"

    def _instant(self, seconds: float) -> str:
        """Return the moment so many seconds after the story's last step, to the whole second."""
        moment = EPOCH + timedelta(seconds=round(self._start / MICRO + self.now + seconds))
        return moment.isoformat().replace("+00:00", "Z")

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _pick(self, weights: dict[Any, Any]) -> Any:
        return self.random.choices(list(weights), list(weights.values()))[0]

    def _minutes(self, median: float) -> float:
        """Return seconds around a median number of minutes: most sooner than twice that, a few much later."""
        return 60 * self.random.lognormvariate(0, 0.9) * median
