"""The reference job on Bytewax, as its documentation teaches it: a flow with two stateful steps and a recovery store.

Bytewax keeps its state in SQLite on the local disk, a snapshot per epoch, instead of in a changelog topic.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from tests.bench import plain_steps
from tests.bench.meter import Meter, task, tell
from tests.bench.plain_steps import Json

EPOCH = timedelta(seconds=1)  # between two snapshots of the state; the default of 10 s would be longer than the job
BATCH = 10_000  # records per poll; the connector's documentation advises to tune it


class Tables(DynamicSink[tuple[str, Json]], StatelessSinkPartition[tuple[str, Json]]):
    """Where the flow ends: the newest bucket of each key, kept for the check."""

    def __init__(self) -> None:
        self.rows: dict[str, Json] = {}

    def build(self, *_: Any) -> Tables:
        return self

    def write_batch(self, items: list[tuple[str, Json]]) -> None:
        self.rows.update(items)


class Job:
    """The flow's steps, with the start of the measurement and the tickets for the check."""

    def __init__(self) -> None:
        self.meter = Meter()
        self.tickets: dict[str, Json] = {}
        self.buckets = Tables()
        self._seen = 0

    def read(self, message: KafkaSourceMessage[bytes, bytes]) -> tuple[str, Json]:
        if self._seen == 0:
            self.meter.start()
        self._seen += 1
        if self._seen % 1_000 == 0:
            tell(progress=self._seen)
        event = orjson.loads(message.value)
        return event["subject"], event

    def fold(self, ticket: Json | None, event: Json) -> tuple[Json | None, Iterable[Json]]:
        ticket, contributions = plain_steps.fold(ticket, event)
        if ticket is not None:
            self.tickets[event["subject"]] = ticket
        return ticket, contributions

    def flow(self, servers: str, topic: str) -> Dataflow:
        flow = Dataflow("tickets")
        read = kop.input("read", flow, brokers=[servers], topics=[topic], tail=False, batch_size=BATCH)
        events = op.map("decode", read.oks, self.read)
        contributed = op.key_rm("contributed", op.stateful_flat_map("fold", events, self.fold))
        by_bucket = op.key_on("by_bucket", contributed, lambda contribution: contribution["bucket"])
        op.output("tables", op.stateful_map("add", by_bucket, add), self.buckets)
        return flow


def add(bucket: Json | None, contribution: Json) -> tuple[Json, Json]:
    """The bucket as the state to keep and as what goes on."""
    bucket = plain_steps.add(bucket, contribution)
    return bucket, bucket


def main(folder: Path) -> None:
    given = task()
    job = Job()
    init_db_dir(folder, 1)
    flow = job.flow(given.servers, f"{given.topic_prefix}tickets")
    cli_main(flow, epoch_interval=EPOCH, recovery_config=RecoveryConfig(folder))
    job.meter.stop()
    outcome = plain_steps.outcome(job.tickets.values(), job.buckets.rows)
    tell(**job.meter.figures(), events=given.events, outcome=outcome)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
