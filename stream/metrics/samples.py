"""From a snapshot to samples: (name of the table, suffix, labels, value). Pure; the collector writes them out.

Each function is one part of the page. A part that raises is left out and reported, the others stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import get_args

from stream.domain.kpis import Kpi
from stream.domain.measures import DURATION_BOUNDS
from stream.events.event import Reason
from stream.events.registry import BY_NAME, EVENT_TYPES, HEARTBEAT, TOPICS
from stream.events.values import MICRO, OPEN_ENUMS
from stream.metrics.budget import is_label_value
from stream.metrics.model import CheckpointResult, ShardState, WorkerSnapshot
from stream.metrics.names import CHECKPOINT_BUCKETS
from stream.metrics.tally import TOTAL, Group, Tallies, Tally, Teller, live, windowed

Labels = dict[str, str]
Sample = tuple[str, str, Labels, float]
Part = Callable[[WorkerSnapshot, Teller], Iterator[Sample]]

# Sources name themselves in heartbeats, so their number is bounded like that of any label.
MAX_UPSTREAMS = 50

# State measures that show the quality of the data: measure -> metric.
_QUALITY = {
    "negative_duration": "deskpulse_stream_negative_durations",
    "currency_conflict": "deskpulse_stream_currency_conflicts",
    "unjoined": "deskpulse_stream_unjoined",
    "incomplete": "deskpulse_stream_incomplete_entities",
}


def windows(snapshot: WorkerSnapshot, teller: Teller) -> Iterator[Sample]:
    """Yield the parts of the windowed KPIs: totals in every window, one dimension at a time in the shown ones."""
    tallies = teller.tell(snapshot)
    for kpi in windowed():
        groups = tallies.groups(kpi)
        for window, tally in tallies.windows.items():
            is_split = window in teller.shown.windows
            for group in (TOTAL, *(group for group in groups if is_split or group[0] in kpi.always)):
                yield from _kpi(kpi, tally, tallies, window, group)
            if kpi.shape == "time":
                yield from _buckets(kpi, tally, window)


def _kpi(kpi: Kpi, tally: Tally, tallies: Tallies, window: str, group: Group) -> Iterator[Sample]:
    name = f"deskpulse_window_{kpi.id}"
    labels = {"window": window, **_labels(group)}
    if kpi.shape == "money":
        for currency in tallies.currencies:
            yield name, "", {**labels, "currency": currency}, tally.parts(kpi, group, currency)["sum"] / MICRO
        return
    parts = tally.parts(kpi, group)
    if kpi.shape == "count":
        yield name, "", labels, parts["count"]
        return
    scale = MICRO if kpi.shape == "time" else 1
    for part, value in parts.items():
        yield f"{name}_{part}", "", labels, value / scale if part == "sum" else value
    if kpi.shape == "score":
        yield f"{name}_count", "", labels, sum(parts.values())


def _buckets(kpi: Kpi, tally: Tally, window: str) -> Iterator[Sample]:
    samples = tally.bins(kpi.parts[0].measure, len(DURATION_BOUNDS) + 1)
    bounds = (*map(float, DURATION_BOUNDS), float("inf"))
    for bound, count in zip(bounds, accumulate(samples), strict=True):
        yield f"deskpulse_window_{kpi.id}_bucket", "", {"window": window, "le": upper_bound(bound)}, count


def upper_bound(bound: float) -> str:
    """Return a bucket bound in Go's spelling, to which Prometheus 3 brings every ``le`` anyway."""
    if bound == float("inf"):
        return "+Inf"
    if bound < 1e6:
        return repr(bound)
    mantissa, exponent = f"{bound:e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{exponent}"


def _labels(group: Group) -> Labels:
    dimension, value = group
    return {dimension: value} if dimension else {}


def state(snapshot: WorkerSnapshot, teller: Teller) -> Iterator[Sample]:
    """Yield the KPIs that hold now, per partition, as each shard's state has them."""
    tallies = teller.tell(snapshot)
    for partition, tally in tallies.live.items():
        at = {"partition": str(partition)}
        for kpi in live():
            for group in (TOTAL, *tallies.groups(kpi)):
                yield f"deskpulse_{kpi.id}", "", {**at, **_labels(group)}, tally.parts(kpi, group)["count"]
        for measure, name in _QUALITY.items():
            yield name, "", at, sum(tally.bins(measure, 1))


