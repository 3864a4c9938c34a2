"""Dead letters keep the record and say why; re-routed records know the way they came."""

from hashlib import sha256
from typing import Any

from stream.events.event import Reason, Rejected
from stream.ingest.deadletter import (
    DeadLetter,
    Origin,
    dead_letter,
    origin_headers,
    origin_of,
    without_origin,
)

ORIGIN = Origin("tickets", 3, 4711, 1_772_357_400_123_000)
LIMIT = 4 * 1024 * 1024  # bytes: max.message.bytes of the dead-letter topics


def letter(**changes: Any) -> DeadLetter:
    record: dict[str, Any] = {
        "key": b"C-77",
        "value": b'{"rating":9}',
        "headers": [("trace", b"\xff\x00"), ("trace", b"again"), ("empty", None)],
        "origin": ORIGIN,
        "group": "deskpulse",
        "version": "0.1.0",
        "failed_at": 1_772_357_401_000_000,
    }
    return dead_letter(Rejected(Reason.INVALID, "Expected `int` <= 5 - at `$.data.rating`"), **(record | changes))


def size(record: DeadLetter) -> int:
    return (
        len(record.key or b"")
        + len(record.value or b"")
        + sum(len(name.encode()) + len(value or b"") for name, value in record.headers)
    )


def test_key_value_and_headers_stay_as_they_came() -> None:
    result = letter()
    assert (result.topic, result.key, result.value) == ("tickets.dlq", b"C-77", b'{"rating":9}')
    assert result.headers[:3] == [("trace", b"\xff\x00"), ("trace", b"again"), ("empty", None)]


def test_the_headers_say_why_whence_and_when() -> None:
    added = dict(letter().headers[3:])
    assert added == {
        "dlq-reason": b"invalid",
        "dlq-detail": b"Expected `int` <= 5 - at `$.data.rating`",
        "dlq-original-topic": b"tickets",
        "dlq-original-partition": b"3",
        "dlq-original-offset": b"4711",
        "dlq-original-timestamp": b"1772357400123",
        "dlq-original-timestamp-type": b"CreateTime",
        "dlq-consumer-group": b"deskpulse",
        "dlq-app-version": b"0.1.0",
        "dlq-failed-at": b"2026-03-01T09:30:01.000+00:00",
        "dlq-attempts": b"1",
    }


def test_absent_key_and_value_stay_absent() -> None:
    result = letter(key=None, value=None)
    assert (result.key, result.value) == (None, None)


def test_a_record_that_failed_before_counts_on_and_keeps_one_set_of_headers() -> None:
    again = letter(headers=letter().headers)
    names = [name for name, _ in again.headers if name.startswith("dlq-")]
    assert dict(again.headers)["dlq-attempts"] == b"2"
    assert len(names) == len(set(names))
    assert dict(letter(headers=[("dlq-attempts", b"many")]).headers)["dlq-attempts"] == b"1"


def test_a_value_too_large_for_the_topic_leaves_its_beginning_hash_and_size() -> None:
    value = bytes(range(256)) * (LIMIT // 256)
    result = letter(value=value)
    assert result.value == value[: 64 * 1024]
    said = dict(result.headers)["dlq-truncated"]
    assert said == f"sha256={sha256(value).hexdigest()} size={LIMIT}".encode()
    assert result.headers[0] == ("trace", b"\xff\x00")


def test_a_body_over_its_own_limit_but_not_the_topics_stays_whole() -> None:
    value = b"x" * (2 * 1024 * 1024)
    result = letter(value=value)
    assert result.value == value
    assert "dlq-truncated" not in dict(result.headers)


def test_whatever_makes_a_record_huge_its_dead_letter_fits() -> None:
    huge = b"x" * LIMIT
    for changes in ({"key": huge}, {"headers": [("h", huge)]}, {"headers": [("", b"")] * 500_000}, {"value": huge}):
        assert size(letter(**changes)) < LIMIT - 1024


def test_the_origin_of_a_rerouted_record_reads_back() -> None:
    headers = [("ce_id", b"1"), *origin_headers(ORIGIN)]
    assert origin_of(headers) == ORIGIN
    assert without_origin(headers) == [("ce_id", b"1")]


def test_a_rerouted_records_dead_letter_lies_beside_its_origin_with_the_origins_headers() -> None:
    headers = [("ce_id", b"1"), *origin_headers(ORIGIN)]
    origin = origin_of(headers)
    assert origin is not None
    result = letter(headers=without_origin(headers), origin=origin)
    assert result.topic == "tickets.dlq"
    assert [name for name, _ in result.headers if not name.startswith("dlq-")] == ["ce_id"]


def test_headers_that_are_no_whole_origin_name_none() -> None:
    whole = origin_headers(ORIGIN)
    assert origin_of([]) is None
    for missing in range(len(whole)):
        assert origin_of(whole[:missing] + whole[missing + 1 :]) is None
    assert origin_of([*whole, ("deskpulse-origin-offset", b"x")]) is None
    assert origin_of([*whole, ("deskpulse-origin-topic", b"\xff")]) is None
