"""The reference job on stock Faust, as its documentation teaches it: records, an agent, two tables, default settings.

Arguments: bootstrap servers, app id, topic, core, number of events. The two tables hold the tickets and the counts per
minute, channel and team; Faust writes every change of a table to its changelog topic.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from bisect import bisect_left
from datetime import datetime
from typing import Any

import faust

from tests.bench.job import BOUNDS
from tests.bench.meter import Meter, pin, tell


class Event(faust.Record, serializer="json"):
    id: str
    type: str
    subject: str
    time: str
    data: dict[str, Any]


class Ticket(faust.Record, serializer="json"):
    created: float
    channel: str
    team: str
    complaint: bool
    status: str
    first_response: float | None = None
    seen: list[str] = []


class Bucket(faust.Record, serializer="json"):
    created: int = 0
    complaints: int = 0
    resolved: int = 0
    wait_ms: int = 0
    bins: list[int] = []


def bucket_key(partition: int, at: float, ticket: Ticket) -> str:
    """The partition is part of the key: a key of a table must only ever be written from one partition."""
    return f"{partition}|{int(at // 60)}|{ticket.channel}|{ticket.team}"


def apply(event: Event, tickets: Any, buckets: Any, partition: int) -> None:
    """Fold one event into the tables. Ids that a ticket has seen are dropped."""
    at = datetime.fromisoformat(event.time).timestamp()
    ticket = tickets.get(event.subject)
    if ticket is None:
        if event.type != "ticket.created":
            return
        data = event.data
        ticket = Ticket(at, data["channel"], data["team"], data["category"] == "complaint", "new", None, [])
    elif event.id in ticket.seen:
        return
    ticket.seen.append(event.id)
    key = bucket_key(partition, at, ticket)
    bucket = buckets.get(key) or Bucket(bins=[0] * (len(BOUNDS) + 1))
    before = repr(bucket)
    match event.type:
        case "ticket.created":
            bucket.created += 1
            bucket.complaints += ticket.complaint
        case "ticket.message" if event.data["author"] == "agent" and ticket.first_response is None:
            ticket.first_response = at
            wait = round(at - ticket.created, 3)
            bucket.wait_ms += round(wait * 1000)
            bucket.bins[bisect_left(BOUNDS, wait)] += 1
        case "ticket.status_changed":
            if event.data["status"] == "resolved" and ticket.status != "resolved":
                bucket.resolved += 1
            ticket.status = event.data["status"]
    tickets[event.subject] = ticket
    if repr(bucket) != before:
        buckets[key] = bucket


def outcome(tickets: Any, buckets: Any) -> dict[str, list[Any]]:
    """The figures of the job, as lists that JSON can carry."""
    found: dict[str, list[Any]] = {"buckets": [], "active": []}
    for key, bucket in buckets.items():
        found["buckets"].append([*key.split("|")[2:], bucket.asdict()])
    for ticket in tickets.values():
        if ticket.status != "resolved":
            found["active"].append([ticket.channel, ticket.team])
    return found


def main(servers: str, app_id: str, topic: str, core: str, events: str) -> None:
    pin(int(core))
    app = faust.App(
        app_id, broker=f"kafka://{servers}", web_enabled=False, datadir=tempfile.mkdtemp(),
        topic_partitions=4, topic_allow_declare=True,
    )  # fmt: skip
    source = app.topic(topic, value_type=Event)
    tickets = app.Table("tickets", value_type=Ticket)
    buckets = app.Table("buckets", value_type=Bucket)
    meter, wanted, seen = Meter(), int(events), 0

    async def finish() -> None:
        """The job is done when its changelog is written and its offsets are committed."""
        await app.producer.flush()
        await app.consumer.commit()
        meter.stop()
        tell(**meter.figures(), events=seen, outcome=outcome(tickets, buckets))

    @app.agent(source)
    async def fold(stream: Any) -> None:
        nonlocal seen
        async for event in stream.events():
            if seen == 0:
                meter.start()
            apply(event.value, tickets, buckets, event.message.partition)
            seen += 1
            if seen % 1_000 == 0:
                tell(progress=seen)
            if seen == wanted:
                asyncio.get_running_loop().create_task(finish())

    faust.Worker(app, loglevel="warn").execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
