"""An upper bound by hand: the small job in a bare aiokafka loop.

Each fetch is folded, then what it changed is written to a changelog and acknowledged, then its offsets are committed.
There is no restore, no rebalance and no exposition: a program that one may hold a product against, not run.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import RecordMetadata

from tests.bench.meter import Meter, Task, task, tell
from tests.bench.small_job import SmallJob, outcome

FETCHED = 5_000  # records at most between two commits


async def run(given: Task) -> None:
    consumer = AIOKafkaConsumer(
        f"{given.topic_prefix}tickets", bootstrap_servers=given.servers, group_id=given.app_id,
        enable_auto_commit=False, auto_offset_reset="earliest",
    )  # fmt: skip
    producer = AIOKafkaProducer(bootstrap_servers=given.servers, enable_idempotence=True, max_batch_size=262_144)
    jobs: defaultdict[int, SmallJob] = defaultdict(SmallJob)
    meter, seen = Meter(), 0
    await consumer.start()
    await producer.start()
    while seen < given.events:
        fetched = await consumer.getmany(timeout_ms=1_000, max_records=FETCHED)
        if fetched and seen == 0:
            meter.start()
        for place, records in fetched.items():
            fold = jobs[place.partition].fold
            for record in records:
                fold(record.value)
            seen += len(records)
        written = [
            future
            for place in fetched
            for future in await write(producer, f"{given.app_id}-changelog", place, jobs[place.partition])
        ]
        await asyncio.gather(*written)
        if fetched:
            await consumer.commit({place: records[-1].offset + 1 for place, records in fetched.items()})
        tell(progress=seen)
    meter.stop()
    tell(**meter.figures(), events=seen, outcome=outcome(jobs.values()))
    await producer.stop()
    await consumer.stop()


async def write(
    producer: AIOKafkaProducer, changelog: str, place: TopicPartition, job: SmallJob
) -> list[asyncio.Future[RecordMetadata]]:
    """Send what a partition's job has changed, in whole batches."""
    sent = []
    batch = producer.create_batch()
    for key, value in job.changes():
        if batch.append(key=key, value=value, timestamp=None) is None:
            sent.append(await producer.send_batch(batch, changelog, partition=place.partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    if batch.record_count():
        sent.append(await producer.send_batch(batch, changelog, partition=place.partition))
    return sent


if __name__ == "__main__":
    asyncio.run(run(task()))
