"""Picks the parts: the one place where a configuration becomes a worker with its HTTP server."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from stream.board.access import Access
from stream.board.live import Board
from stream.board.server import BindError, BoardServer, bind
from stream.board.view import Target, widened
from stream.config import Config, ConfigError
from stream.config.security import PASSWORD_VARIABLE, TOKEN_VARIABLE, read_secret
from stream.config.sla import agreement, terms
from stream.domain.sealing import Limits
from stream.domain.shard import Shard
from stream.events.registry import TOPICS
from stream.events.values import DAY_US, micros
from stream.metrics.budget import LabelBudget
from stream.metrics.latest import Latest
from stream.metrics.model import Health
from stream.metrics.tally import Shown, Teller
from stream.runtime.clock import now_us
from stream.runtime.security import SecurityError, client_context, credentials, server_context
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
    """Serve HTTP for one worker while the block runs. Raises ConfigError, and BindError when no port is to be had.

    The socket is bound before anything of Faust is made, since its URL names the worker in the group.
    """
    latest = Latest(teller(config))
    health = Health()
    board = Board(latest, now_us, Teller(widened(shown(config)), budget(config)), targets(config), access(config))
    listening = listen(config)
    server = BoardServer(listening, latest, health, now_us, board=board)
    settings = runtime_settings(config, server.url, stop_deadline)
    limits = Limits(config.retention.horizon_days * DAY_US, config.retention.summary_days * DAY_US)
    agreed = terms(config)
    parts = Parts(
        lambda partition: Shard(partition, limits, agreed), latest.publish, health, board.peers.tell, board.desk.open
    )
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
    return Teller(shown(config), budget(config))


def shown(config: Config) -> Shown:
    """Return what is split by label on the scrape page."""
    after = config.paging.after
    return Shown(config.metrics.dimensions, config.metrics.windows, 0 if after is None else micros(after))


def targets(config: Config) -> dict[tuple[str, str], Target]:
    """Return what the board holds figures against, by KPI and window. Raises ConfigError."""
    return {(one.kpi, one.window): Target(one.min, one.max) for one in agreement(config).targets}


def budget(config: Config) -> LabelBudget:
    """Return a budget of label values; each teller has its own."""
    return LabelBudget(default=config.metrics.label_values)


def runtime_settings(
    config: Config, url: str = "", stop_deadline: float = RuntimeSettings.stop_deadline
) -> RuntimeSettings:
    """Return the runtime's settings; *url* is where this worker answers (none for clients that are no workers).

    Raises ConfigError when a certificate or secret cannot be used.
    """
    kafka = config.kafka
    return RuntimeSettings(
        kafka.bootstrap_servers,
        app_id=kafka.app_id,
        topic_prefix=kafka.topic_prefix,
        partitions=kafka.partitions,
        replication_factor=kafka.replication_factor,
        partitioners={source: getattr(config.ingest.partitioner, source) for source in TOPICS},
        clock=config.ingest.clock,
        session_timeout=float(kafka.session_timeout_seconds),
        instance_id=kafka.instance_id or None,
        advertised_url=config.web.advertised_url or url,
        stop_deadline=stop_deadline,
        credentials=kafka_credentials(config),
    )


def access(config: Config) -> Access:
    """Return how our HTTP server is reached, by its peers too. Raises ConfigError."""
    token = read_secret(config.web.token_file, TOKEN_VARIABLE, os.environ)
    tls = config.web.tls
    if not tls.certificate_file:
        return Access(token)
    try:
        return Access(token, server_context(tls.certificate_file, tls.key_file), client_context(tls.ca_file))
    except SecurityError as error:
        raise ConfigError(str(error)) from None


def kafka_credentials(config: Config) -> Any:
    """Return how we connect to Kafka, None for plaintext. Raises ConfigError."""
    tls, sasl = config.kafka.tls, config.kafka.sasl
    try:
        context = client_context(tls.ca_file, tls.certificate_file, tls.key_file) if tls.enabled else None
    except SecurityError as error:
        raise ConfigError(str(error)) from None
    if sasl.mechanism == "none":
        return credentials(context)
    password = read_secret(sasl.password_file, PASSWORD_VARIABLE, os.environ)
    if not password:
        raise ConfigError(f"no password for {sasl.username}: set {PASSWORD_VARIABLE} or kafka.sasl.password_file")
    return credentials(context, sasl.mechanism, sasl.username, password)
