"""The short form of `make e2e`: one run of the cases that matter most."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e import scenarios
from tests.e2e.cases import HAS_SLA, SLA_CASES
from tests.e2e.stack import missing_programs, running
from tests.kafka.broker import KafkaCluster

pytestmark = pytest.mark.kafka


@pytest.fixture(autouse=True)
def programs() -> None:
    if missing := missing_programs():
        reason = f"NO {', '.join(missing)}: Debian has packages of these names"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


def test_a_restart_pages_nobody_and_a_worker_that_hangs_is_one_page(kafka: KafkaCluster, tmp_path: Path) -> None:
    # At a sixth of the waits a worker is down after 10 s, which a restart stays well below.
    with running(kafka, tmp_path, scale=6) as stack:
        assert scenarios.restart(stack, settle=8).pages == 0
        outcome = scenarios.hang(stack, settle=6)
        assert (outcome.pages, outcome.names) == (1, {"DeskpulseStreamDown"})


@pytest.mark.skipif(not HAS_SLA, reason="the worker shows no breaches yet")
@pytest.mark.parametrize("case", [case for case in SLA_CASES if case.scenario is scenarios.breach], ids=["breach"])
def test_a_breach_pages_within_30_seconds_and_is_taken_back(case, kafka: KafkaCluster, tmp_path: Path) -> None:
    with running(kafka, tmp_path, scale=case.scale, scrape=case.scrape, config=case.config) as stack:
        outcome = case.scenario(stack, case.settle)
    assert outcome.seconds is not None
    assert outcome.seconds < 30
    assert (case.missed(outcome), case.false(outcome)) == (0, 0)
