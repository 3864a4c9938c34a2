"""The Faust application: the group, the assignor and one agent per source topic. No tables; see ADR 0001."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import faust
from faust.types import TP

from stream.runtime.failure import WorkerFailure
from stream.runtime.settings import RuntimeSettings
from stream.runtime.shards import Shards
from stream.runtime.transport import BatchTopic, BatchTransport

BUFFERED_BATCHES = 4  # per agent; with batches of at most 2,000 records some 2 MiB


class App(faust.App):  # type: ignore[misc] # Faust ships no types.
    """Faust's app with our transport and the shards' positions in place of committed offsets."""

    shards: Shards

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Create none: there are no tables, so nothing is kept on disk."""

    def positions(self) -> Mapping[TP, int]:
        """Return where each source partition is read on."""
        return self.shards.positions()


def create_app(settings: RuntimeSettings, shards: Shards) -> App:
    """Return the application of one worker; nothing connects before it is started."""
    app = App(
        settings.app_id,
        broker=[f"kafka://{server.strip()}" for server in settings.bootstrap_servers.split(",")],
        broker_credentials=settings.credentials,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.heartbeat,
        broker_rebalance_timeout=settings.rebalance_timeout,
        broker_max_poll_records=settings.fetch_records,
        canonical_url=settings.advertised_url,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance_id,
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        stream_buffer_maxsize=BUFFERED_BATCHES,
        stream_recovery_delay=0,
        stream_wait_empty=False,
        # With 0 and no tables Faust falls back to a round-robin assignor, which splits shards over workers.
        table_standby_replicas=1,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        Topic=BatchTopic,
    )
    app.shards = shards
    shards.reading.attach(app)
    for source in settings.sources:
        topic = app.topic(settings.topic(source), key_type=bytes, value_type=bytes, acks=False)
        app.agent(topic, name=source)(_agent(shards))
    app.on_partitions_revoked.connect(shards.on_partitions_revoked)
    app.on_rebalance_complete.connect(shards.on_rebalance_complete)
    return app


def _agent(shards: Shards) -> Callable[[Any], Awaitable[None]]:
    async def feed(batches: Any) -> None:
        async for event in batches.events():
            await shards.submit(event.value)

    return feed


def check_assignor(app: App) -> None:
    """Raise WorkerFailure unless Faust's assignor is in use: any other one splits shards over workers."""
    if app.consumer.thread._assignor is not app.assignor:
        raise WorkerFailure("Faust's partition assignor is not in use: is table_standby_replicas 0?")


def peer_urls(app: App) -> frozenset[str]:
    """Return where the group's other workers answer HTTP, as its leader told with the last assignment."""
    return frozenset(app.assignor.external_topics_metadata()) - {str(app.conf.canonical_url)}
