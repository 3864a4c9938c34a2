"""The small job by hand: the least state that gives its answers, for the loops that set the upper bound.

The state is the same as stock Faust's here, a ticket and a bucket per minute, channel and team, with a changelog record
for each that changed since the last call of `changes`; decoding and validation are one pass into typed structs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tests.bench.job import BOUNDS

Type = Literal["ticket.created", "ticket.assigned", "ticket.message", "ticket.status_changed"]
Place = tuple[int, str, str]  # minute, channel, team


class Data(Struct, gc=False):
    channel: Literal["chat", "email", "phone", "social"] | None = None
    category: Literal["question", "incident", "complaint"] | None = None
    author: Literal["agent", "customer"] | None = None
    status: Literal["resolved"] | None = None
    team: str | None = None


class Event(Struct, gc=False):
    id: str
    type: Type
    subject: str
    time: datetime
    data: Data


class Ticket(Struct, gc=False, array_like=True):
    created_ms: int
    channel: str
    team: str
    complaint: bool
    status: str
    seen: list[str]
    answered: bool = False


class Bucket(Struct, gc=False, array_like=True):
    bins: list[int]
    created: int = 0
    complaints: int = 0
    resolved: int = 0
    wait_ms: int = 0


class SmallJob:
    """The state of one partition."""

    def __init__(self) -> None:
        self.tickets: dict[str, Ticket] = {}
        self.buckets: dict[Place, Bucket] = {}
        self._decode = msgspec.json.Decoder(Event).decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._changed_tickets: set[str] = set()
        self._changed_buckets: set[Place] = set()

    def fold(self, value: bytes) -> None:
        """Fold one event in. Ids that a ticket has seen are dropped."""
        event = self._decode(value)
        at_ms = round(event.time.timestamp() * 1000)
        ticket = self.tickets.get(event.subject)
        if ticket is None:
            data = event.data
            if event.type != "ticket.created" or data.channel is None or data.team is None:
                return
            ticket = Ticket(at_ms, data.channel, data.team, data.category == "complaint", "new", [])
            self.tickets[event.subject] = ticket
        elif event.id in ticket.seen:
            return
        ticket.seen.append(event.id)
        self._changed_tickets.add(event.subject)
        self._count(ticket, event, at_ms)

    def _count(self, ticket: Ticket, event: Event, at_ms: int) -> None:
        match event.type:
            case "ticket.created":
                bucket = self._bucket(ticket, at_ms)
                bucket.created += 1
                bucket.complaints += ticket.complaint
            case "ticket.message" if event.data.author == "agent" and not ticket.answered:
                ticket.answered = True
                wait_ms = at_ms - ticket.created_ms
                bucket = self._bucket(ticket, at_ms)
                bucket.wait_ms += wait_ms
                bucket.bins[bisect_left(BOUNDS, wait_ms / 1000)] += 1
            case "ticket.status_changed" if event.data.status and ticket.status != event.data.status:
                ticket.status = event.data.status
                self._bucket(ticket, at_ms).resolved += 1

    def _bucket(self, ticket: Ticket, at_ms: int) -> Bucket:
        place = at_ms // 60_000, ticket.channel, ticket.team
        self._changed_buckets.add(place)
        bucket = self.buckets.get(place)
        if bucket is None:
            bucket = self.buckets[place] = Bucket([0] * (len(BOUNDS) + 1))
        return bucket

    def changes(self) -> Iterator[tuple[bytes, bytes]]:
        """Yields the changelog's keys and values of all that changed since the last call."""
        for subject in self._changed_tickets:
            yield subject.encode(), self._encode(self.tickets[subject])
        for place in self._changed_buckets:
            yield self._encode(place), self._encode(self.buckets[place])
        self._changed_tickets.clear()
        self._changed_buckets.clear()


def outcome(jobs: Iterable[SmallJob]) -> dict[str, list[Any]]:
    """What came out in all partitions, in the form that `check.compare_tables` reads."""
    jobs = list(jobs)
    return {
        "buckets": [
            [channel, team, msgspec.structs.asdict(bucket)]
            for job in jobs
            for (_, channel, team), bucket in job.buckets.items()
        ],
        "active": [
            [each.channel, each.team] for job in jobs for each in job.tickets.values() if each.status != "resolved"
        ],
    }
