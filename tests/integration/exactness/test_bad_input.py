"""Bad input sent by hand to a real Kafka: what is refused, why, and what counts all the same."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from stream.runtime.clock import now_us
from tests.integration.exactness.page import MICRO, Page, series, total_shown
from tests.integration.exactness.scraped import scraped_worker
from tests.integration.runtime.harness import Deployment, Sent, customer_on, new_settings
from tests.kafka.broker import KafkaCluster
from tests.oracle.generator import rfc3339
from tests.oracle.murmur2 import partition_of

pytestmark = pytest.mark.kafka

PARTITIONS = 4
ANN, BOB = customer_on(1, PARTITIONS, "ann"), customer_on(2, PARTITIONS, "bob")
TICKET = {"channel": "web", "priority": "low", "category": "question"}
BOOKING = {"channel": "web", "service": "repair", "amount": 10, "currency": "EUR"}
REVIEW = {"rating": 4, "site": "maps"}
YEAR_US = 366 * 86_400 * MICRO
NUMBER = "1" * 10_000

# What is wrong -> the contract's reason, the topic and what differs from a good event.
WRONG: dict[str, tuple[str, str, dict[str, Any]]] = {
    "unknown type": ("unknown_type", "tickets", {"type": "ticket.exploded"}),
    "another topic's type": ("wrong_topic", "reviews", {"type": "ticket.abandoned"}),
    "missing field": ("invalid", "tickets", {"type": "ticket.created", "data": {"channel": "web", "priority": "low"}}),
    "missing time": ("invalid", "tickets", {"type": "ticket.abandoned", "time": None}),
    "wrong enum": ("invalid", "tickets", {"type": "ticket.status_changed", "data": {"status": "exploded"}}),
    "rating 9": ("invalid", "reviews", {"type": "review.posted", "data": REVIEW | {"rating": 9}}),
    "naive time": ("invalid", "tickets", {"type": "ticket.abandoned", "time": "2026-03-01T12:00:00"}),
    "time next year": ("future", "tickets", {"type": "ticket.abandoned", "time": rfc3339(now_us() + YEAR_US)}),
    "digits in a string": ("invalid", "bookings", {"type": "booking.created", "data": BOOKING | {"amount": NUMBER}}),
    "2 MiB body": ("too_large", "tickets", {"type": "ticket.created", "data": TICKET, "note": "x" * (2 << 20)}),
}
BODIES: dict[str, tuple[str, str, bytes | None]] = {
    "empty value": ("malformed", "tickets", b""),
    "null value": ("malformed", "bookings", None),
    "broken JSON": ("malformed", "reviews", b'{"specversion":"1.0","id":'),
    "NaN": ("malformed", "bookings", b'{"specversion":"1.0","amount":NaN}'),
    "invalid UTF-8": ("malformed", "tickets", b'{"specversion":"1.0","id":"\xff\xfe"}'),
    "no object": ("invalid", "tickets", b"[1, 2]"),
}


def event(subject: str, customer: str, **given: Any) -> bytes:
    """A structured CloudEvent of this moment; an attribute given as None is left out."""
    good = {
        "specversion": "1.0", "id": f"{subject}-1", "source": "/by-hand", "subject": subject,
        "time": rfc3339(now_us()), "partitionkey": customer,
    }  # fmt: skip
    return json.dumps({name: value for name, value in (good | given).items() if value is not None}).encode()


def by_hand(topic: str, value: bytes | None, name: str, customer: str = ANN, partition: int | None = None) -> Sent:
    headers = (("case", name.encode()), ("traceparent", b"\x00\xff"))
    return Sent(topic, customer.encode(), value, now_us() // 1000 + 1, partition, headers)


def refused() -> dict[str, tuple[str, Sent]]:
    """All that must be dead-lettered, by what is wrong with it: the reason and the record."""
    found = {
        name: (reason, by_hand(topic, event("X-1", ANN, **changes), name))
        for name, (reason, topic, changes) in WRONG.items()
    }
    priced = event("X-1", ANN, type="booking.created", data=BOOKING | {"amount": 12345})
    digits = priced.replace(b"12345", NUMBER.encode())
    found["10,000-digit number"] = ("invalid", by_hand("bookings", digits, "10,000-digit number"))
    return found | {name: (reason, by_hand(topic, value, name)) for name, (reason, topic, value) in BODIES.items()}


def odd() -> list[Sent]:
    """What is strange but counts: a wrong partition, an id twice with other bodies, a review of another's booking."""

    def posted(subject: str, customer: str, booking: str) -> bytes:
        return event(subject, customer, type="review.posted", data=REVIEW | {"booking_id": booking})

    def ticket(subject: str, customer: str, channel: str) -> bytes:
        return event(subject, customer, type="ticket.created", data=TICKET | {"channel": channel})

    return [
        by_hand("tickets", ticket("T-1", BOB, "chat"), "astray", BOB, partition=0),
        by_hand("tickets", ticket("T-2", ANN, "phone"), "first"),
        by_hand("tickets", ticket("T-2", ANN, "email"), "second"),
        by_hand("bookings", event("B-1", ANN, type="booking.created", data=BOOKING), "booking"),
        by_hand("reviews", posted("R-1", ANN, "B-1"), "her own"),
        by_hand("reviews", posted("R-2", BOB, "B-1"), "another's", BOB),
    ]


