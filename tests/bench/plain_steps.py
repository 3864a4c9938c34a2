"""The reference job as two steps on plain dictionaries, for the peers that keep state by key, step after step.

The first step keeps the tickets, the second one adds up what they contribute per minute, channel and team.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tests.bench.job import BOUNDS

Json = dict[str, Any]


def fold(ticket: Json | None, event: Json) -> tuple[Json | None, list[Json]]:
    """Return the ticket after an event, and what the event contributes. Ids that the ticket has seen are dropped."""
    at = datetime.fromisoformat(event["time"]).timestamp()
    if ticket is None:
        if event["type"] != "ticket.created":
            return None, []
        data = event["data"]
        ticket = {
            "created": at, "channel": data["channel"], "team": data["team"],
            "complaint": data["category"] == "complaint", "status": "new", "seen": [], "answered": False,
        }  # fmt: skip
    elif event["id"] in ticket["seen"]:
        return ticket, []
    ticket["seen"].append(event["id"])
    counted = _count(ticket, event, at)
    if not counted:
        return ticket, []
    return ticket, [{"bucket": f"{int(at // 60)}|{ticket['channel']}|{ticket['team']}", **counted}]


def _count(ticket: Json, event: Json, at: float) -> Json:
    """Move the ticket on; return what that counts as, nothing if it does not."""
    match event["type"]:
        case "ticket.created":
            return {"created": 1, "complaints": int(ticket["complaint"])}
        case "ticket.message" if event["data"]["author"] == "agent" and not ticket["answered"]:
            ticket["answered"] = True
            return {"wait_ms": round((at - ticket["created"]) * 1000)}
        case "ticket.status_changed" if event["data"]["status"] == "resolved" != ticket["status"]:
            ticket["status"] = "resolved"
            return {"resolved": 1}
    return {}


def add(bucket: Json | None, contribution: Json) -> Json:
    """Return the bucket with a contribution added."""
    if bucket is None:
        bucket = {"created": 0, "complaints": 0, "resolved": 0, "wait_ms": 0, "bins": [0] * (len(BOUNDS) + 1)}
    for name in ("created", "complaints", "resolved", "wait_ms"):
        bucket[name] += contribution.get(name, 0)
    if "wait_ms" in contribution:
        bucket["bins"][bisect_left(BOUNDS, contribution["wait_ms"] / 1000)] += 1
    return bucket


def outcome(tickets: Iterable[Json], buckets: Mapping[str, Json]) -> dict[str, list[Any]]:
    """What came out, in the form that `check.compare_tables` reads."""
    return {
        "buckets": [[*key.split("|")[1:], bucket] for key, bucket in buckets.items()],
        "active": [[each["channel"], each["team"]] for each in tickets if each["status"] != "resolved"],
    }
