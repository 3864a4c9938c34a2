"""The entities behind a figure of open promises, and the ledger of one ticket: what needs a look into the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stream.domain.entity import KINDS
from stream.domain.ledger import Entry
from stream.domain.shard import Shard
from stream.domain.sla.explain import CLOSED, COUNTED, PAUSED, Explained, explain
from stream.domain.tables import ShardTable
from stream.events.registry import BY_CODE
from stream.events.values import MICRO, NONE, rfc3339


def promised(shard: Shard, key: bytes, until: int, wanted: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield an entity's open runs with a deadline at or before *until* (microseconds UTC), as plain data.

    *wanted* are values of clock, policy, brand, channel and team that a run must have; confirmed = event time is known
    as far as the deadline. A run carried over from a missed one is not among them: it pages nobody.
    """
    held = ShardTable(shard, KINDS[key[1]]).get(key[2:].decode())
    if held is None:
        return
    state = held.state
    if held.kind == "ticket":
        about = {"team": state.team, "agent": state.agent, "priority": state.priority}
        about |= {"channel": state.channel, "brand": state.brand}
    else:
        about = {"team": NONE, "agent": NONE, "priority": NONE, "channel": state.labels[0], "brand": state.labels[1]}
    for run in state.sla.runs:
        if run.deadline is None or run.silent or run.deadline > until:
            continue
        clock, policy, _, _ = state.sla.labels_of(run)
        row = {
            "id": key[2:].decode(),
            "kind": held.kind,
            "policy": policy,
            "clock": clock,
            "run": run.n,
            "deadline": rfc3339(run.deadline),
            "confirmed": run.deadline <= shard.deadlines.frontier,
            **about,
        }
        if all(row[name] == value for name, value in wanted.items()):
            yield row


def ledger_of(shard: Shard, ticket: str, now: int) -> dict[str, Any] | None:
    """Return a ticket's events and the runs of its clocks as of *now*, as plain data; None if the shard has none."""
    held = ShardTable(shard, "ticket").get(ticket)
    if held is None:
        return None
    entries = held.entries()
    runs = explain(entries, shard.history.books["ticket"], now) if shard.history is not None else []
    return {
        "id": ticket,
        "status": held.state.status,
        "team": held.state.team,
        "agent": held.state.agent,
        "events": [_event(entry) for entry in entries],
        "runs": described(runs),
    }


def described(runs: Sequence[Explained]) -> list[dict[str, Any]]:
    """Return explained runs as plain data; durations in seconds."""
    return [
        {
            "clock": run.clock,
            "run": run.n,
            "policy": run.policy,
            "state": run.state,
            "silent": run.silent,
            "no_reply": run.no_reply,
            "start": rfc3339(run.start),
            "end": rfc3339(run.end),
            "deadline": None if run.deadline is None else rfc3339(run.deadline),
            "seconds": {"target": run.target / MICRO, **_totals(run), "carried": run.carried / MICRO},
            "teams": {team: _totals(run, team) for team in run.teams},
            "segments": [
                {
                    "start": rfc3339(part.start),
                    "end": rfc3339(part.end),
                    "kind": part.kind,
                    "status": part.status,
                    "team": part.team,
                    "agent": part.agent,
                }
                for part in run.segments
            ],
        }
        for run in runs
    ]


def _totals(run: Explained, team: str | None = None) -> dict[str, float]:
    return {kind: run.total(kind, team) / MICRO for kind in (COUNTED, PAUSED, CLOSED)}


def _event(entry: Entry) -> dict[str, Any]:
    return {"time": rfc3339(entry.time), "type": BY_CODE[entry.code].name, "source": entry.source, "id": entry.id}
