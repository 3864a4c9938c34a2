"""``deskpulse report``: the KPIs of event files by the live engine, without Kafka."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console
from rich.progress import Progress

from stream.cli.errors import UsageError
from stream.cli.inputs import lines, moment
from stream.cli.report_formats import FORMATS
from stream.config import load
from stream.config.sla import terms
from stream.domain.kpis import CATALOGUE
from stream.domain.report import Ledgers, Period, periods, rows, splittable, whole_days
from stream.domain.sla.terms import begin
from stream.events.event import Event, Rejected
from stream.events.values import DAY_US
from stream.ingest.decode import decode

MAX_PERIODS = 10_000  # 27 years of days
DAYS = {"day": 1, "week": 7, "month": 28}

NAME = "report"
HELP = "the KPIs of event files, without Kafka"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="events as JSON lines (.gz too; - = standard input)")
    parser.add_argument("--from", dest="start", metavar="T", help="start of the first period (default: the first day)")
    parser.add_argument(
        "--to", dest="end", metavar="T", help="end of the last period, exclusive (default: the last day)"
    )
    parser.add_argument("--as-of", metavar="T", help="ignore what came after T")
    parser.add_argument("--tz", default="UTC", metavar="ZONE", help="zone of days, weeks and months (default: UTC)")
    parser.add_argument("--by", choices=("day", "week", "month", "total"), default="total", help="length of a period")
    parser.add_argument("--group", default="", metavar="LABEL[,LABEL]", help="split by these labels")
    parser.add_argument(
        "--policies",
        type=Path,
        metavar="FILE",
        help="judge by the policies of this file (default: the configuration's)",
    )
    parser.add_argument("--format", choices=sorted(FORMATS), default="table", help="how to print (default: table)")


def run(args: argparse.Namespace) -> int:
    """Print the report; 0 also when some lines were refused (standard error tells), 1 when all were.

    Raises UsageError and ConfigError.
    """
    history = begin(terms(load(args.policies)))
    zone = _zone(args.tz)
    group = _group(args.group)
    start, end, as_of = (moment(text, zone) for text in (args.start, args.end, args.as_of))
    ledgers, refused = _read(args.files, as_of)
    cut = _periods(ledgers, (start, end), args.by, zone)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        entities = bar.track(ledgers, total=len(ledgers), description="computing")
        until = as_of if as_of is not None else ledgers.last or 0
        table = rows(entities, cut, group, history, until) if cut else []
    sys.stdout.write(FORMATS[args.format](table, zone))
    return 1 if refused and not ledgers.applied else 0


def _periods(ledgers: Ledgers, asked: tuple[int | None, int | None], by: str, zone: ZoneInfo) -> list[Period]:
    start, end = asked
    if ledgers.first is None and (start is None or end is None):
        return []
    first, last = whole_days(ledgers, zone)
    start, end = first if start is None else start, last if end is None else end
    if start >= end:
        raise UsageError("--from must lie before --to")
    if by != "total" and (end - start) // DAY_US > MAX_PERIODS * DAYS[by]:
        raise UsageError(f"--by {by}: over {MAX_PERIODS:,} periods between --from and --to")
    return periods(start, end, by, zone)  # type: ignore[arg-type]  # argparse admits only the four


def _read(files: list[str], as_of: int | None) -> tuple[Ledgers, int]:
    """Return the events of *files* and the number of lines refused; standard error tells what became of the lines."""
    ledgers, refused, later = Ledgers(), Counter[str](), 0
    first = ""
    for name in files:
        for number, line in lines(name):
            item = decode(line, topic=None)
            if isinstance(item, Rejected):
                first = first or f"{name}:{number}: {item.reason}: {item.detail}"
                refused[item.reason] += 1
            elif isinstance(item, Event):
                if as_of is not None and item.time > as_of:
                    later += 1
                else:
                    ledgers.add(item)
    notes = [f"{ledgers.applied} events", f"{ledgers.duplicates} duplicates"]
    notes += [f"{later} after --as-of"] * bool(later)
    notes += [f"{number} refused as {reason}" for reason, number in sorted(refused.items())]
    print(f"deskpulse report: {', '.join(notes)}", file=sys.stderr)
    if first:
        print(f"deskpulse report: the first refused: {first}", file=sys.stderr)
    return ledgers, sum(refused.values())


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"--tz {name}: no such zone; names are like Europe/Berlin") from None


def _group(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = sorted({label for kpi in CATALOGUE for label in kpi.labels})
    for name in names:
        if name not in known:
            raise UsageError(f"--group {name}: no such label; there are {', '.join(known)}")
    if not splittable(names):
        raise UsageError(f"--group {text}: no KPI has all of these labels")
    return names