REFUSED = refused()


@dataclass(frozen=True)
class Seen:
    """What the worker made of it all: its page, its dead letters by case, and what it re-routed."""

    page: Page
    letters: Mapping[str, list[ConsumerRecord[bytes, bytes]]]
    rerouted: list[ConsumerRecord[bytes, bytes]]
    odd: list[Sent]


@pytest.fixture(scope="module")
def seen(kafka: KafkaCluster) -> Seen:
    return asyncio.run(_send_all(Deployment(replace(new_settings(kafka.bootstrap_servers, PARTITIONS), clock="wall"))))


async def _send_all(deployment: Deployment) -> Seen:
    await deployment.create_topics()
    strange = odd()
    await deployment.produce([sent for _, sent in REFUSED.values()])
    await deployment.produce(strange)
    reads = len(REFUSED) + len(strange) + 1  # the re-routed one is read twice
    async with scraped_worker(deployment) as worker:
        page = await worker.until(
            lambda page: total_shown(page, "deskpulse_stream_events_total", "result").total() >= reads
        )
    settings, letters = deployment.settings, dict[str, list[ConsumerRecord[bytes, bytes]]]()
    for source in ("bookings", "tickets", "reviews"):
        for letter in await deployment.read(settings.dead_letter_topic(source)):
            letters.setdefault(dict(letter.headers)["case"].decode(), []).append(letter)
    return Seen(page, letters, await deployment.read(settings.topic("rerouted")), strange)


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_record_is_dead_lettered_once_untouched_and_with_its_reason(seen: Seen, case: str) -> None:
    reason, sent = REFUSED[case]
    (letter,) = seen.letters[case]
    headers = dict(letter.headers)
    assert headers["dlq-reason"].decode() == reason
    assert (letter.key, letter.value) == (sent.key, sent.value)
    assert tuple(header for header in letter.headers if not header[0].startswith("dlq-")) == sent.headers
    assert headers["dlq-original-partition"].decode() == str(partition_of(sent.key or b"", PARTITIONS))
    assert headers["dlq-original-timestamp"].decode() == str(sent.timestamp_ms)


def test_nothing_else_is_dead_lettered_and_the_page_counts_each_by_its_reason(seen: Seen) -> None:
    assert seen.letters.keys() == REFUSED.keys()
    reasons = Counter(reason for reason, _ in REFUSED.values())
    assert total_shown(seen.page, "deskpulse_stream_dead_letters_total", "reason") == reasons


def test_every_record_read_has_one_result(seen: Seen) -> None:
    counted = total_shown(seen.page, "deskpulse_stream_events_total", "result")
    assert counted == {"rejected": len(REFUSED), "applied": 5, "duplicate": 1, "rerouted": 1}


def test_an_event_on_a_wrong_partition_goes_to_its_customers_shard_as_it_came_and_counts_once(seen: Seen) -> None:
    (moved,) = seen.rerouted
    astray = seen.odd[0]
    assert (moved.key, moved.value, moved.timestamp) == (astray.key, astray.value, astray.timestamp_ms)
    assert (astray.partition, moved.partition) == (0, 2)
    assert tuple(moved.headers)[: len(astray.headers)] == astray.headers
    assert seen.page.value("deskpulse_stream_rerouted_total", topic="tickets") == 1
    assert seen.page.value("deskpulse_window_tickets_created", window="1h", channel="chat") == 1
    assert seen.page.value("deskpulse_tickets_active", partition=2, channel="chat") == 1


def test_the_same_id_with_another_body_is_a_conflict_and_the_first_one_counts(seen: Seen) -> None:
    assert seen.page.value("deskpulse_stream_id_conflicts_total") == 1
    assert seen.page.value("deskpulse_window_tickets_created", window="1h", channel="phone") == 1
    assert series("deskpulse_window_tickets_created", window="1h", channel="email") not in seen.page.samples


def test_a_review_of_another_customers_booking_counts_as_a_review_and_is_unjoined(seen: Seen) -> None:
    assert seen.page.value("deskpulse_window_reviews", window="1h") == 2
    unjoined = seen.page.labelled("deskpulse_stream_unjoined")
    assert unjoined == {("0",): 0, ("1",): 0, ("2",): 1, ("3",): 0}