def shards(snapshot: WorkerSnapshot, _: Teller) -> Iterator[Sample]:
    """Yield how the shards stand: assigned, recovery, checkpoint, frontier."""
    for shard in snapshot.shards:
        at = {"partition": str(shard.partition)}
        for name in get_args(ShardState):
            yield "deskpulse_stream_recovery_state", "", {**at, "state": name}, name == shard.state
        yield "deskpulse_stream_recovery_remaining_records", "", at, shard.restore_remaining
        if shard.view is None:
            continue
        yield "deskpulse_stream_entities", "", at, shard.view.records
        yield from _instant("deskpulse_stream_frontier_timestamp_seconds", at, shard.frontier)
        yield from _instant("deskpulse_stream_checkpoint_timestamp_seconds", at, shard.checkpoint_time)
    for topic, partitions in sorted(snapshot.topic_partitions.items()):
        yield "deskpulse_stream_topic_partitions", "", {"topic": topic}, partitions
        for shard in snapshot.shards:  # a shard is one partition number of every topic
            labels = {"topic": topic, "partition": str(shard.partition)}
            yield "deskpulse_stream_partition_assigned", "", labels, 1


def _instant(name: str, labels: Labels, moment: int | None) -> Iterator[Sample]:
    if moment is not None:
        yield name, "", labels, moment / MICRO


def sla(snapshot: WorkerSnapshot, teller: Teller) -> Iterator[Sample]:
    """Yield how the open runs of each shard stand, and how runs came out. A count of 0 has no series."""
    teller.tell(snapshot)
    for shard in snapshot.shards:
        if shard.view is None:
            continue
        open_runs: Counter[tuple[str, str, str, str, str]] = Counter()  # series, labels, within
        firsts: dict[tuple[str, str, str], int] = {}
        for (clock, policy, holder), outlook in shard.view.outlooks.items():
            at = clock, policy, teller.team(holder)
            open_runs["deskpulse_tickets_sla_breached_open", *at, ""] += outlook.breached
            open_runs["deskpulse_tickets_sla_unconfirmed", *at, ""] += outlook.unconfirmed
            for within, count in outlook.soon.items():
                open_runs["deskpulse_tickets_sla_due", *at, within] += count
            if outlook.next_deadline is not None:
                firsts[at] = min(outlook.next_deadline, firsts.get(at, outlook.next_deadline))
        partition = str(shard.partition)
        for (name, clock, policy, team, within), count in sorted(open_runs.items()):
            if count:
                labels = {"partition": partition, "clock": clock, "policy": policy, "team": team}
                yield name, "", labels | ({"within": within} if within else {}), count
        for (clock, policy, team), deadline in sorted(firsts.items()):
            labels = {"partition": partition, "clock": clock, "policy": policy, "team": team}
            yield from _instant("deskpulse_ticket_sla_next_deadline_timestamp_seconds", labels, deadline)
        oldest: dict[str, int] = {}
        for holder, since in shard.view.unanswered.items():
            team = teller.team(holder)
            oldest[team] = min(since, oldest.get(team, since))
        for team, since in sorted(oldest.items()):
            labels = {"partition": partition, "team": team}
            yield from _instant("deskpulse_ticket_oldest_unanswered_timestamp_seconds", labels, since)
    for (clock, policy, priority, outcome), count in sorted(snapshot.outcomes.items()):
        labels = {"clock": clock, "policy": policy, "priority": priority, "outcome": outcome}
        yield "deskpulse_ticket_sla_outcomes_total", "", labels, count


def sources(snapshot: WorkerSnapshot, _: Teller) -> Iterator[Sample]:
    """Yield how the source partitions of recovered shards stand: the offset of the state shown, watermark, lag."""
    for source in snapshot.sources:
        at = {"topic": source.topic, "partition": str(source.partition)}
        if source.applied_offset >= 0:  # before its first record a source has no offset to show
            yield "deskpulse_stream_applied_offset", "", at, source.applied_offset
        yield from _instant("deskpulse_stream_watermark_timestamp_seconds", at, source.watermark)
        if source.lag_messages is not None:
            yield "deskpulse_stream_consumer_lag_messages", "", at, source.lag_messages
        if source.lag is not None:
            yield "deskpulse_stream_consumer_lag_seconds", "", at, source.lag


