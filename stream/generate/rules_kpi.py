"""The KPIs as figures, and the warnings that stand on them.

Baselines are longer windows of the same KPI, not `offset`: they come from events, so they are there after a restart of
Prometheus and beyond its retention.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stream.domain.kpis import CATALOGUE, Kpi
from stream.generate.inputs import RuleError, RuleInputs, Target
from stream.generate.rule import ALLOWED, FRONTIER, Alert, Group, Recording, allowed, total, total_selector

_KPI = {kpi.id: kpi for kpi in CATALOGUE}
_ACTIVE = "deskpulse:tickets_active:sum"
MIN_ANSWERS = 50  # below, one answer moves a score by more than 2 points
_SUFFIX = {"ratio": "ratio", "mean": "mean", "time": "mean", "score": "score"}
_SIZE = {"ratio": "_denominator", "mean": "_count", "time": "_count", "score": "_count"}


def groups(inputs: RuleInputs) -> Sequence[Group]:
    """Return the figures, and the warnings."""
    figures = [rule for kpi in CATALOGUE if kpi.shape in _SUFFIX for rule in _figures(kpi)]
    targets = [alert for target in inputs.targets for alert in _target(target)]
    return (
        Group("deskpulse-kpi", [*_gates(inputs), *figures]),
        Group("deskpulse-kpi-alerts", [*_tickets(inputs), *_satisfaction(), *_bookings(), *targets]),
    )


def _gates(inputs: RuleInputs) -> Iterator[Recording]:
    # A sum over workers means something only when every partition is shown and none is late.
    late = inputs.limit(inputs.late_after)
    yield Recording(
        ALLOWED,
        f"count(count by (partition) (time() - {FRONTIER} <= {late})) >= max(deskpulse_stream_topic_partitions)\n"
        "and on () max(deskpulse_paging_enabled) == 1",
    )
    total_only = ",".join(f'{label}=""' for label in _KPI["tickets_active"].labels)
    yield Recording(_ACTIVE, f"sum(max by (partition) (deskpulse_tickets_active{{{total_only}}}))")


def _figures(kpi: Kpi) -> Iterator[Recording]:
    """Yield the figure of a KPI, per window and label: parts summed over workers, then divided."""
    by = ", ".join(("window", *kpi.labels))
    name = f"deskpulse_window_{kpi.id}"

    def summed(suffix: str) -> str:
        return f"sum by ({by}) ({name}_{suffix})"

    figure = f"deskpulse:{kpi.id}:{_SUFFIX[kpi.shape]}"
    if kpi.shape == "ratio":
        yield Recording(figure, f"{summed('numerator')} / ({summed('denominator')} > 0)")
    elif kpi.shape == "score":
        answers = f"({summed('count')} > 0)"
        yield Recording(figure, f"100 * ({summed('promoters')} - {summed('detractors')}) / {answers}")
    else:
        yield Recording(figure, f"{summed('sum')} / ({summed('count')} > 0)")
    if kpi.shape == "time":
        yield Recording(f"deskpulse:{kpi.id}:p90", f"histogram_quantile(0.9, sum by (window, le) ({name}_bucket)) >= 0")


def _figure(kpi: Kpi, window: str) -> str:
    """Return a KPI's recorded figure in a window, without labels."""
    return f"sum(deskpulse:{kpi.id}:{_SUFFIX[kpi.shape]}{{{total_selector(kpi.labels, window)}}})"


def _tickets(inputs: RuleInputs) -> Iterator[Alert]:
    day, hour = inputs.span("1d"), inputs.span("1h")
    yield Alert(
        name="DeskpulseBacklogGrowing",
        expr=allowed(
            f"{_ACTIVE} > 1.5 * avg_over_time({_ACTIVE}[{day}])\n"
            f"  and {_ACTIVE} >= 20\n"
            f"  and deriv({_ACTIVE}[{hour}]) > 0"
        ),
        wait="30m",
        severity="warning",
        kind="kpi",
        summary="{{ $value }} tickets wait, half as many again as yesterday",
        description="{{ $value }} tickets are new, open, pending or on hold: over 1.5 times the mean of the last day, "
        "and still rising over the last hour.",
    )
    yield Alert(
        name="DeskpulseOldestUnanswered",
        expr=allowed(
            "time() - min by (team) (deskpulse_ticket_oldest_unanswered_timestamp_seconds) "
            f"> {inputs.limit(inputs.unanswered_after)}"
        ),
        wait="5m",
        severity="warning",
        kind="kpi",
        summary="{{ $labels.team }}: a customer has waited {{ $value | humanizeDuration }}",
        description="The oldest customer message of team {{ $labels.team }} without an answer is "
        f"{{{{ $value | humanizeDuration }}}} old; {inputs.unanswered_after} is the limit.",
        link="/api/overdue?team={{ $labels.team | urlquery }}",
    )
    complaints = _KPI["complaint_share"]
    yield Alert(
        name="DeskpulseComplaintSpike",
        expr=allowed(
            f"{_figure(complaints, '1h')} > 2 * clamp_min({_figure(complaints, '7d')}, 0.05)\n"
            f"  and {total(complaints, '_numerator', '1h')} >= 10"
        ),
        wait="10m",
        severity="warning",
        kind="kpi",
        summary="{{ $value | humanizePercentage }} of the last hour's tickets are complaints",
        description="The share of complaints among the tickets of the last hour is over twice that of the week, with "
        "at least 10 of them.",
    )


