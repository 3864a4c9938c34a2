"""``deskpulse worker``: one worker against the configured Kafka."""

from __future__ import annotations

import argparse
import logging
import sys

from stream.cli.errors import UsageError
from stream.cli.logs import add_log_format, show_logs
from stream.cli.options import add_config, add_port, config_with_kafka

NAME = "worker"
HELP = "run one worker against the configured Kafka, with /metrics and the board"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_config(parser)
    add_port(parser)
    add_log_format(parser)


def run(args: argparse.Namespace) -> int:
    """Work until SIGINT or SIGTERM; 1 when the worker cannot go on. Raises UsageError and ConfigError."""
    config = config_with_kafka(args)
    # Faust takes half a second to import.
    from stream.board.server import BindError  # noqa: PLC0415
    from stream.bootstrap import node  # noqa: PLC0415
    from stream.runtime.worker import run_worker  # noqa: PLC0415

    show_logs(logging.INFO, "%(asctime)s %(levelname)s %(message)s", args.log_format)
    try:
        with node(config) as worker:
            print(f"metrics {worker.url}/metrics  board {worker.url}/", file=sys.stderr, flush=True)
            return run_worker(worker.settings, worker.parts)
    except BindError as error:
        raise UsageError(str(error)) from None
