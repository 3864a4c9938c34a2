"""Picks the parts: the one place where a configuration becomes a worker with its HTTP server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from stream.board.server import BindError, BoardServer, bind
from stream.config import Config
from stream.domain.shard import Limits, Shard
from stream.events.registry import TOPICS
from stream.events.values import DAY_US
from stream.metrics.budget import LabelBudget
from stream.metrics.latest import Latest
from stream.metrics.model import Health
from stream.metrics.tally import Shown, Teller
from stream.runtime.clock import now_us
from stream.runtime.settings import RuntimeSettings
from stream.runtime.worker import Parts

PORTS_TRIED = 10  # a few workers on one machine, without a port configured for each


@dataclass(frozen=True)
class Node:
    """A worker's parts, its HTTP server answering already; `latest` holds the newest snapshot."""

    settings: RuntimeSettings
    parts: Parts
    latest: Latest
    url: str


@contextmanager
def node(config: Config, stop_deadline: float = RuntimeSettings.stop_deadline) -> Iterator[Node]:
    """Serve HTTP for one worker while the block runs. Raises BindError when no port is to be had.

    The socket is bound before anything of Faust is made, since its URL names the worker in the group.
    """
    listening = listen(config)
    latest = Latest(teller(config))
    health = Health()
    server = BoardServer(listening, latest, health, now_us)
    settings = runtime_settings(config, server.url, stop_deadline)
    limits = Limits(config.retention.horizon_days * DAY_US, config.retention.summary_days * DAY_US)
    parts = Parts(lambda partition: Shard(partition, limits), latest.publish, health)
    try:
        server.start()
        yield Node(settings, parts, latest, server.url)
    finally:
        server.stop()


def listen(config: Config) -> socket.socket:
    """Return a socket on the configured port, else on the next free one of a few. Raises BindError."""
    host, port = config.web.host, config.web.port
    for candidate in range(port, min(port + PORTS_TRIED, 65_536)):
        with suppress(BindError):
            return bind(host, candidate)
    return bind(host, port)  # once more, for its complaint


def teller(config: Config) -> Teller:
    """Return who adds up snapshots as the configuration wants them shown; for one thread."""
    metrics = config.metrics
    return Teller(Shown(metrics.dimensions, metrics.windows), LabelBudget(default=metrics.label_values))


def runtime_settings(
    config: Config, url: str = "", stop_deadline: float = RuntimeSettings.stop_deadline
) -> RuntimeSettings:
    """Return the runtime's settings; *url* is where this worker answers (none for clients that are no workers)."""
    kafka = config.kafka
    return RuntimeSettings(
        kafka.bootstrap_servers,
        app_id=kafka.app_id,
        topic_prefix=kafka.topic_prefix,
        partitions=kafka.partitions,
        replication_factor=kafka.replication_factor,
        partitioners={source: getattr(config.ingest.partitioner, source) for source in TOPICS},
        clock=config.ingest.clock,
        advertised_url=config.web.advertised_url or url,
        stop_deadline=stop_deadline,
    )