def _satisfaction() -> Iterator[Alert]:
    nps, csat, reviews = _KPI["nps"], _KPI["csat"], _KPI["reviews"]
    yield _drop("DeskpulseNpsDrop", nps, "10", "the net promoter score fell to {{ $value | humanize }}")
    yield _drop("DeskpulseCsatDrop", csat, "0.1", "satisfaction fell to {{ $value | humanizePercentage }}")
    today, month = total(reviews, "", "24h"), total(reviews, "", "30d")
    yield Alert(
        name="DeskpulseReviewBurst",
        expr=allowed(
            f"{today} > 3 * ({month} - {today}) / 29\n"
            f"  and {today} >= 10\n"
            f"  and {month} > {today}"  # a business that begins has no usual rate
        ),
        wait="10m",
        severity="warning",
        kind="kpi",
        summary="{{ $value }} reviews in a day",
        description="{{ $value }} reviews were posted in the last 24 hours: over three times the daily mean of the "
        "four weeks before.",
    )


def _drop(name: str, kpi: Kpi, fall: str, summary: str) -> Alert:
    return Alert(
        name=name,
        expr=allowed(
            f"{_figure(kpi, '7d')} < {_figure(kpi, '30d')} - {fall}\n"
            f"  and {total(kpi, _SIZE[kpi.shape], '7d')} >= {MIN_ANSWERS}"
        ),
        wait="1h",
        severity="warning",
        kind="kpi",
        summary=summary,
        description=f"{kpi.id} of the last 7 days is over {fall} below that of the last 30 days, from at least "
        f"{MIN_ANSWERS} answers.",
    )


def _bookings() -> Iterator[Alert]:
    def part(name: str, window: str) -> str:
        return f'sum(deskpulse_window_conversion_rate_{name}{{window="{window}",channel="",team="",brand=""}})'

    # In windows of 7 days and longer (contract, KPI conversion_rate).
    week, month = ([part(name, window) for name in ("numerator", "denominator")] for window in ("7d", "30d"))
    yield Alert(
        name="DeskpulseConversionDrop",
        expr=allowed(
            f"{week[0]} / ({week[1]} > 0)\n  < 0.8 * {month[0]} / ({month[1]} > 0)\n  and {week[1]} >= {MIN_ANSWERS}"
        ),
        wait="1h",
        severity="warning",
        kind="kpi",
        summary="{{ $value | humanizePercentage }} of enquiries became bookings",
        description="The share of enquiries that were booked, over the last 7 days, is over a fifth below that of the "
        f"last 30 days, from at least {MIN_ANSWERS} enquiries.",
    )


def _target(target: Target) -> Iterator[Alert]:
    """Yield the alert of each bound of a target. Raises RuleError."""
    kpi = _KPI.get(target.kpi)
    if kpi is None or kpi.shape not in _SUFFIX:
        known = ", ".join(sorted(kpi.id for kpi in CATALOGUE if kpi.shape in _SUFFIX))
        raise RuleError(f"target {target.kpi!r}: no such KPI with a figure; there are {known}")
    unit = {"ratio": " | humanizePercentage", "time": " | humanizeDuration"}.get(kpi.shape, " | humanize")
    for bound, missed, goal in (("least", "<", target.min), ("most", ">", target.max)):
        if goal is None:
            continue
        yield Alert(
            name="DeskpulseKpiBelowTarget",
            expr=allowed(
                f"{_figure(kpi, target.window)} {missed} {goal:g}\n"
                f"  and {total(kpi, _SIZE[kpi.shape], target.window)} >= {MIN_ANSWERS}"
            ),
            wait="1h",
            severity="warning",
            kind="kpi",
            summary=f"{target.kpi} is {{{{ $value{unit} }}}}; its goal is at {bound} {goal:g}",
            description=f"{kpi.help} Over the last {target.window}: {{{{ $value{unit} }}}}, from at least "
            f"{MIN_ANSWERS} samples; the goal is at {bound} {goal:g}.",
            labels={"kpi": target.kpi},
        )
