"""Whole tickets from the test suite of another helpdesk: which clocks are breached by a given instant."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from stream.events.values import micros
from tests.unit.domain.sla.desk import Desk, clock, policy
from tests.unit.domain.world import MINUTE, at, created, says, status

CASES = json.loads((Path(__file__).parent / "vectors" / "status.json").read_text())


def minute(text: str) -> float:
    return (micros(datetime.fromisoformat(text)) - at(0)) / MINUTE


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_ticket_has_breached_what_the_vector_says(case: dict) -> None:
    assert case["calendar"] is None
    desk = Desk(policy("case", *(clock(name, seconds / 60) for name, seconds in case["targets"].items())))
    events = [created(minute(case["created_at"]))]
    if case["first_reply_at"]:
        events.append(says(minute(case["first_reply_at"]), "agent", id="a first reply"))
    for asked, answered in case["waits"]:
        events.append(says(minute(asked), "customer", id="b wait"))  # after a reply of the same second
        if answered:
            events.append(says(minute(answered), "agent"))
    if case["resolved_at"]:
        events.append(status(minute(case["resolved_at"]), "resolved"))
    folded = desk.fold(*events)
    breached = {name: len(folded.missed(name, minute(case["now"]))) for name in case["expected"]["breached"]}
    assert breached == case["expected"]["breached"]
