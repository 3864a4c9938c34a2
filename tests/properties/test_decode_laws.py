"""Decoding holds for any bytes: it never raises, and what it accepts is what was sent."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream.events.event import Event, Heartbeat, Rejected
from stream.events.examples import EXAMPLES, HEARTBEAT_EXAMPLE, example
from stream.events.registry import BY_NAME, TOPICS
from stream.ingest.decode import decode

names = st.sampled_from(sorted(EXAMPLES))
topics = st.sampled_from(TOPICS)
examples = st.one_of(names.map(example), st.just(HEARTBEAT_EXAMPLE))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["2026-03-01", "1e99", "x" * 201]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
headers = st.lists(
    st.tuples(
        st.sampled_from(
            ["content-type", "ce_id", "CE_type", "ce_time", "ce_source", "ce_specversion", "ce_subject", "x"]
        ),
        st.none()
        | st.binary(max_size=20)
        | st.sampled_from([b"1.0", b"application/cloudevents+json", b"ticket.message", b"2026-03-01T00:00:00Z"]),
    ),
    max_size=8,
)
outcome = (Event, Heartbeat, Rejected)


def check(value: bytes | None, with_headers: Any = (), key: bytes | None = None, topic: str = "tickets") -> Any:
    result = decode(value, with_headers, key=key, topic=topic)
    assert isinstance(result, outcome)
    if isinstance(result, Rejected):
        assert result.detail
        assert len(result.detail.encode()) <= 1000
        assert result.type in {*BY_NAME, "unknown"}
    else:
        assert decode(value, with_headers, key=key, topic=topic) == result
    return result


@given(st.none() | st.binary(), headers, st.none() | st.binary(max_size=8), topics)
def test_any_bytes_give_an_outcome(value: bytes | None, given_headers: Any, key: bytes | None, topic: str) -> None:
    check(value, given_headers, key, topic)


@given(json_values, headers, topics)
def test_any_json_gives_an_outcome(value: Any, given_headers: Any, topic: str) -> None:
    check(json.dumps(value).encode(errors="replace"), given_headers, None, topic)


@given(examples, topics, st.data())
@settings(max_examples=500)
def test_a_valid_event_with_damaged_bytes_gives_an_outcome(
    whole: dict[str, Any], topic: str, data: st.DataObject
) -> None:
    body = bytearray(json.dumps(whole).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip":
                body[at] = data.draw(st.integers(0, 255))
            case "insert":
                body[at:at] = data.draw(st.binary(max_size=4))
            case "cut":
                del body[at : at + data.draw(st.integers(1, 8))]
        assume(body)
    result = check(bytes(body), topic=topic)
    if not isinstance(result, Rejected):
        json.loads(body.decode(), parse_constant=lambda name: 1 / 0)  # what is accepted is JSON for others too


@given(examples, topics, st.data())
@settings(max_examples=500)
def test_a_valid_event_with_changed_fields_gives_an_outcome(
    whole: dict[str, Any], topic: str, data: st.DataObject
) -> None:
    changed = json.loads(json.dumps(whole))
    for _ in range(data.draw(st.integers(1, 3))):
        inner = changed.get("data")
        part = data.draw(st.sampled_from([changed, inner])) if isinstance(inner, dict) and inner else changed
        field = data.draw(st.sampled_from(sorted(part) or ["new"]))
        match data.draw(st.sampled_from(["drop", "replace", "retype"])):
            case "drop":
                part.pop(field, None)
            case "replace":
                part[field] = data.draw(json_values)
            case "retype":
                changed["type"] = data.draw(names | st.text())
    check(json.dumps(changed).encode(), topic=topic)


ids = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=1000)
times = st.datetimes(timezones=st.sampled_from([UTC]))


sent_attributes = st.fixed_dictionaries(
    {
        "id": ids,
        "source": ids,
        "subject": ids,
        "partitionkey": ids,
        "sequence": st.none() | st.integers(-(2**63), 2**63 - 1),
    }
)


@given(names, sent_attributes, times)
def test_what_was_sent_is_what_is_decoded(name: str, sent: dict[str, Any], time: datetime) -> None:
    body = example(name) | sent | {"time": time.isoformat()}
    result = check(json.dumps(body).encode(), topic=BY_NAME[name].topic)
    assert isinstance(result, Event)
    assert result.type.name == name
    assert (result.id, result.source, result.subject) == (sent["id"], sent["source"], sent["subject"])
    assert (result.key, result.sequence) == (sent["partitionkey"], sent["sequence"])
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=result.time) == time


@given(names, st.booleans())
def test_structured_and_binary_mode_agree(name: str, typed: bool) -> None:
    whole = example(name)
    attributes = [(f"ce_{field}", str(value).encode()) for field, value in whole.items() if field != "data"]
    content = [("content-type", b"application/json")] if typed else []
    value = json.dumps(whole["data"]).encode()
    topic = BY_NAME[name].topic
    assert check(value, attributes + content, topic=topic) == check(json.dumps(whole).encode(), topic=topic)


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=6), st.sampled_from(["number", "string"]))
def test_an_amount_is_exact(amount: Decimal, form: str) -> None:
    text = format(amount, "f")
    written = text if form == "number" else f'"{text}"'
    whole = json.dumps(example("booking.completed") | {"data": {"amount": "#"}}).replace('"#"', written)
    result = check(whole.encode(), topic="bookings")
    assert Decimal(result.data.amount) == amount * 10**6
