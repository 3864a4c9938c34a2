"""A seeded generator of realistic event logs as Kafka records: every event type, several customers, all disorders.

The same arguments give the same records, byte for byte. Entities live their lives in event time (many times are cut to
whole minutes, so that equal times are common); then each event gets an arrival, which is its Kafka timestamp, and the
records are handed out by arrival, so that the Kafka timestamps of a partition never go back.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from .bad import bad_records
from .envelope import TOPICS, Record
from .log import HORIZON_US
from .murmur2 import partition_of
from .stories import Story, stories
from .values import EPOCH, MICRO

START_US = 1_772_323_200 * MICRO  # 2026-03-01T00:00:00Z, a Sunday
HOUR_US = 3_600 * MICRO


@dataclass(frozen=True)
class Mix:
    """How a log is made. Rates are shares of the events, of the entities for `missing_created`, `delayed_created`."""

    seed: int
    customers: int = 20
    days: float = 10.0  # in which entities begin; their lives may go on for some days more
    entities: int = 200
    partitions: int = 4
    start_us: int = START_US
    disorder: float = 0.1  # arrive up to `disorder_us` late
    disorder_us: int = 6 * HOUR_US
    ahead: float = 0.02  # stamped by a clock up to 2 minutes ahead of the broker's, within the contract's 5
    duplicates: float = 0.05  # sent again
    conflicts: float = 0.2  # that share of the duplicates has another body
    bad: float = 0.0  # that many rejected records besides
    late: float = 0.0  # arrive after the horizon, but before their entity can have been sealed
    missing_created: float = 0.02
    delayed_created: float = 0.05  # created arrives up to 3 days after its time
    binary: float = 0.3  # sent as binary CloudEvents
    heartbeats: int = 5


@dataclass(frozen=True)
class Arrival:
    """An event on its way: when it happened, when it reaches the log, and its CloudEvent."""

    at_us: int
    arrives_us: int
    envelope: dict[str, Any]


def generate(mix: Mix) -> list[Record]:
    """The records of the log in log order, offsets counted per topic and partition."""
    random = Random(mix.seed)
    arrivals = [each for story in stories(random, mix) for each in _sent(random, mix, story)]
    arrivals += [_again(random, mix, each) for each in arrivals if random.random() < mix.duplicates]
    arrivals += list(_heartbeats(random, mix))
    pending = [(each.arrives_us, _record(random, mix, each)) for each in arrivals]
    makers = [make for _, make in bad_records()]
    for each in random.choices(arrivals, k=int(mix.bad * len(arrivals))):
        make = random.choice(makers)
        key = str(each.envelope.get("partitionkey", "none")).encode()
        pending.append((each.arrives_us, make(_ms(each.arrives_us), key)))
    pending.sort(key=lambda pair: pair[0])
    offsets: Counter[tuple[str, int]] = Counter()
    records: list[Record] = []
    for _, record in pending:
        place = record["topic"], partition_of(record["key"], mix.partitions)
        records.append({**record, "partition": place[1], "offset": offsets[place]})
        offsets[place] += 1
    return records


def newest_us(records: list[Record]) -> int:
    """The newest Kafka timestamp of the log: a good `now` to look at it."""
    return max(int(record["timestamp_ms"]) for record in records) * 1000


def _sent(random: Random, mix: Mix, story: Story) -> Iterator[Arrival]:
    """The story's events with their arrivals. The last one in time is never late, so that the entity lives on."""
    without_created = random.random() < mix.missing_created
    delayed = random.random() < mix.delayed_created
    last_us = max(at_us for _, at_us, _, _ in story.events)
    for type_, at_us, data, sequence in story.events:
        first = type_.endswith((".created", ".posted"))
        if first and without_created:
            continue
        delay_us = random.randint(0, 2 * MICRO)
        if first and delayed:
            delay_us = random.randint(HOUR_US, 72 * HOUR_US)
        elif at_us < last_us and random.random() < mix.late:
            delay_us = HORIZON_US + random.randint(MICRO, 20 * HOUR_US)
        elif random.random() < mix.disorder:
            delay_us = random.randint(0, mix.disorder_us)
        elif random.random() < mix.ahead:
            delay_us = -random.randint(0, 120 * MICRO)
        envelope: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"{story.subject}-{random.getrandbits(40):010x}",
            "source": random.choice(["/helpdesk/acme", "/shop/acme"]),
            "type": type_,
            "subject": story.subject,
            "time": rfc3339(at_us),
            "partitionkey": story.customer,
        }
        if sequence is not None:
            envelope["sequence"] = sequence
        yield Arrival(at_us, at_us + delay_us, {**envelope, "data": data})


def _again(random: Random, mix: Mix, first: Arrival) -> Arrival:
    """The same event delivered again up to a day later; one with another body tells an earlier time."""
    envelope = dict(first.envelope)
    if random.random() < mix.conflicts:
        envelope["time"] = rfc3339(first.at_us - random.randint(1, 3_600) * MICRO)
    return Arrival(first.at_us, first.arrives_us + random.randint(1, 24 * HOUR_US), envelope)


def _heartbeats(random: Random, mix: Mix) -> Iterator[Arrival]:
    for number in range(mix.heartbeats):
        at_us = mix.start_us + int(mix.days * 24 * HOUR_US * number / mix.heartbeats)
        source = random.choice(["/helpdesk/acme", "/shop/acme"])
        envelope = {"specversion": "1.0", "id": f"hb-{number}", "source": source, "type": "heartbeat"}
        yield Arrival(at_us, at_us, {**envelope, "time": rfc3339(at_us), "partitionkey": source})


def _record(random: Random, mix: Mix, arrival: Arrival) -> dict[str, Any]:
    envelope = dict(arrival.envelope)
    topic = TOPICS.get(envelope["type"].split(".")[0]) or random.choice(sorted(set(TOPICS.values())))
    headers: list[tuple[str, bytes]] = []
    value: bytes | None
    if random.random() < mix.binary:
        data = envelope.pop("data", None)
        value = None if data is None else json.dumps(data).encode()
        headers = [(f"ce_{name}", str(each).encode()) for name, each in envelope.items()]
        headers.append(("content-type", b"application/json"))
    else:
        value = json.dumps(envelope).encode()
    key = envelope["partitionkey"].encode()
    return {"topic": topic, "timestamp_ms": _ms(arrival.arrives_us), "key": key, "value": value, "headers": headers}


def _ms(at_us: int) -> int:
    return -(-at_us // 1000)


def rfc3339(at_us: int) -> str:
    """The instant as RFC 3339 in UTC, with only as many digits of a second as it needs."""
    return (EPOCH + timedelta(microseconds=at_us)).isoformat().replace("+00:00", "Z")
