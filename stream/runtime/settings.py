"""What the runtime needs to know; config and bootstrap build it, nothing here reads a file or the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from stream.events.registry import TOPICS
from stream.ingest.partitioner import Partitioner
from stream.runtime.clock import ClockName

DAY_US = 86_400_000_000
REROUTED = "rerouted"  # the logical name of the internal fourth source


@dataclass(frozen=True)
class RuntimeSettings:
    """Settings of one deployment.

    Topics are named in two ways: by *source* ("tickets", "bookings", "reviews", "rerouted"), which is what stands in
    checkpoints, and by the Kafka topic a source is read from. Durations are in seconds unless a name ends in ``_us``.
    """

    bootstrap_servers: str
    app_id: str = "deskpulse"
    topic_prefix: str = ""
    partitions: int = 4  # of topics still to be created; existing ones keep theirs
    replication_factor: int = -1  # -1 = the broker's default
    partitioners: Mapping[str, Partitioner] = field(default_factory=dict)  # by source; murmur2 where none is named
    clock: ClockName = "wall"
    session_timeout: float = 10.0  # a dead worker's shards move after this long
    heartbeat: float = 3.0
    rebalance_timeout: float = 30.0
    instance_id: str | None = None  # static group membership
    advertised_url: str = "http://127.0.0.1:6066"  # unique per worker: the assignor insists, and peers ask there
    fetch_records: int = 2_000  # in one batch at the most
    # Of input in one checkpoint; one larger fetched batch may exceed it. What is changed several times is written once,
    # so large checkpoints save writes: 8,000 records take a quarter less CPU per event than 2,000.
    batch_records: int = 8_000
    batch_bytes: int = 4_194_304
    tick: float = 5.0  # an idle shard is folded with nothing this often, so that buckets roll and entities seal
    snapshot_interval: float = 0.1  # the design promises snapshots of at most 200 ms, also while folds hold them up
    stall_limit: float = 300.0  # a worker with lag and without progress for so long ends, to be started anew
    stop_deadline: float = 9.0
    credentials: Any = None  # a faust.auth credentials object; None = plaintext

    @property
    def sources(self) -> tuple[str, ...]:
        """The four sources, the internal one last."""
        return (*TOPICS, REROUTED)

    def topic(self, source: str) -> str:
        """Return the Kafka topic of *source*."""
        return f"{self.app_id}-{REROUTED}" if source == REROUTED else f"{self.topic_prefix}{source}"

    def source(self, topic: str) -> str:
        """Return the source that is read from the Kafka topic *topic*."""
        return REROUTED if topic == self.topic(REROUTED) else topic.removeprefix(self.topic_prefix)

    def dead_letter_topic(self, source: str) -> str:
        """Return the Kafka topic that holds the refused records of *source* (one of the contract's three)."""
        return f"{self.topic(source)}.dlq"

    @property
    def sla_events(self) -> str:
        """The topic that tells of clocks: warnings, breaches, outcomes and what is taken back."""
        return f"{self.app_id}-sla-events"

    @property
    def changelog(self) -> str:
        """The compacted topic that holds all state, one partition per shard."""
        return f"{self.app_id}-shard-changelog"

    def partitioner(self, source: str) -> Partitioner:
        """Return how the producers of *source* choose a partition."""
        return self.partitioners.get(source, "murmur2")

    def transactional_id(self, partition: int) -> str:
        """Return the id under which the owner of a shard writes; a new owner fences the old one by it."""
        return f"{self.app_id}-{partition}"

    def client(self) -> dict[str, Any]:
        """Return what every aiokafka client needs to connect."""
        security = credentials_to_aiokafka_auth(self.credentials, None)
        return {"bootstrap_servers": self.bootstrap_servers, **security}
