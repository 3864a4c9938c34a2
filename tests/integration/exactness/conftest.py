"""Every test here has a deployment of its own on the session's broker."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.integration.runtime.harness import Deployment, new_settings
from tests.kafka.broker import KafkaCluster


@pytest.fixture
def deployment(kafka: KafkaCluster) -> Deployment:
    """With the events clock: the newest event is now."""
    return Deployment(new_settings(kafka.bootstrap_servers))


@pytest.fixture
def live(kafka: KafkaCluster) -> Deployment:
    """With the wall clock, and snapshots as often as by default."""
    return Deployment(replace(new_settings(kafka.bootstrap_servers), clock="wall", snapshot_interval=0.15))
