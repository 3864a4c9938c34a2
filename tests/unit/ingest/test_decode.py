"""Bytes become events, or a refusal with the contract's reason and a detail that shows nothing of the payload."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from stream.events.envelope import MAX_ID
from stream.events.event import Event, Heartbeat, Reason, Rejected
from stream.events.examples import EXAMPLES, example
from stream.events.registry import BY_NAME
from stream.ingest.decode import MAX_BODY, decode

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
ABSENT = object()


def event(name: str = "ticket.message", /, data: Any = ..., **attributes: Any) -> dict[str, Any]:
    """Return a whole event of the type, with *attributes* changed, or left out where ABSENT."""
    changed = example(name) | attributes | ({} if data is ... else {"data": data})
    return {field: value for field, value in changed.items() if value is not ABSENT}


def read(body: Any, headers: Any = (), key: bytes | None = b"C-77", topic: str | None = None) -> Any:
    value = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    if topic is None:
        row = BY_NAME.get(body.get("type")) if isinstance(body, dict) else None
        topic = row.topic if row else "tickets"
    return decode(value, headers, key=key, topic=topic)


def binary(name: str = "ticket.message", **attributes: Any) -> list[tuple[str, bytes]]:
    whole = event(name, **attributes)
    return [(f"ce_{field}", str(value).encode()) for field, value in whole.items() if field != "data"]


# What decodes


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_event_type_decodes_in_structured_mode(name: str) -> None:
    result = read(event(name))
    assert isinstance(result, Event)
    assert (result.type, result.id, result.key) == (BY_NAME[name], "8f1c2d3e-4a5b", "C-77")
    assert isinstance(result.data, BY_NAME[name].data)
    assert result.coerced == ()


@pytest.mark.parametrize("name", EXAMPLES)
def test_binary_mode_gives_the_same_event(name: str) -> None:
    body = json.dumps(EXAMPLES[name]).encode()
    headers = [*binary(name), ("content-type", b"application/json")]
    assert decode(body, headers, topic=BY_NAME[name].topic) == read(event(name))


def test_an_example_uses_every_field_of_its_type() -> None:
    for name, data in EXAMPLES.items():
        assert set(data) == set(BY_NAME[name].data.__struct_fields__), name


@pytest.mark.parametrize("topic", ["tickets", "bookings", "reviews"])
def test_a_heartbeat_is_taken_on_any_topic_and_needs_no_subject(topic: str) -> None:
    beat = event(type="heartbeat", subject=ABSENT, data=ABSENT, time="2026-03-01T00:00:00Z")
    expected = Heartbeat("/helpdesk/acme", int(MIDNIGHT.timestamp()) * 1_000_000)
    assert read(beat, topic=topic) == expected
    headers = binary(type="heartbeat", subject=ABSENT, time="2026-03-01T00:00:00Z")
    assert decode(None, headers, topic=topic) == expected


@pytest.mark.parametrize("data", [ABSENT, None, {}])
def test_a_type_without_required_fields_needs_no_data(data: Any) -> None:
    assert isinstance(read(event("booking.no_show", data=data)), Event)


@pytest.mark.parametrize("name", EXAMPLES)
def test_null_says_the_same_as_an_absent_field(name: str) -> None:
    for field in EXAMPLES[name]:
        absent = {other: value for other, value in EXAMPLES[name].items() if other != field}
        without = read(event(name, data=absent))
        with_null = read(event(name, data=absent | {field: None}))
        assert type(with_null) is type(without)
        if isinstance(without, Event):
            assert with_null == without


def test_a_file_holds_the_types_of_every_topic() -> None:
    for name in EXAMPLES:
        assert isinstance(decode(json.dumps(event(name)).encode(), topic=None), Event)


def test_unknown_fields_are_ignored() -> None:
    assert isinstance(read(event(data={"author": "bot", "mood": [1, {"a": None}]}, traceparent="00-1")), Event)


@pytest.mark.parametrize(
    ("text", "after_midnight"),
    [
        ("2026-03-01T00:00:00Z", 0),
        ("2026-03-01T01:00:00+01:00", 0),
        ("2026-02-28T23:59:59.999999Z", -1),
        ("2026-03-01T00:00:00.000001Z", 1),
        ("2026-03-01t00:00:00.294z", 294_000),
        ("2026-02-28T18:30:00.5-05:30", 500_000),
    ],
)
def test_times_are_exact_to_the_microsecond(text: str, after_midnight: int) -> None:
    assert read(event(time=text)).time == int(MIDNIGHT.timestamp()) * 1_000_000 + after_midnight


def test_times_far_from_now_are_exact_too() -> None:
    assert read(event(time="0001-01-01T00:00:00.000001Z")).time == -62_135_596_800_000_000 + 1
    assert read(event(time="9999-12-31T23:59:59.999999Z")).time == 253_402_300_800_000_000 - 1


def test_a_bare_date_is_the_end_of_that_day() -> None:
    data = EXAMPLES["booking.created"] | {"promised_by": "2026-02-28"}
    assert read(event("booking.created", data=data)).data.promised_by == int(MIDNIGHT.timestamp()) * 1_000_000 - 1


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (12, 12_000_000),
        (0.1, 100_000),
        (-3.5, -3_500_000),
        ("0.000001", 1),
        ("1e3", 1_000_000_000),
        (0, 0),
        (10**12, 10**18),
        ("1.50000000", 1_500_000),
        ("123456789012.123456", 123_456_789_012_123_456),
    ],
)
def test_amounts_are_exact_in_millionths(amount: Any, expected: int) -> None:
    assert read(event("booking.completed", data={"amount": amount})).data.amount == expected


def test_an_amount_keeps_digits_that_a_float_would_lose() -> None:
    body = json.dumps(event("booking.completed", data={"amount": "#"})).replace('"#"', "123456789012.123457")
    assert read(body.encode(), topic="bookings").data.amount == 123_456_789_012_123_457


@pytest.mark.parametrize(("sequence", "expected"), [(0, 0), (-(2**63), -(2**63)), ("0012", 12), (None, None)])
def test_a_sequence_is_an_integer_or_its_decimal_string(sequence: Any, expected: int | None) -> None:
    assert read(event(sequence=sequence)).sequence == expected


def test_the_customer_is_the_partitionkey_else_the_record_key_else_the_subject() -> None:
    assert read(event(partitionkey="C-1"), key=b"C-2").key == "C-1"
    assert read(event(partitionkey=ABSENT), key="C-ü".encode()).key == "C-ü"
    assert read(event(partitionkey=None), key=b"").key == "T-1001"
    assert read(event(partitionkey=ABSENT), key=None).key == "T-1001"
    assert read(event(partitionkey="C-1"), key=b"\xff").key == "C-1"


@pytest.mark.parametrize(
    ("name", "field"),
    [
        *((name, field) for name in ("ticket.created", "ticket.updated") for field in ("channel", "priority")),
        *((name, field) for name in ("ticket.created", "ticket.updated") for field in ("category", "complexity")),
        ("ticket.deleted", "reason"),
        ("booking.deleted", "reason"),
        ("survey.sent", "purpose"),
    ],
)
def test_an_unknown_word_of_an_open_enumeration_becomes_other_and_is_named(name: str, field: str) -> None:
    result = read(event(name, data=EXAMPLES[name] | {field: "fax"}))
    assert getattr(result.data, field) == "other"
    assert result.coerced == (field,)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("booking.created", "channel"),
        ("booking.enquired", "channel"),
        ("booking.cancelled", "reason"),
        ("ticket.escalated", "reason"),
        ("ticket.created", "customer_segment"),
    ],
)
def test_a_free_label_stays_what_it_is(name: str, field: str) -> None:
    result = read(event(name, data=EXAMPLES[name] | {field: "fax"}))
    assert getattr(result.data, field) == "fax"
    assert result.coerced == ()


def test_all_unknown_words_of_one_event_are_named() -> None:
    data = {"channel": "fax", "priority": "p1", "category": "lead"}
    result = read(event("ticket.created", data=data))
    assert result.coerced == ("channel", "priority")
    assert result.data.category == "lead"


# Modes


def test_a_structured_body_wins_over_attributes_in_headers() -> None:
    headers = [*binary(id="from-the-header"), ("content-type", b"application/cloudevents+json; charset=utf-8")]
    assert read(event(id="from-the-body"), headers).id == "from-the-body"


def test_without_a_content_type_a_body_that_is_an_envelope_is_structured() -> None:
    assert read(event(id="from-the-body"), binary(id="from-the-header")).id == "from-the-body"


def test_a_content_type_of_plain_json_makes_the_body_data_even_if_it_looks_like_an_envelope() -> None:
    headers = [*binary(id="from-the-header"), ("Content-Type", b"application/json")]
    assert read({"author": "bot", "specversion": "1.0"}, headers, topic="tickets").id == "from-the-header"


def test_without_a_content_type_a_body_that_is_no_envelope_is_data() -> None:
    assert read({"author": "bot"}, binary(id="from-the-header"), topic="tickets").id == "from-the-header"


def test_a_json_body_without_attributes_in_headers_is_structured() -> None:
    assert isinstance(read(event(), [("content-type", b"application/json"), ("trace", b"\xff")]), Event)


def test_header_names_are_read_whatever_their_case() -> None:
    headers = [(name.upper(), text) for name, text in binary()]
    assert read({"author": "bot"}, headers, topic="tickets").id == "8f1c2d3e-4a5b"


# What is refused

VALID = json.dumps(event()).encode()
DIGITS = "9" * 10_000


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.MALFORMED),
        (b"", Reason.MALFORMED),
        (b"  ", Reason.MALFORMED),
        (b"\x00\x01", Reason.MALFORMED),
        (VALID[:-1], Reason.MALFORMED),
        (VALID + VALID, Reason.MALFORMED),
        (VALID.replace(b"{", b"{,", 1), Reason.MALFORMED),
        (VALID.replace(b"12", b"NaN"), Reason.MALFORMED),
        (VALID.replace(b"12", b"-Infinity"), Reason.MALFORMED),
        (VALID.replace(b"12", b"012"), Reason.MALFORMED),
        (VALID.replace(b"A-7", b"\xff"), Reason.MALFORMED),
        (VALID.replace(b'"data"', b'"unknown": "\xff", "data"'), Reason.MALFORMED),
        (VALID.replace(b"agent", b"nobody") + b"}", Reason.MALFORMED),
        (b"\xef\xbb\xbf" + VALID, Reason.MALFORMED),
        (b"[" * 100_000 + b"]" * 100_000, Reason.MALFORMED),
        (VALID.replace(b"12", b"[" * 100_000 + b"]" * 100_000), Reason.MALFORMED),
        (b"null", Reason.INVALID),
        (b"17", Reason.INVALID),
        (b'"text"', Reason.INVALID),
        (b"[]", Reason.INVALID),
        (b"{}", Reason.INVALID),
        (VALID.replace(b"T-1001", b"\\ud800"), Reason.INVALID),
        (VALID.replace(b"12", DIGITS.encode()), Reason.INVALID),
        (b" " * (MAX_BODY + 1), Reason.TOO_LARGE),
        (b'{"a":"' + b"x" * 2 * MAX_BODY + b'"}', Reason.TOO_LARGE),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bad_bodies(value: bytes | None, reason: Reason) -> None:
    result = decode(value, topic="tickets")
    assert isinstance(result, Rejected)
    assert result.reason == reason


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    assert isinstance(decode(VALID + b" " * (MAX_BODY - len(VALID)), topic="tickets"), Event)


LONG = "x" * (MAX_ID + 1)


@pytest.mark.parametrize(
    ("attributes", "place"),
    [
        *(({name: ABSENT}, name) for name in ("specversion", "id", "source", "type", "time", "subject")),
        *(({name: None}, name) for name in ("specversion", "id", "source", "type", "time", "subject")),
        *(({name: ""}, name) for name in ("id", "source", "type", "subject", "partitionkey", "sequence")),
        *(({name: LONG}, name) for name in ("id", "source", "type", "subject", "partitionkey")),
        *(({name: 5}, name) for name in ("specversion", "id", "source", "subject", "partitionkey", "time")),
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": "2.0"}, "specversion"),
        ({"time": "2026-03-01T09:30:00"}, "time"),
        ({"time": "2026-03-01"}, "time"),
        ({"time": "2026-02-30T09:30:00Z"}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"sequence": 1.5}, "sequence"),
        ({"sequence": 2**63}, "sequence"),
        ({"sequence": -(2**63) - 1}, "sequence"),
        ({"sequence": "1_0"}, "sequence"),
        ({"sequence": " 1"}, "sequence"),
        ({"sequence": DIGITS}, "sequence"),
        ({"sequence": True}, "sequence"),
    ],
)
def test_bad_attributes_are_invalid_and_the_detail_names_them(attributes: dict[str, Any], place: str) -> None:
    result = read(event(**attributes), topic="tickets")
    assert isinstance(result, Rejected)
    assert result.reason == Reason.INVALID
    assert place in result.detail


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ticket.created", {"channel": ABSENT}),
        ("ticket.created", {"channel": ""}),
        ("ticket.created", {"channel": "x" * 201}),
        ("ticket.created", {"tags": "vip"}),
        ("ticket.created", {"requested_by": "bot"}),
        ("ticket.message", {"author": "nobody"}),
        ("ticket.message", {"public": "yes"}),
        ("ticket.status_changed", {"status": "solved"}),
        ("ticket.status_changed", {"by": "nobody"}),
        ("ticket.worked", {"seconds": -1}),
        ("ticket.worked", {"seconds": "420"}),
        ("ticket.escalated", {"tier": ABSENT}),
        ("ticket.escalated", {"tier": 1.5}),
        ("booking.cancelled", {"by": "weather"}),
        ("booking.disputed", {"kind": "complaint"}),
        ("booking.created", {"amount": "ten"}),
        ("booking.created", {"amount": True}),
        ("booking.created", {"amount": None}),
        ("booking.created", {"amount": 0.0000001}),
        ("booking.created", {"amount": "1_000"}),
        ("booking.created", {"amount": " 1"}),
        ("booking.created", {"amount": "NaN"}),
        ("booking.created", {"amount": "Infinity"}),
        ("booking.created", {"amount": "1e999999999"}),
        ("booking.created", {"amount": "1e99999999999999999999"}),
        ("booking.created", {"amount": 10**12 + 1}),
        ("booking.created", {"amount": DIGITS}),
        ("booking.refunded", {"amount": 0}),
        ("booking.refunded", {"amount": "-5"}),
        ("booking.rescheduled", {"scheduled_for": "2026-03-09T08:00:00"}),
        ("booking.rescheduled", {"scheduled_for": "2026-13-09"}),
        ("booking.rescheduled", {"scheduled_for": "2026-W10-1"}),
        ("booking.rescheduled", {"scheduled_for": 1_772_357_400}),
        ("review.posted", {"rating": 9}),
        ("review.posted", {"rating": 0}),
        ("review.posted", {"rating": 4.5}),
        ("review.posted", {"rating": "5"}),
        ("survey.answered", {"survey": "vibes"}),
        ("survey.answered", {"survey": "nps", "score": 11}),
        ("survey.answered", {"survey": "csat", "score": 0}),
        ("survey.answered", {"aspects": {"speed": 6}}),
        ("survey.answered", {"aspects": {"": 5}}),
    ],
    ids=str,
)
def test_bad_data_is_invalid_and_the_detail_names_the_field(name: str, change: dict[str, Any]) -> None:
    data = {field: value for field, value in (EXAMPLES[name] | change).items() if value is not ABSENT}
    result = read(event(name, data=data))
    assert isinstance(result, Rejected)
    assert (result.reason, result.type) == (Reason.INVALID, name)
    # The score of a survey is held against another field, so that its refusal names the whole.
    field = next(reversed(change))
    assert field in result.detail
    assert "$" not in field


@pytest.mark.parametrize("number", [DIGITS, "1e99999999999999999999", "-1e9999999", "1e400", "0." + "1" * 10_000])
def test_a_number_without_end_is_invalid_wherever_it_stands(number: str) -> None:
    for name, field in (("booking.created", "amount"), ("ticket.worked", "cost"), ("review.posted", "rating")):
        body = json.dumps(event(name, data=EXAMPLES[name] | {field: "#"})).replace('"#"', number)
        assert read(body.encode(), topic=BY_NAME[name].topic).reason == Reason.INVALID


@pytest.mark.parametrize("data", [[], 5, "text", True])
def test_data_that_is_no_object_is_invalid(data: Any) -> None:
    assert read(event(data=data)).reason == Reason.INVALID


def test_data_is_missing_where_the_type_needs_it() -> None:
    assert read(event(data=ABSENT)).reason == Reason.INVALID
    assert decode(None, binary(), topic="tickets").reason == Reason.INVALID  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["ticket.exploded", "order.created", "TICKET.CREATED", "Heartbeat"])
def test_an_unknown_type_is_said_to_be_one(name: str) -> None:
    assert read(event(type=name), topic="tickets").reason == Reason.UNKNOWN_TYPE


def test_a_type_of_another_topic_is_refused() -> None:
    for name, row in BY_NAME.items():
        for topic in {"tickets", "bookings", "reviews"} - {row.topic}:
            assert read(event(name), topic=topic).reason == Reason.WRONG_TOPIC


@pytest.mark.parametrize(("key", "reason"), [(b"\xff", Reason.MALFORMED), (LONG.encode(), Reason.INVALID)])
def test_a_record_key_that_must_stand_in_for_the_customer_is_held_to_its_rules(key: bytes, reason: Reason) -> None:
    assert read(event(partitionkey=ABSENT), key=key).reason == reason


def test_attributes_in_headers_must_be_utf_8() -> None:
    headers = [*binary(), ("ce_note", b"\xff")]
    assert decode(b'{"author":"bot"}', headers, topic="tickets").reason == Reason.MALFORMED  # type: ignore[union-attr]


def test_a_missing_attribute_in_binary_mode_is_invalid() -> None:
    for name in ("specversion", "id", "source", "type", "time", "subject"):
        result = decode(b'{"author":"bot"}', binary(**{name: ABSENT}), topic="tickets")
        assert isinstance(result, Rejected)
        assert result.reason == Reason.INVALID
        assert name in result.detail


def test_data_in_binary_mode_must_be_json() -> None:
    assert decode(b"<author/>", binary(), topic="tickets").reason == Reason.MALFORMED  # type: ignore[union-attr]


def test_the_detail_says_what_is_allowed() -> None:
    status = read(event("ticket.status_changed", data={"status": "solved"}))
    assert status.detail == "Expected one of closed, new, on_hold, open, pending, resolved - at `$.data.status`"
    rating = read(event("review.posted", data={"site": "x", "rating": 9}))
    assert rating.detail == "Expected `int` <= 5 - at `$.data.rating`"


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_detail_shows_a_value_of_the_payload(name: str) -> None:
    secret = "jane.doe@example.org - at `$.secret`"
    for field in EXAMPLES[name]:
        for value in (secret, [secret], {secret: secret}):
            result = read(event(name, data=EXAMPLES[name] | {field: value}))
            if isinstance(result, Rejected):
                assert "jane" not in result.detail
                assert "secret" not in result.detail
    for attribute in example(name):
        result = read(event(name, **{attribute: secret}), topic="tickets")
        if isinstance(result, Rejected):
            assert "jane" not in result.detail
