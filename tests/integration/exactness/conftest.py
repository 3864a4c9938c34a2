"""Every test here has a deployment of its own on the session's broker."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.integration.runtime.harness import SMALL_CHECKPOINTS, Deployment, new_settings
from tests.kafka.broker import KafkaCluster


@pytest.fixture
def deployment(kafka: KafkaCluster) -> Deployment:
    """With the events clock: the newest event is now."""
    return Deployment(replace(new_settings(kafka.bootstrap_servers), **SMALL_CHECKPOINTS))


@pytest.fixture
def live(kafka: KafkaCluster) -> Deployment:
    """With the wall clock, and snapshots as often as by default."""
    settings = replace(new_settings(kafka.bootstrap_servers), **SMALL_CHECKPOINTS)
    return Deployment(replace(settings, clock="wall", snapshot_interval=0.15))
