"""The processor's own alerts: whether somebody reads, how late, and what is lost on the way.

Symptoms page, causes warn: a dead broker shows as a stall, a recovery that does not end and late numbers, and it shall
be one page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stream.generate.inputs import RuleInputs
from stream.generate.rule import LATENESS, Alert, Group, catching_up


def groups(inputs: RuleInputs) -> Sequence[Group]:
    """Return the group that pages within seconds, and the one of records refused or lost and of the alerting itself."""
    return (
        Group("deskpulse-pipeline", [*_workers(inputs), *_progress(inputs), *_upstream(inputs)], "5s"),
        Group("deskpulse-records", [*_records(inputs), *_alerting(inputs)]),
    )


def _workers(inputs: RuleInputs) -> Iterator[Alert]:
    up = f'up{{job="{inputs.job}"}}'
    yield Alert(
        name="DeskpulseStreamDown",
        expr=f"absent({up} == 1)",
        wait="1m",
        severity="critical",
        kind="pipeline",
        labels={"job": inputs.job},  # absent() of a comparison knows no labels
        summary="no worker answers",
        description="No worker of deskpulse has answered a scrape for a minute: nothing is counted, and every number "
        "and breach is as of the last scrape.",
    )
    yield Alert(
        name="DeskpulseStreamWorkerMissing",
        expr=f"count({up} == 1) < clamp_min(count({up}), {inputs.workers})",
        wait="5m",
        severity="warning",
        kind="pipeline",
        summary="only {{ $value }} workers answer",
        description="A worker of the scrape configuration does not answer. Its partitions move to the others; if those "
        "cannot keep up, DeskpulseStreamLate follows.",
    )
    partitions = "max(deskpulse_stream_topic_partitions)"
    yield Alert(
        name="DeskpulseStreamPartitionsUnassigned",
        expr=f"{partitions}\n"
        f"- (count(count by (partition) (deskpulse_stream_partition_assigned)) or {partitions} * 0) > 0",
        wait="2m",
        severity="critical",
        kind="pipeline",
        summary="{{ $value }} partitions are read by nobody",
        description="No worker that answers has these partitions: the tickets of their customers are not counted.",
    )
    yield Alert(
        name="DeskpulseStreamRestarting",
        expr=f'max by (instance) (changes(process_start_time_seconds{{job="{inputs.job}"}}[{inputs.span("30m")}])) > 3',
        severity="warning",
        kind="pipeline",
        summary="{{ $labels.instance }} restarted {{ $value }} times in 30 minutes",
        description="The worker starts, ends and is started anew. Its last line on standard error says why.",
    )


def _progress(inputs: RuleInputs) -> Iterator[Alert]:
    five = inputs.span("5m")
    lag, checkpoint = "deskpulse_stream_consumer_lag_messages", "deskpulse_stream_checkpoint_timestamp_seconds"
    yield Alert(
        name="DeskpulseStreamStalled",
        # Either the loop hangs while the page still answers, or there is something to read and nothing is written. The
        # offset keeps a series that has just begun from being judged.
        expr="count by (instance) (\n"
        f"  time() - deskpulse_snapshot_timestamp_seconds > {inputs.limit('30s')}\n"
        '  or deskpulse_stream_recovery_state{state="stopped"} == 1\n'
        f"  or (min_over_time({lag}[{five}]) > 0 and {lag} offset {five}\n"
        f"      unless on (instance, partition) changes({checkpoint}[{five}]) > 0)\n)",
        wait="1m",
        severity="warning",
        kind="pipeline",
        summary="{{ $labels.instance }} stands still",
        description="The worker answers, but its loop hangs, a shard has stopped, or records wait and no checkpoint "
        "has been written for 5 minutes.",
    )
    yield Alert(
        name="DeskpulseStreamLate",
        expr=f"{LATENESS} > {inputs.limit(inputs.late_after)} unless {catching_up(inputs.span('1m'))}",
        wait="2m",
        severity="critical",
        kind="pipeline",
        summary="the numbers are {{ $value | humanizeDuration }} old",
        description="The least known partition has been read up to {{ $value | humanizeDuration }} ago and does not "
        "catch up. No breach is confirmed meanwhile.",
    )
    waiting = 'deskpulse_stream_recovery_state{state=~"waiting|restoring"}'
    yield Alert(
        name="DeskpulseStreamRecoveryStuck",
        expr=f"count by (instance) (\n  max by (instance, partition) ({waiting}) == 1\n"
        f"  unless on (instance, partition) delta(deskpulse_stream_recovery_remaining_records[{five}]) < 0\n)",
        wait="5m",
        severity="warning",
        kind="pipeline",
        summary="{{ $labels.instance }}: {{ $value }} shards do not recover",
        description="These shards are being restored, but no changelog record has been read for 5 minutes; their "
        "numbers are missing.",
    )


def _upstream(inputs: RuleInputs) -> Iterator[Alert]:
    seen = f"deskpulse_upstream_last_seen_timestamp_seconds[{inputs.span('1h')}]"
    yield Alert(
        name="DeskpulseStreamUpstreamSilent",
        # Held over a restart of ours; late numbers of ours say nothing about upstream.
        expr=f"time() - max by (source) (last_over_time({seen})) > {inputs.limit(inputs.silent_after)}\n"
        f"unless on () {LATENESS} > {inputs.limit(inputs.late_after)}",
        wait="1m",
        severity="critical",
        kind="pipeline",
        summary="{{ $labels.source }} has been silent for {{ $value | humanizeDuration }}",
        description="No heartbeat of {{ $labels.source }} has come for {{ $value | humanizeDuration }}, while "
        "deskpulse itself reads: its events are missing, and answers given there look like breaches here.",
    )


def _records(inputs: RuleInputs) -> Iterator[Alert]:
    quarter, hour = inputs.span("15m"), inputs.span("1h")
    letters, read = (
        f"sum by (topic) (increase(deskpulse_stream_{what}_total[{quarter}]))" for what in ("dead_letters", "events")
    )
    yield Alert(
        name="DeskpulseStreamDeadLetters",
        expr=f"{letters} > 0.01 * {read}\nand {letters} >= 5",
        wait="1m",
        severity="warning",
        kind="pipeline",
        summary="{{ $value | humanize }} records of {{ $labels.topic }} refused in 15 minutes",
        description="Over 1 % of the records of {{ $labels.topic }} went to {{ $labels.topic }}.dlq, with the reason "
        "in their headers; they are in no number.",
    )
    lost = "deskpulse_stream_source_lost_records_total"
    yield Alert(
        name="DeskpulseStreamRecordsLost",
        # A worker finds the loss when it takes a shard over, before its first scrape: the counter may begin above 0.
        expr=f"sum by (topic) (increase({lost}[{hour}]) > 0 or ({lost} > 0 unless {lost} offset {hour}))",
        severity="warning",
        kind="pipeline",
        summary="{{ $value | humanize }} records of {{ $labels.topic }} were deleted unread",
        description="Retention removed records of {{ $labels.topic }} before they were read; they are in no number.",
    )
    rerouted, read = (
        f"sum by (topic) (increase(deskpulse_stream_{what}_total[{hour}]))" for what in ("rerouted", "events")
    )
    yield Alert(
        name="DeskpulseStreamRerouting",
        expr=f"{rerouted} > 0.05 * {read}\nand {rerouted} >= 20",
        wait="5m",
        severity="warning",
        kind="pipeline",
        summary="{{ $labels.topic }} comes on other partitions than expected",
        description="Over 5 % of the records of {{ $labels.topic }} lay on another partition than the hash of their "
        "key says. ingest.partitioner.{{ $labels.topic }} should name what the producer uses.",
    )
    yield Alert(
        name="DeskpulseLabelOverflow",
        expr=f"sum by (label) (increase(deskpulse_label_overflow_total[{hour}])) > 0",
        severity="info",
        kind="pipeline",
        summary="more values of {{ $labels.label }} than have series of their own",
        description="The values of {{ $labels.label }} beyond its budget are counted as `other`.",
    )
    yield Alert(
        name="DeskpulseStreamPageIncomplete",
        expr="max by (instance, part) (deskpulse_exporter_up == bool 0) > 0",
        wait="5m",
        severity="warning",
        kind="pipeline",
        summary="{{ $labels.instance }} shows no {{ $labels.part }}",
        description="A part of the scrape page could not be made; alerts on its metrics are blind.",
    )


def _alerting(inputs: RuleInputs) -> Iterator[Alert]:
    yield Alert(
        name="DeskpulseRulesFailing",
        expr=f"sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[{inputs.span('5m')}])) > 0",
        wait="5m",
        severity="warning",
        kind="pipeline",
        summary="rules of {{ $labels.rule_group }} fail",
        description="Prometheus cannot evaluate them, so their alerts are silent.",
    )
    yield Alert(
        name="Watchdog",
        expr="vector(1)",
        severity="none",
        kind="pipeline",
        summary="the alerting works",
        description="Fires always. Whoever stops receiving it should raise the alarm: Prometheus or Alertmanager is "
        "gone.",
    )
