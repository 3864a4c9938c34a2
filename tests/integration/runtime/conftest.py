"""Every test here has a deployment of its own on the session's broker."""

from __future__ import annotations

import pytest

from tests.integration.runtime.harness import Deployment, new_settings
from tests.kafka.broker import KafkaCluster


@pytest.fixture
def deployment(kafka: KafkaCluster) -> Deployment:
    return Deployment(new_settings(kafka.bootstrap_servers))
