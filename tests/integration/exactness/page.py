"""What the scrape page must show, told by the oracle, and how a page differs from it."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.oracle import Contribution, Log, contributions, entities, live_of
from tests.oracle.catalogue import KPIS
from tests.oracle.live import WINDOWS

Record = Mapping[str, Any]
Series = tuple[str, frozenset[tuple[str, str]]]

MICRO = 1_000_000
LIVE = [kpi for kpi, (shape, _) in KPIS.items() if shape == "live"]
# The default export (contract, "HTTP and metrics"): totals in every window, these labels in these windows,
# and one that splits what has it in all of them.
LABELS, LABELLED_WINDOWS, ALWAYS = ("channel", "team"), ("1h", "24h", "7d"), "clock"
SOON = {"sla_due_soon_15m": 900 * MICRO, "sla_due_soon_1h": 3_600 * MICRO}
PARTS = {
    "count": [""],
    "ratio": ["_numerator", "_denominator"],
    "time": ["_sum", "_count"],
    "mean": ["_sum", "_count"],
    "nps": ["_promoters", "_passives", "_detractors", "_count"],
}
RESULTS = ("applied", "duplicate", "late", "rejected", "heartbeat")


def series(name: str, **labels: object) -> Series:
    return name, frozenset((label, str(value)) for label, value in labels.items())


@dataclass(frozen=True)
class Page:
    """The samples of one scrape."""

    samples: Mapping[Series, float]

    @classmethod
    def parse(cls, text: str) -> Page:
        families = text_string_to_metric_families(text)
        samples = [sample for family in families for sample in family.samples]
        found = {series(sample.name, **sample.labels): sample.value for sample in samples}
        assert len(found) == len(samples), "the page has a series twice"
        return cls(found)

    def labelled(self, name: str) -> dict[tuple[str, ...], float]:
        """The samples of a metric by their label values, in the order of the labels' names."""
        return {
            tuple(value for _, value in sorted(labels)): sample
            for (found, labels), sample in self.samples.items()
            if found == name
        }

    def value(self, name: str, **labels: object) -> float:
        return self.samples[series(name, **labels)]

    def instant_us(self, name: str) -> int:
        """A time in microseconds: seconds in a float are exact to 0.25 us in this century, so rounding restores it."""
        return round(self.value(f"deskpulse_{name}_timestamp_seconds") * MICRO)

    @property
    def offsets(self) -> dict[tuple[str, int], int]:
        """The next offset by topic and partition: every record below it is in the page's numbers."""
        found = self.labelled("deskpulse_stream_applied_offset")
        return {(topic, int(partition)): int(offset) for (partition, topic), offset in found.items()}

    @property
    def applied(self) -> int:
        """Records in the page's numbers."""
        return sum(offset for (topic, _), offset in self.offsets.items() if topic != "rerouted")

    @property
    def ready(self) -> set[int]:
        """The partitions of recovered shards."""
        found = self.labelled("deskpulse_stream_recovery_state")
        return {int(partition) for (partition, state), value in found.items() if state == "ready" and value == 1}


def total_shown(page: Page, name: str, label: str) -> Counter[str]:
    """The samples of a metric added up by one label, without zeros."""
    sums: Counter[str] = Counter()
    for (found, labels), value in page.samples.items():
        if found == name and value:
            sums[dict(labels)[label]] += int(value)
    return sums


def shown(page: Page, records: Iterable[Record]) -> list[Record]:
    """Those of the records that are in the page's numbers."""
    return [one for one in records if one["offset"] < page.offsets.get((one["topic"], one["partition"]), 0)]


def differences(page: Page, records: Iterable[Record], now_us: int) -> list[str]:
    """How the page differs from the oracle's numbers for these records at `now_us`; zeros may be absent.

    A total must be there also when it is 0, in each window, once the worker has a shard to show.
    """
    given = {
        partition: contributions(entities(of_partition)) for partition, of_partition in by_partition(records).items()
    }
    wanted = {
        **_windowed(page, [each for some in given.values() for each in some], now_us),
        **_state(given, now_us),
        **_open_runs(page, given, now_us),
    }
    found = {key: value for key, value in page.samples.items() if _is_kpi(key[0]) and value}
    differing = [
        f"{_spelt(key)}: page {found.get(key)}, oracle {wanted.get(key)}"
        for key in sorted(wanted.keys() | found.keys(), key=_spelt)
        if wanted.get(key) != found.get(key)
    ]
    absent = [f"{_spelt(key)}: absent" for key in _totals() if key not in page.samples] if page.ready else []
    return differing + absent


def by_partition(records: Iterable[Record]) -> dict[int, list[Record]]:
    found = defaultdict(list)
    for record in records:
        found[record["partition"]].append(record)
    return found


