"""What the simulator's traffic promises: the same for the same seed, valid by contract, at the rate asked for."""

from collections import defaultdict
from itertools import islice, pairwise

import orjson
import pytest

from stream.demo.replay import Message
from stream.demo.simulator import HEARTBEAT_EVERY_S, SOURCES, traffic
from stream.events.event import Event, Heartbeat
from stream.events.registry import BY_NAME, TOPICS
from stream.events.values import MICRO
from stream.ingest.decode import decode

START = 1_772_355_600_000_000
NUMBER = 20_000


def first(seed: int = 1, rate: float = 20.0, start: int = START, number: int = NUMBER) -> list[Message]:
    return list(islice(traffic(seed, rate, start), number))


def decoded(message: Message) -> Event | Heartbeat:
    event = decode(message.value, key=message.key, topic=message.source)
    assert isinstance(event, Event | Heartbeat), event
    return event


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return [event for message in first(rate=5.0, number=40_000) if isinstance(event := decoded(message), Event)]


def test_the_same_seed_and_start_give_the_same_bytes_and_another_seed_other_ones() -> None:
    assert first(number=500) == first(number=500)
    assert first(number=500) != first(seed=2, number=500)


def test_every_event_is_valid_on_its_topic_at_its_time_and_under_its_customers_key() -> None:
    for message in first(number=5_000):
        event = decoded(message)
        assert event.time == message.time
        if isinstance(event, Event):
            assert event.key.encode() == message.key
            assert event.coerced == ()
    assert {message.source for message in first(number=5_000)} == set(TOPICS)


def test_times_never_go_back_and_begin_at_the_start() -> None:
    messages = first()
    assert messages[0].time == START
    assert all(one.time <= next_.time for one, next_ in pairwise(messages))


@pytest.mark.parametrize("rate", [1.0, 20.0, 500.0])
def test_the_rate_holds_from_the_beginning(rate: float) -> None:
    number = 2_000
    messages = [message for message in first(rate=rate, number=number) if b'"type":"heartbeat"' not in message.value]
    seconds = (messages[-1].time - START) / MICRO
    # Arrivals are random: the standard deviation of 2,000 gaps is 2.2 %, so 10 % is beyond four of them.
    assert len(messages) / seconds == pytest.approx(rate, rel=0.1)


def test_ids_are_unique_also_beside_a_simulation_started_later() -> None:
    def names(start: int) -> set[tuple[str, str]]:
        events = [orjson.loads(message.value) for message in first(start=start)]
        return {(event["source"], event["id"]) for event in events}

    one, other = names(START), names(START + MICRO)
    assert len(one) == len(other) == NUMBER
    assert not one & other


def test_all_events_of_a_subject_carry_one_key_and_begin_with_its_first_event(events: list[Event]) -> None:
    stories = defaultdict(list)
    for event in events:
        stories[event.subject].append(event)
    begins = {story[0].type.name for story in stories.values()}
    assert begins == {"ticket.created", "booking.enquired", "booking.created", "review.posted", "survey.sent"}
    assert all(len({event.key for event in story}) == 1 for story in stories.values())


def test_a_review_survey_or_complaint_names_something_of_the_same_customer(events: list[Event]) -> None:
    owner = {event.subject: event.key for event in events}
    named = [
        (event.key, name)
        for event in events
        for field in ("booking_id", "ticket_id")
        if (name := getattr(event.data, field, None)) is not None
    ]
    assert len(named) > 100
    assert all(owner[name] == key for key, name in named)


def test_calm_traffic_holds_every_event_type_complaints_and_reopened_tickets(events: list[Event]) -> None:
    assert {event.type.name for event in events} == set(BY_NAME)
    assert any(getattr(event.data, "category", None) == "complaint" for event in events)
    assert any(getattr(event.data, "status", None) == "open" for event in events)


def test_each_source_shows_a_sign_of_life_at_its_interval() -> None:
    beats = defaultdict(list)
    for message in first(number=5_000):
        event = orjson.loads(message.value)
        if event["type"] == "heartbeat":
            beats[event["source"]].append(message.time)
    assert set(beats) == set(SOURCES.values())
    for times in beats.values():
        gaps = {(later - earlier) / MICRO for earlier, later in pairwise(times)}
        assert gaps == {HEARTBEAT_EVERY_S}
