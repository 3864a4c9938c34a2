"""Ledgers and counts from records."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .envelope import Event, Record, RejectedError, decode

HORIZON_US = 35 * 86_400 * 1_000_000  # the contract's default horizon of lateness: 35 days
MAX_EVENTS = 5_000  # "over 5,000 events an entity dead-letters"

RANKS = [  # life-cycle ranks, lowest first; the kinds share the table because no verb has two places
    {"created", "enquired", "posted", "sent"},
    {"updated", "assigned", "handed_off", "escalated", "quoted", "answered"},
    {"message", "removed"},
    {"worked"},
    {"status_changed"},
    {"abandoned"},
    {"merged"},
    {"deleted"},
]
BOOKING_RANKS = [
    {"enquired"},
    {"quoted"},
    {"created"},
    {"rescheduled"},
    {"completed", "no_show", "cancelled"},
    {"refunded", "disputed"},
    {"deleted"},
]


def ledger_order(event: Event) -> tuple[Any, ...]:
    ranks = BOOKING_RANKS if event.kind == "booking" else RANKS
    rank = next(position for position, verbs in enumerate(ranks) if event.verb in verbs)
    sequence = (0, 0) if event.sequence is None else (1, event.sequence)
    return event.time_us, sequence, rank, event.source, event.id


@dataclass
class Log:
    """What a log of records holds.

    `ledgers` maps (kind, subject) to the entity's events in ledger order. `counts` has read, applied, duplicate, late,
    heartbeat, rejected (their sum is read), `rejected:REASON` and id_conflict (duplicates with another body).
    `newest_us` is the newest event time, `offsets` the next offset after the last record read per (topic, partition).
    """

    ledgers: dict[tuple[str, str], list[Event]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    newest_us: int | None = None
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)


def entities(records: Iterable[Record]) -> Log:
    """Fold records, given in log order, into ledgers and counts."""
    log = Log()
    seen: dict[tuple[str, str], dict[tuple[str, str], Event]] = {}
    for record in records:
        log.counts["read"] += 1
        log.offsets[record["topic"], record["partition"]] = record["offset"] + 1
        try:
            event = decode(record)
            result = "heartbeat" if event.kind == "heartbeat" else _remember(seen, event, record, log.counts)
        except RejectedError as rejected:
            log.counts["rejected"] += 1
            log.counts[f"rejected:{rejected.args[0]}"] += 1
            continue
        log.counts[result] += 1
        log.newest_us = max(event.time_us, log.newest_us or event.time_us)
    log.ledgers = {entity: sorted(events.values(), key=ledger_order) for entity, events in seen.items()}
    return log


def _remember(
    seen: dict[tuple[str, str], dict[tuple[str, str], Event]], event: Event, record: Record, counts: Counter[str]
) -> str:
    events = seen.setdefault((event.kind, event.subject), {})
    first = events.setdefault((event.source, event.id), event)
    if first is not event:
        if first != event:
            counts["id_conflict"] += 1
        return "duplicate"
    if len(events) > MAX_EVENTS:
        del events[event.source, event.id]
        raise RejectedError("entity_too_big")
    return "late" if record["timestamp_ms"] * 1000 - event.time_us > HORIZON_US else "applied"
