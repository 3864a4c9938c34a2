"""The reference job: which events there are, and what must come out, worked out in plain Python.

Tickets of five events each (created, assigned, agent message, customer message, resolved; one ticket in ten is answered
once more instead of resolved, so that some stay active), in event-time order, spread over six hours. One event in a
hundred comes twice.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

PARTITIONS = 4
EVENTS_PER_TICKET = 5
HOURS = 6
START_MS = 1_772_323_200_000  # 2026-03-01T00:00:00Z
CHANNELS = ("chat", "email", "phone", "social")
TEAMS = tuple(f"team-{number}" for number in range(1, 9))
PRIORITIES = ("low", "normal", "high", "urgent")
CATEGORIES = ("question", "question", "incident", "complaint")
# Upper bounds of the first-response histogram in seconds: those the metrics reference (docs/metrics.md) promises.
BOUNDS = (
    *(15, 30, 60, 120, 300, 600, 900, 1_800, 2_700, 3_600),
    *(7_200, 14_400, 28_800, 43_200, 86_400, 172_800, 259_200, 604_800, 2_592_000),
)

Group = tuple[str, str]  # channel, team


@dataclass(frozen=True, slots=True)
class Sent:
    """A record of the topic `tickets`; its Kafka timestamp is the event's own time."""

    key: bytes
    value: bytes
    timestamp_ms: int


def records(events: int, seed: int = 7) -> list[Sent]:
    """The first *events* records of a log of whole tickets; the same arguments give the same bytes."""
    random = Random(seed)
    tickets = -(-events // EVENTS_PER_TICKET)
    sent = [record for number in range(tickets) for record in _ticket(random, number)]
    sent += random.sample(sent, len(sent) // 100)  # redelivered
    sent.sort(key=lambda record: record.timestamp_ms)
    return sent[:events]


def _ticket(random: Random, number: int) -> Iterator[Sent]:
    """One ticket. Its events lie at least a second apart, so that their order is never in doubt."""
    subject, customer = f"T-{number:06d}", f"C-{random.randrange(20_000):05d}"
    agent, team = f"agent-{random.randrange(40)}", random.choice(TEAMS)
    created = {
        "channel": random.choice(CHANNELS), "priority": random.choice(PRIORITIES),
        "category": random.choice(CATEGORIES), "team": team, "brand": "north", "tags": ["imported", "web-form"],
    }  # fmt: skip
    agent_says = ("ticket.message", {"author": "agent", "agent_id": agent, "public": True})
    resolved = ("ticket.status_changed", {"status": "resolved", "by": "agent", "agent_id": agent})
    life = [
        ("ticket.created", created),
        ("ticket.assigned", {"team": team, "agent_id": agent}),
        agent_says,
        ("ticket.message", {"author": "customer", "public": True}),
        agent_says if random.random() < 0.1 else resolved,
    ]
    at_ms = START_MS + random.randrange(HOURS * 3_600_000)
    for step, (type_, data) in enumerate(life):
        envelope = {
            "specversion": "1.0", "id": f"{subject}-{step}-{random.getrandbits(48):012x}", "source": "/helpdesk/acme",
            "type": type_, "subject": subject, "time": rfc3339(at_ms), "partitionkey": customer,
            "datacontenttype": "application/json", "data": data,
        }  # fmt: skip
        yield Sent(customer.encode(), json.dumps(envelope).encode(), at_ms)
        at_ms += random.randrange(1_000, 3_600_000)


def rfc3339(at_ms: int) -> str:
    seconds, millis = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


@dataclass
class Outcome:
    """The figures of the job, by channel and team. Waits are in milliseconds; ``bins`` are not cumulative."""

    created: Counter[Group]
    complaints: Counter[Group]
    resolved: Counter[Group]
    active: Counter[Group]
    waits: Counter[Group]
    wait_ms: Counter[Group]
    bins: Counter[tuple[Group, int]]


def new_outcome() -> Outcome:
    return Outcome(*(Counter() for _ in range(7)))


def expected(log: Iterable[Sent]) -> Outcome:
    """What the job must give for *log*: brute force over all events of each ticket."""
    tickets: dict[str, dict[str, dict[str, Any]]] = {}
    for record in log:
        event = json.loads(record.value)
        tickets.setdefault(event["subject"], {})[event["id"]] = event
    outcome = new_outcome()
    for events in tickets.values():
        _add(outcome, list(events.values()))
    return outcome


def _add(outcome: Outcome, events: list[dict[str, Any]]) -> None:
    first = events[0]["data"]
    group = first["channel"], first["team"]
    outcome.created[group] += 1
    outcome.complaints[group] += first["category"] == "complaint"
    done = any(event["data"].get("status") == "resolved" for event in events)
    (outcome.resolved if done else outcome.active)[group] += 1
    answers = [event for event in events if event["data"].get("author") == "agent"]
    if answers:
        wait_ms = _ms(answers[0]) - _ms(events[0])
        outcome.waits[group] += 1
        outcome.wait_ms[group] += wait_ms
        outcome.bins[group, bisect_left(BOUNDS, wait_ms / 1000)] += 1


def _ms(event: dict[str, Any]) -> int:
    return round(datetime.fromisoformat(event["time"]).timestamp() * 1000)
