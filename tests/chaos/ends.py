"""What operators do to topics: each ends as the design says, in exact numbers or with a worker that says why not."""

from __future__ import annotations

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.chaos.check import numbers, truth_of
from tests.chaos.fleet import Worker
from tests.chaos.run import RATE, Run, Say, create_topics, rest, run_of
from tests.integration.exactness.log import Record, read_back
from tests.integration.exactness.page import Page, total_shown
from tests.integration.exactness.state import restored
from tests.integration.runtime.harness import delete_topic
from tests.kafka.broker import KafkaCluster

TICKETS = "tickets"
LEFT = 20  # of the records of a partition that nobody has read yet, retention leaves so many


async def retention(cluster: KafkaCluster, say: Say) -> Run:
    """Retention overtakes the checkpoint: what is lost is counted, all else is exact."""
    async with run_of("retention", cluster, workers=1, seed=16, seconds=240, say=say, late=False) as run:
        await run.fleet.end()
        run.figures.kills += 1
        await published(run, seconds=5)
        await run.publication.stop()
        read = await read_back(run.deployment)
        lost = await overtake(run, read)
        await run.fleet.start()
        await rest(run.fleet)
        page = await only_page(run)
        kept = [record for record in read if place(record) not in lost]
        await run.compare(await truth_of(run.deployment, kept), [page])
        counted = total_shown(page, "deskpulse_stream_source_lost_records_total", "topic")
        if counted != {TICKETS: len(lost)}:
            run.figures.differences.append(f"lost records: counted {counted}, were {len(lost)}")
        run.figures.blows["retention past the checkpoint"] += 1
        return run


async def deleted_topics(cluster: KafkaCluster, say: Say) -> Run:
    """Topics are deleted under a worker: it ends and says why, and without a changelog the next one reads all anew."""
    async with run_of("deleted topics", cluster, workers=1, seed=17, seconds=240, say=say) as run:
        settings = run.deployment.settings
        await published(run, seconds=3)
        await delete_topic(settings, settings.changelog)
        await ended_with(run, f"missing topics: {settings.changelog}")
        run.figures.blows["changelog deleted"] += 1

        await run.fleet.start()
        await run.fleet.until_ready()
        await published(run, seconds=3)
        await delete_topic(settings, settings.changelog)
        await create_topics(settings)
        # Whether a checkpoint meets the gap or the new log decides if the worker takes its shards anew or ends.
        (worker,) = run.fleet.all[-1:]
        await run.fleet.until(lambda: noticed(worker), "the worker noticed the new changelog")
        await worker.end()
        run.figures.blows["changelog made anew"] += 1

        await run.fleet.start()
        await run.fleet.until_ready()
        await published(run, seconds=3)
        await run.publication.stop()
        await rest(run.fleet)
        truth, page = await truth_of(run.deployment), await only_page(run)
        # What is read anew is refused and moved anew, so dead letters and counts are not asked for.
        run.figures.differences += numbers(truth, await restored(run.deployment), [page])
        run.figures.events, run.figures.pages = len(truth.read), 1

        await delete_topic(settings, settings.topic(TICKETS))
        await run.deployment.create_topics()
        await ended_with(run, settings.topic(TICKETS))
        run.figures.blows["source made anew"] += 1
        run.say(f"{len(run.figures.differences)} differences")
        return run


async def published(run: Run, seconds: float) -> None:
    """Wait until some more events have been sent."""
    enough = run.publication.sent + seconds * RATE
    await run.fleet.until(lambda: run.publication.sent > enough, "events sent")


async def noticed(worker: Worker) -> bool:
    return not worker.alive or await worker.doubts()


async def only_page(run: Run) -> Page:
    (worker,) = run.fleet.alive
    page = await worker.page()
    assert page is not None
    return page


async def ended_with(run: Run, reason: str) -> None:
    """Wait until the worker has ended by itself, with exit code 1 and one line that has the reason."""
    worker: Worker = run.fleet.all[-1]
    await run.fleet.until(lambda: not worker.alive, f"the worker ended: {reason}")
    code = await worker.ended()
    assert code == 1, (code, worker.lines)
    assert reason in worker.lines[-1], worker.lines
    run.say(worker.lines[-1])


async def overtake(run: Run, read: list[Record]) -> set[tuple[str, int, int]]:
    """Delete what lies before the last few tickets of each partition; return the places that nobody had read."""
    settings = run.deployment.settings
    ends = {record["partition"]: record["offset"] + 1 for record in read if record["topic"] == TICKETS}
    starts = {partition: end - LEFT for partition, end in ends.items()}
    shards = await restored(run.deployment)
    folded = {partition: shards[partition].meta.positions[TICKETS].next_offset for partition in starts}
    assert all(folded[partition] < start for partition, start in starts.items()), "retention must overtake"
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    topic = settings.topic(TICKETS)
    await admin.delete_records({TopicPartition(topic, number): RecordsToDelete(at) for number, at in starts.items()})
    await admin.close()
    return {(TICKETS, number, offset) for number in starts for offset in range(folded[number], starts[number])}


def place(record: Record) -> tuple[str, int, int]:
    return record["topic"], record["partition"], record["offset"]
