"""The calendar against a clock hand that is moved on minute by minute, over zones, changes of the clock and pauses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stream.domain.sla.calendar import NEVER, Hours, OpeningHours, deadline, elapsed
from stream.events.values import micros

MINUTE = 60_000_000
DAYS = 9

# Days around which something happens to the clock: changes by an hour, by half an hour (Lord Howe), at midnight (Sao
# Paulo), a whole day left out (Apia), a winter time that is the exception (Casablanca), and nothing at all.
CHANGES = (
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2024, 3, 10)),
    ("America/New_York", date(2024, 11, 3)),
    ("Australia/Lord_Howe", date(2025, 10, 5)),
    ("Australia/Lord_Howe", date(2025, 4, 6)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("America/Sao_Paulo", date(2018, 2, 18)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Africa/Casablanca", date(2025, 2, 23)),
    ("Asia/Kathmandu", date(2026, 1, 1)),
    ("America/New_York", date(1971, 1, 2)),  # a chunk of the calendar ends there, in UTC
    ("Pacific/Auckland", date(1971, 1, 2)),
)


class World:
    """A calendar, and for each minute around a change whether a person who watches the clock finds it open."""

    def __init__(self, zone: str, change: date, weekly: tuple[Hours, ...], dates: dict[date, Hours], off: set[date]):
        holidays = frozenset(off)
        self.calendar = OpeningHours("random", ZoneInfo(zone), weekly, dates, lambda year: holidays)
        self.start = micros(datetime(change.year, change.month, change.day, tzinfo=UTC)) - DAYS // 2 * 1440 * MINUTE
        self._clock = zone, self.start
        self._hours_of = lambda day: () if day in off else dates.get(day, weekly[day.weekday()])

    @cached_property
    def open(self) -> list[bool]:
        shown = watch(*self._clock)
        hours = {day: self._hours_of(day) for day, _ in shown}
        return [any(opens <= second < closes for opens, closes in hours[day]) for day, second in shown]

    def instant(self, minute: int) -> int:
        return self.start + minute * MINUTE


@cache
def watch(zone: str, start: int) -> list[tuple[date, int]]:
    """Return for each minute from *start* on the latest date and second of the day that the clock has shown.

    Where the clock goes back this one stands still: that is what "opens and closes at its first occurrence" comes to.
    """
    found, latest = [], datetime.min  # noqa: DTZ901  (a wall clock has no zone)
    first = start // MINUTE - 1440  # a day before, so that the latest time shown is known
    for minute in range(first, first + (DAYS + 1) * 1440):
        shown = datetime.fromtimestamp(minute * 60, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        latest = max(latest, shown)
        found.append((latest.date(), latest.hour * 3_600 + latest.minute * 60))
    return found[1440:]


def day_hours() -> st.SearchStrategy[Hours]:
    """Return hours of a day as pairs of quarters of an hour, apart or touching."""
    cuts = st.lists(st.integers(0, 96), max_size=6, unique=True).map(sorted)
    return cuts.map(lambda at: tuple((a * 900, b * 900) for a, b in zip(at[::2], at[1::2], strict=False)))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    zone, change = draw(st.sampled_from(CHANGES))
    weekly = draw(st.tuples(*[day_hours()] * 7).filter(any))
    near = st.integers(-DAYS // 2, DAYS // 2).map(lambda days: change + timedelta(days=days))
    dates = draw(st.dictionaries(near, day_hours(), max_size=3))
    return World(zone, change, weekly, dates, draw(st.sets(near, max_size=2)))


minutes = st.integers(0, DAYS * 1440 - 1)
spans = st.tuples(minutes, minutes).map(lambda pair: (min(pair), max(pair)))
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@unhurried
@given(worlds(), spans, st.lists(spans, max_size=4))
def test_open_time_is_what_a_watcher_counts(world: World, span: tuple[int, int], pauses: list[tuple[int, int]]) -> None:
    counted = sum(
        world.open[minute] and not any(start <= minute < end for start, end in pauses) for minute in range(*span)
    )
    instants = [(world.instant(start), world.instant(end)) for start, end in pauses]
    assert elapsed(world.calendar, *map(world.instant, span), instants) == counted * MINUTE


@unhurried
@given(worlds(), minutes, st.integers(1, 3_000), st.lists(spans, max_size=4))
def test_a_deadline_is_the_end_of_the_minute_that_uses_the_target_up(
    world: World, start: int, target: int, pauses: list[tuple[int, int]]
) -> None:
    counting = [
        minute
        for minute in range(start, DAYS * 1440)
        if world.open[minute] and not any(begin <= minute < end for begin, end in pauses)
    ]
    found = deadline(
        world.calendar,
        world.instant(start),
        target * MINUTE,
        [(world.instant(begin), world.instant(end)) for begin, end in pauses],
    )
    if target <= len(counting):
        assert found == world.instant(counting[target - 1] + 1)
    else:
        assert found > world.instant(DAYS * 1440)


@unhurried
@given(worlds(), minutes)
def test_whether_it_is_open_and_until_when_is_what_a_watcher_sees(world: World, minute: int) -> None:
    at = world.instant(minute)
    assert world.calendar.is_open(at) == world.open[minute]
    later = [other for other in range(minute, DAYS * 1440) if world.open[other] != world.open[minute]]
    change = world.calendar.next_close(at) if world.open[minute] else world.calendar.next_open(at)
    if later:
        assert change == world.instant(later[0])
    else:
        assert change >= world.instant(DAYS * 1440)


@unhurried
@given(worlds(), st.integers(0, DAYS * 1440 * MINUTE), st.integers(1, 10**13), st.lists(spans, max_size=3))
def test_deadline_and_elapsed_are_inverse_to_the_microsecond(
    world: World, offset: int, target: int, pauses: list[tuple[int, int]]
) -> None:
    start = world.start + offset
    instants = [(world.instant(begin), world.instant(end)) for begin, end in pauses]
    found = deadline(world.calendar, start, target, instants)
    assert elapsed(world.calendar, start, found, instants) == target
    assert elapsed(world.calendar, start, found - 1, instants) == target - 1


@unhurried
@given(worlds(), st.lists(st.integers(0, 10**14), min_size=3, max_size=3).map(sorted))
def test_open_time_adds_up(world: World, offsets: list[int]) -> None:
    first, middle, last = (world.start + offset for offset in offsets)
    between = world.calendar.open_between
    assert between(first, last) == between(first, middle) + between(middle, last)


@unhurried
@given(worlds(), st.integers(0, 10**14))
def test_the_next_closing_ends_a_span_that_is_open_throughout(world: World, offset: int) -> None:
    opening = world.calendar.next_open(world.start + offset)
    close = world.calendar.next_close(opening)
    assume(close != NEVER)
    assert world.calendar.open_between(opening, close) == close - opening
    assert not world.calendar.is_open(close)
