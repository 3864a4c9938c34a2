"""The configuration: defaults, a file over them, the environment over the file, and clear complaints."""

import re
from operator import attrgetter
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from stream.bootstrap import runtime_settings, teller
from stream.cli.main import main
from stream.config import Config, ConfigError, Dimension, Window, load, parse
from stream.config.shape import keys
from stream.config.sla import preset, preset_names
from stream.config.tables import (
    CalendarTable,
    ClockName,
    ClocksTable,
    ClockTable,
    ObjectiveTable,
    PolicyTable,
    TargetTable,
)
from stream.domain.measures import MEASURES
from stream.domain.sealing import HORIZON, RETENTION
from stream.domain.sla.policy import CLOCKS, PAUSES
from stream.events.values import DAY_US
from stream.metrics.tally import WINDOW_NAMES, Shown
from stream.runtime.settings import RuntimeSettings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_a_file_every_key_has_its_default() -> None:
    assert load(environment={}) == Config()


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    text = '[kafka]\npartitions = 12\n[ingest.partitioner]\nreviews = "crc32"\n[metrics]\nwindows = ["30d"]\n'
    (tmp_path / "deskpulse.toml").write_text(text)
    config = load(environment={})
    changed = {name for name, _, default in keys() if attrgetter(name)(config) != default}
    assert changed == {"kafka.partitions", "ingest.partitioner.reviews", "metrics.windows"}
    assert (config.kafka.partitions, config.ingest.partitioner.reviews, config.metrics.windows) == (
        12,
        "crc32",
        ("30d",),
    )


def test_a_named_file_wins_over_the_variable_and_that_over_the_folder(tmp_path: Path) -> None:
    for number, name in enumerate(("deskpulse.toml", "variable.toml", "named.toml"), 1):
        (tmp_path / name).write_text(f"kafka.partitions = {number}")
    assert load(environment={}).kafka.partitions == 1
    assert load(environment={"DESKPULSE_CONFIG": "variable.toml"}).kafka.partitions == 2
    assert load(Path("named.toml"), {"DESKPULSE_CONFIG": "variable.toml"}).kafka.partitions == 3


def test_the_servers_of_the_environment_win_and_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "deskpulse.toml").write_text('kafka.bootstrap_servers = "a:1"')
    assert load(environment={"KAFKA_BOOTSTRAP_SERVERS": "b:2"}).kafka.bootstrap_servers == "b:2"
    assert load(environment={"KAFKA_BOOTSTRAP_SERVERS": " "}).kafka.bootstrap_servers == "a:1"


def test_workers_that_share_a_file_are_told_apart_by_their_environment() -> None:
    environment = {"DESKPULSE_INSTANCE_ID": "pod-1", "DESKPULSE_ADVERTISED_URL": "http://pod-1:6066"}
    config = load(environment=environment)
    assert (config.kafka.instance_id, config.web.advertised_url) == ("pod-1", "http://pod-1:6066")
    settings = runtime_settings(config)
    assert (settings.instance_id, settings.advertised_url) == ("pod-1", "http://pod-1:6066")
    assert runtime_settings(Config()).instance_id is None


def test_sasl_without_tls_is_refused_unless_it_is_allowed() -> None:
    text = '[kafka.sasl]\nmechanism = "PLAIN"\nusername = "ann"\n'
    with pytest.raises(ConfigError, match=r"^the.toml: kafka.sasl.mechanism: PLAIN without TLS"):
        parse(text, "the.toml")
    assert parse(f"{text}allow_plaintext = true", "the.toml").kafka.sasl.allow_plaintext