def counters(snapshot: WorkerSnapshot, teller: Teller) -> Iterator[Sample]:
    """Yield the counters since the process began; known label sets start at 0, or their first increase is invisible."""
    events = Counter(dict.fromkeys(_known_results(), 0))
    for (topic, kind, result), count in snapshot.events.items():
        events[topic, kind if kind in BY_NAME or kind == HEARTBEAT else "unknown", result] += count
    for (topic, kind, result), count in sorted(events.items()):
        yield "deskpulse_stream_events_total", "", {"topic": topic, "type": kind, "result": result}, count
    letters = {(topic, reason.value): 0 for topic in TOPICS for reason in Reason} | dict(snapshot.dead_letters)
    for (topic, reason), count in sorted(letters.items()):
        yield "deskpulse_stream_dead_letters_total", "", {"topic": topic, "reason": reason}, count
    yield from _by("deskpulse_stream_rerouted_total", "topic", TOPICS, snapshot.rerouted)
    yield from _by("deskpulse_stream_source_lost_records_total", "topic", TOPICS, snapshot.source_lost_records)
    yield from _by("deskpulse_stream_commits_total", "result", get_args(CheckpointResult), snapshot.checkpoints)
    coerced = {
        note.removeprefix("unknown_value/"): count
        for note, count in snapshot.notes.items()
        if note.startswith("unknown_value/")
    }
    yield from _by("deskpulse_stream_coerced_values_total", "field", OPEN_ENUMS, coerced)
    yield "deskpulse_stream_id_conflicts_total", "", {}, snapshot.notes.get("id_conflict", 0)
    yield "deskpulse_stream_rebalances_total", "", {}, snapshot.rebalances
    yield "deskpulse_stream_takeovers_total", "", {}, snapshot.takeovers
    yield "deskpulse_stream_agent_crashes_total", "", {}, snapshot.agent_crashes
    teller.tell(snapshot)  # the choice of label values is what fills the overflow counter
    yield from _by("deskpulse_label_overflow_total", "label", teller.budget.overflow, teller.budget.overflow)


def _known_results() -> Iterator[tuple[str, str, str]]:
    for row in EVENT_TYPES:
        for result in ("applied", "duplicate", "late", "rejected"):
            yield row.topic, row.name, result
    for topic in TOPICS:
        yield topic, HEARTBEAT, "heartbeat"
        yield topic, "unknown", "rejected"


def _by(name: str, label: str, known: Iterable[str], counts: Mapping[str, int]) -> Iterator[Sample]:
    for value, count in sorted({**dict.fromkeys(known, 0), **counts}.items()):
        yield name, "", {label: value}, count


def process(snapshot: WorkerSnapshot, teller: Teller) -> Iterator[Sample]:
    """Yield the instant shown, the loop's lag, the checkpoints' durations and the sources' signs of life."""
    yield "deskpulse_snapshot_timestamp_seconds", "", {}, snapshot.time / MICRO
    yield "deskpulse_paging_enabled", "", {}, snapshot.time >= teller.shown.paging_after
    yield "deskpulse_window_end_timestamp_seconds", "", {}, snapshot.now / MICRO
    yield "deskpulse_stream_event_loop_lag_seconds", "", {}, snapshot.loop_lag
    yield from _durations(snapshot)
    seen = snapshot.upstream_last_seen
    # The newest are kept: a source that fell silent long ago gives way to those that live.
    newest = sorted(filter(is_label_value, seen), key=lambda source: (-seen[source], source))[:MAX_UPSTREAMS]
    for source in sorted(newest):
        yield from _instant("deskpulse_upstream_last_seen_timestamp_seconds", {"source": source}, seen[source])


def _durations(snapshot: WorkerSnapshot) -> Iterator[Sample]:
    name, bounds = "deskpulse_stream_checkpoint_duration_seconds", (*CHECKPOINT_BUCKETS, float("inf"))
    counts = snapshot.checkpoint_seconds.counts or (0,) * len(bounds)
    for bound, count in zip(bounds, accumulate(counts), strict=True):
        yield name, "_bucket", {"le": upper_bound(bound)}, count
    yield name, "_count", {}, sum(counts)
    yield name, "_sum", {}, snapshot.checkpoint_seconds.sum


PARTS: Mapping[str, Part] = {
    "process": process,
    "shards": shards,
    "sources": sources,
    "counters": counters,
    "state": state,
    "sla": sla,
    "windows": windows,
}
