"""The SLA pages: breaches confirmed and unconfirmed, imminent ones, and the error budget.

A breach is judged per partition, by the numbers of its owner. When the owner is down or restarts, its last numbers
stand for an hour, or a page would resolve because nobody looks any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stream.generate.inputs import BURN_WINDOWS, Objective, RuleInputs, burn_thresholds
from stream.generate.rule import FRONTIER, LATENESS, OWNER, Alert, Group, Recording, allowed, catching_up

HOLD = "1h"  # how long the last numbers of a lost owner stand; longer than any repair that needs no decision
MIN_MISSED = 5  # one of two is 50 % and means nothing
MIN_RUNS = 20  # the same for a month

_RUN = "clock, policy, team"
_LINK = "/api/overdue?" + "&".join(f"{label}={{{{ $labels.{label} | urlquery }}}}" for label in _RUN.split(", "))
_BREACHED = "deskpulse:tickets_sla_breached_open:held"
_NEXT = "deskpulse:ticket_sla_next_deadline_timestamp_seconds:held"
_SHOWN_LATENESS = "deskpulse:stream_shown_lateness:seconds"
_MISSED = "deskpulse:sla_missed"


def groups(inputs: RuleInputs) -> Sequence[Group]:
    """Return the group that pages within seconds, and the one of the error budgets."""
    budgets = [alert for objective in inputs.objectives for alert in _budget(objective, inputs)]
    return (
        Group("deskpulse-sla", [*_state(inputs), *_pages(inputs)], "5s"),
        Group("deskpulse-sla-budget", [*_missed(), *budgets], "30s"),
    )


def _state(inputs: RuleInputs) -> Iterator[Recording]:
    hold = inputs.span(HOLD)
    # The worker that shows a partition now; while nobody does, the last one that did.
    yield Recording(
        OWNER,
        f"topk by (partition) (1, {FRONTIER})\n"
        f"or (topk by (partition) (1, last_over_time({FRONTIER}[{hold}])) unless on (partition) {FRONTIER})",
    )
    # As of the owner's snapshot, so that a worker that hangs keeps what it had confirmed.
    yield Recording(
        _SHOWN_LATENESS,
        "max by (partition) (\n"
        f"  last_over_time(deskpulse_snapshot_timestamp_seconds[{hold}]) - on (instance) group_right () {OWNER}\n)",
    )
    yield Recording(LATENESS, f"max(time() - {OWNER})")
    yield Recording("deskpulse:paging_enabled:held", f"max(last_over_time(deskpulse_paging_enabled[{hold}]))")
    yield Recording(_BREACHED, _held("max", "deskpulse_tickets_sla_breached_open", _BREACHED))
    yield Recording(_NEXT, _held("min", "deskpulse_ticket_sla_next_deadline_timestamp_seconds", _NEXT))


def _held(aggregate: str, metric: str, recording: str) -> str:
    """Return a gauge by partition as its owner shows it; while nobody shows the partition, as recorded before.

    It is no last_over_time(): where the count is 0 there is no series, and that would bring back a breach that had
    ended before the worker was lost.
    """
    return (
        f"{aggregate} by (partition, {_RUN}) ({metric} and on (instance, partition) {OWNER})\n"
        f"or ({recording} and on (partition) {OWNER} unless on (partition) {FRONTIER})"
    )


def _pages(inputs: RuleInputs) -> Iterator[Alert]:
    fresh = f"and on (partition) {_SHOWN_LATENESS} <= {inputs.limit(inputs.late_after)}"
    enabled = "and on () deskpulse:paging_enabled:held == 1"
    name = "DeskpulseTicketSlaBreached"
    yield Alert(
        name=name,
        # The second line: a page that stands is not taken back because the numbers became late.
        expr=f"(\n  sum by ({_RUN}) ({_BREACHED} {fresh}) > 0\n"
        f"  or (sum by ({_RUN}) ({_BREACHED}) > 0\n"
        f'      and on ({_RUN}) ALERTS{{alertname="{name}",alertstate="firing"}})\n)\n'
        f"{enabled}",
        severity="critical",
        kind="kpi",
        summary="{{ $labels.team }}: {{ $value }} tickets past their {{ $labels.clock }} target",
        description="{{ $value }} open tickets of team {{ $labels.team }} are past the {{ $labels.clock }} deadline of "
        "policy {{ $labels.policy }}. No answer had come by then: the stream has been read beyond the deadline.",
        link=_LINK,
    )
    yield Alert(
        name="DeskpulseTicketSlaBreachUnconfirmed",
        # A deadline that comes and goes between two scrapes is no news; one not read two minutes later is. A backlog
        # shows itself as one only after a while, so most of them are waited.
        expr=f"time() - min by ({_RUN}) ({_NEXT}) > {inputs.limit('30s')}\n"
        f"{enabled}\nunless on () {catching_up(inputs.span('1m'))}",
        wait="90s",
        severity="critical",
        kind="kpi",
        summary="{{ $labels.team }}: a {{ $labels.clock }} deadline passed, and the data is late",
        description="A {{ $labels.clock }} deadline of policy {{ $labels.policy }}, team {{ $labels.team }}, passed "
        "{{ $value | humanizeDuration }} ago. The stream has not been read that far: an answer may be waiting in it.",
        link=_LINK,
    )
    yield Alert(
        name="DeskpulseTicketSlaBreachImminent",
        expr=f'(\n  sum by ({_RUN}) (\n    deskpulse_tickets_sla_due{{within="15m"}}\n'
        f"    and on (instance, partition) {OWNER}\n    {fresh}\n  ) > 0\n)\n{enabled}",
        wait="1m",
        severity="warning",
        kind="kpi",
        summary="{{ $labels.team }}: {{ $value }} tickets reach their {{ $labels.clock }} target within 15 minutes",
        description="{{ $value }} open tickets of team {{ $labels.team }}, policy {{ $labels.policy }}, are due within "
        "15 minutes of open time.",
        link=_LINK,
    )


def _missed() -> Iterator[Recording]:
    """Yield how many runs were missed, per clock and window, in event time: a backlog read at once is no spike."""
    parts = {
        part: f'sum by (clock, window) (deskpulse_window_sla_attainment_{part}{{clock!=""}})'
        for part in ("numerator", "denominator")
    }
    yield Recording("deskpulse:sla_runs:count", parts["denominator"])
    yield Recording(f"{_MISSED}:count", f"{parts['denominator']} - {parts['numerator']}")
    yield Recording(f"{_MISSED}:ratio", f"{_MISSED}:count / (deskpulse:sla_runs:count > 0)")


def _budget(objective: Objective, inputs: RuleInputs) -> Iterator[Alert]:
    clock = objective.clock
    at = f'{{clock="{clock}",window="%s"}}'
    labels = {"clock": clock, "objective": f"{objective.target:g}"}
    link = f"/api/overdue?clock={clock}"
    for (window, short, _, severity), limit in zip(BURN_WINDOWS, burn_thresholds(objective), strict=True):
        yield Alert(
            name="DeskpulseTicketSlaBudgetBurn",
            # The short window ends the alert soon after the cause has ended.
            expr=allowed(
                f"{_MISSED}:ratio{at % window} > {limit:g}\n"
                f"  and on (clock) {_MISSED}:ratio{at % short} > {limit:g}\n"
                f"  and on (clock) {_MISSED}:count{at % window} >= {MIN_MISSED}"
            ),
            wait="2m",
            severity=severity,
            kind="kpi",
            summary=f"{{{{ $value | humanizePercentage }}}} of {clock} targets missed in {window}",
            description=f"{{{{ $value | humanizePercentage }}}} of the {clock} runs that ended in the last {window}, "
            f"and over {limit:.0%} of those in the last {short}, missed their target. The objective is "
            f"{objective.target:.4g}.",
            labels={**labels, "window": window},
            link=link,
        )
    yield Alert(
        name="DeskpulseTicketSlaBudgetExhausted",
        expr=allowed(
            f"{_MISSED}:ratio{at % '30d'} > {1 - objective.target:.6g}\n"
            f"  and on (clock) deskpulse:sla_runs:count{at % '30d'} >= {MIN_RUNS}"
        ),
        wait="15m",
        severity="warning",
        kind="kpi",
        summary=f"the error budget of {clock} for 30 days is used up",
        description=f"{{{{ $value | humanizePercentage }}}} of the {clock} runs of the last 30 days missed their "
        f"target; the objective of {objective.target:.4g} allows {1 - objective.target:.1%}.",
        labels=labels,
        link=link,
    )
