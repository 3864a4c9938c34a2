"""The one table of metric names: every series of the scrape page has its row here, and docs/metrics.md is made from it.

Ratios are missing on purpose: a worker knows only its own partitions, so it exports summable parts and the ratio is a
recording rule (Prometheus, "Best practices: Recording rules": aggregate numerator and denominator, then divide).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from stream.domain.kpis import CATALOGUE, Kpi
from stream.domain.measures import DURATION_BOUNDS

Type = Literal["gauge", "counter", "histogram", "unknown"]

# A checkpoint of 1,000 records took 3 ms on an embedded broker and has a deadline of 10 s (design, "Faust").
CHECKPOINT_BUCKETS: tuple[float, ...] = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# The suffixes of summable parts. Prometheus reserves _sum, _count and _bucket for histograms, which only ever grow;
# a sliding window also shrinks, so these families are of type unknown: gauges to every query, clean to promtool.
_RESERVED = ("_sum", "_count", "_bucket")


class Metric(Struct, frozen=True):
    """One row: the family's name as scraped, its labels in order and, for a histogram, its upper bounds.

    ``dimensions`` are labels of which a series carries at most one; a series with none of them is the total.
    """

    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = ()
    dimensions: tuple[str, ...] = ()


def _row(kpi: Kpi, suffix: str, help_text: str, unit: str, labels: tuple[str, ...] = ()) -> Metric:
    kind: Type = "unknown" if suffix in _RESERVED else "gauge"
    dimensions = () if suffix == "_bucket" else kpi.labels
    buckets = tuple(map(float, DURATION_BOUNDS)) if suffix == "_bucket" else ()
    name = f"deskpulse_window_{kpi.id}{suffix}"
    return Metric(name, kind, help_text, ("window", *labels), unit, buckets, dimensions)


def window_metrics(kpi: Kpi) -> Iterator[Metric]:
    """Yield the rows of a windowed KPI: its summable parts, one family each."""
    what = kpi.help.rstrip(".")
    if kpi.shape == "count":
        yield _row(kpi, "", f"{what} in the window.", kpi.unit)
    elif kpi.shape == "money":
        yield _row(kpi, "", f"{what}, in the window.", "currency units", ("currency",))
    elif kpi.shape == "ratio":
        yield _row(kpi, "_numerator", f"{what}, in the window: numerator.", "1")
        yield _row(kpi, "_denominator", f"{what}, in the window: denominator.", "1")
    elif kpi.shape == "score":
        for part in kpi.parts:
            yield _row(kpi, f"_{part.name}", f"{what}, in the window: {part.name}.", "1")
        yield _row(kpi, "_count", f"{what}, in the window: answers.", "1")
    else:
        yield _row(kpi, "_sum", f"{what}, in the window: sum.", kpi.unit)
        yield _row(kpi, "_count", f"{what}, in the window: number of samples.", "1")
        if kpi.shape == "time":
            yield _row(kpi, "_bucket", f"{what}, in the window: samples of at most le seconds.", "1", ("le",))


def live_metric(kpi: Kpi) -> Metric:
    """Return the row of a KPI that holds now, in no window; one series per partition, as it is read from its state."""
    return Metric(f"deskpulse_{kpi.id}", "gauge", kpi.help, ("partition",), kpi.unit, dimensions=kpi.labels)


def _kpi_metrics() -> Iterator[Metric]:
    for kpi in CATALOGUE:
        if kpi.shape == "live":
            yield live_metric(kpi)
        else:
            yield from window_metrics(kpi)


_SOURCE = ("topic", "partition")
_RUNS = ("partition", "clock", "policy", "team")
_WORKER: tuple[Metric, ...] = (
    Metric(
        "deskpulse_snapshot_timestamp_seconds",
        "gauge",
        "Wall clock of the snapshot that this page shows; every other series is of this instant.",
        unit="seconds",
    ),
    Metric(
        "deskpulse_window_end_timestamp_seconds",
        "gauge",
        "The instant the windows end at: the wall clock, or the newest event time with the events clock.",
        unit="seconds",
    ),
    Metric(
        "deskpulse_stream_applied_offset",
        "gauge",
        "Next source offset of the state shown: every record below it is in these numbers.",
        _SOURCE,
    ),
    Metric(
        "deskpulse_stream_watermark_timestamp_seconds",
        "gauge",
        "How far the partition is known: time of the newest record folded, or of the last look at its end.",
        _SOURCE,
        "seconds",
    ),
    Metric(
        "deskpulse_stream_frontier_timestamp_seconds",
        "gauge",
        "How far event time is known in the shard: the least watermark of its source partitions.",
        ("partition",),
        "seconds",
    ),
    Metric(
        "deskpulse_stream_consumer_lag_messages",
        "gauge",
        "Offsets between the partition's end and the reader, control records included.",
        _SOURCE,
    ),
    Metric(
        "deskpulse_stream_consumer_lag_seconds",
        "gauge",
        "Age of the newest record folded; 0 for a partition read to its end.",
        _SOURCE,
        "seconds",
    ),
    Metric(
        "deskpulse_tickets_sla_breached_open",
        "gauge",
        "Open runs of clocks past their deadline, which event time has reached too; no series means 0.",
        _RUNS,
    ),
    Metric(
        "deskpulse_tickets_sla_unconfirmed",
        "gauge",
        "Open runs past their deadline by the clock alone: the answer may still be unread; no series means 0.",
        _RUNS,
    ),
    Metric(
        "deskpulse_tickets_sla_due",
        "gauge",
        "Open runs whose deadline comes within the time; no series means 0.",
        (*_RUNS, "within"),
    ),
    Metric(
        "deskpulse_ticket_sla_next_deadline_timestamp_seconds",
        "gauge",
        "The earliest deadline of an open run that event time has not reached; no series where there is none.",
        _RUNS,
        "seconds",
    ),
    Metric(
        "deskpulse_ticket_oldest_unanswered_timestamp_seconds",
        "gauge",
        "Since when the customer waits who has waited longest; no series where nobody does.",
        ("partition", "team"),
        "seconds",
    ),
    Metric(
        "deskpulse_ticket_sla_outcomes_total",
        "counter",
        "Runs decided: met, missed (when the deadline passes), and what a late event took back.",
        ("clock", "policy", "priority", "outcome"),
    ),
    Metric("deskpulse_paging_enabled", "gauge", "1 when alerts may page: paging.after has passed, or is not set."),
    Metric("deskpulse_stream_partition_assigned", "gauge", "1 for a partition that this worker reads.", _SOURCE),
    Metric("deskpulse_stream_topic_partitions", "gauge", "Partitions of the topic.", ("topic",)),
    Metric(
        "deskpulse_stream_recovery_state",
        "gauge",
        "1 for the state the shard is in, 0 for the others: waiting, restoring, ready, stopped.",
        ("partition", "state"),
    ),
    Metric(
        "deskpulse_stream_recovery_remaining_records",
        "gauge",
        "Changelog records still to read before the shard is ready.",
        ("partition",),
    ),
    Metric(
        "deskpulse_stream_checkpoint_timestamp_seconds",
        "gauge",
        "When the shard's last checkpoint was committed.",
        ("partition",),
        "seconds",
    ),
    Metric(
        "deskpulse_stream_checkpoint_duration_seconds",
        "histogram",
        "Duration of checkpoint transactions.",
        unit="seconds",
        buckets=CHECKPOINT_BUCKETS,
    ),
    Metric("deskpulse_stream_commits_total", "counter", "Checkpoint transactions by outcome.", ("result",)),
    Metric(
        "deskpulse_stream_events_total",
        "counter",
        "Records read and checkpointed, by what became of them; the sum over result is all that was read.",
        ("topic", "type", "result"),
    ),
    Metric("deskpulse_stream_dead_letters_total", "counter", "Records refused.", ("topic", "reason")),
    Metric("deskpulse_stream_rerouted_total", "counter", "Records found on the wrong partition.", ("topic",)),
    Metric(
        "deskpulse_stream_source_lost_records_total",
        "counter",
        "Records that retention removed before they were read.",
        ("topic",),
    ),
    Metric(
        "deskpulse_stream_coerced_values_total",
        "counter",
        "Unknown values of closed labels that became other.",
        ("field",),
    ),
    Metric(
        "deskpulse_stream_id_conflicts_total",
        "counter",
        "Events whose id was already taken by an event with another body.",
    ),
    Metric(
        "deskpulse_stream_negative_durations",
        "gauge",
        "Durations held in state that end before they start; they give no sample.",
        ("partition",),
    ),
    Metric(
        "deskpulse_stream_currency_conflicts",
        "gauge",
        "Amounts held in state in another currency than their booking's; they add nothing.",
        ("partition",),
    ),
    Metric(
        "deskpulse_stream_unjoined",
        "gauge",
        "Entities that name a booking or ticket this customer does not have.",
        ("partition",),
    ),
    Metric(
        "deskpulse_stream_incomplete_entities",
        "gauge",
        "Entities whose created event has not come; they are in no KPI.",
        ("partition",),
    ),
    Metric("deskpulse_stream_entities", "gauge", "Live entities held in memory.", ("partition",)),
    Metric(
        "deskpulse_upstream_last_seen_timestamp_seconds",
        "gauge",
        "Time of a source's newest heartbeat.",
        ("source",),
        "seconds",
    ),
    Metric(
        "deskpulse_label_overflow_total",
        "counter",
        "Label values that came beyond the label's budget and are counted as other.",
        ("label",),
    ),
    Metric("deskpulse_stream_rebalances_total", "counter", "Assignments received from the consumer group."),
    Metric("deskpulse_stream_takeovers_total", "counter", "Takeovers of a shard: fenced, restored and resumed."),
    Metric("deskpulse_stream_agent_crashes_total", "counter", "Agents that ended with an error."),
    Metric(
        "deskpulse_stream_event_loop_lag_seconds",
        "gauge",
        "How late the worker's event loop last ran a timer.",
        unit="seconds",
    ),
    Metric(
        "deskpulse_exporter_up",
        "gauge",
        "1 if this part of the page could be made, 0 if it failed and is missing.",
        ("part",),
    ),
    Metric("deskpulse_build_info", "gauge", "1; what is running.", ("version", "python", "faust", "aiokafka")),
)

TABLE: tuple[Metric, ...] = (*_WORKER, *_kpi_metrics())
BY_NAME: dict[str, Metric] = {metric.name: metric for metric in TABLE}
