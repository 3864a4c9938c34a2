"""The reference pages made from the tables of the program: docs/metrics.md and docs/kpis.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from stream.domain.kpis import CATALOGUE, Kpi
from stream.metrics.budget import BUDGETS, DEFAULT_BUDGET
from stream.metrics.names import TABLE, Metric, live_metric, window_metrics
from stream.metrics.samples import upper_bound
from stream.metrics.tally import WINDOW_NAMES, Shown

_NOTE = "<!-- Made by `deskpulse generate` from the tables in stream/; edit those. -->"

# Values for the examples, by label; any other label shows itself in capitals.
_EXAMPLES = {
    "window": "24h",
    "partition": "0",
    "topic": "tickets",
    "type": "ticket.created",
    "result": "applied",
    "reason": "malformed",
    "le": "300.0",
    "currency": "EUR",
    "state": "ready",
    "field": "channel",
    "label": "team",
    "source": "helpdesk",
    "part": "windows",
}


def reference_files(_root: Path) -> dict[str, str]:
    """Return the reference pages: path below the project's root -> text."""
    return {"docs/metrics.md": metrics_page(), "docs/kpis.md": kpis_page()}


def metrics_page() -> str:
    """Return docs/metrics.md: every family of the scrape page, with an example."""
    shown = Shown()
    budgets = ", ".join(f"{label} {size}" for label, size in BUDGETS.items())
    of_kpis = [metric for metric in TABLE if metric.name.startswith("deskpulse_window_") and "window" in metric.labels]
    of_kpis += [live_metric(kpi) for kpi in CATALOGUE if kpi.shape == "live"]
    of_worker = [metric for metric in TABLE if metric not in of_kpis]
    return f"""{_NOTE}

# Metrics

`/metrics` of a worker, as Prometheus text or OpenMetrics. All series of one scrape are of one instant,
`deskpulse_snapshot_timestamp_seconds`, and count exactly the records below `deskpulse_stream_applied_offset`.

- **One dimension at a time.** A series without a dimension label is the total: select it with `channel="",team=""`,
  written `TOTAL` below. Dimensions are never crossed, and a sum over all series would count everything several times.
  Shown by default: {_code(shown.dimensions)}, in the windows {_code(shown.windows)}; totals are in
  {_code(WINDOW_NAMES)}.
- **Summable parts only.** A worker knows the partitions it owns, so every KPI comes as parts that add up over workers.
  A ratio is `sum(x_numerator{{window="24h",TOTAL}}) / sum(x_denominator{{window="24h",TOTAL}})`, a mean the same with
  `_sum` and `_count`, the net promoter score `100 * (sum(x_promoters) - sum(x_detractors)) / sum(x_count)`.
- **Windows slide in event time** and shrink as well as grow: these are gauges, never use `rate()`. Parts named `_sum`,
  `_count` and `_bucket` are of type unknown, because Prometheus keeps those endings for histograms, which only grow.
  `histogram_quantile()` works on the buckets, without `rate()`.
- **Zero is not absent.** A KPI that fell to zero is 0; a partition that is not on this worker, or not recovered yet,
  has no series. Series with `partition` read the state itself; while a partition moves, take
  `sum without (partition) (max by (partition, ...) (x))`.
- **Label values are bounded**: the largest {DEFAULT_BUDGET} of a label ({budgets}) keep their name, the rest is
  `other`, a missing one is `none`. `deskpulse_label_overflow_total` counts the values that found no room. A currency
  that finds none is left out: a sum over currencies would mean nothing.

## KPIs

The label in brackets is there or not: at most one of them at a time.

{_table(of_kpis)}

## The worker itself

{_table(of_worker)}

Beside these: `process_*` and `python_gc_*` of the Prometheus client library.
"""


def _table(metrics: Iterable[Metric]) -> str:
    rows = ["| Metric | Type | Labels | Unit | Meaning | Example |", "| --- | --- | --- | --- | --- | --- |"]
    for metric in metrics:
        labels = " ".join([*(f"`{label}`" for label in metric.labels), *(f"[`{one}`]" for one in metric.dimensions)])
        cells = (f"`{metric.name}`", metric.type, labels, metric.unit, metric.help, f"`{_example(metric)}`")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _example(metric: Metric) -> str:
    name, labels = metric.name, metric.labels
    if metric.type == "histogram":
        name, labels = f"{name}_bucket", (*labels, "le")
        pairs = [f'le="{upper_bound(metric.buckets[0])}"']
    else:
        pairs = [f'{label}="{_EXAMPLES.get(label, label.upper())}"' for label in labels]
    return f"{name}{{{','.join(pairs)}}}" if pairs else name


def kpis_page() -> str:
    """Return docs/kpis.md: what every KPI means and which metrics carry it."""
    return f"""{_NOTE}

# KPIs

Windows: {_code(WINDOW_NAMES)}, in event time. Where a denominator is 0 there is no value. `deskpulse report` and
`/api/kpis` give the figure, `/metrics` its parts ([metrics.md](metrics.md)).

{chr(10).join(_kpi_rows())}
"""


def _kpi_rows() -> Iterator[str]:
    yield "| KPI | Meaning | Formula | Unit | By | Metrics | Source |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for kpi in CATALOGUE:
        cells = (f"`{kpi.id}`", kpi.help, kpi.formula, kpi.unit, _code(kpi.labels), _code(_names(kpi)), kpi.source)
        yield f"| {' | '.join(cells)} |"


def _names(kpi: Kpi) -> list[str]:
    metrics = [live_metric(kpi)] if kpi.shape == "live" else window_metrics(kpi)
    return [metric.name for metric in metrics]


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