def test_the_password_comes_from_the_environment_or_a_file_and_its_lack_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sasl = '[kafka.sasl]\nmechanism = "PLAIN"\nusername = "ann"\nallow_plaintext = true\n'
    monkeypatch.delenv("DESKPULSE_KAFKA_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match=r"^no password for ann: set DESKPULSE_KAFKA_PASSWORD or"):
        runtime_settings(parse(sasl, "the.toml"))
    monkeypatch.setenv("DESKPULSE_KAFKA_PASSWORD", "hunter2")
    settings = runtime_settings(parse(sasl, "the.toml"))
    assert settings.client()["sasl_plain_password"] == "hunter2"
    assert "hunter2" not in repr(settings)
    (tmp_path / "password").write_text("from the file\n")
    settings = runtime_settings(parse(f'{sasl}password_file = "password"', "the.toml"))
    assert settings.client()["sasl_plain_password"] == "from the file"


COMPLAINTS = {
    "kafka.partitons = 4": "kafka.partitons: unknown key; the nearest is kafka.partitions",
    "[kakfa]": "kakfa: unknown key; the nearest is kafka",
    'ingest.partitioner.ticket = "any"': (
        "ingest.partitioner.ticket: unknown key; the nearest is ingest.partitioner.tickets"
    ),
    'kafka.partitions = "4"': "kafka.partitions: '4' is not allowed; it takes a whole number from 1 to 1000",
    "kafka.partitions = 0": "kafka.partitions: 0 is not allowed; it takes a whole number from 1 to 1000",
    "kafka.partitions = true": "kafka.partitions: True is not allowed; it takes a whole number from 1 to 1000",
    "kafka = 3": "kafka: 3 is not allowed; it takes a table",
    'kafka.app_id = "a b"': (
        "kafka.app_id: 'a b' is not allowed; it takes letters, digits, dots, underscores and hyphens"
    ),
    'ingest.clock = "sun"': "ingest.clock: 'sun' is not allowed; it takes one of events, wall",
    'metrics.windows = ["2h"]': "metrics.windows: ['2h'] is not allowed; it takes a list of 1h, 24h, 30d, 5m, 7d",
    "web.host = 127": "web.host: 127 is not allowed; it takes text",
    'kafka.bootstrap_servers = "a:9092,b"': "kafka.bootstrap_servers: 'b' is no host:port",
    'kafka.bootstrap_servers = "a:9092,"': "kafka.bootstrap_servers: '' is no host:port",
    'kafka.bootstrap_servers = "a:70000"': "kafka.bootstrap_servers: 'a:70000' is no host:port",
    'kafka.bootstrap_servers = "a:0"': "kafka.bootstrap_servers: 'a:0' is no host:port",
    'kafka.bootstrap_servers = "kafka://a:9092"': "kafka.bootstrap_servers: 'kafka://a:9092' is no host:port",
    "kafka.replication_factor = 0": (
        "kafka.replication_factor: 0 is not allowed; it takes -1 for the broker's default, or 1 and above"
    ),
    "retention = {horizon_days = 35, summary_days = 34}": (
        "retention.summary_days: 34 is less than retention.horizon_days (35); a summary outlives what it sums up"
    ),
    'web.advertised_url = "deskpulse:6066"': (
        "web.advertised_url: 'deskpulse:6066' is no URL of the form http://host:port"
    ),
    'web.advertised_url = "http://a:b"': "web.advertised_url: 'http://a:b' is no URL of the form http://host:port",
    'web.advertised_url = "http://a/x"': "web.advertised_url: 'http://a/x' is no URL of the form http://host:port",
    'metrics.windows = ["1h", "1h"]': "metrics.windows: '1h' stands there twice",
    'metrics.dimensions = ["team", "team"]': "metrics.dimensions: 'team' stands there twice",
    "paging.after = 2026-03-01": (
        "paging.after: 2026-03-01 is not allowed; it takes a time with its offset such as 2026-03-01T09:00:00Z"
    ),
    "[[targets]]\nmin = 1": "targets[0].kpi: missing; it takes text",
    '[[targets]]\nkpi = "nps"': "targets[0]: it says neither min nor max",
    "targets = 3": "targets: 3 is not allowed; it takes a list of tables",
    "kafka.partitions": "no valid TOML: Expected '=' after a key in a key/value pair (at end of document)",
}


@pytest.mark.parametrize("text", COMPLAINTS)
def test_a_complaint_names_the_file_the_key_and_what_is_allowed(text: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(f'the.toml: {COMPLAINTS[text]}')}$"):
        parse(text, "the.toml")


GOOD = (
    'kafka.bootstrap_servers = "a:9092, [::1]:9093"',
    'web.advertised_url = "https://pulse.example.com"',
    'web.advertised_url = "http://[::1]:6066/"',
    "retention = {horizon_days = 35, summary_days = 35}",
    "paging.after = 2026-03-01T09:00:00+01:00",
)


@pytest.mark.parametrize("text", GOOD)
def test_what_is_well_formed_is_taken(text: str) -> None:
    parse(text, "the.toml")


def test_the_servers_of_the_environment_are_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"^KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrap_servers: 'b' is no host:port$"):
        load(environment={"KAFKA_BOOTSTRAP_SERVERS": "b"})


