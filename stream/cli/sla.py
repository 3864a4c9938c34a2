"""``deskpulse sla check``: whether calendars give the deadlines and durations that a file of cases expects."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from stream.cli import sla_explain
from stream.cli.errors import UsageError
from stream.config import ConfigError
from stream.config.calendars import calendar
from stream.config.shape import complaint
from stream.config.tables import CalendarTable
from stream.domain.sla.calendar import ALWAYS, Calendar, Span, deadline, elapsed
from stream.events.values import EPOCH, MICRO, micros

NAME = "sla"
HELP = "explain the clocks of a ticket, or check calendars against cases"
CHECK_HELP = "check calendars against cases"

Moment = Annotated[datetime, Meta(tz=True)]
Seconds = Annotated[float, Meta(ge=0, le=1e10)]
Day = list[tuple[str, str]]  # [open, close], as in 09:00 and 17:30


class Hours(Struct, forbid_unknown_fields=True):
    """The calendar of a case."""

    tz: str
    hours: dict[str, Day]
    holidays: list[date] = []
    date_hours: dict[date, Day] = {}


class Case(Struct, forbid_unknown_fields=True, tag_field="kind"):
    """What all kinds of cases have; no calendar = open at all times."""

    id: str
    calendar: Hours | None
    source: str = ""
    note: str = ""
    pauses: list[tuple[Moment, Moment]] = []


class Deadline(Case, tag="deadline", kw_only=True):
    """The instant at which the target is used up."""

    start: Moment
    target_seconds: Seconds
    expected: Moment


class BusinessElapsed(Case, tag="business_elapsed", kw_only=True):
    """The open seconds in [start, end)."""

    start: Moment
    end: Moment
    expected: Seconds


class IsOpen(Case, tag="is_open", kw_only=True):
    """Whether the calendar is open and nothing pauses."""

    at: Moment
    expected: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    check = actions.add_parser("check", help=CHECK_HELP, description=CHECK_HELP, allow_abbrev=False)
    check.add_argument("file", type=Path, metavar="FILE", help="a JSON list of cases")
    check.set_defaults(act=run_check)
    explain = actions.add_parser("explain", help=sla_explain.HELP, description=sla_explain.HELP, allow_abbrev=False)
    sla_explain.add_arguments(explain)
    explain.set_defaults(act=sla_explain.run)


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    code: int = args.act(args)
    return code


def run_check(args: argparse.Namespace) -> int:
    """Print each case that differs and how many passed and failed; 1 where one failed. Raises UsageError."""
    failed = 0
    cases = _read(args.file)
    for case in cases:
        try:
            expected, found = _outcome(case)
        except (ConfigError, OverflowError) as error:
            raise UsageError(f"{args.file}: {case.id}: {error}") from None
        if expected != found:
            failed += 1
            print(f"{case.id}: expected {_said(expected)}, got {_said(found)}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _read(file: Path) -> list[Deadline | BusinessElapsed | IsOpen]:
    """Return the cases of a file. Raises UsageError."""
    try:
        raw = msgspec.json.decode(file.read_bytes(), type=list[msgspec.Raw])
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{file}: no list of cases: {error}") from None
    cases = []
    for number, text in enumerate(raw, 1):
        try:
            cases.append(msgspec.json.decode(text, type=Deadline | BusinessElapsed | IsOpen))
        except msgspec.DecodeError as error:
            raise UsageError(f"{file}: case {number}: {error}") from None
    return cases


def _outcome(case: Deadline | BusinessElapsed | IsOpen) -> tuple[Any, Any]:
    """Return what a case expects and what the calendar gives, exact to the microsecond."""
    hours, pauses = _calendar(case.calendar), _spans(case.pauses)
    match case:
        case Deadline():
            found = deadline(hours, micros(case.start), round(case.target_seconds * MICRO), pauses)
            return case.expected, EPOCH + timedelta(microseconds=found)
        case BusinessElapsed():
            found = elapsed(hours, micros(case.start), micros(case.end), pauses)
            return round(case.expected * MICRO) / MICRO, found / MICRO
        case IsOpen():
            at = micros(case.at)
            return case.expected, hours.is_open(at) and not any(start <= at < end for start, end in pauses)


def _calendar(hours: Hours | None) -> Calendar:
    """Return the calendar of a case. Raises ConfigError."""
    if hours is None:
        return ALWAYS
    data = {
        "zone": hours.tz,
        "hours": {day: _intervals(pairs) for day, pairs in hours.hours.items()},
        "dates": {day.isoformat(): _intervals(pairs) for day, pairs in hours.date_hours.items()},
        "holidays": hours.holidays,
    }
    found = complaint(data, CalendarTable)
    if found is not None:
        raise ConfigError(found)
    return calendar("case", msgspec.convert(data, CalendarTable))


def _intervals(pairs: Day) -> list[str]:
    return [f"{start}-{close}" for start, close in pairs]


def _spans(pauses: list[tuple[datetime, datetime]]) -> list[Span]:
    spans = [(micros(start), micros(end)) for start, end in pauses]
    if any(start > end for start, end in spans):
        raise ConfigError("pauses: one ends before it begins")
    return spans


def _said(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
