"""What a rule is, and the expressions that many of them share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from stream.domain.kpis import Kpi

Severity = Literal["critical", "warning", "info", "none"]
Kind = Literal["kpi", "pipeline"]

# Recorded first in its group, so that what follows reads the value of the same evaluation.
OWNER = "deskpulse:partition_owner:frontier_timestamp_seconds"
LATENESS = "deskpulse:stream_lateness:seconds"
ALLOWED = "deskpulse:kpi_alerts_allowed:partitions"
FRONTIER = "deskpulse_stream_frontier_timestamp_seconds"


class Recording(Struct, frozen=True):
    """A recording rule, named level:metric:operations."""

    name: str
    expr: str


class Alert(Struct, frozen=True, kw_only=True):
    """An alerting rule. ``wait`` is its `for`, ``link`` a path on the board; texts are Prometheus templates."""

    name: str
    expr: str
    severity: Severity
    kind: Kind
    summary: str
    description: str
    wait: str = ""
    link: str = ""
    labels: Mapping[str, str] = {}


class Group(Struct, frozen=True):
    """Rules evaluated in order, every ``interval`` or as often as Prometheus does by default."""

    name: str
    rules: Sequence[Recording | Alert]
    interval: str = ""


def total(kpi: Kpi, suffix: str, window: str) -> str:
    """Return a KPI's part in a window over all workers: the series without a dimension label, without labels."""
    return f"sum(deskpulse_window_{kpi.id}{suffix}{{{total_selector(kpi.labels, window)}}})"


def total_selector(labels: Sequence[str], window: str) -> str:
    """Return the matchers of the one series that is not split by a label."""
    return ",".join([f'window="{window}"', *(f'{label}=""' for label in labels)])


def catching_up(minute: str) -> str:
    """Return what holds while lateness shrinks at twice the pace of time or more: no reason to wake anybody.

    A backlog begins with a leap of lateness, which hides the fall until it has left the range: whoever excuses backlogs
    waits longer than this *minute*, a Prometheus duration.
    """
    return f"deriv({LATENESS}[{minute}]) <= -1"


def allowed(expr: str) -> str:
    """Return *expr* where all partitions are shown, none is late, and paging is switched on."""
    return f"({expr})\nand on () {ALLOWED}"
