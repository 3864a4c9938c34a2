"""A deployment of its own on the session's Kafka, and the commands of the console script run against it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stream.cli.main import main
from tests.integration.runtime.harness import Deployment, new_settings
from tests.kafka.broker import KafkaCluster

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def deployment(kafka: KafkaCluster) -> Deployment:
    return Deployment(new_settings(kafka.bootstrap_servers, partitions=2))


@pytest.fixture
def command(deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `deskpulse ARGUMENTS` on the deployment; return its exit code and what it printed, errors included."""
    settings = deployment.settings
    file = tmp_path / "deskpulse.toml"
    file.write_text(
        f'[kafka]\nbootstrap_servers = "{settings.bootstrap_servers}"\napp_id = "{settings.app_id}"\n'
        f'topic_prefix = "{settings.topic_prefix}"\npartitions = {settings.partitions}\n'
    )

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main([*arguments, "--config", str(file)])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run
