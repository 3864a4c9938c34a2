"""Opening hours: how much open time lies between two instants, and when a stretch of it is used up.

All instants are microseconds since the epoch (UTC), all durations physical microseconds. Intervals are half-open, and a
deadline that uses up its target exactly at closing time is the closing time (contract, "SLA conventions").
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from stream.events.values import DAY_US, MICRO, micros

Interval = tuple[int, int]  # [open, close) in seconds of the wall clock since midnight; 86,400 is 24:00
Hours = tuple[Interval, ...]  # of one day, in order, not overlapping
Span = tuple[int, int]  # [start, end) in microseconds since the epoch

# Hours become instants a chunk at a time, when first asked for: 366 days take about 4 ms to build and 60 KB to keep.
CHUNK_US = 366 * DAY_US
# Nothing is open before 1970 or 200 chunks later (May 2170): an event of the year 1, valid by the contract, must not
# have a calendar build two thousand years.
CHUNKS = 200
NEVER = 2**62  # later than any instant that can be written


class Calendar:
    """When work is expected. This one is open at all times; `OpeningHours` is the one with hours."""

    def __init__(self, name: str) -> None:
        self.name = name

    def open_between(self, start: int, end: int) -> int:
        """Return the open time in [start, end); 0 where the end does not lie after the start."""
        return max(0, end - start)

    def after(self, start: int, open_time: int) -> int:
        """Return the first instant at which `open_between(start, instant)` is *open_time*.

        Raises OverflowError where the calendar does not know that far ahead.
        """
        return start + open_time

    def is_open(self, at: int) -> bool:
        """Whether the calendar is open at an instant."""
        return True

    def next_open(self, at: int) -> int:
        """Return the instant itself where the calendar is open, else the next opening; raises OverflowError."""
        return at

    def next_close(self, at: int) -> int:
        """Return the end of the open span that holds the instant; `NEVER` where it has none. Only for open instants."""
        return NEVER


ALWAYS = Calendar("24x7")


class _Chunk:
    """The open spans of one chunk, disjoint and in order, with the open time before each."""

    def __init__(self, spans: list[Span]) -> None:
        self.opens = [start for start, _ in spans]
        self.closes = [end for _, end in spans]
        self.before: list[int] = []
        self.total = 0
        for start, end in spans:
            self.before.append(self.total)
            self.total += end - start

    def open_until(self, at: int) -> int:
        """Return the open time from the chunk's start to *at*."""
        index = bisect_right(self.opens, at) - 1
        return 0 if index < 0 else self.before[index] + min(at, self.closes[index]) - self.opens[index]

    def is_open(self, at: int) -> bool:
        """Whether *at* lies in a span."""
        index = bisect_right(self.opens, at) - 1
        return index >= 0 and at < self.closes[index]

    def used_up(self, open_time: int) -> int:
        """Return the first instant at which `open_until` is *open_time*, which is above 0 and at most the total."""
        index = bisect_left(self.before, open_time) - 1
        return self.opens[index] + open_time - self.before[index]

    def close_of(self, at: int) -> int:
        """Return the end of the span that holds *at*."""
        return self.closes[bisect_right(self.opens, at) - 1]


