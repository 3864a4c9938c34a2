"""Logs with many open tickets: first the tickets alone, then what happens to some of them.

What happens is the same, event by event, however many tickets lie open beside those that it happens to.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from random import Random
from typing import Any

import orjson

from tests.bench.job import CATEGORIES, CHANNELS, HOURS, PRIORITIES, START_MS, TEAMS, Sent, rfc3339

TICKETS_PER_CUSTOMER = 5
MOVED = 10_000  # tickets that something happens to
MOVES = 5 * MOVED  # four events for each of them, and as many new tickets
HOUR_MS = 3_600_000


def created(tickets: int) -> Iterator[Sent]:
    """*tickets* tickets, one event each, spread evenly over the hours of the reference job."""
    random = Random(1)
    for number in range(tickets):
        yield _created(random, number, START_MS + number * HOURS * HOUR_MS // tickets)


def moves(tickets: int) -> list[Sent]:
    """The hour after: one in so many of the *tickets* is worked on and resolved, and new ones come, MOVES events."""
    random = Random(2)
    begin = START_MS + HOURS * HOUR_MS
    moved = (_worked(random, place * tickets // MOVED, begin) for place in range(MOVED))
    new = (_created(random, tickets + place, begin + random.randrange(HOUR_MS)) for place in range(MOVED))
    return sorted(chain(chain.from_iterable(moved), new), key=lambda record: record.timestamp_ms)


def _created(random: Random, number: int, at_ms: int) -> Sent:
    data = {
        "channel": random.choice(CHANNELS), "priority": random.choice(PRIORITIES),
        "category": random.choice(CATEGORIES), "team": random.choice(TEAMS), "brand": "north",
        "tags": ["imported", "web-form"],
    }  # fmt: skip
    return _sent(number, 0, "ticket.created", data, at_ms)


def _worked(random: Random, number: int, begin: int) -> Iterator[Sent]:
    agent = f"agent-{random.randrange(40)}"
    life = [
        ("ticket.assigned", {"team": random.choice(TEAMS), "agent_id": agent}),
        ("ticket.message", {"author": "agent", "agent_id": agent, "public": True}),
        ("ticket.message", {"author": "customer", "public": True}),
        ("ticket.status_changed", {"status": "resolved", "by": "agent", "agent_id": agent}),
    ]
    for step, at in enumerate(sorted(random.sample(range(HOUR_MS), len(life)))):
        yield _sent(number, step + 1, *life[step], begin + at)


def _sent(number: int, step: int, type_: str, data: dict[str, Any], at_ms: int) -> Sent:
    customer = f"C-{number // TICKETS_PER_CUSTOMER:07d}"
    envelope = {
        "specversion": "1.0", "id": f"{number}-{step}-0123456789ab", "source": "/helpdesk/acme", "type": type_,
        "subject": f"T-{number:07d}", "time": rfc3339(at_ms), "partitionkey": customer,
        "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    return Sent(customer.encode(), orjson.dumps(envelope), at_ms)
