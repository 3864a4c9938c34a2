"""A worker as `deskpulse worker` makes it, but with the settings in its argument: a command's timeouts are long."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace

from stream.bootstrap import node
from stream.config.tables import Config, Web
from stream.runtime.settings import RuntimeSettings
from stream.runtime.worker import run_worker


def main() -> int:
    with node(Config(web=Web(port=0))) as worker:
        print(f"metrics {worker.url}/metrics", file=sys.stderr, flush=True)
        settings = replace(RuntimeSettings(**json.loads(sys.argv[1])), advertised_url=worker.url)
        return run_worker(settings, worker.parts)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(main())
