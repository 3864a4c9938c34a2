"""How buckets stand in the changelog: cells of coarse ones, parts of fine ones."""

from __future__ import annotations

from stream.domain import bucketlog
from stream.domain.cells import Cells, pack
from stream.domain.keys import BUCKET
from stream.domain.windows import WINDOWS, Buckets
from tests.unit.domain.world import DAY, World, created, event

FINE = (WINDOWS[0].grain, 1_000 * WINDOWS[0].grain)
COARSE = (WINDOWS[-1].grain, 0)
CELL = ("ticket_created", 0, ("chat", "high", "north", "none"))
OTHER = ("revenue", 0, ("web", "none", "EUR"))


def parts_of(number, sums):
    """Return the records that add *sums* by cell to a fine bucket."""
    cells = Cells()
    return list(bucketlog.part_records(FINE, number, {cells.number(c): pack(*s) for c, s in sums.items()}, cells))


def read(records):
    buckets, parts = Buckets(), {}
    for key, value in records:
        bucketlog.apply(key, value, buckets, parts)
    return dict(buckets), parts


def test_the_parts_of_a_fine_bucket_add_up():
    first = parts_of(0, {CELL: (2, 0), OTHER: (1, 130)})
    second = parts_of(1, {CELL: (-1, 0), OTHER: (-1, -130)})
    assert read(first + second) == ({FINE: {CELL: (1, 0)}}, {FINE: 2})


def test_a_part_is_read_once_however_often_it_stands_in_the_log_compacted():
    part = parts_of(0, {CELL: (2, 0)})
    tombstone = [(key, None) for key, _ in part]
    assert read(part + tombstone) == ({}, {})
    assert read(tombstone) == ({}, {})  # compaction removed the part before its tombstone


def test_many_cells_make_several_parts_of_bounded_size():
    cells = {("ticket_created", 0, ("chat", "high", f"team {number}", "none")): (1, 0) for number in range(5_000)}
    records = parts_of(7, cells)
    assert [key for key, _ in records] == [bucketlog.part_key(FINE, number) for number in (7, 8, 9)]
    assert max(len(value) for _, value in records) < 262_144
    assert read(records) == ({FINE: cells}, {FINE: 10})


def test_a_cell_of_a_coarse_bucket_is_a_record_with_its_sums():
    record = bucketlog.cell_record(COARSE, CELL, pack(3, 0))
    later = bucketlog.cell_record(COARSE, CELL, pack(5, 0))
    gone = bucketlog.cell_record(COARSE, CELL, 0)
    assert record[0] == later[0] == gone[0]
    assert read([record, later]) == ({COARSE: {CELL: (5, 0)}}, {})
    assert read([record, gone]) == ({}, {})
    assert gone[1] is None


def test_what_came_and_was_retracted_leaves_nothing_in_the_log_once_its_bucket_is_rolled_up():
    world = World()
    log = [*world.put(created(0, "T-1")).records]
    log += world.put(event("ticket.deleted", 1, "T-1", reason="spam")).records
    assert world.shard.parts
    log += world.put(now=2 * DAY).records
    assert world.shard.parts == {}
    left = {key: value for key, value in log if key[:1] == BUCKET}
    assert not any(left.values())
