"""Fault points and switched-off guarantees, patched into one worker process; production code has no switch for them."""

from __future__ import annotations

import os
import signal
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from unittest.mock import patch

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from stream.domain.entity import Entity
from stream.domain.shard import Shard
from stream.runtime import restore, shards
from stream.runtime.restore import Kept, Taken, Takeover
from stream.runtime.settings import RuntimeSettings

# begin, send, commit: of a checkpoint's transaction, before the first and the last, after a record batch was sent.
# committed: the broker has committed and the worker does not know it yet. restore: records of the changelog are about
# to be applied. revoke, assign: within a rebalance. takeover: between the fence and the look at the changelog's end.
Point = Literal["begin", "send", "commit", "committed", "restore", "revoke", "assign", "takeover"]
Action = Literal["kill", "stop", "lose"]  # SIGKILL, SIGSTOP, the answer never comes (of a commit only)
Guarantee = Literal["dedupe", "fence", "order", "offsets"]
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


@dataclass(frozen=True)
class Fault:
    """The worker does `action` to itself when it comes to `point` for the `nth` time."""

    point: Point
    nth: int = 1
    action: Action = "kill"

    def __str__(self) -> str:
        return f"{self.action} at {self.point} {self.nth}"


class Faults:
    """The fault points of this process."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = {(fault.point, fault.nth): fault.action for fault in faults}
        self._reached: Counter[str] = Counter()

    def at(self, point: Point) -> None:
        """Do what is to be done here. Raises KafkaTimeoutError where an answer is to be lost."""
        self._reached[point] += 1
        action = self._faults.get((point, self._reached[point]))
        if action == "lose":
            raise KafkaTimeoutError
        if action is not None:
            os.kill(os.getpid(), SIGNALS[action])

    def install(self) -> None:
        """Patch all points."""
        _before(AIOKafkaProducer, "begin_transaction", self, "begin")
        _before(AIOKafkaProducer, "commit_transaction", self, "commit")
        _after(AIOKafkaProducer, "commit_transaction", self, "committed")
        _after(AIOKafkaProducer, "send_batch", self, "send")
        _before(shards.Shards, "on_partitions_revoked", self, "revoke")
        _before(shards.Shards, "on_rebalance_complete", self, "assign")
        _before(restore, "_restore", self, "takeover")
        apply = Shard.restore

        def restored(self_: Shard, records: Iterable[tuple[bytes, bytes | None]]) -> None:
            self.at("restore")
            apply(self_, records)

        _replace(Shard, "restore", restored)


def switch_off(guarantee: Guarantee, faults: Faults) -> None:
    """Patch one guarantee away."""
    if guarantee == "dedupe":
        _replace(Entity, "find", lambda entity, event: None)
    elif guarantee == "fence":
        # An id that nobody else has fences nobody.
        own = uuid.uuid4()
        _replace(RuntimeSettings, "transactional_id", lambda _, partition: f"{own}-{partition}")
    elif guarantee == "order":
        _look_before_fencing(faults)
    elif guarantee == "offsets":
        _read_on_from_committed()


def _look_before_fencing(faults: Faults) -> None:
    """Take the changelog's end before the old owner is fenced, and believe it."""
    take_over = shards.take_over

    async def hasty(takeover: Takeover, partitions: Iterable[int], kept: Mapping[int, Kept]) -> dict[int, Taken]:
        partitions = frozenset(partitions)
        tps = [TopicPartition(takeover.settings.changelog, partition) for partition in partitions]
        consumer = AIOKafkaConsumer(**takeover.settings.client(), isolation_level="read_committed")
        await consumer.start()
        early = await consumer.end_offsets(tps)
        await consumer.stop()
        faults.at("takeover")
        end_offsets = AIOKafkaConsumer.end_offsets

        async def outdated(reader: AIOKafkaConsumer, of: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
            return {tp: early.get(tp, end) for tp, end in (await end_offsets(reader, of)).items()}

        with patch.object(AIOKafkaConsumer, "end_offsets", outdated):
            return await take_over(takeover, partitions, kept)

    _replace(shards, "take_over", hasty)


def _read_on_from_committed() -> None:
    """Read on from the offsets committed to the group, as consumers usually do, not from the checkpoint's."""
    check_sources = restore.check_sources

    async def committed(settings: RuntimeSettings, reader: AIOKafkaConsumer, of: Mapping[int, Shard]) -> Any:
        checked = await check_sources(settings, reader, of)
        consumer = AIOKafkaConsumer(**settings.client(), group_id=settings.app_id, enable_auto_commit=False)
        await consumer.start()
        for partition, one in checked.items():
            for topic in one.positions:
                one.positions[topic] = await consumer.committed(TopicPartition(topic, partition)) or 0
        await consumer.stop()
        return checked

    _replace(restore, "check_sources", committed)


def _before(owner: Any, name: str, faults: Faults, point: Point) -> None:
    original = getattr(owner, name)

    async def patched(*args: Any, **kwargs: Any) -> Any:
        faults.at(point)
        return await original(*args, **kwargs)

    _replace(owner, name, patched)


def _after(owner: Any, name: str, faults: Faults, point: Point) -> None:
    original = getattr(owner, name)

    async def patched(*args: Any, **kwargs: Any) -> Any:
        result = await original(*args, **kwargs)
        faults.at(point)
        return result

    _replace(owner, name, patched)


def _replace(owner: Any, name: str, value: Any) -> None:
    assert hasattr(owner, name), f"{owner} has no {name} any more: the fault would never come"
    setattr(owner, name, value)
