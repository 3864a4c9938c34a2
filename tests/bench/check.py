"""Whether a peer's figures are the right ones: a time counts only for a right answer."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import accumulate
from math import inf
from typing import Any
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.bench.job import BOUNDS, Group, Outcome, new_outcome

Series = tuple[str, frozenset[tuple[str, str]]]
WINDOW = "24h"  # holds the whole job


def compare_tables(told: dict[str, Any], right: Outcome) -> str:
    """What differs in the tables that a process told of; empty when nothing does."""
    found = new_outcome()
    for channel, team, bucket in told["buckets"]:
        group = channel, team
        found.created[group] += bucket["created"]
        found.complaints[group] += bucket["complaints"]
        found.resolved[group] += bucket["resolved"]
        found.waits[group] += sum(bucket["bins"])
        found.wait_ms[group] += bucket["wait_ms"]
        for place, count in enumerate(bucket["bins"]):
            found.bins[group, place] += count
    found.active.update((channel, team) for channel, team in told["active"])
    return "; ".join(name for name in vars(right) if getattr(found, name) != getattr(right, name))


def compare_page(url: str, right: Outcome) -> str:
    """What differs on a worker's scrape page; empty when nothing does."""
    found: defaultdict[Series, float] = defaultdict(float)
    with urlopen(f"{url}/metrics") as response:
        page = response.read().decode()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "partition"}
            if "le" in labels:
                labels["le"] = str(float(labels["le"]))  # The page may write 2592000.0 as 2.592e+06.
            found[sample.name, frozenset(labels.items())] += sample.value
    wrong = [
        f"{name}{dict(labels)}: {found[name, labels]} instead of {value}"
        for (name, labels), value in page_of(right).items()
        if found[name, labels] != value
    ]
    return "; ".join(wrong[:3])


def page_of(right: Outcome) -> dict[Series, float]:
    """The series that the page must hold: totals and one dimension at a time, over the window that holds the job."""
    series: dict[Series, float] = {}
    windowed = {
        "tickets_created": right.created,
        "complaint_share_numerator": right.complaints,
        "tickets_resolved": right.resolved,
        "first_response_time_count": right.waits,
        "first_response_time_sum": right.wait_ms,
    }
    for kpi, counts in windowed.items():
        unit = 1_000 if kpi.endswith("_sum") else 1
        for labels, value in _dimensions(counts):
            series[f"deskpulse_window_{kpi}", frozenset((labels | {"window": WINDOW}).items())] = value / unit
    for labels, value in _dimensions(right.active):
        series["deskpulse_tickets_active", frozenset(labels.items())] = value
    per_bin: Counter[int] = Counter()
    for (_, place), count in right.bins.items():
        per_bin[place] += count
    up_to = accumulate(per_bin[place] for place in range(len(BOUNDS) + 1))
    for bound, count in zip([*map(float, BOUNDS), inf], up_to, strict=True):
        labels = {"window": WINDOW, "le": str(bound)}
        series["deskpulse_window_first_response_time_bucket", frozenset(labels.items())] = count
    return series


def _dimensions(counts: Counter[Group]) -> list[tuple[dict[str, str], int]]:
    """Totals, then by channel, then by team."""
    by_channel: Counter[str] = Counter()
    by_team: Counter[str] = Counter()
    for (channel, team), count in counts.items():
        by_channel[channel] += count
        by_team[team] += count
    split = [({"channel": name}, count) for name, count in by_channel.items()]
    split += [({"team": name}, count) for name, count in by_team.items()]
    return [({}, counts.total()), *split]
