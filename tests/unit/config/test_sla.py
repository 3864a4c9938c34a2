"""Calendars, policies and presets from the configuration: what they come to, and how they are refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from stream.config import Config, ConfigError, parse
from stream.config.sla import DEFAULT_PRESETS, agreement, policies, preset, preset_names, seconds
from stream.domain.sla.calendar import ALWAYS
from stream.domain.sla.policy import CLOCKS, Clock, Policies
from stream.events.values import micros

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DESK = '[calendars.desk]\nhours.mon = ["09:00-17:00"]\n'
ONE = '[[policies]]\nname = "one"\n'


def made(text: str) -> Policies:
    return policies(parse(text, "the.toml"))


def clock(text: str) -> Clock:
    [clock] = made(f"{ONE}{text}").policies[0].clocks
    return clock


def utc(*moment: int) -> int:
    return micros(datetime(*moment, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "expected"), [("45s", 45), ("30m", 1_800), ("8h", 28_800), ("2d", 172_800), ("1d1h1m1s", 90_061)]
)
def test_a_duration_says_days_hours_minutes_and_seconds(text: str, expected: int) -> None:
    assert seconds(text) == expected


def test_a_calendar_has_zone_hours_dates_and_holidays() -> None:
    calendar = made("""
        [calendars.desk]
        zone = "Europe/Berlin"
        hours.mon = ["13:00-18:00", "09:00-12:30"]
        hours.tue = ["00:00-24:00"]
        dates.2026-03-04 = ["09:00:30-09:00:31"]
        holidays = [2026-03-09]
    """).calendars["desk"]
    day = 24 * HOUR
    of_days = [calendar.open_between(start, start + day) for start in range(utc(2026, 3, 1, 23), utc(2026, 3, 9), day)]
    assert of_days == [8.5 * HOUR, 24 * HOUR, SECOND, 0, 0, 0, 0, 0]


def test_a_region_keeps_holidays_that_its_country_does_not() -> None:
    """Women's Day is a holiday in Berlin since 2019 and was none in Germany's other regions in 2021."""
    text = '[calendars.{name}]\nzone = "UTC"\ncountry = "DE"\nhours.mon = ["09:00-17:00"]\n{region}\n'
    found = made(text.format(name="berlin", region='region = "BE"') + text.format(name="anywhere", region="")).calendars
    noon, first_of_may = utc(2021, 3, 8, 12), utc(2023, 5, 1, 12)
    assert [found[name].is_open(noon) for name in ("berlin", "anywhere")] == [False, True]
    assert [found[name].is_open(first_of_may) for name in ("berlin", "anywhere")] == [False, False]


def test_a_clock_runs_at_all_times_and_pauses_as_defined_unless_it_says_otherwise() -> None:
    assert clock('clocks.agent_work = {target = "1h"}') == Clock(
        "agent_work", HOUR, ALWAYS, frozenset({"pending", "on_hold"})
    )
    assert clock('clocks.agent_work = {target = "1h", pauses = []}').pauses == frozenset()
    assert clock('clocks.first_response = {target = "1h", pauses = ["pending"]}').pauses == {"pending"}


def test_warnings_are_times_before_the_deadline_the_earliest_first() -> None:
    found = clock('clocks.resolution = {target = "1h", warnings = ["10m", "75%", "15m", "50%"]}')
    assert found.warnings == (30 * 60 * SECOND, 15 * 60 * SECOND, 10 * 60 * SECOND)


REFUSED = {
    'zone = "Europe/Berln"': "calendars.desk.zone: no zone 'Europe/Berln'; the nearest is 'Europe/Berlin'",
    'zone = "Europe"': "calendars.desk.zone: no zone 'Europe'; the nearest is",
    'country = "de"': "calendars.desk.country: no country 'de'; the nearest is 'DE'",
    'country = "DE"\nregion = "BEE"': "calendars.desk.region: DE has no region 'BEE'; the nearest is 'BE'",
    'country = "VA"\nregion = "X"': "calendars.desk.region: VA has no region 'X'; it has none",
    'region = "BE"': "calendars.desk.region: 'BE' needs a country",
    'hours.tue = ["22:00-06:00"]': (
        "calendars.desk.hours.tue: '22:00-06:00' ends before it begins; split at 24:00 what goes past midnight"
    ),
    'hours.tue = ["09:00-12:00", "11:59-13:00"]': "calendars.desk.hours.tue: two intervals overlap",
    'hours.tue = ["9-17"]': "calendars.desk.hours.tue: ['9-17'] is not allowed; it takes a list of opening hours",
    'hours.tue = ["09:00-24:30"]': "calendars.desk.hours.tue: ['09:00-24:30'] is not allowed",
    'hours.tues = ["09:00-17:00"]': "calendars.desk.hours.tues: unknown key; the nearest is calendars.desk.hours.tue",
    'dates.2026-02-30 = ["09:00-17:00"]': "calendars.desk.dates: {'2026-02-30': ['09:00-17:00']} is not allowed",
    'holidays = ["24.12."]': "calendars.desk.holidays: ['24.12.'] is not allowed; it takes a list of dates such as",
    "[calendars.empty]": "calendars.empty.hours: it never opens: no weekday has hours",
    '[calendars.24x7]\nhours.mon = ["09:00-17:00"]': "calendars.24x7: this name is that of the calendar that is",
    "[calendars.Desk]": "calendars: the name 'Desk' is not allowed; it takes lower-case letters",
    f"{ONE}{ONE}": "policies: two have the name 'one'",
    "[[policies]]": "policies[0].name: missing; it takes lower-case letters",
    f'{ONE}match.priority = ["urgnt"]': "policies.one.match.priority: no priority 'urgnt'; the nearest is 'urgent'",
    f'{ONE}match.chanel = ["chat"]': "policies[0].match.chanel: unknown key; the nearest is policies[0].match.channel",
    f'{ONE}clocks.resolve = {{target = "1h"}}': (
        "policies[0].clocks.resolve: unknown key; the nearest is policies[0].clocks.resolution"
    ),
    f"{ONE}clocks.resolution = {{}}": "policies[0].clocks.resolution.target: missing; it takes a duration",
    f'{ONE}clocks.resolution = {{target = "0h"}}': "policies[0].clocks.resolution.target: '0h' is not allowed",
    f'{ONE}clocks.resolution = {{target = "1m1h"}}': "policies[0].clocks.resolution.target: '1m1h' is not allowed",
    f'{ONE}clocks.resolution = {{target = "1h", calendar = "dessk"}}': (
        "policies.one.clocks.resolution.calendar: no calendar 'dessk'; the nearest is 'desk'"
    ),
    f'{ONE}clocks.resolution = {{target = "4177h", calendar = "desk"}}': (
        "policies.one.clocks.resolution.target: '4177h' is over ten years of calendar 'desk'"
    ),
    f'{ONE}clocks.resolution = {{target = "9999d"}}': (
        "policies.one.clocks.resolution.target: '9999d' is over ten years of calendar '24x7'"
    ),
    f'{ONE}clocks.resolution = {{target = "1h", warnings = ["1h"]}}': (
        "policies.one.clocks.resolution.warnings: '1h' before the deadline is before the start"
    ),
    f'{ONE}clocks.resolution = {{target = "1h", warnings = ["100%"]}}': (
        "policies[0].clocks.resolution.warnings: ['100%'] is not allowed; it takes a list of shares"
    ),
    f'{ONE}clocks.resolution = {{target = "1h", pauses = ["open"]}}': (
        "policies[0].clocks.resolution.pauses: ['open'] is not allowed; it takes a list of new, on_hold, pending"
    ),
    f'{ONE}clocks.quote_response = {{target = "1h", pauses = ["pending"]}}': (
        "policies.one.clocks.quote_response.pauses: a booking has no status that pauses"
    ),
    f'{ONE}match.team = ["a"]\nclocks.quote_response = {{target = "1h"}}': (
        "policies.one.match.team: a booking has no team, so quote_response would never run"
    ),
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_complaint_names_the_key_and_what_would_be_right(text: str) -> None:
    with pytest.raises(ConfigError, match=f"^the.toml: {re.escape(REFUSED[text])}"):
        parse(DESK + text, "the.toml")


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"^the.toml: presets: no preset 'support-24h'; the nearest is 'support-24x7'$"
    ):
        parse('presets = ["support-24h"]', "the.toml")


def test_a_target_of_ten_years_is_reached_before_the_calendar_ends() -> None:
    found = made(f'{DESK}{ONE}clocks.resolution = {{target = "4176h", calendar = "desk"}}').policies[0].clocks[0]
    start = utc(2026, 3, 2)
    assert start < found.calendar.after(start, found.target) < utc(2036, 4, 1)


def test_a_channel_of_bookings_is_any_text() -> None:
    text = f'{ONE}match.channel = ["Airbnb"]\nclocks.quote_response = {{target = "1h"}}'
    chosen = made(text).select({"channel": "Airbnb"}, "booking")
    assert chosen is not None


def test_each_preset_can_be_used_and_says_where_its_numbers_come_from() -> None:
    assert preset_names() == [
        "amazon-seller",
        "facebook-very-responsive",
        "office-hours",
        "resolve-in-24h",
        "support-24x7",
    ]
    for name in preset_names():
        assert preset(name).source
        assert made(f'presets = ["{name}"]').policies


def test_without_presets_and_policies_every_ticket_has_the_clocks_of_support_24x7() -> None:
    default = policies(Config())
    assert agreement(Config()).policies == preset(DEFAULT_PRESETS[0]).policies
    for priority in ("low", "normal", "high", "urgent", "other", None):
        chosen = default.select({"priority": priority})
        assert chosen is not None
        assert {clock.name for clock in chosen.clocks} <= set(CLOCKS["ticket"])
    assert made(ONE).select({"priority": "low"}).clocks == ()  # an own policy leaves the default out


def test_own_tables_come_first_and_replace_those_of_the_same_name() -> None:
    config = parse(
        """
        presets = ["office-hours"]
        [calendars.office]
        zone = "Asia/Tokyo"
        hours.sat = ["10:00-12:00"]
        [[policies]]
        name = "low-office"
        clocks.resolution = { target = "1h", calendar = "office" }
        """,
        "the.toml",
    )
    names = [policy.name for policy in policies(config).policies]
    assert names == ["low-office", "urgent-office", "high-office", "normal-office"]
    assert policies(config).calendars["office"].is_open(utc(2026, 3, 7, 2))
    assert not policies(config).calendars["office"].is_open(utc(2026, 3, 9, 12))


def test_a_target_of_the_same_kpi_and_window_replaces_the_presets() -> None:
    text = 'presets = ["amazon-seller"]\n[[targets]]\nkpi = "cancellation_rate"\nmax = 0.005\n'
    aims = {target.kpi: target.max for target in agreement(parse(text, "the.toml")).targets}
    assert aims == {"cancellation_rate": 0.005, "order_defect_rate": 0.01, "on_time_rate": None}


BASE = f'{DESK}{ONE}clocks.resolution = {{target = "1h", calendar = "desk"}}\n'
CHANGES = {
    "hours": ("17:00", "17:01"),
    "zone": ("[calendars.desk]", '[calendars.desk]\nzone = "Asia/Tokyo"'),
    "holiday": ("[calendars.desk]", '[calendars.desk]\nholidays = ["2026-01-01"]'),
    "country": ("[calendars.desk]", '[calendars.desk]\ncountry = "DE"'),
    "target": ("1h", "2h"),
    "name": ('"one"', '"two"'),
    "replies": ("[calendars.desk]", '[replies]\nauthors = ["agent", "bot"]\n[calendars.desk]'),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_a_judgement_rests_on_changes_the_version(change: str) -> None:
    assert made(BASE.replace(*CHANGES[change], 1)).version != made(BASE).version


def test_what_no_judgement_rests_on_leaves_the_version() -> None:
    unused = '[calendars.unused]\nhours.mon = ["09:00-17:00"]\n'
    assert made(f"web.port = 1\n{BASE}{unused}").version == made(BASE).version
