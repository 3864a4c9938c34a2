"""The reference job on Quix Streams, as its documentation teaches it: a dataframe, two stateful steps, its defaults.

What the first step's tickets contribute is grouped by bucket, for which Quix writes it to a topic of its own. The
states of both steps lie in RocksDB, each with a changelog topic.
"""

from __future__ import annotations

import tempfile

from quixstreams import Application, State

from tests.bench import plain_steps
from tests.bench.meter import Meter, task, tell
from tests.bench.plain_steps import Json


class Job:
    """The two steps, with the newest state of each key kept aside for the check, and the end of the job noticed."""

    def __init__(self, events: int) -> None:
        self.app: Application
        self.meter = Meter()
        self.tickets: dict[str, Json] = {}
        self.buckets: dict[str, Json] = {}
        self._events = events
        self._seen = self._contributed = self._added = 0

    def fold(self, event: Json, state: State) -> list[Json]:
        if self._seen == 0:
            self.meter.start()
        subject = event["subject"]
        ticket, contributions = plain_steps.fold(state.get(subject), event)
        if ticket is not None:
            state.set(subject, ticket)
            self.tickets[subject] = ticket
        self._seen += 1
        self._contributed += len(contributions)
        if self._seen % 1_000 == 0:
            tell(progress=self._seen)
        self._look()
        return contributions

    def add(self, contribution: Json, state: State) -> Json:
        bucket = plain_steps.add(state.get("bucket"), contribution)
        state.set("bucket", bucket)
        self.buckets[contribution["bucket"]] = bucket
        self._added += 1
        self._look()
        return bucket

    def _look(self) -> None:
        if self._seen == self._events and self._added == self._contributed:
            self.app.stop()  # After which Quix writes its last checkpoint.


def main(folder: str) -> None:
    given = task()
    job = Job(given.events)
    job.app = Application(
        broker_address=given.servers, consumer_group=given.app_id, auto_offset_reset="earliest", state_dir=folder,
        loglevel="ERROR",
    )  # fmt: skip
    events = job.app.dataframe(job.app.topic(f"{given.topic_prefix}tickets", value_deserializer="json"))
    contributions = events.apply(job.fold, stateful=True, expand=True)
    contributions.group_by("bucket").apply(job.add, stateful=True)
    job.app.run()
    job.meter.stop()
    tell(**job.meter.figures(), events=given.events, outcome=plain_steps.outcome(job.tickets.values(), job.buckets))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(scratch)
