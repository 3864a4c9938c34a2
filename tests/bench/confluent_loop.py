"""An upper bound by hand: the small job in a bare loop on confluent-kafka, the client written in C.

Each fetch is folded, then what it changed is written to a changelog and acknowledged, then its offsets are committed.
"""

from __future__ import annotations

from collections import defaultdict

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from tests.bench.meter import Meter, Task, task, tell
from tests.bench.small_job import SmallJob, outcome

FETCHED = 5_000  # records at most between two commits


def run(given: Task) -> None:
    topic, changelog = f"{given.topic_prefix}tickets", f"{given.app_id}-changelog"
    consumer = Consumer({
        "bootstrap.servers": given.servers, "group.id": given.app_id,
        "enable.auto.commit": False, "auto.offset.reset": "earliest",
    })  # fmt: skip
    producer = Producer({"bootstrap.servers": given.servers, "enable.idempotence": True, "linger.ms": 0})
    jobs: defaultdict[int, SmallJob] = defaultdict(SmallJob)
    meter, seen = Meter(), 0
    consumer.subscribe([topic])
    while seen < given.events:
        fetched = consumer.consume(FETCHED, timeout=1.0)
        if fetched and seen == 0:
            meter.start()
        ends: dict[int, int] = {}
        for message in fetched:
            ends[message.partition()] = message.offset() + 1
            jobs[message.partition()].fold(message.value())
        seen += len(fetched)
        for partition in ends:
            for key, value in jobs[partition].changes():
                producer.produce(changelog, value, key, partition, on_delivery=check)
        producer.flush()
        if ends:
            offsets = [TopicPartition(topic, partition, end) for partition, end in ends.items()]
            consumer.commit(offsets=offsets, asynchronous=False)
        tell(progress=seen)
    meter.stop()
    tell(**meter.figures(), events=seen, outcome=outcome(jobs.values()))
    consumer.close()


def check(error: object, _: Message) -> None:
    if error is not None:
        raise KafkaException(error)


if __name__ == "__main__":
    run(task())
