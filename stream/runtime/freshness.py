"""How far a source partition and a shard are known: watermark, lag and frontier."""

from __future__ import annotations

from collections.abc import Iterable

from stream.domain.overlay import Position
from stream.metrics.model import SourceSnapshot
from stream.runtime.transport import LogEnd


def source_snapshot(
    source: str, partition: int, *, applied: int, folded: Position | None, end: LogEnd | None, now: int
) -> SourceSnapshot:
    """Return the freshness of a source partition.

    *applied* is where the merged records end, control records included, *folded* the last record merged, *end* the
    newest look at the log's end; *now* is the wall clock in microseconds (UTC).
    """
    caught_up = end is not None and applied >= end.offset
    if end is not None and caught_up:
        watermark: int | None = end.seen_at
        lag: float | None = 0.0
    else:
        watermark = folded.timestamp if folded else None
        lag = max(0, now - folded.timestamp) / 1e6 if folded else None
    return SourceSnapshot(
        topic=source,
        partition=partition,
        applied_offset=folded.next_offset if folded else -1,
        watermark=watermark,
        lag_messages=max(0, end.offset - applied) if end else None,
        lag=lag,
    )


def frontier(sources: Iterable[SourceSnapshot]) -> int | None:
    """Return how far event time is known in a shard: as far as in the least known of its sources."""
    watermarks = [source.watermark for source in sources]
    known = [watermark for watermark in watermarks if watermark is not None]
    return min(known) if known and len(known) == len(watermarks) else None
