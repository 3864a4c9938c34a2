"""Drive the core with raw Kafka-shaped records, and read its numbers in the oracle's words."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from stream.config.sla import terms
from stream.config.tables import Config
from stream.domain.kpis import CATALOGUE
from stream.domain.overlay import Record
from stream.domain.sealing import Limits
from stream.domain.shard import Shard, ShardView, newest_event
from stream.ingest.decode import decode

TERMS = terms(Config())  # the policies that a worker has by default, and the oracle as well

Key = tuple[str, str, str, str, str]  # kpi, part, window, label, value: as in tests.oracle.live


def folded(raw: dict[str, Any]) -> Record:
    """Return the core's record of a raw one."""
    item = decode(raw["value"], raw["headers"], key=raw["key"], topic=raw["topic"])
    crc = zlib.crc32((raw["key"] or b"") + (raw["value"] or b""))
    return Record(raw["topic"], raw["offset"], raw["timestamp_ms"] * 1000, crc, item)


def run(
    batches: Iterable[Sequence[dict[str, Any]]],
    partition: int = 0,
    now: int | None = None,
    limits: Limits | None = None,
) -> tuple[Shard, Counter[str]]:
    """Fold and merge batches; the clock is *now*, or the newest event time. Return the shard and the counts."""
    shard = Shard(partition, limits, TERMS)
    counts: Counter[str] = Counter()
    clock = 0
    for batch in batches:
        records = [folded(raw) for raw in batch]
        clock = now if now is not None else newest_event(records, clock)
        overlay = shard.fold(records, clock)
        for (_, _, result), number in overlay.results.items():
            counts[result] += number
        for _, refusal in overlay.rejected:
            counts[f"rejected:{refusal.reason}"] += 1
        counts["id_conflict"] += overlay.notes["id_conflict"]
        shard.merge(overlay)
    return shard, counts


def numbers(view: ShardView) -> dict[Key, int | float]:
    """Return a view's non-zero numbers in the oracle's words."""
    out: Counter[Key] = Counter()
    for kpi in CATALOGUE:
        sources = {"": view.live} if kpi.shape == "live" else view.windows
        for window, series in sources.items():
            for (measure, place, dimension, label, currency), sums in series.items():
                if dimension and dimension not in kpi.labels:
                    continue
                for part in kpi.parts:
                    if part.measure == measure and (part.where is None or part.where(place)):
                        name = f"sum:{currency}" if kpi.shape == "money" else part.name
                        out[kpi.id, name, window, dimension, label] += sums[1 if part.of_values else 0]
    scaled = {kpi.id for kpi in CATALOGUE if kpi.shape in ("time", "money")}
    return {
        key: number / 1_000_000 if key[0] in scaled and key[1].startswith("sum") else number
        for key, number in out.items()
        if number
    }


def add(views: Iterable[dict[Key, int | float]]) -> dict[Key, int | float]:
    """Add up the numbers of several shards."""
    out: Counter[Key] = Counter()
    for view in views:
        out.update(view)
    return dict(out)
