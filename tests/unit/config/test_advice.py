"""What `deskpulse config check` warns of and prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.cli.main import main
from stream.config import Config, parse
from stream.config.advice import advice
from stream.config.sla import preset_names


def given(text: str) -> list[str]:
    return list(advice(parse(text, "the.toml")))


def test_the_default_and_the_presets_need_no_advice() -> None:
    assert list(advice(Config())) == []
    for name in preset_names():
        assert given(f'presets = ["{name}"]') == []


def test_a_policy_that_nothing_reaches_is_named() -> None:
    clock = 'clocks.resolution = { target = "1h" }'
    text = f'[[policies]]\nname = "all"\n{clock}\n[[policies]]\nname = "vip"\nmatch.tags = ["vip"]\n{clock}'
    assert given(text) == ["policies.vip: shadowed: the policies before it take all that it would match"]


def test_a_date_that_is_a_holiday_and_has_hours_is_named() -> None:
    text = """
        policies = [{ name = "none" }]
        [calendars.desk]
        country = "DE"
        holidays = ["2026-12-24"]
        hours.mon = ["09:00-17:00"]
        dates.2026-12-24 = ["09:00-12:00"]
        dates.2026-12-25 = ["09:00-12:00"]
        dates.2026-12-26 = []
        dates.2026-12-27 = ["09:00-12:00"]
    """
    assert given(text) == [
        "calendars.desk.dates.2026-12-24: is a holiday too, which wins: closed all day",
        "calendars.desk.dates.2026-12-25: is a holiday too, which wins: closed all day",
    ]


def test_a_target_in_days_on_shorter_days_is_named() -> None:
    text = """
        [calendars.desk]
        hours.mon = ["09:00-17:00"]
        [[policies]]
        name = "slow"
        clocks.resolution = { target = "2d", calendar = "desk" }
        clocks.first_response = { target = "2d" }
    """
    assert given(text) == [
        "policies.slow.clocks.resolution.target: a day of '2d' is 24 hours of open time, not a day of 'desk'"
    ]


def test_a_target_for_no_kpi_is_named() -> None:
    assert given('[[targets]]\nkpi = "reveiws"\nmin = 1') == [
        "targets: 'reveiws' is no KPI of this version; the nearest is 'reviews'"
    ]


def test_the_check_shows_which_policy_each_combination_gets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    file = tmp_path / "mine.toml"
    file.write_text("""
        [[policies]]
        name = "fast"
        match.channel = ["chat", "phone"]
        match.priority = ["urgent"]
        clocks.first_response = { target = "5m" }
        [[policies]]
        name = "sales"
        match.channel = ["chat"]
        clocks.quote_response = { target = "1h" }
        clocks.first_response = { target = "1h" }
    """)
    assert main(["config", "check", str(file)]) == 0
    assert capsys.readouterr().out.split("\n") == [
        f"{file}: fine",
        "tickets:",
        "  channel      priority  policy",
        "  chat, phone  urgent    fast",
        "  chat         (other)   sales",
        "  (other)      any       none",
        "  phone        (other)   none",
        "bookings:",
        "  channel  policy",
        "  chat     sales",
        "  (other)  none",
        "",
    ]
