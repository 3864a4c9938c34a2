"""How buckets stand in the changelog.

A coarse bucket is touched for hours and holds much per cell, so each of its cells is a record with its sums. A fine one
is written for a minute and soon rolled up, and most of its cells hold a single contribution: a record per cell would
cost more than the event. It is a row of *parts*, what each checkpoint added to it, which all go at once when the
bucket is rolled up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from stream.domain.keys import BUCKET
from stream.domain.windows import Bucket, Buckets, Cell, Sums
from stream.events.values import MICRO

LogRecord = tuple[bytes, bytes | None]

FINE_BELOW = 3_600 * MICRO  # grains under an hour are written in parts
PART_CELLS = 2_000  # about 100 KiB

_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder().decode


def is_fine(bucket: Bucket) -> bool:
    """Say whether a bucket is written in parts."""
    return 0 < bucket[0] < FINE_BELOW


def cell_record(bucket: Bucket, cell: Cell, sums: Sums) -> LogRecord:
    """Return the record of a coarse bucket's cell; sums of (0, 0) are its tombstone."""
    return BUCKET + _ENCODE((*bucket, *cell)), _ENCODE(sums) if sums != (0, 0) else None


def part_records(bucket: Bucket, number: int, cells: Mapping[Cell, Sums]) -> Iterator[LogRecord]:
    """Yield the parts, from *number* on, that add *cells* to a fine bucket."""
    rows = ((*cell, *sums) for cell, sums in cells.items())
    while part := list(islice(rows, PART_CELLS)):
        yield part_key(bucket, number), _ENCODE(part)
        number += 1


def part_key(bucket: Bucket, number: int) -> bytes:
    """Return the key of a fine bucket's part."""
    return BUCKET + _ENCODE((*bucket, number))


def apply(key: bytes, value: bytes | None, buckets: Buckets, parts: dict[Bucket, int]) -> None:
    """Apply a bucket's record to *buckets* and to *parts*, the number of parts of each fine bucket."""
    grain, start, *rest = _DECODE(key[1:])
    bucket = (grain, start)
    if not is_fine(bucket):
        measure, place, labels = rest
        sums: Any = _DECODE(value) if value is not None else (0, 0)
        buckets.put(bucket, (measure, place, tuple(labels)), (sums[0], sums[1]))
    elif value is None:
        # All parts of a bucket go in one transaction, so the first tombstone stands for them all.
        buckets.drop(bucket)
        parts.pop(bucket, None)
    else:
        rows = _DECODE(value)
        buckets.add(bucket, {(name, place, tuple(labels)): (n, total) for name, place, labels, n, total in rows})
        parts[bucket] = rest[0] + 1
