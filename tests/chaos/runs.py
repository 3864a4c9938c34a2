"""The runs under load: what happens to the workers and the brokers of each, in order."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from time import monotonic

from aiokafka.admin import AIOKafkaAdminClient

from tests.chaos.faults import Fault
from tests.chaos.fleet import Worker
from tests.chaos.run import SESSION_S, Run, Say, run_of
from tests.kafka.broker import KafkaBroker, KafkaCluster
from tests.kafka.proxy import Proxy

# Longer than a checkpoint may take (10 s): its requests end in time-outs.
FROZEN_S = 12.0


async def one_worker(cluster: KafkaCluster, say: Say) -> Run:
    """One worker: whatever it has done is on the log or is done again."""
    async with run_of("one worker", cluster, workers=1, seed=11, seconds=480, say=say) as run:
        await run.kill()
        await run.kill(Fault("begin", 3), Fault("restore"))
        await run.kill(Fault("send", 9), Fault("assign"))
        await run.kill(Fault("commit", 4), Fault("restore", 2))
        await run.kill(Fault("committed", 6), Fault("takeover"))
        await run.kill(Fault("committed", 5, "lose"))
        await run.kill(Fault("commit", 5, "lose"))
        await run.disturb("broker restart", cluster.restart)
        await run.disturb("producer time-outs", partial(frozen, cluster.brokers[0]))
        await run.kill(Fault("begin", 17), Fault("revoke"))
        await run.finish()
        return run


async def two_workers(cluster: KafkaCluster, say: Say) -> Run:
    """Two workers: shards go to and fro, and one of the owners does not know it."""
    async with run_of("two workers", cluster, workers=2, seed=12, seconds=480, say=say) as run:
        await run.kill()
        await run.halt()
        await run.kill(Fault("send", 11), Fault("assign"))
        await run.kill(Fault("commit", 7), Fault("restore"))
        await run.halt()
        await run.kill(Fault("revoke"), Fault("takeover"))
        await run.disturb("broker killed", partial(killed_and_started, cluster.brokers[0]))
        await run.kill(Fault("committed", 3), Fault("restore", 3))
        await run.finish()
        return run


async def three_workers(cluster: KafkaCluster, say: Say) -> Run:
    """Three workers on three brokers: the leader of the changelog dies."""
    async with run_of("three workers", cluster, workers=3, seed=13, seconds=480, say=say) as run:
        await run.kill()
        await run.kill(Fault("send", 5), Fault("assign"))
        leader = await leader_of(cluster, run.deployment.settings.changelog)
        await run.disturb("leader killed", leader.kill)
        await run.kill(Fault("commit", 3))
        await run.disturb("leader back", leader.start)
        await run.halt()
        leader = await leader_of(cluster, run.deployment.settings.topic("tickets"))
        await run.disturb("leader killed", leader.kill)
        await run.kill(Fault("committed", 2), Fault("restore"))
        await run.finish()
        return run


async def default_session(cluster: KafkaCluster, say: Say) -> Run:
    """deskpulse's own timeouts: another worker takes over a dead one's shards in under 20 s."""
    async with run_of(
        "default session", cluster, workers=2, seed=14, seconds=480, say=say, session_timeout=10.0
    ) as run:
        for _ in range(3):
            victim = run.random.choice(run.fleet.alive)
            await victim.end()
            run.figures.kills += 1
            await run.recovered(monotonic(), "killed, not replaced")
            await run.fleet.start()
            await run.fleet.until(lambda: is_shared(run), "shards shared again")
        await run.finish(sampled=2)
        return run


async def cut_network(cluster: KafkaCluster, say: Say) -> Run:
    """A worker loses the broker, first for less than its session, then for longer, then with all its colleagues."""
    broker = cluster.brokers[0]
    async with Proxy(broker) as proxy, run_of("network cut", cluster, workers=1, seed=15, seconds=480, say=say) as run:
        (near,) = run.fleet.alive
        far = await run.fleet.start(servers=proxy.servers)
        await run.fleet.until(lambda: is_shared(run), "shards shared")
        proxy.cut()
        await asyncio.sleep(SESSION_S / 3)
        proxy.mend()
        run.figures.blows["short cut"] += 1
        proxy.cut()
        began = monotonic()
        await run.fleet.until(lambda: has_all(run, near), "all shards on the side of the broker")
        await run.recovered(began, "cut beyond the session")
        proxy.mend()
        await run.fleet.until(lambda: is_shared(run), "shards shared again")
        run.figures.blows["long cut"] += 1
        await near.end()
        run.figures.kills += 1
        proxy.cut()
        await asyncio.sleep(FROZEN_S)
        proxy.mend()
        run.figures.blows["cut of all"] += 1
        await run.fleet.until(lambda: has_all(run, far), "all shards on the far side")
        await run.finish()
        return run


async def is_shared(run: Run) -> bool:
    """Whether each living worker has shards and each shard one worker."""
    held = [await worker.shards() for worker in run.fleet.alive]
    return all(held) and sorted(shard for some in held for shard in some) == list(range(run.fleet.settings.partitions))


async def has_all(run: Run, worker: Worker) -> bool:
    return await worker.shards() == set(range(run.fleet.settings.partitions))


def frozen(broker: KafkaBroker) -> None:
    broker.freeze()
    time.sleep(FROZEN_S)
    broker.thaw()


def killed_and_started(broker: KafkaBroker) -> None:
    broker.kill()
    broker.start()


async def leader_of(cluster: KafkaCluster, topic: str) -> KafkaBroker:
    """The broker that leads partition 0."""
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([topic])
    finally:
        await admin.close()
    leader = next(one["leader"] for one in described["partitions"] if one["partition"] == 0)
    return next(broker for broker in cluster.brokers if broker.node_id == leader)
