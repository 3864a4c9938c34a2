"""``deskpulse deadletters``: lists the records that were refused, and replays them."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from stream.cli.options import add_config, positive, settings_with_kafka
from stream.events.event import Reason
from stream.events.registry import TOPICS
from stream.events.values import EPOCH, micros

if TYPE_CHECKING:
    from stream.runtime.deadletters import Filter, Letter

NAME = "deadletters"
HELP = "list the records that were refused, or put them onto their topics again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="a line per dead letter, without its contents", allow_abbrev=False)
    _add_filter(listing)
    listing.add_argument("--all", action="store_true", help="also those that were replayed")
    listing.add_argument("--format", choices=["text", "json"], default="text", help="default: text")
    again = actions.add_parser("replay", help="write each once more to the topic it came from", allow_abbrev=False)
    _add_filter(again)
    again.add_argument("--dry-run", action="store_true", help="write nothing; say how many would be written")
    again.add_argument("--rate", type=positive, metavar="N", help="at most N letters per second (default: no limit)")


def _add_filter(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--topic", action="append", choices=TOPICS, help="of this topic (may be repeated)")
    parser.add_argument("--reason", action="append", choices=list(Reason), help="refused for this (may be repeated)")
    parser.add_argument("--partition", action="append", type=int, metavar="N", help="of this shard (may be repeated)")
    parser.add_argument("--since", type=_moment, metavar="TIME", help="refused at this time or later")
    parser.add_argument("--until", type=_moment, metavar="TIME", help="refused before this time")


def run(args: argparse.Namespace) -> int:
    """List or replay; 1 when a letter cannot be replayed. Raises UsageError, ConfigError and WorkerFailure."""
    settings = settings_with_kafka(args)
    # Faust takes half a second to import.
    from stream.runtime.deadletters import Filter  # noqa: PLC0415

    wanted = Filter(
        sources=frozenset(args.topic or ()),
        reasons=frozenset(args.reason or ()),
        partitions=frozenset(args.partition or ()),
        since=0 if args.since is None else args.since,
        until=args.until,
    )
    action = _list if args.action == "list" else _replay
    return asyncio.run(action(args, settings, wanted))


async def _list(args: argparse.Namespace, settings: Any, wanted: Filter) -> int:
    from stream.runtime.deadletters import letters  # noqa: PLC0415
    from stream.runtime.topics import ensure_topics  # noqa: PLC0415

    partitions = await ensure_topics(settings, create=False)
    count = 0
    async for letter in letters(settings, partitions, wanted):
        if args.all or not letter.replayed:
            count += 1
            print(_json(letter) if args.format == "json" else _line(letter))
    print(f"{count:,} dead letters", file=sys.stderr)
    return 0


async def _replay(args: argparse.Namespace, settings: Any, wanted: Filter) -> int:
    from stream.runtime.deadletters import replay  # noqa: PLC0415
    from stream.runtime.topics import ensure_topics  # noqa: PLC0415

    partitions = await ensure_topics(settings, create=False)
    done = await replay(settings, partitions, wanted, rate=args.rate, dry_run=args.dry_run)
    verb = "would be written" if args.dry_run else "written"
    print(
        f"{done.written:,} {verb}, {done.replayed_before:,} were replayed before, "
        f"{done.not_replayable:,} cannot be: they were cut, or are no source's"
    )
    return 1 if done.not_replayable else 0


def _json(letter: Letter) -> str:
    return orjson.dumps(_fields(letter)).decode()


def _line(letter: Letter) -> str:
    about = _fields(letter)
    replayed = " (replayed)" if letter.replayed else ""
    return (
        f"{about['written']}  {about['topic']} {about['partition']}@{about['offset']}  {about['reason']}"
        f"  from {about['original_partition']}@{about['original_offset']}"
        f"  try {about['attempts']}: {about['detail']}{replayed}"
    )


def _fields(letter: Letter) -> dict[str, object]:
    """Return what may be shown: none of it comes from the record itself, which can hold personal data."""
    return {
        "written": (EPOCH + timedelta(microseconds=letter.written)).isoformat(timespec="seconds"),
        "topic": letter.source,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "detail": letter.about("detail"),
        "original_partition": letter.about("original-partition"),
        "original_offset": letter.about("original-offset"),
        "attempts": letter.about("attempts"),
        "bytes": len(letter.value or b""),
        "replayed": letter.replayed,
    }


def _moment(text: str) -> int:
    """Parse a time; without an offset it is UTC. Raises ValueError, which argparse turns into its complaint."""
    moment = datetime.fromisoformat(text)
    return micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


_moment.__name__ = "time, like 2026-03-01T09:30:00Z,"  # what argparse calls the type in its complaint
