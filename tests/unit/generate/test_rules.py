"""The alert rules and routes: what they are made of, and what promtool and amtool say of them."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from stream.cli import generate
from stream.cli.main import main
from stream.generate.inputs import BURN_WINDOWS, Objective, RuleError, RuleInputs, Target, burn_thresholds
from stream.generate.rule import Alert, Recording
from stream.generate.rules import GROUPS, RULES_FOLDER, rule_files
from stream.generate.write import drifted, write
from stream.metrics.names import BY_NAME

ROOT = Path(__file__).parents[3]
FILES = rule_files(RuleInputs())


def rules(inputs: RuleInputs) -> list[Alert | Recording]:
    return [rule for groups in GROUPS.values() for group in groups(inputs) for rule in group.rules]


def alerts(inputs: RuleInputs) -> list[Alert]:
    return [rule for rule in rules(inputs) if isinstance(rule, Alert)]


RULES = rules(RuleInputs())
ALERTS = alerts(RuleInputs())
NAMES = sorted({alert.name for alert in ALERTS})
TESTS = sorted((ROOT / "deploy/prometheus/tests").glob("*.yml"))

# Fixed by the contract; their rows come with the KPIs of bookings.
ANNOUNCED = {
    "deskpulse_window_conversion_rate_denominator": "gauge",
    "deskpulse_window_conversion_rate_numerator": "gauge",
}
TYPES = {name: metric.type for name, metric in BY_NAME.items()} | {
    **ANNOUNCED,
    "process_start_time_seconds": "gauge",  # of the client library
    "prometheus_rule_evaluation_failures_total": "counter",  # of Prometheus itself
    "up": "gauge",
}
METRIC = re.compile(r"(?<![\w:\"])(deskpulse_\w+|prometheus_\w+_total|process_\w+|up(?=\{))")


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"NO {name.upper()}: Debian's packages prometheus and prometheus-alertmanager have it")
    return found


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, cwd=ROOT)


def metrics(expr: str) -> set[str]:
    return set(METRIC.findall(re.sub(r'"[^"]*"', '""', expr)))


# What the rules are made of


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_uses_only_metrics_that_are_there(rule: Alert | Recording) -> None:
    assert metrics(rule.expr) <= set(TYPES)


def test_what_is_announced_is_not_there_yet() -> None:
    assert not set(ANNOUNCED) & set(BY_NAME), "now it is; take it out of ANNOUNCED"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_uses_only_recordings_that_are_made(rule: Alert | Recording) -> None:
    used = set(re.findall(r"deskpulse:[\w:]+", re.sub(r'"[^"]*"', '""', rule.expr)))
    assert used <= {rule.name for rule in RULES if isinstance(rule, Recording)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_counters_are_used_by_their_increase_and_gauges_never(rule: Alert | Recording) -> None:
    for function, metric in re.findall(r"\b(increase|rate)\((\w+)", rule.expr):
        assert TYPES[metric] == "counter", f"{function} of {metric}"
    for metric in metrics(rule.expr):
        if TYPES[metric] == "counter":
            # A counter that begins above 0 has no increase; only the alert on lost records may look at it itself.
            assert f"increase({metric}" in rule.expr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_compares_something(alert: Alert) -> None:
    assert re.search(r" (<|>|<=|>=|==) |absent\(", alert.expr) or alert.name in (
        "Watchdog",
        "DeskpulseStreamRecordsLost",
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_a_runbook_with_the_four_sections(name: str) -> None:
    text = (ROOT / f"docs/runbooks/{name}.md").read_text()
    assert re.findall(r"^#+ (.*)", text, re.MULTILINE) == [name, "Meaning", "Impact", "Diagnosis", "Mitigation"]


def test_a_runbook_is_of_an_alert_and_names_metrics_that_are_there() -> None:
    for page in (ROOT / "docs/runbooks").iterdir():
        assert page.stem in NAMES
        recorded = {rule.name for rule in RULES}
        text = page.read_text()
        assert set(re.findall(r"deskpulse:[\w:]+", text)) <= recorded, page.name
        assert set(re.findall(r"`(deskpulse_\w+)", text)) <= set(TYPES), page.name


def test_the_page_on_alerting_names_every_alert_once_with_its_severities() -> None:
    rows = re.findall(r"^\| (.*\.md\).*) \| (.*) \| .* \|$", (ROOT / "docs/alerting.md").read_text(), re.MULTILINE)
    named = {name: severities for links, severities in rows for name in re.findall(r"\[(\w+)\]", links)}
    assert named == {
        name: ", ".join(sorted({alert.severity for alert in ALERTS if alert.name == name})) for name in NAMES
    }


def test_names_and_links() -> None:
    assert all(name == "Watchdog" or name.startswith("Deskpulse") for name in NAMES)
    for alert in ALERTS:
        if alert.name.startswith("DeskpulseTicketSlaBreach"):
            assert all(f"{label}={{{{" in alert.link for label in ("clock", "policy", "team"))


# The error budget


@pytest.mark.parametrize("target", [0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
def test_every_objective_has_thresholds_that_can_be_reached(target: float) -> None:
    thresholds = burn_thresholds(Objective("resolution", target))
    assert len(thresholds) == len(BURN_WINDOWS)
    assert all(1 - target < threshold < 1 for threshold in thresholds)
    assert sorted(thresholds, reverse=True) == list(thresholds)


def test_the_threshold_of_a_high_objective_is_the_usual_burn_rate() -> None:
    assert burn_thresholds(Objective("resolution", 0.99))[:2] == pytest.approx([0.144, 0.03])


@pytest.mark.parametrize(
    ("objective", "complaint"),
    [
        (Objective("resolution", 1.0), "objective of resolution: 1 is not allowed; it takes a share between 0 and 1"),
        (
            Objective("resolution", 0.9, (14.4, 3, 1)),
            "a burn rate of 14.4 is 144% missed, more than which cannot be; .* below 10",
        ),
        (Objective("resolution", 0.9, (10, 3, 1)), "a burn rate of 10 is 100% missed"),
        (Objective("resolution", 0.9, (0.5, 3, 1)), "a burn rate of 0.5 is within the budget"),
        (Objective("resolution", 0.9, (3,)), "it takes 3 burn rates, not 1"),
    ],
)
def test_an_objective_that_cannot_alert_is_refused(objective: Objective, complaint: str) -> None:
    with pytest.raises(RuleError, match=complaint):
        rule_files(RuleInputs(objectives=(objective,)))


def test_a_target_of_no_kpi_is_refused() -> None:
    with pytest.raises(RuleError, match="target 'cast': no such KPI with a figure; there are cancellation_rate"):
        rule_files(RuleInputs(targets=(Target("cast", min=1),)))


def test_a_target_alerts_on_the_side_that_misses_it() -> None:
    both = RuleInputs(targets=(Target("complaint_share", min=0.01, max=0.1, window="24h"),))
    low, high = (alert for alert in alerts(both) if alert.labels.get("kpi") == "complaint_share")
    assert " < 0.01\n" in low.expr
    assert " > 0.1\n" in high.expr


# The files


def test_the_committed_files_are_current() -> None:
    assert drifted(ROOT, FILES, [RULES_FOLDER]) == []


WAIT = re.compile(r"(?:\[|for: |offset |repeat_interval: |group_interval: )(\d+)(ms|s|m|h|d)\b")
MILLIS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def waits(text: str) -> list[int]:
    return [int(number) * MILLIS[unit] for number, unit in WAIT.findall(text)]


def without_times(text: str) -> str:
    return re.sub(r"(?<=[<>=] )[\d.]+| interval: \w+", "", WAIT.sub("", text))


@pytest.mark.parametrize("path", sorted(FILES))
def test_the_time_scale_divides_waits_ranges_and_repeat_intervals_and_keeps_the_rest(path: str) -> None:
    scaled = rule_files(RuleInputs(time_scale=60))[path]
    assert waits(scaled) == [round(wait / 60) for wait in waits(FILES[path])]
    assert len(waits(scaled)) > 5
    assert without_times(scaled) == without_times(FILES[path])


def test_the_time_scale_divides_the_limits_of_lateness() -> None:
    rules = rule_files(RuleInputs(time_scale=60))
    assert "deskpulse:stream_shown_lateness:seconds <= 5)" in rules[f"{RULES_FOLDER}/sla.yml"]
    assert "deskpulse:stream_lateness:seconds > 5 " in rules[f"{RULES_FOLDER}/pipeline.yml"]


@pytest.mark.parametrize("scale", ["0", "-1", "1.5", "x"])
def test_a_time_scale_that_is_no_whole_number_is_a_misuse(scale: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    generate.add_arguments(parser)
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args([f"--time-scale={scale}"])
    assert "is no whole number from 1 on" in capsys.readouterr().err


# From the configuration


def written(folder: Path, toml: str) -> str:
    """Run the command on a configuration; return the alert rules it writes."""
    (folder / "pyproject.toml").touch()
    (folder / "deskpulse.toml").write_text(toml)
    assert main(["generate", "--root", str(folder), "--config", str(folder / "deskpulse.toml")]) == 0
    return "".join(file.read_text() for file in sorted((folder / RULES_FOLDER).iterdir()))


def test_without_targets_and_objectives_the_configuration_gives_the_committed_rules(tmp_path: Path) -> None:
    assert written(tmp_path, "") == "".join(FILES[path] for path in sorted(FILES) if path.startswith(RULES_FOLDER))


def test_targets_objectives_and_the_board_are_those_of_the_configuration(tmp_path: Path) -> None:
    rules = written(
        tmp_path,
        '[web]\nadvertised_url = "https://desk.example"\n[[targets]]\nkpi = "nps"\nmin = 40\n'
        '[[objectives]]\nclock = "next_response"\ntarget = 0.5\nburn_rates = [1.5, 1.25, 1]\n',
    )
    assert set(re.findall(r"\bkpi: (?!kpi)(\w+)", rules)) == {"nps"}
    assert set(re.findall(r'missed:ratio\{clock="(\w+)",window="1h"\} > ([\d.]+)', rules)) >= {
        ("next_response", "0.75")
    }
    assert 'clock="first_response"' not in rules
    assert "https://desk.example/api/overdue?clock=" in rules


def test_a_target_of_a_kpi_still_to_come_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = written(tmp_path, '[[targets]]\nkpi = "joy"\nmin = 1\n[[targets]]\nkpi = "csat"\nmin = 0.7\n')
    assert "joy" not in rules
    assert 'deskpulse:csat:ratio{window="7d"' in rules
    assert capsys.readouterr().err == "no rule for target 'joy': it is no KPI of this version\n"


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        (
            '[[objectives]]\nclock = "resolution"\ntarget = 0.9\nburn_rates = [14.4, 3, 1]',
            "a burn rate of 14.4 is 144%",
        ),
        ('[[targets]]\nkpi = "tickets_created"\nmin = 1', "target 'tickets_created': no such KPI with a figure"),
        ('[[objectives]]\nclock = "resolution"\ntarget = 1.0', "it takes a share between 0 and 1"),
    ],
)
def test_a_configuration_that_makes_no_rule_is_a_misuse(
    toml: str, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "deskpulse.toml").write_text(toml)
    assert main(["generate", "--root", str(tmp_path), "--config", str(tmp_path / "deskpulse.toml")]) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "deploy").exists()


# promtool


def test_prometheus_takes_the_rules() -> None:
    done = run(program("promtool"), "check", "rules", *sorted((ROOT / RULES_FOLDER).glob("*.yml")))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_the_rules_fire_stay_silent_resolve_and_survive_missing_data(file: Path) -> None:
    done = run(program("promtool"), "test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("expr", ["vector(0) > 0", "vector(1)"], ids=["never", "always"])
def test_an_alert_that_never_or_always_fires_fails_its_tests(expr: str, tmp_path: Path) -> None:
    """The tests above could be such that nothing fails them."""
    texts = {
        path: re.sub(r"(- alert: \w+\n +expr: )(\|-\n(?: {10}.*\n)+|.*\n)", rf'\1"{expr}"\n', text)
        for path, text in FILES.items()
    }
    write(tmp_path, texts)
    shutil.copytree(TESTS[0].parent, tmp_path / "deploy/prometheus/tests")
    said = "".join(
        done.stdout + done.stderr
        for file in sorted((tmp_path / "deploy/prometheus/tests").iterdir())
        for done in [run(program("promtool"), "test", "rules", file)]
    )
    unnoticed = [name for name in NAMES if name not in said and not (name == "Watchdog" and expr == "vector(1)")]
    assert unnoticed == []


# amtool

ROUTES = [
    ("severity=none alertname=Watchdog kind=pipeline", "deadman"),
    ("severity=critical kind=pipeline alertname=DeskpulseStreamDown", "pager"),
    ("severity=critical kind=kpi alertname=DeskpulseTicketSlaBreached team=sales", "pager"),
    ("severity=warning kind=kpi alertname=DeskpulseCsatDrop", "chat"),
    ("severity=warning kind=pipeline alertname=DeskpulseStreamDeadLetters", "chat"),
    ("severity=info kind=pipeline alertname=DeskpulseLabelOverflow", "chat"),
]
OF_TEAMS = [
    ("severity=critical kind=kpi alertname=DeskpulseTicketSlaBreached team=care", "care"),
    ("severity=critical kind=kpi alertname=DeskpulseTicketSlaBreached team=field", "field,pager"),
    ("severity=critical kind=pipeline alertname=DeskpulseStreamDown", "pager"),
    ("severity=critical kind=kpi alertname=DeskpulseTicketSlaBreached team=sales", "pager"),
    ("severity=warning kind=kpi team=care", "chat"),
]
CASES = [("alertmanager", *case) for case in ROUTES] + [("example-teams", *case) for case in OF_TEAMS]


@pytest.mark.parametrize("path", sorted(path for path in FILES if "alertmanager" in path))
def test_alertmanager_takes_the_routes(path: str) -> None:
    done = run(program("amtool"), "check-config", ROOT / path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("file", "labels", "receivers"), CASES)
def test_an_alert_reaches_those_it_is_for(file: str, labels: str, receivers: str) -> None:
    path = ROOT / f"deploy/alertmanager/{file}.yml"
    done = run(program("amtool"), "config", "routes", "test", "--config.file", path, *labels.split())
    assert done.stdout.strip() == receivers, done.stderr


def test_only_warnings_keep_business_hours() -> None:
    for path, text in FILES.items():
        if "alertmanager" in path:
            route, _, after = text.partition("active_time_intervals: [business-hours]")
            assert after
            assert "business-hours" not in after.partition("time_intervals:")[0]
            assert route.rpartition("- matchers:")[2].startswith(" ['severity=\"warning\"']")
