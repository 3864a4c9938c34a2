"""The tickets behind a page, and the ledger of one."""

from __future__ import annotations

from stream.config import Config
from stream.config.sla import terms
from stream.domain.overdue import ledger_of, promised
from stream.domain.shard import Shard
from tests.unit.metrics.events import MINUTE, NOW, event, shard_of

LABELS = {"channel": "chat", "priority": "urgent", "category": "incident", "brand": "north"}


def desk() -> Shard:
    """Two urgent tickets, which the default promises an answer to in 30 minutes; nobody has answered."""
    shard = shard_of(
        [
            event("ticket.created", "old", 40 * MINUTE, team="blue", **LABELS),
            event("ticket.assigned", "old", 39 * MINUTE, agent_id="ada"),
            event("ticket.created", "new", 20 * MINUTE, team="red", **LABELS),
        ],
        agreed=terms(Config()),
    )
    shard.view(NOW, NOW - 15 * MINUTE)
    return shard


def rows(until: int, **wanted: str) -> list[tuple[str, str, bool]]:
    shard = desk()
    found = [row for key in shard.deadlines.overdue(until) for row in promised(shard, key, until, wanted)]
    return [(row["id"], row["clock"], row["confirmed"]) for row in found]


def test_a_ticket_past_its_deadline_is_told_with_its_clock_and_who_holds_it():
    shard = desk()
    (row,) = [row for key in shard.deadlines.overdue(NOW) for row in promised(shard, key, NOW, {})]
    assert row == {
        "id": "old",
        "kind": "ticket",
        "policy": "urgent-24x7",
        "clock": "first_response",
        "run": 1,
        "deadline": "2025-10-09T08:43:20Z",
        "confirmed": False,
        "team": "blue",
        "agent": "ada",
        "priority": "urgent",
        "channel": "chat",
        "brand": "north",
    }


def test_it_is_confirmed_when_event_time_is_known_as_far_as_the_deadline():
    shard = desk()
    shard.view(NOW, NOW - 10 * MINUTE)
    (row,) = [row for key in shard.deadlines.overdue(NOW) for row in promised(shard, key, NOW, {})]
    assert row["confirmed"]


def test_what_is_due_soon_can_be_asked_for_and_filtered():
    assert sorted(rows(NOW + 15 * MINUTE)) == [("new", "first_response", False), ("old", "first_response", False)]
    assert rows(NOW + 15 * MINUTE, team="red") == [("new", "first_response", False)]
    assert rows(NOW + 15 * MINUTE, team="red", clock="resolution") == []


def test_the_ledger_of_a_ticket_has_its_events_and_where_the_time_went():
    found = ledger_of(desk(), "old", NOW)
    assert found is not None
    assert [one["type"] for one in found["events"]] == ["ticket.created", "ticket.assigned"]
    first = next(run for run in found["runs"] if run["clock"] == "first_response")
    assert (first["state"], first["seconds"]["counted"]) == ("breached_open", 40 * 60)
    assert [(part["team"], part["agent"]) for part in first["segments"]] == [("blue", "none"), ("blue", "ada")]


def test_of_a_ticket_that_nobody_knows_there_is_no_ledger():
    assert ledger_of(desk(), "gone", NOW) is None
