"""Each guarantee put to the test that it exists for; with it switched off the same test must report differences.

All trials have one shard, so that the transactions of a worker follow each other, and a log that is there beforehand.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from stream.runtime.clock import now_us
from tests.chaos.check import check, truth_of
from tests.chaos.faults import Fault, Guarantee
from tests.chaos.fleet import Fleet, Worker, fleet_of
from tests.chaos.load import load
from tests.chaos.run import create_topics, rest, settings_of
from tests.integration.exactness.log import sent
from tests.integration.runtime.harness import Deployment
from tests.kafka.broker import KafkaCluster
from tests.oracle.values import MICRO

# A transaction waits 10 s at the most, and a halted one must still be willing when its shard has moved on.
SESSION_S = 2.0
# Checkpoints so small that there are many, and in each some bad events, so that writing it twice shows.
SECONDS, RATE, BAD, BATCH = 10.0, 300.0, 0.05, 500
HALT = Fault("begin", 5, "stop")

Trial = Callable[[Fleet, Guarantee | None], Awaitable[None]]


async def plain(fleet: Fleet, off: Guarantee | None) -> None:
    """A worker reads the log, its duplicates too."""
    await fleet.start(off=off)


async def killed(fleet: Fleet, off: Guarantee | None) -> None:
    """A worker dies with a checkpoint behind it; the next one must read on from there."""
    worker = await fleet.start(Fault("committed", 5))
    await worker.ended()
    await fleet.start(off=off)


async def woken_after_takeover(fleet: Fleet, off: Guarantee | None) -> None:
    """A worker halted before a write wakes up when another one has long gone on."""
    zombie = await fleet.start(HALT, Fault("committed", HALT.nth), off=off)
    await fleet.until(lambda: zombie.halted, "halted")
    await fleet.start(off=off)
    await rest(fleet)
    zombie.send(signal.SIGCONT)
    await _tried(fleet, zombie)


async def woken_during_takeover(fleet: Fleet, off: Guarantee | None) -> None:
    """A worker halted before a write wakes up between the steps of a takeover: fence first, then look for the end."""
    zombie = await fleet.start(HALT, Fault("committed", HALT.nth), off=off)
    await fleet.until(lambda: zombie.halted, "halted")
    heir = await fleet.start(Fault("takeover", 1, "stop"), off=off)
    await fleet.until(lambda: heir.halted, "halted within the takeover")
    zombie.send(signal.SIGCONT)
    await _tried(fleet, zombie)
    heir.send(signal.SIGCONT)


async def _tried(fleet: Fleet, zombie: Worker) -> None:
    """Wait until the write has ended one way or the other: its fault kills a worker that could write."""

    async def tried() -> bool:
        return not zombie.alive or await zombie.doubts()

    await fleet.until(tried, "the zombie's write tried")
    await zombie.end()


TRIALS: Mapping[Guarantee, Trial] = {
    "dedupe": plain,
    "offsets": killed,
    "fence": woken_after_takeover,
    "order": woken_during_takeover,
}


async def differences_of(cluster: KafkaCluster, trial: Trial, off: Guarantee | None) -> list[str]:
    """What the oracle finds wrong after a trial."""
    settings = replace(settings_of(cluster, SESSION_S, partitions=1), batch_records=BATCH, fetch_records=BATCH)
    await create_topics(settings)
    deployment = Deployment(settings)
    start = now_us() - int(SECONDS * MICRO)
    await deployment.produce(sent(record) for record in load(31, start, SECONDS, RATE, partitions=1, bad=BAD))
    async with fleet_of(settings) as fleet:
        await trial(fleet, off)
        await rest(fleet)
        pages = [await worker.page() for worker in fleet.alive]
        await fleet.end()
        await fleet.start()
        await rest(fleet)
        pages += [await worker.page() for worker in fleet.alive]
    return await check(deployment, await truth_of(deployment), [page for page in pages if page is not None])