class OpeningHours(Calendar):
    """Weekly hours in a time zone, with days that differ.

    *weekly* has the hours of Monday to Sunday; *dates* those of single dates, which replace the weekly ones; *holidays*
    gives the dates of a year that are closed whatever else is said of them. Raises ValueError where no weekday opens: a
    deadline would not be sure to exist.
    """

    def __init__(
        self,
        name: str,
        zone: tzinfo,
        weekly: tuple[Hours, ...],
        dates: Mapping[date, Hours],
        holidays: Callable[[int], AbstractSet[date]],
    ) -> None:
        super().__init__(name)
        if not any(weekly):
            raise ValueError("it never opens: no weekday has hours")
        self._zone = zone
        self._weekly = weekly
        self._dates = dates
        self._holidays = holidays
        self._chunks: dict[int, _Chunk] = {}

    def open_between(self, start: int, end: int) -> int:
        """Return the open time in [start, end); 0 where the end does not lie after the start."""
        if end <= start:
            return 0
        first, last = _clamp(start // CHUNK_US), _clamp(end // CHUNK_US)
        found = self._chunk(last).open_until(end) - self._chunk(first).open_until(start)
        for number in range(first, last):
            found += self._chunk(number).total
        return found

    def after(self, start: int, open_time: int) -> int:
        """Return the first instant at which `open_between(start, instant)` is *open_time*.

        Raises OverflowError where that lies after the last chunk.
        """
        if open_time <= 0:
            return start
        number = _clamp(start // CHUNK_US)
        chunk = self._chunk(number)
        open_time += chunk.open_until(start)
        while open_time > chunk.total:
            open_time -= chunk.total
            number += 1
            if number == CHUNKS:
                raise OverflowError(f"calendar {self.name}: no such deadline before the year 2170")
            chunk = self._chunk(number)
        return chunk.used_up(open_time)

    def is_open(self, at: int) -> bool:
        """Whether the calendar is open at an instant."""
        return self._chunk(_clamp(at // CHUNK_US)).is_open(at)

    def next_open(self, at: int) -> int:
        """Return the instant itself where the calendar is open, else the next opening; raises OverflowError."""
        return self.after(at, 1) - 1

    def next_close(self, at: int) -> int:
        """Return the end of the open span that holds the instant; `NEVER` where it has none. Only for open instants."""
        number = at // CHUNK_US
        close = self._chunk(number).close_of(at)
        while close == (number + 1) * CHUNK_US:  # the span may go on in the next chunk
            number += 1
            if number == CHUNKS:
                return NEVER
            if not self.is_open(close):
                break
            close = self._chunk(number).close_of(close)
        return close

    def _chunk(self, number: int) -> _Chunk:
        chunk = self._chunks.get(number)
        if chunk is None:
            chunk = self._chunks[number] = _Chunk(self._spans(number * CHUNK_US, (number + 1) * CHUNK_US))
        return chunk

    def _spans(self, start: int, end: int) -> list[Span]:
        """Return the open spans within [start, end), those that touch joined."""
        spans: list[Span] = []
        # No zone is a whole day away from UTC, so a day more at either side is enough.
        day = datetime.fromtimestamp(start // MICRO, UTC).date() - timedelta(days=1)
        last = datetime.fromtimestamp(end // MICRO, UTC).date() + timedelta(days=1)
        while day <= last:
            for opening, closing in self._hours(day):
                opens, closes = max(start, self._instant(day, opening)), min(end, self._instant(day, closing))
                if spans and opens <= spans[-1][1]:
                    spans[-1] = (spans[-1][0], max(spans[-1][1], closes))
                elif opens < closes:
                    spans.append((opens, closes))
            day += timedelta(days=1)
        return spans

    def _hours(self, day: date) -> Hours:
        if day in self._holidays(day.year):
            return ()
        return self._dates.get(day, self._weekly[day.weekday()])

    def _instant(self, day: date, second: int) -> int:
        """Return when the wall clock shows *second* of *day*.

        A time that it shows twice (autumn) is the first of the two; one that it skips (spring) is the end of the gap.
        """
        wall = datetime.combine(day, time(), self._zone) + timedelta(seconds=second)
        early, late = wall.utcoffset(), wall.replace(fold=1).utcoffset()
        assert early is not None
        assert late is not None
        if early >= late:
            return micros(wall.replace(tzinfo=UTC) - early)
        # In a gap fold 0 has the offset before it, fold 1 the one after it, so the gap lies between the two instants.
        # Zones change at whole seconds.
        low, high = micros(wall.replace(tzinfo=UTC) - late) // MICRO, micros(wall.replace(tzinfo=UTC) - early) // MICRO
        while low < high:
            middle = (low + high) // 2
            if datetime.fromtimestamp(middle, self._zone).utcoffset() == early:
                low = middle + 1
            else:
                high = middle
        return low * MICRO


def elapsed(calendar: Calendar, start: int, end: int, pauses: Iterable[Span]) -> int:
    """Return the open time in [start, end) outside the pauses, which may overlap and come in any order."""
    counted = 0
    for pause_start, pause_end in sorted(pauses):
        counted += calendar.open_between(start, min(pause_start, end))
        start = max(start, pause_end)
    return counted + calendar.open_between(start, end)


def deadline(calendar: Calendar, start: int, target: int, pauses: Iterable[Span]) -> int:
    """Return the first instant at which `elapsed` since *start* is *target*; raises OverflowError as `after` does."""
    for pause_start, pause_end in sorted(pauses):
        counted = calendar.open_between(start, pause_start)
        if counted >= target:
            break
        target -= counted
        start = max(start, pause_end)
    return calendar.after(start, target)


def _clamp(number: int) -> int:
    return min(max(number, 0), CHUNKS - 1)
