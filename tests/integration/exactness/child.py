"""A worker with its HTTP server as a process: settings as JSON in its argument, its URL on standard output."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace

from stream.board.server import BoardServer, bind
from stream.metrics.latest import Latest
from stream.metrics.model import Health
from stream.runtime.clock import now_us
from stream.runtime.settings import RuntimeSettings
from stream.runtime.worker import Parts, exit_now, run_worker


def main() -> int:
    latest, health = Latest(), Health()
    board = BoardServer(bind(port=0), latest, health, now_us)
    board.start()
    print(board.url, flush=True)
    settings = replace(RuntimeSettings(**json.loads(sys.argv[1])), advertised_url=board.url)
    return run_worker(settings, Parts(publish=latest.publish, health=health))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    exit_now(main())