def test_a_file_that_is_not_utf_8_is_no_valid_toml(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes('kafka.app_id = "caf\xe9"'.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"^latin\.toml: no valid TOML: it is not UTF-8$"):
        load(Path("latin.toml"), {})


LISTED = {
    "": Config,
    "calendars.NAME.": CalendarTable,
    "policies.": PolicyTable,
    "policies.clocks.CLOCK.": ClockTable,
    "targets.": TargetTable,
    "objectives.": ObjectiveTable,
}


def test_the_page_lists_every_key_with_what_it_takes_and_its_default() -> None:
    rows = re.findall(r"^\| `([\w.]+\b)` \| ([^|]+) \| `([^|]*)` \| .+ \|$", PAGE.read_text(), re.MULTILINE)
    assert [(key, takes.strip(), default) for key, takes, default in rows] == [
        (name, allowed, toml(default)) for path, table in LISTED.items() for name, allowed, default in keys(table, path)
    ]


def toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple():
            return f"[{', '.join(toml(item) for item in value)}]"
        case None:
            return "none"
    return "required" if value is msgspec.NODEFAULT else str(value)


def test_the_page_lists_every_clock_with_the_statuses_that_pause_it() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| ([a-z_, ]*)\|$", PAGE.read_text(), re.MULTILINE)
    listed = {clock: frozenset(statuses.strip().split(", ")) - {""} for clock, statuses in rows}
    assert listed == PAUSES
    assert list(listed) == [field.name for field in msgspec.structs.fields(ClocksTable)]
    assert list(listed) == [clock for kind in CLOCKS.values() for clock in kind]
    assert set(listed) == set(get_args(ClockName))


def test_the_page_lists_every_preset_with_its_source() -> None:
    for name in preset_names():
        assert f"| `{name}` | {preset(name).about} | {preset(name).source} |" in PAGE.read_text()


def test_the_examples_on_the_page_are_configurations() -> None:
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", PAGE.read_text(), re.MULTILINE)
    examples = [re.sub("^    ", "", block, flags=re.MULTILINE) for block in blocks]
    assert len(examples) == 5
    parse("\n".join(examples), "docs")


def test_the_defaults_are_those_of_the_parts_they_are_handed_to() -> None:
    config, settings = Config(), RuntimeSettings("")
    made = runtime_settings(config, settings.advertised_url)
    assert {source: made.partitioner(source) for source in made.sources} == {
        source: settings.partitioner(source) for source in made.sources
    }
    for name in ("app_id", "topic_prefix", "partitions", "replication_factor", "clock", "stop_deadline"):
        assert getattr(made, name) == getattr(settings, name)
    assert config.retention.horizon_days * DAY_US == HORIZON
    assert config.retention.summary_days * DAY_US == RETENTION
    assert teller(config).shown == Shown()


def test_the_windows_and_dimensions_are_those_of_the_catalogue() -> None:
    labels = {label for measure in MEASURES.values() for label in measure.labels} - {"currency"}
    assert set(Window.__args__) == set(WINDOW_NAMES)
    assert set(Dimension.__args__) == labels


def test_the_check_prints_what_differs_from_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    (tmp_path / "mine.toml").write_text("web.port = 0")
    assert main(["config", "check", "mine.toml"]) == 0
    assert capsys.readouterr().out.startswith("mine.toml: fine\n  web.port = 0 (default 6066)\ntickets:\n")
