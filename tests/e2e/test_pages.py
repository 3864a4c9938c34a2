"""The short form of `make e2e`: what matters most, in one deployment."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.e2e import scenarios
from tests.e2e.stack import missing_programs, running
from tests.kafka.broker import KafkaCluster

pytestmark = pytest.mark.kafka


@pytest.fixture(autouse=True)
def programs() -> None:
    if missing := missing_programs():
        reason = f"NO {', '.join(missing)}: Debian has packages of these names"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


def test_a_breach_is_one_page_over_a_restart_and_stays_answered_when_the_worker_hangs(
    kafka: KafkaCluster, tmp_path: Path
) -> None:
    # At an eighth of the waits a worker is down after 8 s, which a restart stays well below.
    with running(kafka, tmp_path, scale=8, config=scenarios.POLICY) as stack:
        outcome = scenarios.breach(stack, settle=0, meanwhile=stack.restart_worker)
        assert outcome.seconds is not None
        assert 0 <= outcome.seconds < 30
        stack.worker.send_signal(signal.SIGSTOP)
        assert stack.receiver.wait(lambda: len(stack.receiver.pages()) > 1, scenarios.LIMIT_S)
        stack.receiver.wait(lambda: False, 3)
        assert [page.names for page in stack.receiver.pages()] == [
            {"DeskpulseTicketSlaBreached"},
            {"DeskpulseStreamDown"},
        ]
