"""The scrape page: the latest snapshot in Prometheus' text format or in OpenMetrics.

The only module that imports prometheus_client. Nothing is counted here: a page is made from a snapshot, so the worker
pays nothing per event and all series of a page are of one instant.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from stream import __version__
from stream.metrics.latest import Latest
from stream.metrics.model import WorkerSnapshot
from stream.metrics.names import BY_NAME, TABLE, Metric
from stream.metrics.negotiation import prefers_openmetrics
from stream.metrics.samples import PARTS, Sample

log = logging.getLogger(__name__)

Page = tuple[bytes, str]  # the body and its content type


class SnapshotCollector(Collector):
    """Turns the latest snapshot into metric families, in the order of the table.

    A part of the page that fails is left out, logged and shown as ``deskpulse_exporter_up 0``; the others stand.
    """

    def __init__(self, latest: Latest) -> None:
        self._latest = latest
        self._failing: set[str] = set()  # logged once, not at every scrape
        self._build = {
            "version": __version__,
            "python": platform.python_version(),
            "faust": version("faust-streaming"),
            "aiokafka": version("aiokafka"),
        }

    def collect(self) -> Iterator[Family]:
        """Yield the families that have samples now."""
        families: dict[str, Family] = {}
        _add(families, [("deskpulse_build_info", "", self._build, 1)])
        snapshot = self._latest.snapshot
        if snapshot is not None:
            for part in PARTS:
                up = self._part(families, part, snapshot)
                _add(families, [("deskpulse_exporter_up", "", {"part": part}, up)])
        for metric in TABLE:
            if metric.name in families:
                yield families[metric.name]

    def _part(self, families: dict[str, Family], part: str, snapshot: WorkerSnapshot) -> bool:
        made: dict[str, Family] = {}
        try:
            _add(made, PARTS[part](snapshot, self._latest.teller))
        except Exception as error:  # whatever broke this part, the rest of the page is what tells somebody about it
            if part not in self._failing:
                log.error("part %r of the scrape page failed: %r", part, error)
                self._failing.add(part)
            return False
        self._failing.discard(part)
        families.update(made)
        return True


def _add(families: dict[str, Family], samples: Iterable[Sample]) -> None:
    """Add *samples* to their families. Raises KeyError for a name that the table does not have."""
    for name, suffix, labels, value in samples:
        family = families.get(name)
        if family is None:
            family = families[name] = _family(BY_NAME[name])
        family.add_sample(name + suffix, labels, value)


def _family(metric: Metric) -> Family:
    # A counter's family is named without _total, which both formats put back on its samples.
    name = metric.name.removesuffix("_total") if metric.type == "counter" else metric.name
    return Family(name, metric.help, metric.type)


class ScrapePage:
    """The scrape page in both formats, made once per snapshot. Used by one thread, the HTTP server's."""

    def __init__(self, latest: Latest) -> None:
        self._latest = latest
        # A registry of its own: two workers in one process (tests do that) never meet in a global one.
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(SnapshotCollector(latest))
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._made: tuple[WorkerSnapshot | None, dict[str, bytes]] = (None, {})

    def render(self, accept: str = "") -> Page:
        """Return the page in the format that the Accept header asks for: text 0.0.4, or OpenMetrics 1.0."""
        encode: Callable[[CollectorRegistry], bytes] = generate_latest
        content_type = CONTENT_TYPE_PLAIN_0_0_4
        if prefers_openmetrics(accept):
            encode, content_type = openmetrics.generate_latest, openmetrics.CONTENT_TYPE_LATEST
        snapshot = self._latest.snapshot
        if snapshot is None or self._made[0] is not snapshot:
            self._made = (snapshot, {})
        pages = self._made[1]
        if content_type not in pages:
            pages[content_type] = encode(self._registry)
        return pages[content_type], content_type
