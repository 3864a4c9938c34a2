"""``deskpulse topics``: creates the topics of a deployment, or checks those that are there."""

from __future__ import annotations

import argparse
import asyncio

from rich.console import Console
from rich.table import Table

from stream.cli.options import add_config, config_with_kafka

NAME = "topics"
HELP = "create the missing topics and check the others"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_config(parser)
    parser.add_argument("--check", action="store_true", help="create nothing; exit 1 when a topic is missing or unfit")


def run(args: argparse.Namespace) -> int:
    """Print the topics. Raises UsageError, ConfigError, and WorkerFailure when the topics cannot be used."""
    config = config_with_kafka(args)
    # Faust takes half a second to import.
    from stream.bootstrap import runtime_settings  # noqa: PLC0415
    from stream.runtime.topics import describe, ensure_topics  # noqa: PLC0415

    settings = runtime_settings(config)
    partitions = asyncio.run(ensure_topics(settings, create=not args.check))
    table = Table("topic", "settings it should have", box=None, pad_edge=False)
    for topic in describe(settings):
        table.add_row(topic["topic"], ", ".join(f"{name}={value}" for name, value in topic["settings"].items()))
    Console().print(table)
    print(f"\n{table.row_count} topics, {partitions} shards, on {settings.bootstrap_servers}: fine")
    return 0
