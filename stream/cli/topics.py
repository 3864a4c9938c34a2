"""``deskpulse topics``: creates the topics of a deployment, or checks those that are there."""

from __future__ import annotations

import argparse
import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from stream.cli.options import add_config, settings_with_kafka

if TYPE_CHECKING:
    from stream.runtime.topics import Survey

NAME = "topics"
HELP = "create the missing topics and check the others"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_config(parser)
    parser.add_argument("--check", action="store_true", help="create nothing; exit 1 when a topic is missing or unfit")


def run(args: argparse.Namespace) -> int:
    """Print the topics; 1 when one is missing or unfit. Raises UsageError, ConfigError and WorkerFailure."""
    settings = settings_with_kafka(args)
    # Faust takes half a second to import.
    from stream.runtime.topics import agreed, ensure_topics, survey_topics  # noqa: PLC0415

    if not args.check:
        asyncio.run(ensure_topics(settings))
    found = asyncio.run(survey_topics(settings))
    _print(found)
    unfit = len(found.missing) + sum(one.vital for one in found.differences)
    if unfit:
        print(f"\n{unfit} missing or unfit, on {settings.bootstrap_servers}")
        return 1
    shards = agreed(settings, found.counts)
    print(f"\n{len(found.counts)} topics, {shards} shards, on {settings.bootstrap_servers}: fine")
    return 0


def _print(found: Survey) -> None:
    """Print a line per topic, and below it one per setting that is not as wanted."""
    differences = defaultdict(list)
    for one in found.differences:
        differences[one.topic].append(one)
    for topic in sorted({*found.counts, *found.missing}):
        count = found.counts.get(topic)
        print(f"{topic}: {'missing' if count is None else f'{count} partitions'}")
        if topic in found.unreadable:
            print("    the broker does not tell its settings")
        for one in differences[topic]:
            verb = "needed" if one.vital else "recommended"
            print(f"    {one.name} is {one.actual or 'unknown to the broker'}, {verb} is {one.wanted}")
