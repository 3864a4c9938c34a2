"""Calendars from their tables."""

from __future__ import annotations

from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from stream.config.errors import ConfigError
from stream.config.holiday import holidays_by_year
from stream.config.shape import nearest
from stream.config.tables import CalendarTable
from stream.domain.sla.calendar import Hours, Interval, OpeningHours

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def calendar(name: str, table: CalendarTable) -> OpeningHours:
    """Return the calendar of a table. Raises ConfigError, worded to follow the calendar's name."""
    weekly = tuple(_hours(f"hours.{day}", getattr(table.hours, day)) for day in DAYS)
    dates = {day: _hours(f"dates.{day}", texts) for day, texts in table.dates.items()}
    holidays = holidays_by_year(table.holidays, table.country, table.region)
    try:
        return OpeningHours(name, zone(table.zone), weekly, dates, holidays)
    except ValueError as error:
        raise ConfigError(f"hours: {error}") from None


def zone(name: str) -> ZoneInfo:
    """Return the time zone of that name. Raises ConfigError, worded to follow the calendar's name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # the last two: no path below the zones, or a folder of them
        raise ConfigError(f"zone: no zone {name!r}; the nearest is {nearest(name, available_timezones())!r}") from None


def weekly_seconds(table: CalendarTable) -> int:
    """Return how long the calendar is open in a week without holidays."""
    return sum(close - start for day in DAYS for start, close in _hours(day, getattr(table.hours, day)))


def _hours(where: str, texts: tuple[str, ...]) -> Hours:
    """Return the intervals of a day in order. Raises ConfigError where one is empty or two overlap."""
    hours = sorted(_interval(where, text) for text in texts)
    for (_, close), (start, _) in pairwise(hours):
        if start < close:
            raise ConfigError(f"{where}: two intervals overlap")
    return tuple(hours)


def _interval(where: str, text: str) -> Interval:
    start, _, close = text.partition("-")
    interval = _second(start), _second(close)
    if interval[0] >= interval[1]:
        raise ConfigError(f"{where}: {text!r} ends before it begins; split at 24:00 what goes past midnight")
    return interval


def _second(text: str) -> int:
    """Return the second of the day of a time such as 09:30 or 09:30:15; 24:00 is the end of it."""
    hour, minute, *second = map(int, text.split(":"))
    return 3_600 * hour + 60 * minute + sum(second)
