"""``deskpulse simulate``: publishes live traffic, seeded."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING

from stream.cli.options import add_config, positive, settings_with_kafka
from stream.demo.replay import publish
from stream.demo.simulator import traffic
from stream.events.values import MICRO

if TYPE_CHECKING:
    from stream.runtime.settings import RuntimeSettings

NAME = "simulate"
HELP = "publish calm live traffic: tickets, bookings, reviews and surveys"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_config(parser)
    parser.add_argument("--rate", type=positive, default=10.0, metavar="N", help="events per second (default: 10)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed, the same stories (default: 1)")
    parser.add_argument("--duration", type=positive, metavar="SECONDS", help="default: until Ctrl-C")


def run(args: argparse.Namespace) -> int:
    """Publish until the time is up or Ctrl-C comes. Raises UsageError, ConfigError and WorkerFailure."""
    settings = settings_with_kafka(args)
    published = 0

    def advance(number: int) -> None:
        nonlocal published
        published = number

    try:
        asyncio.run(_simulate(settings, args, advance))
    except KeyboardInterrupt:
        if args.duration is not None:
            raise
    print(f"{published:,} events published", file=sys.stderr)
    return 0


async def _simulate(settings: RuntimeSettings, args: argparse.Namespace, advance: Callable[[int], None]) -> None:
    # Faust takes half a second to import.
    from stream.runtime.clock import now_us  # noqa: PLC0415
    from stream.runtime.feed import Feed  # noqa: PLC0415
    from stream.runtime.topics import ensure_topics  # noqa: PLC0415

    partitions = await ensure_topics(settings, create=False)
    async with Feed(settings, partitions) as feed:
        start = now_us()
        until = float("inf") if args.duration is None else start + args.duration * MICRO
        stream = takewhile(lambda message: message.time < until, traffic(args.seed, args.rate, start))
        await publish(stream, feed, speed=1.0, advance=advance)
