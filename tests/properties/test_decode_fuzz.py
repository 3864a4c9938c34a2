"""What an attacker would send: the decoder refuses it, soon, and its dead letter fits the topic."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.events.event import Event, Heartbeat, Reason, Rejected
from stream.events.examples import EXAMPLES, HEARTBEAT_EXAMPLE, example
from stream.events.registry import TOPICS
from stream.ingest.deadletter import DEAD_LETTER, ORIGIN, ROOM, Origin, dead_letter, origin_of, without_origin
from stream.ingest.decode import MAX_BODY, decode

BODIES = [json.dumps(body).encode() for body in (*map(example, sorted(EXAMPLES)), HEARTBEAT_EXAMPLE)]
ENVELOPE = (
    b'{"specversion":"1.0","id":"1","source":"s","type":"ticket.created","subject":"T","time":"2026-03-01T00:00:00Z",'
)
BOMBS = {
    "lists in lists": b"[" * MAX_BODY,
    "objects in objects": b'{"a":' * (MAX_BODY // 5),
    "nesting in the data": ENVELOPE + b'"data":' + b"[" * 900_000,
    "nesting in a field that nobody reads": ENVELOPE + b'"x":' + b"[" * 450_000 + b"]" * 450_000 + b',"data":{}}',
    "a number of a million digits": b"9" * 1_000_000,
    "an exponent of a thousand digits": ENVELOPE + b'"data":{"amount":1e' + b"9" * 1_000 + b"}}",
    "a million keys": b"{" + b",".join(b'"%d":0' % number for number in range(90_000)) + b"}",
    "half a million escapes": ENVELOPE + b'"note":"' + b"\\u0000" * 150_000 + b'"}',
}


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """Yield real events with bytes flipped, cut, doubled, and pieces of other events put in."""
    chance = random.Random(seed)
    for _ in range(count):
        body = bytearray(chance.choice(BODIES))
        for _ in range(chance.randint(1, 4)):
            at, length = chance.randrange(len(body) + 1), chance.randint(1, 30)
            match chance.randrange(4):
                case 0 if at < len(body):
                    body[at] ^= 1 << chance.randrange(8)
                case 1:
                    del body[at : at + length]
                case 2:
                    body[at:at] = body[at : at + length]
                case _:
                    other = chance.choice(BODIES)
                    start = chance.randrange(len(other))
                    body[at : at + length] = other[start : start + length]
        yield bytes(body)


def test_twenty_thousand_damaged_events_are_taken_or_refused_for_a_reason() -> None:
    taken = refused = 0
    for body in mutations(seed=1, count=20_000):
        for topic in TOPICS:
            result = decode(body, topic=topic)
            assert isinstance(result, Event | Heartbeat | Rejected)
            if isinstance(result, Rejected):
                assert result.reason in {Reason.MALFORMED, Reason.INVALID, Reason.UNKNOWN_TYPE, Reason.WRONG_TOPIC}
                refused += 1
            else:
                taken += 1
    assert taken > 1_000  # the damage was not such that everything fell at the first hurdle
    assert refused > 1_000


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_without_taking_memory(bomb: str) -> None:
    tracemalloc.start()
    try:
        result = decode(BOMBS[bomb], topic="tickets")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(result, Rejected)
    assert peak < 32 * MAX_BODY


names = (
    st.sampled_from(["trace", "content-type", *(f"{DEAD_LETTER}{name}" for name in ("reason", "attempts", "x"))])
    | st.text()
)
origins = st.sampled_from(
    [f"{ORIGIN}{name}" for name in ("topic", "partition", "offset", "timestamp", "timestamp-type")]
)
texts = st.none() | st.binary(max_size=30) | st.integers().map(lambda number: str(number).encode())
sizes = st.sampled_from([0, 1, 70_000, ROOM, ROOM + 1])


@given(st.lists(st.tuples(names, texts), max_size=10), sizes, sizes)
def test_any_record_has_a_dead_letter_that_fits_and_keeps_foreign_headers(
    headers: list[tuple[str, bytes | None]], key_size: int, value_size: int
) -> None:
    letter = dead_letter(
        Rejected(Reason.MALFORMED, "x" * 1_000, "unknown"),
        key=b"k" * key_size, value=b"v" * value_size, headers=headers, origin=Origin("tickets", 0, 0, 0),
        group="g", version="0", failed_at=0,
    )  # fmt: skip
    size = len(letter.key or b"") + len(letter.value or b"")
    size += sum(len(name.encode()) + len(text or b"") for name, text in letter.headers)
    assert size <= 4 * 1_048_576
    assert [one for one in letter.headers if not one[0].startswith(DEAD_LETTER)] == [
        one for one in headers if not one[0].startswith(DEAD_LETTER)
    ]


@given(st.lists(st.tuples(origins, texts), max_size=8))
def test_an_origin_that_a_stranger_made_up_is_whole_or_none(headers: list[tuple[str, bytes | None]]) -> None:
    origin = origin_of(headers)
    assert origin is None or (isinstance(origin.partition, int) and isinstance(origin.timestamp, int))
    assert without_origin(headers) == []
