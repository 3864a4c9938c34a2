"""Words to write hand-made cases with: events of one day told by the clock."""

import json
from typing import Any

from .catalogue import Contribution
from .envelope import Record
from .fold import contributions
from .log import entities
from .report import record_of
from .values import MICRO, instant

DAY = "2026-03-02"  # a Monday
TICKET = {"channel": "chat", "priority": "normal", "category": "question"}
BOOKING = {"channel": "web", "service": "repair", "amount": 100, "currency": "EUR"}


def at(clock: str, day: str = DAY) -> int:
    """The instant of a clock time such as 10:00, UTC."""
    return instant(f"{day}T{clock}:00Z")


def event(type_: str, clock: str, subject: str = "S-1", day: str = DAY, **data: Any) -> dict[str, Any]:
    """A CloudEvent; its id is its type and time, so that two of one type at one time need an `_id`."""
    attributes = {name[1:]: data.pop(name) for name in list(data) if name.startswith("_")}
    return {
        "specversion": "1.0",
        "id": f"{type_}@{day}T{clock}",
        "source": "/desk",
        "type": type_,
        "subject": subject,
        "time": f"{day}T{clock}:00Z",
        "partitionkey": "C-1",
        "data": data,
    } | attributes


def created(clock: str = "10:00", **data: Any) -> dict[str, Any]:
    return event("ticket.created", clock, **(TICKET | data))


def says(author: str, clock: str, **data: Any) -> dict[str, Any]:
    return event("ticket.message", clock, author=author, **data)


def status(word: str, clock: str, **data: Any) -> dict[str, Any]:
    return event("ticket.status_changed", clock, status=word, **data)


def told(*events: dict[str, Any]) -> list[Contribution]:
    """What the events contribute, published in the order given."""
    return contributions(entities([record_of(each) for each in events]))


def minutes(given: list[Contribution], kpi: str) -> list[tuple[str, float]]:
    """The samples of a time KPI as (clock of the sample, minutes)."""
    return [
        (f"{each.at_us // (3_600 * MICRO) % 24:02}:{each.at_us // (60 * MICRO) % 60:02}", each.value / 60 / MICRO)
        for each in given
        if each.kpi == kpi and each.part == "sample" and each.at_us is not None
    ]


def count(given: list[Contribution], kpi: str, part: str = "count") -> int:
    return sum(each.value for each in given if (each.kpi, each.part) == (kpi, part))


def labels(given: list[Contribution], kpi: str) -> list[dict[str, str]]:
    return [each.labels for each in given if each.kpi == kpi]


def record(event_: dict[str, Any], kafka: str | None = None, **changes: Any) -> Record:
    """The record of an event with the Kafka time stamp `kafka`, an RFC 3339 time (None: the event's own)."""
    stamped = {"timestamp_ms": instant(kafka) // 1000} if kafka else {}
    return {**record_of(event_), **stamped, **changes}


def as_binary(event_: dict[str, Any]) -> Record:
    """The same event in CloudEvents' binary mode."""
    headers = [(f"ce_{name}", str(value).encode()) for name, value in event_.items() if name != "data"]
    return {**record_of(event_), "headers": headers, "value": json.dumps(event_["data"]).encode()}