def results(log: Log) -> Counter[str]:
    """What became of the records of a log, without zeros."""
    return Counter({name: log.counts[name] for name in RESULTS if log.counts[name]})


def reasons(log: Log) -> Counter[str]:
    """Why records of a log are refused."""
    prefix = "rejected:"
    return Counter({name.removeprefix(prefix): n for name, n in log.counts.items() if name.startswith(prefix)})


def _is_kpi(name: str) -> bool:
    is_window = name.startswith("deskpulse_window_") and name != "deskpulse_window_end_timestamp_seconds"
    return is_window or name.removeprefix("deskpulse_") in LIVE or name.startswith("deskpulse_tickets_sla_")


def _spelt(key: Series) -> str:
    labels = ",".join(f'{label}="{value}"' for label, value in sorted(key[1]))
    return f"{key[0]}{{{labels}}}"


def _totals() -> Iterator[Series]:
    for kpi, (shape, _) in KPIS.items():
        for window in WINDOWS if kpi not in LIVE else ():
            for part in PARTS.get(shape, ()):  # money has no total before its first currency
                yield series(f"deskpulse_window_{kpi}{part}", window=window)


def _state(given: Mapping[int, list[Contribution]], now_us: int) -> dict[Series, float]:
    wanted = {}
    for partition, some in given.items():
        for (kpi, _, _, label, value), number in live_of((each for each in some if each.kpi in LIVE), now_us).items():
            if label in ("", ALWAYS, *LABELS):
                labels = {label: value} if label else {}
                wanted[series(f"deskpulse_{kpi}", partition=partition, **labels)] = number
    return wanted


def _open_runs(page: Page, given: Mapping[int, list[Contribution]], now_us: int) -> dict[Series, float]:
    """The open runs by clock, policy and team: those past their deadline, confirmed by the frontier or not, and due."""
    wanted: Counter[Series] = Counter()
    for partition, some in given.items():
        for each in some:
            if each.kpi not in LIVE or each.at_us is None:
                continue
            name, at_us = f"deskpulse_tickets_{each.kpi}", each.at_us
            at = {"partition": partition, **{label: each.labels[label] for label in ("clock", "policy", "team")}}
            if each.kpi == "sla_breached_open" and at_us <= now_us:
                frontier = page.samples.get(series("deskpulse_stream_frontier_timestamp_seconds", partition=partition))
                if frontier is None or at_us > round(frontier * MICRO):  # not known yet how far event time is known
                    name = "deskpulse_tickets_sla_unconfirmed"
                wanted[series(name, **at)] += 1
            elif each.kpi in SOON and now_us < at_us <= now_us + SOON[each.kpi]:
                wanted[series("deskpulse_tickets_sla_due", **at, within=each.kpi.rpartition("_")[2])] += 1
    return dict(wanted)


def _windowed(page: Page, given: list[Contribution], now_us: int) -> dict[Series, float]:
    wanted: dict[Series, float] = defaultdict(float)
    lasting = [each for each in given if each.kpi not in LIVE]
    for (kpi, part, window, label, value), number in live_of(lasting, now_us).items():
        if label not in ("", ALWAYS) and (label not in LABELS or window not in LABELLED_WINDOWS):
            continue
        labels = {"window": window, **({label: value} if label else {})}
        name = f"deskpulse_window_{kpi}"
        if part.startswith("sum:"):
            wanted[series(name, **labels, currency=part.removeprefix("sum:"))] = number
        elif KPIS[kpi][0] == "count":
            wanted[series(name, **labels)] = number
        else:
            wanted[series(f"{name}_{part}", **labels)] = number
            if KPIS[kpi][0] == "nps":
                wanted[series(f"{name}_count", **labels)] += number
    return {**wanted, **_buckets(page, lasting, now_us)}


def _buckets(page: Page, given: list[Contribution], now_us: int) -> dict[Series, float]:
    """The samples of at most `le` seconds, for the bounds that the page has; the last one must be infinite."""
    samples = defaultdict(list)
    for each in given:
        if KPIS[each.kpi][0] == "time" and each.at_us is not None:
            for window, (length, grain) in WINDOWS.items():
                if (now_us - length) // grain * grain <= each.at_us <= now_us:
                    samples[each.kpi, window].append(each.value)
    wanted: dict[Series, float] = {}
    for (kpi, window), values in samples.items():
        name = f"deskpulse_window_{kpi}_bucket"
        bounds = {dict(labels)["le"] for found, labels in page.samples if found == name}
        assert "+Inf" in bounds, f"{name} has no infinite bound"
        values.sort()
        counts = {le: bisect_right(values, float(le) * MICRO) for le in bounds}
        wanted |= {series(name, window=window, le=le): count for le, count in counts.items() if count}
    return wanted
