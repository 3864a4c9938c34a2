"""A real server over snapshots that the test publishes, with a clock that the test moves, and a client of it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from typing import Any

from msgspec import structs

from stream.board.live import Board
from stream.board.server import BoardServer, bind
from stream.board.view import Targets
from stream.domain.shard import Shard
from stream.metrics.latest import Latest
from stream.metrics.model import Health, ShardSnapshot, SourceSnapshot, WorkerSnapshot
from tests.unit.metrics.events import MINUTE, NOW, event, shard_of, snapshot_of

SOURCES = ("tickets", "bookings", "reviews", "rerouted")


class Worker:
    """What the server sees of a worker."""

    def __init__(self, targets: Targets | None = None, port: int = 0) -> None:
        self.time = NOW
        self.latest = Latest()
        self.health = Health()
        self.health.beat = NOW
        self.socket = bind(port=port)
        self.port = self.socket.getsockname()[1]
        self.board = Board(self.latest, lambda: self.time, targets=targets)
        self.server = BoardServer(self.socket, self.latest, self.health, lambda: self.time, board=self.board)

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def json(self, path: str) -> tuple[int, Any]:
        status, headers, body = self.ask(path)
        assert headers["Content-Type"] == "application/json"
        return status, json.loads(body)


def a_day() -> WorkerSnapshot:
    """One worker with the only shard, in which an hour of everything has happened."""
    return snapshot_of(
        shard_of(
            [
                event("ticket.created", "t1", 30 * MINUTE, channel="chat", priority="low", category="complaint"),
                event("ticket.message", "t1", 28 * MINUTE, author="agent"),
                event("ticket.created", "t2", 9 * MINUTE, channel="email", priority="low", category="question"),
                event("booking.created", "b1", 9 * MINUTE, channel="w", service="s", amount="9.5", currency="EUR"),
                event("booking.completed", "b1", 8 * MINUTE),
                event("review.posted", "r1", 7 * MINUTE, rating=2, site="s"),
                event("review.posted", "r2", 7 * MINUTE, rating=5, site="s"),
                event("survey.answered", "n1", 7 * MINUTE, survey="nps", score=10),
            ]
        )
    )


def tickets(*subjects: str, partition: int = 0, **labels: str) -> Shard:
    """A shard with tickets created ten minutes ago and still open."""
    data = {"channel": "chat", "priority": "low", "category": "question", **labels}
    return shard_of((event("ticket.created", name, 10 * MINUTE, **data) for name in subjects), partition)


def caught_up(snapshot: WorkerSnapshot, *, known: int = NOW, lag: int = 0, offset: int = 1) -> WorkerSnapshot:
    """The snapshot with sources read to *lag* messages before their ends, and all shards known up to *known*."""
    sources = (
        SourceSnapshot(topic, shard.partition, offset, known, lag, (NOW - known) / 1e6)
        for shard in snapshot.shards
        for topic in SOURCES
    )
    shards = (structs.replace(shard, frontier=known) for shard in snapshot.shards)
    return structs.replace(snapshot, sources=tuple(sources), shards=tuple(shards))


def one_of(partitions: int, *shards: Shard, waiting: Iterable[int] = ()) -> WorkerSnapshot:
    """A worker that has recovered *shards* of a deployment of so many partitions, and waits for others."""
    snapshot = caught_up(snapshot_of(*shards, topic_partitions=dict.fromkeys(SOURCES, partitions)))
    others = (ShardSnapshot(partition, "restoring", restore_remaining=700) for partition in waiting)
    return structs.replace(snapshot, shards=(*snapshot.shards, *others))
