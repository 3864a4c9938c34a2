"""``deskpulse rebuild``: throws the state away, so that the workers make it anew from the source topics."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from stream.cli.options import add_config, settings_with_kafka

NAME = "rebuild"
HELP = "delete the state, so that the workers, when started, make it anew from the source topics"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_config(parser)
    parser.add_argument("--confirm", action="store_true", help="do it; without this, only say what would be")


def run(args: argparse.Namespace) -> int:
    """Say what a rebuild reads, and with --confirm prepare it. Raises UsageError, ConfigError and WorkerFailure."""
    return asyncio.run(_rebuild(settings_with_kafka(args), args.confirm))


async def _rebuild(settings: Any, confirmed: bool) -> int:
    from stream.runtime.rebuild import forget, look  # noqa: PLC0415
    from stream.runtime.topics import ensure_topics  # noqa: PLC0415

    found = await look(settings, await ensure_topics(settings, create=False))
    print(f"{found.held:,} records are there to be read again")
    if found.removed:
        print(f"{found.removed:,} are not: retention removed them, and what they said will be lost")
    if not confirmed:
        print("nothing was changed; --confirm deletes the state, all workers must be stopped before")
        return 0
    await forget(settings)
    print("the state is deleted; start the workers")
    return 0
