"""``deskpulse replay``: publishes event files to the topics, in the order of time."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stream.cli.errors import UsageError
from stream.cli.options import add_config, positive, settings_with_kafka
from stream.demo.replay import ReplayError, Survey, messages, publish, survey

if TYPE_CHECKING:
    from stream.runtime.settings import RuntimeSettings

NAME = "replay"
HELP = "publish event files (JSON lines, .gz too) to the topics"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_config(parser)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files of events, merged by time")
    parser.add_argument(
        "--speed", type=_speed, metavar="N|max", help="N times as fast as it happened (default: max, without waiting)"
    )
    parser.add_argument(
        "--shift-to-now",
        action="store_true",
        help="move all times so that the newest event is of now (the same file again then conflicts with itself)",
    )


def run(args: argparse.Namespace) -> int:
    """Publish the files; 1 when lines had to be skipped. Raises UsageError, ConfigError and WorkerFailure."""
    settings = settings_with_kafka(args)
    try:
        found = survey(args.files)
        return asyncio.run(_replay(settings, args, found))
    except ReplayError as error:
        raise UsageError(str(error)) from None


async def _replay(settings: RuntimeSettings, args: argparse.Namespace, found: Survey) -> int:
    # Faust takes half a second to import.
    from stream.runtime.clock import now_us  # noqa: PLC0415
    from stream.runtime.feed import Feed, check_replayable  # noqa: PLC0415
    from stream.runtime.topics import ensure_topics  # noqa: PLC0415

    partitions = await ensure_topics(settings, create=False)
    if found.oldest is not None and found.newest is not None:
        shift = now_us() - found.newest if args.shift_to_now else 0
        await check_replayable(settings, found.oldest + shift, now_us())
        began = monotonic()
        with _progress() as progress:
            task = progress.add_task("replay", total=found.events)
            async with Feed(settings, partitions) as feed:
                await publish(
                    messages(args.files, found, shift),
                    feed,
                    speed=args.speed,
                    advance=lambda number: progress.update(task, completed=number),
                )
        seconds = monotonic() - began
        print(f"{found.events:,} events in {seconds:.1f} s, {found.events / seconds:,.0f} per second", file=sys.stderr)
    else:
        print("0 events", file=sys.stderr)
    if found.skipped:
        print(f"{found.skipped:,} lines skipped, the first: {found.first_skipped}", file=sys.stderr)
    return 1 if found.skipped else 0


def _progress() -> Progress:
    """Return a progress bar on stderr, silent unless that is a terminal."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.speed:,.0f}/s"), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _speed(text: str) -> float | None:
    return None if text == "max" else positive(text)


_speed.__name__ = "speed"  # what argparse calls the type in its complaint
