"""A worker as a process: settings as JSON in its argument, one JSON line per snapshot on its standard output."""

from __future__ import annotations

import json
import logging
import sys

from faust import streams

from stream.metrics.model import WorkerSnapshot
from stream.runtime.settings import RuntimeSettings
from stream.runtime.worker import Parts, run_worker
from tests.integration.runtime.harness import counted, lag


def tell(snapshot: WorkerSnapshot) -> None:
    told = {
        "counted": counted(snapshot),
        "ready": [shard.partition for shard in snapshot.shards if shard.state == "ready"],
        "assigned": [shard.partition for shard in snapshot.shards],
        "lag": lag(snapshot),
        "cython": streams._CStreamIterator is not None,
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(run_worker(RuntimeSettings(**json.loads(sys.argv[1])), Parts(publish=tell)))
