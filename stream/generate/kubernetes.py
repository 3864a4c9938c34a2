"""The alert rules as an object for the Prometheus operator, for deploy/kubernetes."""

from __future__ import annotations

from textwrap import indent

from stream.generate.inputs import RuleInputs
from stream.generate.rules import RULES_FOLDER, rule_files
from stream.generate.yamltext import document

FILE = "deploy/kubernetes/prometheusrule.yaml"


def kubernetes_files(inputs: RuleInputs) -> dict[str, str]:
    """Return the rules of every rule file in one PrometheusRule: path below the project's root -> text."""
    head = document(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "deskpulse"},
        }
    )
    texts = (text for path, text in rule_files(inputs).items() if path.startswith(RULES_FOLDER))
    groups = "".join(indent(text.partition("groups:\n")[2], "  ") for text in texts)
    return {FILE: f"{head}spec:\n  groups:\n{groups}"}
