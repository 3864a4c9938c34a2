"""The state made anew from the source topics: without a changelog every worker reads them from their start.

The re-routed topic goes with it, for its records will be written again. The dead letters stay: written again, they are
known to be the same (see deadletters).
"""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from msgspec import Struct

from stream.events.registry import TOPICS
from stream.runtime.failure import WorkerFailure
from stream.runtime.group import ENDED, describe_group
from stream.runtime.settings import REROUTED, RuntimeSettings
from stream.runtime.topics import administrator, ensure_topics

GONE_LIMIT_S = 30.0
GONE_POLL_S = 0.1


class Sources(Struct, frozen=True):
    """How many offsets the source topics hold, and how many retention has removed from their starts."""

    held: int
    removed: int


async def look(settings: RuntimeSettings, partitions: int) -> Sources:
    """Return what a rebuild would read. Raises WorkerFailure when Kafka does not answer."""
    tps = [TopicPartition(settings.topic(source), number) for source in TOPICS for number in range(partitions)]
    reader = AIOKafkaConsumer(**settings.client())
    try:
        await reader.start()
        # Assigned first: of topics it does not follow, aiokafka learns one by one, 0.7 s each. Paused: nothing is read.
        reader.assign(tps)
        reader.pause(*tps)
        starts, ends = await reader.beginning_offsets(tps), await reader.end_offsets(tps)
    except (KafkaError, OSError) as error:
        raise WorkerFailure(f"Kafka at {settings.bootstrap_servers} does not answer: {error!r}") from error
    finally:
        await reader.stop()
    return Sources(sum(ends.values()) - sum(starts.values()), sum(starts.values()))


async def forget(settings: RuntimeSettings) -> None:
    """Delete the state and make its topics anew, empty. Raises WorkerFailure while workers run."""
    topics = [settings.changelog, settings.topic(REROUTED)]
    async with administrator(settings) as admin:
        group = await describe_group(admin, settings.app_id)
        if group.state not in ENDED:
            raise WorkerFailure(f"group {settings.app_id} has {len(group.members)} workers; stop them all first")
        await admin.delete_topics(topics)
        await _gone(admin, topics)
    await ensure_topics(settings)


async def _gone(admin: AIOKafkaAdminClient, topics: list[str]) -> None:
    """Return when no broker lists *topics*; the answer to the request comes before that."""
    for _ in range(round(GONE_LIMIT_S / GONE_POLL_S)):
        if not set(topics) & set(await admin.list_topics()):
            return
        await asyncio.sleep(GONE_POLL_S)
    raise WorkerFailure(f"{', '.join(topics)} were not deleted within {GONE_LIMIT_S:.0f} s")
