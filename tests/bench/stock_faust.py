"""The reference job on stock Faust, as its documentation teaches it: records, an agent, two tables, default settings.

The two tables hold the tickets and the counts per minute, channel and team; Faust writes every change of a table to the
table's changelog topic. A process that finds changelogs first recovers its tables from them, and tells that too.
"""

from __future__ import annotations

import asyncio
import tempfile
from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import faust

from tests.bench.job import BOUNDS, PARTITIONS
from tests.bench.meter import Meter, task, tell


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
    seen: list[str]
    first_response: float | None = None


class Bucket(faust.Record, serializer="json"):
    bins: list[int]
    created: int = 0
    complaints: int = 0
    resolved: int = 0
    wait_ms: int = 0


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
        ticket = Ticket(at, data["channel"], data["team"], data["category"] == "complaint", "new", [])
    elif event.id in ticket.seen:
        return
    ticket.seen.append(event.id)
    key = bucket_key(partition, at, ticket)
    bucket = buckets.get(key) or Bucket(bins=[0] * (len(BOUNDS) + 1))
    if count(bucket, ticket, event, at):
        buckets[key] = bucket
    tickets[event.subject] = ticket


def count(bucket: Bucket, ticket: Ticket, event: Event, at: float) -> bool:
    """Move the ticket on; tell whether that counts in the bucket."""
    match event.type:
        case "ticket.created":
            bucket.created += 1
            bucket.complaints += ticket.complaint
            return True
        case "ticket.message" if event.data["author"] == "agent" and ticket.first_response is None:
            ticket.first_response = at
            wait = round(at - ticket.created, 3)
            bucket.wait_ms += round(wait * 1000)
            bucket.bins[bisect_left(BOUNDS, wait)] += 1
            return True
        case "ticket.status_changed":
            first = event.data["status"] == "resolved" != ticket.status
            bucket.resolved += first
            ticket.status = event.data["status"]
            return first
    return False


def outcome(tickets: Any, buckets: Any) -> dict[str, list[Any]]:
    """What the tables hold at the end, as JSON can carry it: each bucket, and the group of each active ticket."""
    return {
        "buckets": [[*key.split("|")[2:], bucket.asdict()] for key, bucket in buckets.items()],
        "active": [[each.channel, each.team] for each in tickets.values() if each.status != "resolved"],
    }


def watch_recovery(tables: list[Any]) -> None:
    """Tell what recovery reads, and how long it takes from its first batch on; its start and pauses do not count."""
    meter, restored = Meter(), 0

    def watched(apply_batch: Callable[[Iterable[Any]], None]) -> Callable[[Iterable[Any]], None]:
        def count_and_apply(batch: Iterable[Any]) -> None:
            nonlocal restored
            if restored == 0:
                meter.start()
            events = list(batch)
            restored += len(events)
            apply_batch(events)
            meter.stop()

        return count_and_apply

    for table in tables:
        table.apply_changelog_batch = watched(table.apply_changelog_batch)

    @tables[-1].on_recover
    async def recovered() -> None:
        tell(restored=restored, restoring=meter.figures())


def main(folder: str) -> None:
    given = task()
    app = faust.App(
        given.app_id, broker=f"kafka://{given.servers}", topic_partitions=PARTITIONS, web_enabled=False,
        datadir=folder,
    )  # fmt: skip
    source = app.topic(f"{given.topic_prefix}tickets", value_type=Event)
    tickets = app.Table("tickets", value_type=Ticket)
    buckets = app.Table("buckets", value_type=Bucket)
    meter, seen = Meter(), 0
    watch_recovery([tickets, buckets])

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
            if seen == given.events:
                asyncio.get_running_loop().create_task(finish())

    faust.Worker(app, loglevel="error", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(scratch)
