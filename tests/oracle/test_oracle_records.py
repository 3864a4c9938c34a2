"""What becomes of a record: the oracle's envelope and counts."""

import pytest

from .bad import bad_records
from .cases import as_binary, created, event, record, says
from .envelope import RejectedError, decode
from .log import MAX_EVENTS, entities
from .values import amount, instant, promise

NOON_MS = 1_772_452_800_000  # 2026-03-02T12:00:00Z


@pytest.mark.parametrize("number", range(len(bad_records())))
def test_a_bad_record_is_rejected_for_its_reason(number):
    reason, make = bad_records()[number]
    with pytest.raises(RejectedError) as rejected:
        decode({**make(NOON_MS, b"C-1"), "partition": 0, "offset": 0})
    assert rejected.value.args == (reason,)


def test_binary_and_structured_records_of_one_event_are_the_same_event():
    numbered = created(_sequence=7, team="billing")
    assert decode(as_binary(numbered)) == decode(record(numbered))


def test_the_same_source_and_id_within_a_subject_is_a_duplicate_and_the_first_one_wins():
    first, other = says("customer", "10:00"), says("agent", "10:00")
    elsewhere, another_source = {**first, "subject": "S-2"}, {**first, "source": "/other"}
    log = entities(map(record, [first, other, first, elsewhere, another_source]))
    assert (log.counts["applied"], log.counts["duplicate"], log.counts["id_conflict"]) == (3, 2, 1)
    authors = [each.data["author"] for each in log.ledgers["ticket", "S-1"]]
    assert authors == ["customer", "customer"]


@pytest.mark.parametrize(
    ("kafka", "result"),
    [("2026-04-06T10:00:00Z", "applied"), ("2026-04-06T10:00:00.001Z", "late")],
)
def test_late_is_more_than_35_days_before_the_kafka_timestamp(kafka, result):
    counts = entities([record(created("10:00"), kafka)]).counts
    assert counts[result] == 1


@pytest.mark.parametrize(
    ("kafka", "result"), [("2026-03-02T09:55:00Z", "applied"), ("2026-03-02T09:54:59.999Z", "rejected:future")]
)
def test_future_is_more_than_5_minutes_after_the_kafka_timestamp(kafka, result):
    assert entities([record(created("10:00"), kafka)]).counts[result] == 1


def test_every_record_read_has_one_result():
    beat = {**event("heartbeat", "10:00"), "subject": None}
    log = entities([record(created()), record(created()), record(beat), record(created(), value=b"no")])
    assert log.counts == {
        "read": 4, "applied": 1, "duplicate": 1, "heartbeat": 1, "rejected": 1, "rejected:malformed": 1
    }  # fmt: skip


def test_an_entity_takes_5000_events():
    records = [record(says("agent", "10:00", _id=str(number))) for number in range(MAX_EVENTS + 2)]
    log = entities([*records, records[0]])
    assert (log.counts["applied"], log.counts["rejected:entity_too_big"], log.counts["duplicate"]) == (MAX_EVENTS, 2, 1)


def test_unknown_words_of_an_open_enum_become_other_and_unknown_fields_are_ignored():
    data = decode(record(created(channel="pigeon", priority="P0", mood="good"))).data
    assert data == {"channel": "other", "priority": "other", "category": "question"}


def test_amounts_are_exact_to_six_decimals():
    assert [amount(each) for each in (0.1, "0.1", 3, "-2.500000", "1e2")] == [
        100_000, 100_000, 3_000_000, -2_500_000, 100_000_000
    ]  # fmt: skip


def test_an_instant_takes_any_offset_and_a_promised_date_is_the_end_of_its_day():
    assert instant("2026-03-02T13:00:00.0000019+01:00") == NOON_MS * 1000 + 1
    assert promise("2026-03-02") == instant("2026-03-03T00:00:00Z")
