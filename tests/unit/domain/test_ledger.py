"""Ledgers: order, chunks and finding."""

from __future__ import annotations

import random

from stream.domain import ledger
from stream.domain.entity import Entity
from tests.unit.domain.world import Told, created, event, says, status


def chunk_of(*events):
    return b"".join(ledger.encode(one) for one in events)


def test_a_chunk_gives_its_entries_back_newest_arrival_first():
    events = [says(minute, "agent") for minute in (3, 1, 2)]
    assert list(ledger.decode_chunk(chunk_of(*events))) == [ledger.entry_of(one) for one in reversed(events)]
    assert ledger.last_arrival(chunk_of(*events)) == ledger.entry_of(events[-1])


def test_equal_times_go_by_sequence_then_life_cycle_then_source_then_id():
    wanted = [
        created(0, id="z", source="z"),
        event("ticket.assigned", 0, id="z", source="z"),
        says(0, "agent", id="z", source="z"),
        event("ticket.worked", 0, seconds=1, id="z", source="z"),
        status(0, "open", id="a", source="a"),
        status(0, "open", id="b", source="a"),
        status(0, "open", id="a", source="b"),
        event("ticket.abandoned", 0, id="a", source="a"),
        event("ticket.merged", 0, into="Y", id="a", source="a"),
        event("ticket.deleted", 0, reason="spam", id="a", source="a"),
        status(0, "open", sequence=0, id="a", source="a"),  # a missing sequence comes first
        created(0, sequence=1, id="a", source="a"),
        status(1, "open", sequence=0, id="a", source="a"),
    ]
    shuffled = random.Random(1).sample(wanted, len(wanted))
    assert ledger.in_order([chunk_of(*shuffled)]) == [ledger.entry_of(one) for one in wanted]


def test_an_entry_is_found_by_source_and_id_alone():
    here = says(0, "agent", id="1", source="s")
    chunks = [chunk_of(says(1, "agent"), here), chunk_of(says(2, "agent"))]
    assert ledger.find(chunks, says(9, "bot", id="1", source="s")) == ledger.entry_of(here)
    assert ledger.find(chunks, says(0, "agent", id="1", source="t")) is None
    assert ledger.find(chunks, says(0, "agent", id="2", source="s")) is None


def test_bytes_that_look_like_a_name_inside_another_entry_are_not_taken_for_it():
    wanted = says(0, "agent", id="1", source="s")
    bait = event("ticket.updated", 0, id="2", source="t", tags=["s", "1"])
    assert ledger.name_pattern(wanted) in chunk_of(bait)
    assert ledger.find([chunk_of(bait)], wanted) is None


def test_a_chunk_is_full_after_64_entries():
    entity = Told(created(), *(says(minute, "agent") for minute in range(1, 129))).entity
    assert [len(list(ledger.decode_chunk(chunk))) for chunk in (*entity.chunks, entity.chunk)] == [64, 64, 1]
    assert entity.written == 0


def test_a_chunk_is_full_before_it_passes_256_kib():
    big = {"tags": ["x" * 200] * 70}  # about 14 KB an entry
    entity = Told(*(event("ticket.updated", minute, **big) for minute in range(50))).entity
    assert len(entity.chunks) >= 2
    assert all(len(chunk) <= ledger.CHUNK_BYTES for chunk in (*entity.chunks, entity.chunk))
    assert len(entity.entries()) == 50


def test_an_entity_read_back_from_its_record_is_the_same():
    told = Told(created(), *(says(minute, "agent") for minute in range(1, 70)), status(2, "resolved"))
    again = Entity.load("ticket", told.entity.record(), told.entity.chunks.__getitem__)
    assert again.entries() == told.entity.entries()
    assert again.state == told.entity.state
    assert again.record() == told.entity.record()
