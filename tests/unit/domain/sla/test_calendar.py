"""The calendar's conventions, each at the instant where another convention would say something else."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from stream.domain.sla.calendar import ALWAYS, NEVER, Hours, OpeningHours, deadline, elapsed
from stream.events.values import DAY_US, micros

SECOND = 1_000_000
HOUR = 3_600 * SECOND
NINE_TO_FIVE: Hours = ((9 * 3_600, 17 * 3_600),)
WEEKDAYS = (NINE_TO_FIVE,) * 5 + ((), ())
ALL_DAY: Hours = ((0, 86_400),)


def calendar(
    weekly: tuple[Hours, ...] = WEEKDAYS,
    zone: str = "UTC",
    dates: Mapping[date, Hours] = {},
    holidays: frozenset[date] = frozenset(),
) -> OpeningHours:
    return OpeningHours("desk", ZoneInfo(zone), weekly, dates, lambda year: holidays)


def at(text: str) -> int:
    """Return an instant; without an offset it is UTC."""
    moment = datetime.fromisoformat(text)
    return micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def test_opening_counts_and_closing_does_not() -> None:
    desk = calendar()
    opening, closing = at("2026-03-02T09:00"), at("2026-03-02T17:00")
    assert [desk.is_open(instant) for instant in (opening - 1, opening, closing - 1, closing)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_target_used_up_at_closing_time_ends_at_closing_time() -> None:
    assert calendar().after(at("2026-03-02T15:00"), 2 * HOUR) == at("2026-03-02T17:00")


def test_a_microsecond_more_ends_after_the_next_opening() -> None:
    assert calendar().after(at("2026-03-06T15:00"), 2 * HOUR + 1) == at("2026-03-09T09:00") + 1


def test_a_clock_that_starts_outside_hours_starts_at_the_next_opening() -> None:
    assert calendar().after(at("2026-03-07T12:00"), HOUR) == at("2026-03-09T10:00")


def test_no_time_passes_backwards_and_no_target_is_used_up_at_the_start() -> None:
    desk, start = calendar(), at("2026-03-07T12:00")
    assert desk.open_between(start, start - DAY_US) == 0
    assert desk.after(start, 0) == start


def test_after_a_short_day_the_hours_of_the_next_day_are_its_own() -> None:
    """A peer kept the closing hour of the day of creation: six hours from Saturday 14:00 ended on Tuesday."""
    weekly = (NINE_TO_FIVE,) * 5 + (((9 * 3_600, 13 * 3_600),), ())
    assert calendar(weekly).after(at("2026-03-07T14:00"), 6 * HOUR) == at("2026-03-09T15:00")


def test_a_day_open_to_24_00_loses_no_minute_to_the_next() -> None:
    week = calendar((ALL_DAY,) * 7)
    assert week.open_between(at("2026-03-02T00:00"), at("2026-03-09T00:00")) == 7 * DAY_US
    assert week.next_close(at("2026-03-02T12:00")) == NEVER


def test_a_lunch_break_is_closed() -> None:
    desk = calendar((((9 * 3_600, 12 * 3_600), (13 * 3_600, 17 * 3_600)),) * 7)
    assert desk.after(at("2026-03-02T11:30"), HOUR) == at("2026-03-02T13:30")
    assert desk.next_open(at("2026-03-02T12:00")) == at("2026-03-02T13:00")
    assert desk.next_close(at("2026-03-02T11:59:59")) == at("2026-03-02T12:00")


def test_the_hours_of_a_date_replace_those_of_its_weekday_and_a_holiday_closes_both() -> None:
    short, closed, opened = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 7)
    noon: Hours = ((12 * 3_600, 13 * 3_600),)
    desk = calendar(dates={short: noon, closed: noon, opened: noon}, holidays=frozenset({closed}))
    of_day = [desk.open_between(at(f"2026-03-0{day}T00:00"), at(f"2026-03-0{day + 1}T00:00")) for day in (2, 3, 4, 7)]
    assert of_day == [HOUR, 0, 8 * HOUR, HOUR]


def test_hours_are_wall_clock_and_durations_physical() -> None:
    """On the Sundays of a change a whole day has 23 and 25 hours, and the shift of 9 to 17 still has eight."""
    berlin, shift = calendar((ALL_DAY,) * 7, "Europe/Berlin"), calendar((NINE_TO_FIVE,) * 7, "Europe/Berlin")
    spring = at("2026-03-29T00:00+01:00"), at("2026-03-30T00:00+02:00")
    autumn = at("2026-10-25T00:00+02:00"), at("2026-10-26T00:00+01:00")
    assert [berlin.open_between(*spring), berlin.open_between(*autumn)] == [23 * HOUR, 25 * HOUR]
    assert [shift.open_between(*spring), shift.open_between(*autumn)] == [8 * HOUR, 8 * HOUR]


def test_a_time_that_the_clock_skips_is_the_end_of_the_gap() -> None:
    night = calendar((((2 * 3_600 + 1_800, 5 * 3_600),),) * 7, "Europe/Berlin")
    assert night.next_open(at("2026-03-29T00:00+01:00")) == at("2026-03-29T03:00+02:00")
    gone = calendar((((2 * 3_600 + 600, 2 * 3_600 + 1_800),),) * 7, "Europe/Berlin")
    assert gone.next_open(at("2026-03-29T00:00+01:00")) == at("2026-03-30T02:10+02:00")


def test_a_time_that_the_clock_shows_twice_is_the_first_of_the_two() -> None:
    night = calendar((((2 * 3_600 + 1_800, 5 * 3_600),),) * 7, "Europe/Berlin")
    opening = at("2026-10-25T02:30+02:00")
    assert night.next_open(at("2026-10-25T00:00+02:00")) == opening
    assert night.open_between(opening, at("2026-10-25T05:00+01:00")) == 3 * HOUR + HOUR // 2
    evening = calendar((((0, 2 * 3_600 + 1_800),),) * 7, "Europe/Berlin")
    assert evening.next_close(at("2026-10-25T01:00+02:00")) == opening


def test_a_day_that_a_zone_leaves_out_has_no_hours() -> None:
    samoa = calendar((NINE_TO_FIVE,) * 7, "Pacific/Apia")
    assert samoa.next_open(at("2011-12-29T18:00-10:00")) == at("2011-12-31T09:00+14:00")


def test_a_calendar_that_never_opens_is_refused() -> None:
    with pytest.raises(ValueError, match="it never opens"):
        calendar(((),) * 7, dates={date(2026, 3, 2): NINE_TO_FIVE})


def test_a_deadline_beyond_what_is_known_is_an_error_not_an_endless_search() -> None:
    with pytest.raises(OverflowError, match="desk: no such deadline before the year 2170"):
        calendar().after(at("2026-03-02T09:00"), 100 * 365 * DAY_US)


def test_instants_of_the_first_and_last_year_are_answered() -> None:
    desk = calendar()
    since_always = desk.open_between(at("0001-01-01T00:00"), at("2026-03-02T12:00"))
    assert since_always == desk.open_between(0, at("2026-03-02T12:00"))
    assert desk.after(at("0001-01-01T00:00"), 1) == at("1970-01-01T09:00") + 1
    assert desk.open_between(at("2180-01-01T00:00"), at("9999-12-31T00:00")) == 0
    assert not any(desk.is_open(at(f"{year}-12-31T12:00")) for year in ("0001", "9999"))


def test_always_open_is_a_calendar_too() -> None:
    start = at("2026-03-01T03:00")
    assert ALWAYS.after(start, HOUR) == start + HOUR
    assert ALWAYS.open_between(start, start + HOUR) == HOUR
    assert ALWAYS.open_between(start + HOUR, start) == 0
    assert ALWAYS.is_open(start)
    assert ALWAYS.next_open(start) == start


def test_pauses_may_overlap_and_come_in_any_order() -> None:
    start, hour = at("2026-03-02T09:00"), HOUR
    pauses = [(start + 3 * hour, start + 4 * hour), (start, start + 2 * hour), (start + hour, start + 3 * hour)]
    assert elapsed(calendar(), start, start + 5 * hour, pauses) == hour
    assert deadline(calendar(), start, hour, pauses) == start + 5 * hour


def test_a_target_used_up_when_a_pause_begins_ends_before_it() -> None:
    start = at("2026-03-02T09:00")
    assert deadline(calendar(), start, HOUR, [(start + HOUR, start + 2 * HOUR)]) == start + HOUR
    assert deadline(calendar(), start, HOUR + 1, [(start + HOUR, start + 2 * HOUR)]) == start + 2 * HOUR + 1


def test_a_deadline_ten_years_of_holidays_away_takes_under_50_microseconds() -> None:
    holidays = frozenset(date(year, month, 1) for year in range(2026, 2037) for month in range(1, 13))
    desk = calendar(zone="Europe/Berlin", holidays=holidays)
    start, end = at("2026-03-02T10:07:13"), at("2036-03-03T10:07:13")
    target = desk.open_between(start, end)
    took = []
    for _ in range(200):
        began = time.perf_counter()
        found = desk.after(start, target)
        took.append(time.perf_counter() - began)
    assert found == end
    assert min(took) < 50e-6  # the least of many: what else the machine does adds to the others
