"""Events by the minute, single entities, and a whole shard with its log, for the tests of the core."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import count
from typing import Any

import orjson

from stream.domain import ledger
from stream.domain.entity import Entity
from stream.domain.overlay import Overlay, Record
from stream.domain.sealing import Limits
from stream.domain.shard import Shard
from stream.events.event import Event
from stream.events.values import DAY_US, EPOCH, MICRO
from stream.ingest.decode import decode

START = 1_772_323_200 * MICRO  # 2026-03-01T00:00:00Z
MINUTE = 60 * MICRO
DAY = DAY_US // MINUTE  # a day in minutes
_IDS = count()


def event(kind: str, minute: float, subject: str = "X", **more: Any) -> Event:
    """Return an event *minute* minutes after START; of *more*, what is no attribute of the envelope is its data."""
    attributes = {name: more.pop(name) for name in ("id", "source", "sequence") if name in more}
    body = {
        "specversion": "1.0",
        "id": f"e{next(_IDS):08}",
        "source": "test",
        "type": kind,
        "subject": subject,
        "time": (EPOCH + timedelta(microseconds=at(minute))).isoformat(),
        "partitionkey": more.pop("customer", "C"),
        **attributes,
        "data": more,
    }
    item = decode(orjson.dumps(body), topic=None)
    assert isinstance(item, Event), item
    return item


def at(minute: float) -> int:
    """Return the instant *minute* minutes after START, in microseconds UTC."""
    return START + round(minute * MINUTE)


def created(minute: float = 0, subject: str = "X", **data: Any) -> Event:
    return event(
        "ticket.created", minute, subject, **{"channel": "chat", "priority": "normal", "category": "question"} | data
    )


def status(minute: float, to: str, subject: str = "X", **data: Any) -> Event:
    return event("ticket.status_changed", minute, subject, status=to, **data)


def says(minute: float, author: str, subject: str = "X", **data: Any) -> Event:
    return event("ticket.message", minute, subject, author=author, **data)


def booked(minute: float = 0, subject: str = "B", **data: Any) -> Event:
    base = {"channel": "web", "service": "cleaning", "amount": 100, "currency": "EUR"}
    return event("booking.created", minute, subject, **base | data)


class Told:
    """An entity that took events one by one, and what it contributes in the end."""

    def __init__(self, *events: Event, settle_each: bool = True) -> None:
        self.entity = Entity(events[0].key, kind=events[0].type.kind)
        self.net: Counter[tuple[str, int | None, tuple[str, ...], int]] = Counter()
        for one in events:
            self.take(one)
            if settle_each:
                self.entity.settle(self.emit)
        self.entity.settle(self.emit)

    def take(self, one: Event) -> None:
        self.entity.take(one, ledger.encode(one), self.emit)

    def emit(self, measure: str, at: int | None, labels: tuple[str, ...], value: int, number: int) -> None:
        self.net[measure, at, labels, value] += number

    def all(self, measure: str) -> list[tuple[float | None, float]]:
        """Return (minute, value in minutes) of a measure's contributions, in order."""
        return sorted(
            (None if when is None else (when - START) / MINUTE, value / MINUTE)
            for (name, when, _, value), number in self.net.items()
            for _ in range(number)
            if name == measure
        )

    def labels(self, measure: str) -> list[tuple[str, ...]]:
        return [labels for (name, _, labels, _), number in self.net.items() for _ in range(number) if name == measure]

    def minutes(self, measure: str) -> list[float | None]:
        """Return the minutes of a measure's contributions."""
        return [minute for minute, _ in self.all(measure)]

    def counted(self) -> dict[str, int]:
        """Return how often each measure counts."""
        out: Counter[str] = Counter()
        for (name, _, _, _), number in self.net.items():
            out[name] += number
        return {name: number for name, number in out.items() if number}


class World:
    """A shard and its log. Each event's Kafka timestamp is its own time unless it is given with one, in minutes."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits
        self.shard = Shard(0, limits)
        self.log: list[tuple[bytes, bytes | None]] = []
        self.results: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.now = START
        self._offsets: Counter[str] = Counter()

    def record(self, one: Event, minute: float | None = None) -> Record:
        stamp = one.time if minute is None else at(minute)
        self._offsets[one.type.topic] += 1
        return Record(one.type.topic, self._offsets[one.type.topic] - 1, stamp, 0, one)

    def put(
        self, *events: Event | tuple[Event, float], now: float | None = None, at_end: frozenset[str] = frozenset()
    ) -> Overlay:
        """Fold events as one batch and merge it; the clock follows the Kafka timestamps or is at minute *now*."""
        records = [self.record(*one) if isinstance(one, tuple) else self.record(one) for one in events]
        self.now = at(now) if now is not None else max([self.now, *(record.timestamp for record in records)])
        overlay = self.shard.fold(records, self.now, at_end=at_end)
        self.merge(overlay)
        return overlay

    def merge(self, overlay: Overlay) -> None:
        self.log += overlay.records
        for (_, _, result), number in overlay.results.items():
            self.results[result] += number
        self.notes += overlay.notes
        self.shard.merge(overlay)

    def pass_time(self, minute: float) -> None:
        """Let log time go on: an event of another customer comes, the other topics are read to their end."""
        tick = event("survey.sent", minute, f"tick-{minute}", survey="ces", customer="clock")
        self.put(tick, at_end=frozenset({"tickets", "bookings"}))

    def restored(self) -> Shard:
        """Return another shard, restored from the changelog."""
        again = Shard(0, self.limits)
        again.restore(self.log)
        again.restored(self.now)
        return again

    def live(self, measure: str) -> int:
        return self.shard.view(self.now).live.get((measure, 0, "", "", ""), (0, 0))[0]

    def total(self, measure: str, window: str = "30d") -> int:
        sums = self.shard.view(self.now).windows[window]
        return sum(
            number for (name, _, dimension, _, _), (number, _) in sums.items() if name == measure and not dimension
        )

    def kinds(self) -> Counter[str]:
        """Return how many records of each kind (the key's letter) the state holds."""
        return Counter(chr(key[0]) for key in self.shard.store)
