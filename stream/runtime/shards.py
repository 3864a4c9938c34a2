"""The shards of this worker: taken over at every assignment, settled at every revocation, fed by the agents."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced
from faust.types import TP

from stream.domain.shard import Shard
from stream.metrics.model import ShardState
from stream.runtime.context import Context
from stream.runtime.failure import WorkerFailure
from stream.runtime.owner import Owner
from stream.runtime.reading import Reading
from stream.runtime.records import Intake
from stream.runtime.restore import Kept, Superseded, Taken, Takeover, take_over
from stream.runtime.transport import Batch

log = logging.getLogger(__name__)

RETRY_S = 1.0
MAX_VAIN_RETAKES = 5  # in a row without one checkpoint: then the trouble is no passing one
FENCED = (ProducerFenced, InvalidProducerEpoch)


class Shards:
    """All shards assigned to this worker. ``fail`` is told why the worker cannot go on."""

    def __init__(
        self,
        context: Context,
        partitions: int,
        new_shard: Callable[[int], Shard],
        fail: Callable[[WorkerFailure], None],
    ) -> None:
        self.owners: dict[int, Owner] = {}
        self.states: dict[int, ShardState] = {}
        self.remaining: dict[int, int] = {}
        self.joined = False
        self.partitions = partitions
        self.reading = Reading(context)
        self._context = context
        self._settings = context.settings
        self._new_shard = new_shard
        self._clock = context.clock
        self._counters = context.counters
        self._fail = fail
        self._kept: dict[int, Kept] = {}
        self._era = 0  # goes up with every revocation and assignment; a takeover of an older era is void
        self._retakes: set[asyncio.Task[None]] = set()
        self._vain: Counter[int] = Counter()  # retakes of a shard since its last checkpoint

    async def submit(self, batch: Batch) -> None:
        """Hand a batch to its shard's owner; without one it is dropped, and read again after the takeover."""
        owner = self.owners.get(batch.partition)
        if owner is not None:
            await owner.submit(batch)

    def positions(self) -> dict[TP, int]:
        """Return where to read on in each source partition of each owned shard."""
        return {
            TP(topic, owner.partition): position
            for owner in self.owners.values()
            for topic, position in owner.applied.items()
        }

    def behind(self) -> dict[TP, int]:
        """Return where the source partitions stand of which more is known to be committed than is applied."""
        return {tp: at for tp, at in self.positions().items() if self.reading.has_more(tp, at)}

    async def on_partitions_revoked(self, *_: Any, **__: Any) -> None:
        """Settle every shard: what is checkpointed stays, what was only folded is read again by the next owner."""
        self._era += 1
        await self._drop_retakes()
        owners, self.owners = self.owners, {}
        self.states.clear()
        settled = await asyncio.gather(*(owner.settle() for owner in owners.values()))
        await asyncio.gather(*(owner.writer.stop() for owner in owners.values()))
        for owner, clean in zip(owners.values(), settled, strict=True):
            if clean:
                self._kept[owner.partition] = Kept(owner.shard, owner.changelog_end)

    async def on_rebalance_complete(self, *_: Any, **__: Any) -> None:
        """Take over what was assigned. Faust waits for this before it seeks to `positions` and resumes."""
        self._era += 1
        era = self._era
        self._counters.rebalances += 1
        try:
            partitions = self._assigned()
        except WorkerFailure as failure:
            self._fail(failure)
            return
        self._kept = {partition: kept for partition, kept in self._kept.items() if partition in partitions}
        self.states = dict.fromkeys(partitions, "waiting")
        self.joined = True
        kept, self._kept = self._kept, {}
        await self._take_over(partitions, kept, era)

    async def stop(self) -> None:
        """Settle and close everything."""
        await self.on_partitions_revoked()
        self._kept.clear()

    def _assigned(self) -> frozenset[int]:
        """Return the assigned partition numbers. Raises WorkerFailure unless each comes with all its sources."""
        wanted = {self._settings.topic(source) for source in self._settings.sources}
        topics: dict[int, set[str]] = defaultdict(set)
        for tp in self.reading.assignment():
            topics[tp.partition].add(tp.topic)
        for partition, held in sorted(topics.items()):
            if held != wanted:
                missing = ", ".join(sorted(wanted - held))
                raise WorkerFailure(
                    f"partition {partition} was assigned without {missing}: the topic was deleted, or workers of group "
                    f"{self._settings.app_id} subscribe to different topics or use another assignor"
                )
        return frozenset(topics)

    async def _take_over(self, partitions: Iterable[int], kept: Mapping[int, Kept], era: int) -> bool:
        """Take *partitions* over, however often it takes; False when the era ended or the worker failed."""
        takeover = Takeover(
            settings=self._settings,
            new_shard=self._new_shard,
            now=self._clock.now,
            valid=lambda: self._era == era,
            remaining=self.remaining.__setitem__,
        )
        partitions = frozenset(partitions)
        while partitions and self._era == era:
            self.states.update(dict.fromkeys(partitions, "restoring"))
            try:
                taken = await take_over(takeover, partitions, kept)
            except Superseded:
                return False
            except WorkerFailure as failure:
                self._fail(failure)
                return False
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("takeover of shards %s: %r; trying again", sorted(partitions), error)
                kept = {}  # part of a tail may have been applied
                await asyncio.sleep(RETRY_S)
                continue
            if self._era != era:  # it ended while the takeover closed its reader
                await asyncio.gather(*(one.writer.stop() for one in taken.values()))
                return False
            for one in taken.values():
                self._install(one)
            # What was restored lives long; the collector need not look at it again.
            gc.freeze()
            return True
        return False

    def _install(self, taken: Taken) -> None:
        partition = taken.shard.partition
        intake = Intake(self._settings, partition, self.partitions)
        owner = Owner(taken, intake, self.reading, self._context)
        for topic, lost in taken.checked.lost.items():
            self.reading.count_lost(topic, partition, lost)
        self._counters.takeovers += 1
        self._clock.saw(taken.shard.meta.newest_event)
        self.owners[partition] = owner
        self.states[partition] = "ready"
        owner.start(self._ended)

    def _ended(self, owner: Owner, error: Exception) -> None:
        """Take a lost shard anew; its log alone knows what became of its last transaction."""
        if self.owners.get(owner.partition) is not owner:
            return  # it was being settled; the assignment that follows restores it
        del self.owners[owner.partition]
        self.states[owner.partition] = "stopped"
        if isinstance(error, WorkerFailure):
            self._fail(error)
            return
        self._vain[owner.partition] = 1 if owner.checkpoint_time else self._vain[owner.partition] + 1
        if self._vain[owner.partition] > MAX_VAIN_RETAKES:
            self._fail(WorkerFailure(f"shard {owner.partition}: no checkpoint succeeds, the last: {error}"))
            return
        log.warning("shard %d: outcome of a checkpoint unknown (%s); taking it over again", owner.partition, error)
        retake = asyncio.create_task(self._retake(owner, isinstance(error.__cause__, FENCED), self._era))
        self._retakes.add(retake)
        retake.add_done_callback(self._retakes.discard)

    async def _retake(self, owner: Owner, fenced: bool, era: int) -> None:
        partition = owner.partition
        self.reading.pause(partition)
        await owner.writer.stop()
        if fenced:
            # Most likely another worker owns the shard already and the group will tell us within a session; fencing
            # it back at once would have the two take it from each other for ever.
            await asyncio.sleep(self._settings.session_timeout)
        if await self._take_over([partition], {}, era):
            await self.reading.seek(self.owners[partition].applied, partition)
            self.reading.resume(partition)

    async def _drop_retakes(self) -> None:
        for retake in self._retakes:
            retake.cancel()
        await asyncio.gather(*self._retakes, return_exceptions=True)
