"""The laws of reports: over generated logs they equal the oracle's, which shares no code with the core."""

from __future__ import annotations

import json
import math
from datetime import datetime
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.report import Ledgers, periods, rows, whole_days
from stream.domain.sla.terms import begin
from stream.events.event import Event
from stream.events.values import DAY_US, MICRO, micros
from stream.ingest.decode import decode
from tests.oracle import report as oracle
from tests.oracle.generator import START_US, Mix, generate
from tests.support.core import TERMS
from tests.support.data import deskpulse

BERLIN_SPRING = 1_774_742_400 * MICRO  # 2026-03-29T00:00Z: an hour later the clocks of Berlin go on by one
BYS = ("day", "week", "month", "total")
# Samoa has no 2011-12-30, Lord Howe turns its clock by half an hour, Kathmandu is 5:45 h ahead.
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
GROUPS = ((), ("channel",), ("brand",), ("priority", "team"), ("channel", "brand"), ("site",))
LAWS = settings(max_examples=25, deadline=None)


def events_of(seed, start=START_US, **changes):
    mix = Mix(seed=seed, entities=50, customers=8, binary=0.0, heartbeats=2, start_us=start, **changes)
    return [json.loads(record["value"]) for record in generate(mix)]


def found(events, cut, group):
    ledgers = Ledgers()
    for event in events:
        item = decode(json.dumps(event).encode(), topic=None)
        if isinstance(item, Event):
            ledgers.add(item)
    table = rows(ledgers, cut, group, begin(TERMS), ledgers.last or 0)
    return [{"span": (row.start, row.end), "group": row.group, "kpis": row.kpis} for row in table]


def wanted(events, span, by, zone, group, *, as_of=None):
    return [as_instants(row) for row in oracle(events, *span, by, tz=zone, group=group, as_of_us=as_of)]


def as_instants(row):
    span = tuple(micros(datetime.fromisoformat(row[edge])) for edge in ("from", "to"))
    return {"span": span, "group": row["group"], "kpis": row["kpis"]}


def same(one, other, path=""):
    """Whole numbers, texts and shapes must be equal, figures with a fraction but for the last digits."""
    if isinstance(other, dict):
        assert one.keys() == other.keys(), path
        for key, value in other.items():
            same(one[key], value, f"{path}/{key}")
    elif isinstance(other, list | tuple):
        assert len(one) == len(other), path
        for number, pair in enumerate(zip(one, other, strict=True)):
            same(*pair, f"{path}/{number}")
    elif isinstance(other, float):
        assert math.isclose(one, other, rel_tol=1e-9), path
    else:
        assert one == other, path


@LAWS
@given(st.integers(0, 2**32), st.sampled_from(BYS), st.sampled_from(ZONES), st.sampled_from(GROUPS), st.booleans())
def test_a_report_equals_brute_force_over_the_raw_events(seed, by, zone, group, in_spring):
    start = BERLIN_SPRING - 3 * DAY_US if in_spring else START_US
    events = events_of(seed, start)
    random = Random(seed)
    begin = start + random.randrange(-2 * DAY_US, 5 * DAY_US)
    span = (begin, begin + random.randrange(1, 40 * DAY_US))
    cut = periods(*span, by, ZoneInfo(zone))
    same(found(events, cut, group), wanted(events, span, by, zone, group))


@LAWS
@given(st.integers(0, 2**32), st.sampled_from(GROUPS))
def test_any_order_and_any_duplication_of_the_events_give_the_same_report(seed, group):
    events = events_of(seed, duplicates=0.0)
    random = Random(seed)
    again = [*events, *random.choices(events, k=30)]
    random.shuffle(again)
    cut = periods(START_US, START_US + 30 * DAY_US, "week", ZoneInfo("Europe/Berlin"))
    assert found(again, cut, group) == found(events, cut, group)


@LAWS
@given(st.integers(0, 2**32), st.sampled_from(BYS), st.sampled_from(ZONES))
def test_the_periods_cover_the_span_without_gap_or_overlap_and_break_only_at_midnights_of_the_zone(seed, by, zone):
    random = Random(seed)
    begin = random.randrange(946_684_800, 1_900_000_000) * MICRO  # 2000 to 2030
    end = begin + random.randrange(1, 800 * DAY_US)
    cut = periods(begin, end, by, ZoneInfo(zone))
    assert (cut[0][0], cut[-1][1]) == (begin, end)
    assert all(before[1] == after[0] for before, after in pairwise(cut))
    for edge, _ in cut[1:]:
        local = datetime.fromtimestamp(edge // MICRO, ZoneInfo(zone))
        # Where midnight does not exist the day begins at the end of the gap, and Python gives it as the hour after.
        assert (local.hour, local.minute) == (0, 0) or local.utcoffset() != local.replace(hour=0, minute=0).utcoffset()
        assert by != "week" or local.weekday() == 0 or (local.month, local.day) == (12, 31)  # Samoa's lost Friday
        assert by != "month" or local.day == 1


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_the_command_as_of_a_time_equals_brute_force_over_what_had_happened_by_then(tmp_path, zone):
    events = events_of(11, BERLIN_SPRING - 3 * DAY_US)
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    as_of = "2026-04-01T12:00:00Z"
    past = [event for event in events if datetime.fromisoformat(event["time"]) <= datetime.fromisoformat(as_of)]
    assert 100 < len(past) < len(events)
    span = tuple(
        micros(datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))) for day in ("2026-03-20", "2026-04-10")
    )
    done = deskpulse(
        "report", path, "--format", "json", "--as-of", as_of, "--by", "week", "--tz", zone,
        "--from", "2026-03-20", "--to", "2026-04-10", "--group", "channel",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = [as_instants(row) for row in json.loads(done.stdout)]
    same(table, wanted(past, span, "week", zone, ("channel",), as_of=micros(datetime.fromisoformat(as_of))))


def test_whole_days_reach_from_the_midnight_before_the_first_event_to_the_one_after_the_last():
    ledgers = Ledgers()
    for time in ("2026-03-28T23:30:00Z", "2026-03-29T22:30:00Z"):  # half past midnight of the 29th and 30th in Berlin
        body = {"specversion": "1.0", "id": time, "source": "s", "type": "ticket.worked", "subject": "T", "time": time}
        item = decode(json.dumps(body | {"data": {"seconds": 1}}).encode(), topic=None)
        assert isinstance(item, Event)
        ledgers.add(item)
    start, end = whole_days(ledgers, ZoneInfo("Europe/Berlin"))
    assert start == micros(datetime.fromisoformat("2026-03-29T00:00:00+01:00"))
    assert end == micros(datetime.fromisoformat("2026-03-31T00:00:00+02:00"))
