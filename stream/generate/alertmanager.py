"""Alertmanager's routes: who is told, how alerts are grouped, and which of them mute others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stream.generate.inputs import RuleInputs

# The pages of the pipeline from cause to effect: each mutes what follows from it.
DOWN = "DeskpulseStreamDown"
UNASSIGNED = "DeskpulseStreamPartitionsUnassigned"
LATE = "DeskpulseStreamLate"
SILENT = "DeskpulseStreamUpstreamSilent"
UNCONFIRMED = "DeskpulseTicketSlaBreachUnconfirmed"


def files(inputs: RuleInputs) -> dict[str, dict[str, Any]]:
    """Return the configuration by webhooks, and an example of team routes by Slack, PagerDuty and mail."""
    hooks = {name: [{"url": f"{inputs.webhook_url}/{name}"}] for name in ("pager", "chat", "deadman")}
    simple = [{"name": name, "webhook_configs": configs} for name, configs in hooks.items()]
    return {
        "alertmanager": configuration(inputs, simple, []),
        "example-teams": configuration(inputs, _team_receivers(inputs), _team_routes()),
    }


def configuration(
    inputs: RuleInputs, receivers: Sequence[Mapping[str, Any]], teams: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a configuration with receivers `pager`, `chat`, `deadman` and others that *teams* route pages to."""
    return {
        "route": _route(inputs, teams),
        "inhibit_rules": _inhibitions(),
        "time_intervals": [{"name": "business-hours", "time_intervals": [_hours(inputs)]}],
        "receivers": list(receivers),
    }


def _route(inputs: RuleInputs, teams: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    deadman = {
        "matchers": ['severity="none"'],
        "receiver": "deadman",
        "group_wait": "0s",
        "group_interval": inputs.span("30s"),
        "repeat_interval": inputs.span("1m"),
    }
    pipeline = {
        "matchers": ['severity="critical"', 'kind="pipeline"'],
        "receiver": "pager",
        "group_by": ["kind"],  # one incident, whatever it shows as
        "group_wait": "5s",
        "group_interval": inputs.span("5m"),
        "repeat_interval": inputs.span("4h"),
    }
    pages = {
        "matchers": ['severity="critical"'],
        "receiver": "pager",
        "group_by": ["alertname"],  # five hundred breaches of twenty teams are one page
        "group_wait": "5s",
        "group_interval": inputs.span("30s"),  # and the breach of another team is not held back for minutes
        "repeat_interval": inputs.span("4h"),
    }
    warnings = {
        "matchers": ['severity="warning"'],
        "receiver": "chat",
        "active_time_intervals": ["business-hours"],
    }
    return {
        "receiver": "chat",
        "group_by": ["alertname"],
        "group_wait": "30s",
        "group_interval": inputs.span("5m"),
        "repeat_interval": inputs.span("12h"),
        "routes": [deadman, pipeline, {**pages, **({"routes": list(teams)} if teams else {})}, warnings],
    }


def _inhibitions() -> list[dict[str, Any]]:
    """Return what mutes what. A confirmed breach is never muted: it was true when the stream stopped."""
    unread = f'alertname=~"{DOWN}|{UNASSIGNED}|{LATE}"'
    return [
        _mutes(f'alertname="{DOWN}"', 'kind="pipeline"', f'alertname!~"{DOWN}|Watchdog"'),
        _mutes(f'alertname="{UNASSIGNED}"', f'alertname=~"{LATE}|{SILENT}"'),
        _mutes(f'alertname="{LATE}"', f'alertname="{SILENT}"'),
        _mutes(unread, f'alertname="{UNCONFIRMED}"'),
        _mutes(unread, 'kind="kpi"', 'severity="warning"'),
        _mutes('severity="critical"', 'severity="warning"', equal=("alertname", "clock")),
        _mutes(
            'alertname="DeskpulseTicketSlaBreached"',
            f'alertname=~"DeskpulseTicketSlaBreachImminent|{UNCONFIRMED}"',
            equal=("clock", "policy", "team"),
        ),
    ]


def _mutes(source: str, *targets: str, equal: Sequence[str] = ()) -> dict[str, Any]:
    rule: dict[str, Any] = {"source_matchers": [source], "target_matchers": list(targets)}
    return {**rule, "equal": list(equal)} if equal else rule


def _hours(inputs: RuleInputs) -> dict[str, Any]:
    hours = inputs.business_hours
    return {
        "weekdays": [hours.days],
        "times": [{"start_time": hours.start, "end_time": hours.end}],
        "location": hours.zone,
    }


def _team_receivers(inputs: RuleInputs) -> list[dict[str, Any]]:
    secrets = "/etc/alertmanager/secrets"  # mounted; no secret stands in this file
    return [
        {"name": "pager", "pagerduty_configs": [{"routing_key_file": f"{secrets}/pagerduty"}]},
        {"name": "chat", "slack_configs": [_slack(f"{secrets}/slack", "#support")]},
        {"name": "deadman", "webhook_configs": [{"url": f"{inputs.webhook_url}/deadman"}]},
        {"name": "care", "slack_configs": [_slack(f"{secrets}/slack", "#care-urgent")]},
        {
            "name": "field",
            "email_configs": [
                {
                    "to": "field-lead@example.org",
                    "from": "deskpulse@example.org",
                    "smarthost": "mail.example.org:587",
                    "auth_username": "deskpulse",
                    "auth_password_file": f"{secrets}/mail",
                }
            ],
        },
    ]


def _slack(url_file: str, channel: str) -> dict[str, Any]:
    text = '{{ range .Alerts }}{{ .Annotations.summary }} {{ .Annotations.link }}{{ "\\n" }}{{ end }}'
    return {"api_url_file": url_file, "channel": channel, "send_resolved": True, "text": text}


def _team_routes() -> list[dict[str, Any]]:
    """Return routes below the pages: the team's own people, and with `continue` the pager too."""
    return [
        {"matchers": ['team="care"'], "receiver": "care"},
        {"matchers": ['team="field"'], "receiver": "field", "continue": True},
        {"matchers": ['team="field"'], "receiver": "pager"},
    ]
