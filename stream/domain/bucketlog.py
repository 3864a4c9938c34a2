"""How buckets stand in the changelog.

A coarse bucket is touched for hours and holds much per cell, so each of its cells is a record with its sums. A fine one
is written for a minute and soon rolled up, and most of its cells hold a single contribution: a record per cell would
cost more than the event. It is a row of *parts*, what each checkpoint added to it, which all go at once when the
bucket is rolled up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from stream.domain.cells import ONE, Cell, Cells, pack, unpack
from stream.domain.keys import BUCKET
from stream.domain.windows import Bucket, Buckets
from stream.events.values import MICRO

LogRecord = tuple[bytes, bytes | None]

FINE_BELOW = 3_600 * MICRO  # grains under an hour are written in parts
PART_CELLS = 2_000  # about 100 KiB

_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder().decode


def is_fine(bucket: Bucket) -> bool:
    """Say whether a bucket is written in parts."""
    return 0 < bucket[0] < FINE_BELOW


def cell_record(bucket: Bucket, cell: Cell, sums: int) -> LogRecord:
    """Return the record of a coarse bucket's cell with its packed *sums*; 0 is its tombstone."""
    return BUCKET + _ENCODE((*bucket, *cell)), _ENCODE(unpack(sums)) if sums else None


def part_records(bucket: Bucket, number: int, changes: Mapping[int, int], cells: Cells) -> Iterator[LogRecord]:
    """Yield the parts, from *number* on, that add *changes*, of numbered *cells*, to a fine bucket.

    A part is a list of cell, count and total in turn.
    """
    encoded = cells.encoded
    part: list[Any] = []
    for cell, sums in changes.items():
        part += (encoded[cell], 1, 0) if sums == ONE else (encoded[cell], *unpack(sums))
        if len(part) == 3 * PART_CELLS:
            yield part_key(bucket, number), _ENCODE(part)
            number += 1
            part.clear()
    if part:
        yield part_key(bucket, number), _ENCODE(part)


def part_key(bucket: Bucket, number: int) -> bytes:
    """Return the key of a fine bucket's part."""
    return BUCKET + _ENCODE((*bucket, number))


def apply(key: bytes, value: bytes | None, buckets: Buckets, parts: dict[Bucket, int]) -> None:
    """Apply a bucket's record to *buckets* and to *parts*, the number of parts of each fine bucket."""
    grain, start, *rest = _DECODE(key[1:])
    bucket = (grain, start)
    if not is_fine(bucket):
        buckets.put(bucket, _number(rest, buckets.cells), pack(*_DECODE(value)) if value is not None else 0)
    elif value is None:
        # All parts of a bucket go in one transaction, so the first tombstone stands for them all.
        buckets.drop(bucket)
        parts.pop(bucket, None)
    else:
        part = iter(_DECODE(value))
        turns = zip(part, part, part, strict=True)
        buckets.add(bucket, {_number(name, buckets.cells): pack(count, total) for name, count, total in turns})
        parts[bucket] = rest[0] + 1


def _number(name: list[Any], cells: Cells) -> int:
    measure, place, labels = name
    return cells.number((measure, place, tuple(labels)))
