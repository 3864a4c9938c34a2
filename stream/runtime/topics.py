"""The topics a deployment needs: made where missing, checked where they exist."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from msgspec import Struct

from stream.runtime.failure import WorkerFailure
from stream.runtime.settings import REROUTED, RuntimeSettings

log = logging.getLogger(__name__)

MIB = 1_048_576
DAY_MS = 86_400_000
# Replay publishes events with their own, old timestamps, and Kafka deletes by those: what is kept by size or for ever.
FOREVER = "-1"

SOURCE = {"retention.ms": FOREVER, "max.message.bytes": str(4 * MIB), "message.timestamp.type": "CreateTime"}
DEAD_LETTERS = {"retention.ms": str(90 * DAY_MS), "max.message.bytes": str(4 * MIB)}
REROUTE = {"retention.ms": FOREVER, "max.message.bytes": str(4 * MIB), "message.timestamp.type": "CreateTime"}
SLA_EVENTS = {"retention.ms": str(90 * DAY_MS)}
CHANGELOG = {
    "cleanup.policy": "compact",
    "max.message.bytes": str(8 * MIB),
    "segment.bytes": str(64 * MIB),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": "600000",
}
APPEAR_LIMIT_S = 10.0
APPEAR_POLL_S = 0.1
# With another value of these the worker loses state or records, so it refuses to start.
VITAL = {"cleanup.policy", "max.message.bytes"}


class TopicPlan(Struct, frozen=True):
    """A topic and how it should be; ``watched`` settings are checked on topics that exist."""

    name: str
    config: Mapping[str, str]
    watched: frozenset[str] = frozenset()


def plan(settings: RuntimeSettings) -> list[TopicPlan]:
    """Return all topics of a deployment."""
    changelog = TopicPlan(settings.changelog, CHANGELOG, frozenset(CHANGELOG))
    topics = [changelog, TopicPlan(f"{settings.app_id}-sla-events", SLA_EVENTS)]
    for source in settings.sources:
        config = REROUTE if source == REROUTED else SOURCE
        topics.append(TopicPlan(settings.topic(source), config))
        topics.append(TopicPlan(settings.dead_letter_topic(source), DEAD_LETTERS, frozenset({"max.message.bytes"})))
    return topics


async def ensure_topics(settings: RuntimeSettings, *, create: bool = True) -> int:
    """Create missing topics (or, with *create* off, refuse them), check all, and return their partition count.

    Raises WorkerFailure with one line for the operator when the deployment cannot run on what is there.
    """
    admin = AIOKafkaAdminClient(**settings.client())
    try:
        await admin.start()
        wanted = plan(settings)
        counts = await _partition_counts(admin, wanted)
        missing = [topic for topic in wanted if topic.name not in counts]
        if missing and not create:
            raise WorkerFailure(f"missing topics: {', '.join(topic.name for topic in missing)}; see deskpulse topics")
        if missing:
            count = _agreed(settings, counts) if _sources_of(settings, counts) else settings.partitions
            await _create(admin, settings, missing, count)
            counts = await _all_partition_counts(admin, wanted)
        agreed = _agreed(settings, counts)
        await _check_settings(admin, wanted)
        return agreed
    except (KafkaError, OSError) as error:
        raise WorkerFailure(f"Kafka at {settings.bootstrap_servers} does not answer: {error!r}") from error
    finally:
        await admin.close()


async def _partition_counts(admin: AIOKafkaAdminClient, wanted: list[TopicPlan]) -> dict[str, int]:
    there = set(await admin.list_topics()) & {topic.name for topic in wanted}
    if not there:
        return {}
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics(sorted(there))}


async def _all_partition_counts(admin: AIOKafkaAdminClient, wanted: list[TopicPlan]) -> dict[str, int]:
    """Return the counts when every topic is known to the brokers; a new one is only after a moment."""
    for _ in range(round(APPEAR_LIMIT_S / APPEAR_POLL_S)):
        counts = await _partition_counts(admin, wanted)
        if len(counts) == len(wanted):
            return counts
        await asyncio.sleep(APPEAR_POLL_S)
    raise WorkerFailure(f"topics were created but did not appear within {APPEAR_LIMIT_S:.0f} s")


def _sources_of(settings: RuntimeSettings, counts: Mapping[str, int]) -> dict[str, int]:
    sources = {settings.topic(source) for source in settings.sources}
    return {name: count for name, count in counts.items() if name in sources or name == settings.changelog}


def _agreed(settings: RuntimeSettings, counts: Mapping[str, int]) -> int:
    """Return the partition count. Raises WorkerFailure unless all topics that hold or feed shards share it."""
    relevant = _sources_of(settings, counts)
    if len(set(relevant.values())) > 1:
        listed = ", ".join(f"{name} has {count}" for name, count in sorted(relevant.items()))
        raise WorkerFailure(
            f"partition counts differ: {listed}; every join is local to one partition number, so they must be equal"
        )
    count = next(iter(relevant.values()))
    small = [f"{name} has {of}" for name, of in sorted(counts.items()) if name.endswith(".dlq") and of < count]
    if small:
        raise WorkerFailure(f"too few partitions for {count} shards: {', '.join(small)}")
    return count


async def _create(
    admin: AIOKafkaAdminClient, settings: RuntimeSettings, missing: list[TopicPlan], partitions: int
) -> None:
    # aiokafka takes -1, the broker's own factor, only where an assignment is given, be it an empty one.
    factor = settings.replication_factor
    assignment: dict[int, list[int]] | None = {} if factor == -1 else None
    new = [NewTopic(one.name, partitions, factor, assignment, dict(one.config)) for one in missing]
    response = await admin.create_topics(new)
    for name, code, *_ in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:  # another worker may have been quicker
            raise WorkerFailure(f"topic {name} cannot be created: {error.__name__}")
    log.info("created topics %s with %d partitions", ", ".join(one.name for one in missing), partitions)


async def _check_settings(admin: AIOKafkaAdminClient, wanted: list[TopicPlan]) -> None:
    """Compare the watched settings. An embedded broker may not know them all: that is a warning."""
    for topic in wanted:
        if not topic.watched:
            continue
        try:
            actual = await read_config(admin, topic.name)
        except (KafkaError, NotImplementedError) as error:
            log.warning("%s: its settings cannot be read (%s)", topic.name, type(error).__name__)
            continue
        for name in sorted(topic.watched):
            value, want = actual.get(name), topic.config[name]
            if value is None:
                log.warning("%s: the broker does not know %s", topic.name, name)
            elif name in VITAL and not _suffices(name, value, want):
                raise WorkerFailure(f"topic {topic.name} has {name}={value}, it needs {want}")
            elif value != want:
                log.warning("%s has %s=%s, recommended is %s", topic.name, name, value, want)


def _suffices(name: str, value: str, want: str) -> bool:
    if name == "max.message.bytes":
        return int(value) >= int(want)
    return value == want


async def read_config(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    """Return a topic's settings as the broker gives them. Raises KafkaError."""
    found: dict[str, str] = {}
    for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)]):
        for resource in response.resources:
            code, entries = resource[0], resource[4]
            if code:
                raise for_code(code)
            found |= {entry[0]: entry[1] for entry in entries}
    return found


def describe(settings: RuntimeSettings) -> list[dict[str, Any]]:
    """Return the plan as plain data, for ``deskpulse topics``."""
    return [{"topic": topic.name, "settings": dict(topic.config)} for topic in plan(settings)]
