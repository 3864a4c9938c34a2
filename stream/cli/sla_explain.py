"""``deskpulse sla explain``: the ledger of one ticket, every segment of each run and who held the ticket meanwhile."""

from __future__ import annotations

import argparse
import io
import sys
from datetime import UTC

import orjson
from rich.console import Console
from rich.table import Table

from stream.cli.errors import UsageError
from stream.cli.inputs import lines, moment
from stream.cli.options import add_config, configuration
from stream.cli.report_formats import moment as written
from stream.config.sla import policies
from stream.domain.ledger import Entry, entry_of
from stream.domain.overdue import described
from stream.domain.sla.explain import CLOSED, COUNTED, PAUSED, Explained, explain
from stream.domain.sla.rules import Book
from stream.events.event import Event
from stream.events.values import MICRO
from stream.ingest.decode import decode

HELP = "the ledger of one ticket: counted, paused and closed time of each run, and who held it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="events as JSON lines (.gz too; - = standard input)")
    parser.add_argument("--ticket", required=True, metavar="ID", help="the ticket to explain")
    parser.add_argument("--as-of", metavar="T", help="ignore what came after T (default: the newest event)")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="how to print (default: table)")
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    """Print the ledger; 0 also when no clock ran. Raises UsageError and ConfigError."""
    book = Book("ticket", policies(configuration(args)))
    entries, newest = _read(args.files, args.ticket)
    if not entries:
        raise UsageError(f"--ticket {args.ticket}: no event of such a ticket in {', '.join(args.files)}")
    as_of = moment(args.as_of)
    runs = explain(entries, book, newest if as_of is None else as_of)
    sys.stdout.write(_as_json(runs) if args.format == "json" else _as_table(args.ticket, runs))
    return 0


def _read(files: list[str], ticket: str) -> tuple[list[Entry], int]:
    """Return the ledger of a ticket, duplicates dropped, and the time of the newest event of all."""
    ledger: dict[tuple[str, str], Entry] = {}
    newest = refused = 0
    for name in files:
        for _, line in lines(name):
            item = decode(line, topic=None)
            if not isinstance(item, Event):
                refused += 1
                continue
            newest = max(newest, item.time)
            if item.type.kind == "ticket" and item.subject == ticket:
                ledger.setdefault((item.source, item.id), entry_of(item))
    if refused:
        print(f"deskpulse sla explain: {refused} lines are no events", file=sys.stderr)
    return sorted(ledger.values(), key=lambda entry: entry.order), newest


def _as_json(runs: list[Explained]) -> str:
    return orjson.dumps(described(runs), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _as_table(ticket: str, runs: list[Explained]) -> str:
    """Return a table per run: a line a segment, then what each team and the whole run add up to."""
    out = io.StringIO()
    console = Console(file=out, width=140, highlight=False, markup=False)
    if not runs:
        console.print(f"Ticket {ticket}: no clock ran.")
    for run in runs:
        console.print(_headline(run))
        table = Table(box=None, pad_edge=False)
        for title in ("from", "to", "counted", "paused", "closed", "status", "team", "agent"):
            table.add_column(title, justify="right" if title in (COUNTED, PAUSED, CLOSED) else "left")
        for part in run.segments:
            times = [_length(part.end - part.start) if part.kind == kind else "" for kind in (COUNTED, PAUSED, CLOSED)]
            moments = written(part.start, UTC), written(part.end, UTC)
            table.add_row(*moments, *times, part.status, part.team, part.agent)
        for team in run.teams:
            table.add_row("", "held by", *_lengths(run, team), "", team)
        table.add_row("", "in all", *_lengths(run))
        console.print(table, "")
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def _headline(run: Explained) -> str:
    words = [f"{run.clock} run {run.n}: {run.state.replace('_', ' ')}", f"policy {run.policy}"]
    words.append(f"target {_length(run.target)}")
    words.append("no deadline while paused" if run.deadline is None else f"deadline {written(run.deadline, UTC)}")
    if run.carried:
        words.append(f"carried over {_length(run.carried)}")
    if run.silent:
        words.append("counts nowhere: the run before the reopen was missed")
    if run.no_reply:
        words.append("resolved without a reply")
    return ", ".join(words)


def _lengths(run: Explained, team: str | None = None) -> list[str]:
    return [_length(run.total(kind, team)) for kind in (COUNTED, PAUSED, CLOSED)]


def _length(duration: int) -> str:
    """Return microseconds as hours:minutes:seconds, to the millisecond where there are any."""
    seconds, rest = divmod(duration, MICRO)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" + (f".{rest // 1_000:03}" if rest else "")
