"""The topics a deployment needs: made where missing, checked where they exist."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, TopicAlreadyExistsError, for_code
from msgspec import Struct

from stream.runtime.failure import WorkerFailure
from stream.runtime.settings import REROUTED, RuntimeSettings

log = logging.getLogger(__name__)

MIB = 1_048_576
DAY_MS = 86_400_000
# Replay publishes events with their own, old timestamps, and Kafka deletes by those: what is kept by size or for ever.
FOREVER = "-1"

SOURCE = {
    "cleanup.policy": "delete",  # compaction would keep one event per customer
    "retention.ms": FOREVER,
    "max.message.bytes": str(4 * MIB),
    "message.timestamp.type": "CreateTime",
}
DEAD_LETTERS = {"cleanup.policy": "delete", "retention.ms": str(90 * DAY_MS), "max.message.bytes": str(4 * MIB)}
SLA_EVENTS = {"cleanup.policy": "delete", "retention.ms": str(90 * DAY_MS)}
CHANGELOG = {
    "cleanup.policy": "compact",
    "max.message.bytes": str(8 * MIB),
    "segment.bytes": str(64 * MIB),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": "600000",
}
APPEAR_LIMIT_S = 10.0
APPEAR_POLL_S = 0.1
# With another value of these the worker loses state or records, so it refuses to start. How large the records of a
# source may be is its owner's business: what is too large for us is dead-lettered.
CLEANUP, LARGEST = "cleanup.policy", "max.message.bytes"


class TopicPlan(Struct, frozen=True):
    """A topic and how it should be; without the ``vital`` settings no worker starts."""

    name: str
    config: Mapping[str, str]
    vital: frozenset[str]


class Difference(Struct, frozen=True):
    """A setting that is not as planned; ``actual`` is None where the broker does not know it."""

    topic: str
    name: str
    actual: str | None
    wanted: str
    vital: bool

    def __str__(self) -> str:
        """Return it as a line for the operator."""
        if self.actual is None:
            return f"topic {self.topic}: the broker does not know {self.name}"
        return f"topic {self.topic} has {self.name}={self.actual}, it needs {self.wanted}"


class Survey(Struct, frozen=True):
    """The topics as they are: partition counts by topic, and what is not as planned."""

    counts: Mapping[str, int]
    missing: tuple[str, ...]
    differences: tuple[Difference, ...]
    unreadable: tuple[str, ...] = ()  # topics whose settings the broker does not tell


def plan(settings: RuntimeSettings) -> list[TopicPlan]:
    """Return all topics of a deployment."""
    topics = [
        TopicPlan(settings.changelog, CHANGELOG, frozenset({CLEANUP, LARGEST})),
        TopicPlan(settings.sla_events, SLA_EVENTS, frozenset()),
    ]
    for source in settings.sources:
        vital = {CLEANUP, LARGEST} if source == REROUTED else {CLEANUP}
        topics.append(TopicPlan(settings.topic(source), SOURCE, frozenset(vital)))
        topics.append(TopicPlan(settings.dead_letter_topic(source), DEAD_LETTERS, frozenset({LARGEST})))
    return topics


async def ensure_topics(settings: RuntimeSettings, *, create: bool = True) -> int:
    """Create missing topics (or, with *create* off, refuse them), check all, and return their partition count.

    Raises WorkerFailure with one line for the operator when the deployment cannot run on what is there.
    """
    async with administrator(settings) as admin:
        wanted = plan(settings)
        counts = await _partition_counts(admin, wanted)
        missing = [topic for topic in wanted if topic.name not in counts]
        if missing and not create:
            raise WorkerFailure(f"missing topics: {', '.join(topic.name for topic in missing)}; see deskpulse topics")
        if missing:
            count = agreed(settings, counts) if _sources_of(settings, counts) else settings.partitions
            await _create(admin, settings, missing, count)
            counts = await _all_partition_counts(admin, wanted)
        partitions = agreed(settings, counts)
        found = await _compare(admin, wanted, counts)
    for name in found.unreadable:
        log.warning("%s: its settings cannot be read", name)
    for difference in found.differences:
        if difference.vital:
            raise WorkerFailure(str(difference))
        if difference.topic == settings.changelog:  # the other topics' settings are their owners' choice
            log.warning("%s", difference)
    return partitions


async def survey_topics(settings: RuntimeSettings) -> Survey:
    """Return how the topics are, without changing any. Raises WorkerFailure when Kafka does not answer."""
    async with administrator(settings) as admin:
        wanted = plan(settings)
        return await _compare(admin, wanted, await _partition_counts(admin, wanted))


@asynccontextmanager
async def administrator(settings: RuntimeSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Connect an admin client for the block; what Kafka refuses in it is raised as WorkerFailure."""
    admin = AIOKafkaAdminClient(**settings.client())
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError) as error:
        silent = isinstance(error, (OSError, KafkaConnectionError, KafkaTimeoutError))
        verb = "does not answer" if silent else "refuses"
        raise WorkerFailure(f"Kafka at {settings.bootstrap_servers} {verb}: {error!r}; see deskpulse doctor") from error
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


def agreed(settings: RuntimeSettings, counts: Mapping[str, int]) -> int:
    """Return the number of shards, given partition *counts* by topic.

    Raises WorkerFailure unless all topics that hold or feed shards share it.
    """
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


async def _compare(admin: AIOKafkaAdminClient, wanted: Iterable[TopicPlan], counts: Mapping[str, int]) -> Survey:
    """Hold the settings against the plan. An embedded broker may not know them all."""
    missing, differences, unreadable = [], list[Difference](), []
    for topic in wanted:
        if topic.name not in counts:
            missing.append(topic.name)
            continue
        try:
            actual = await read_config(admin, topic.name)
        except (KafkaError, NotImplementedError):
            unreadable.append(topic.name)
            continue
        for name, want in topic.config.items():
            value = actual.get(name)
            if not _suffices(name, value, want):
                vital = name in topic.vital and value is not None
                differences.append(Difference(topic.name, name, value, want, vital))
    return Survey(counts, tuple(missing), tuple(differences), tuple(unreadable))


def _suffices(name: str, value: str | None, want: str) -> bool:
    if name == LARGEST and value is not None:
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
