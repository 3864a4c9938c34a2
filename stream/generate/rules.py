"""Prometheus rules and Alertmanager routes, as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stream.generate import alertmanager, rules_kpi, rules_pipeline, rules_sla
from stream.generate.inputs import RuleInputs
from stream.generate.rule import Alert, Group, Recording
from stream.generate.yamltext import document

RULES_FOLDER = "deploy/prometheus/rules"

GROUPS: dict[str, Callable[[RuleInputs], Sequence[Group]]] = {
    "sla": rules_sla.groups,
    "kpi": rules_kpi.groups,
    "pipeline": rules_pipeline.groups,
}


def rule_files(inputs: RuleInputs) -> dict[str, str]:
    """Return the rules and the Alertmanager configurations: path below the project's root -> text. Raises RuleError."""
    rules = {f"{RULES_FOLDER}/{name}.yml": rules_document(groups(inputs), inputs) for name, groups in GROUPS.items()}
    routes = {f"deploy/alertmanager/{name}.yml": document(value) for name, value in alertmanager.files(inputs).items()}
    return rules | routes


def rules_document(groups: Sequence[Group], inputs: RuleInputs) -> str:
    """Return the text of one rule file."""
    return document({"groups": [_group(group, inputs) for group in groups]})


def _group(group: Group, inputs: RuleInputs) -> dict[str, Any]:
    # Scaled waits are seconds still, and Prometheus shall not evaluate all rules ten times in each.
    interval = group.interval if inputs.time_scale == 1 else "1s"
    every = {"interval": interval} if group.interval else {}
    return {"name": group.name, **every, "rules": [_rule(rule, inputs) for rule in group.rules]}


def _rule(rule: Alert | Recording, inputs: RuleInputs) -> dict[str, Any]:
    if isinstance(rule, Recording):
        return {"record": rule.name, "expr": rule.expr}
    wait = {"for": inputs.span(rule.wait)} if rule.wait else {}
    annotations = {"summary": rule.summary, "description": rule.description}
    if rule.link:
        annotations["link"] = inputs.board_url + rule.link
    annotations["runbook_url"] = f"{inputs.runbooks_url}/{rule.name}.md"
    labels = {"severity": rule.severity, "kind": rule.kind, **rule.labels}
    return {"alert": rule.name, "expr": rule.expr, **wait, "labels": labels, "annotations": annotations}
