"""One suite over two brokers: Apache Kafka, and the embedded one for what a single worker needs (ADR 0002).

A test that the embedded broker cannot pass says why: `@pytest.mark.only_kafka("reason")`. Every test has a deployment of
its own on the session's broker.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stream.demo.broker import EmbeddedBroker
from tests.integration.runtime.harness import Deployment, new_settings
from tests.kafka.broker import run_apart


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_kafka(reason): the embedded broker cannot do what the test needs")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "servers" not in metafunc.fixturenames:
        return
    brokers = [pytest.param("kafka", marks=pytest.mark.kafka)]
    excluded = list(metafunc.definition.iter_markers("only_kafka"))
    for mark in excluded:
        (reason,) = mark.args
        assert reason
    if not excluded:
        brokers.append(pytest.param("embedded"))
    metafunc.parametrize("servers", brokers, indirect=True, scope="session")


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a broker that lives as long as the session."""
    if request.param == "kafka":
        yield request.getfixturevalue("kafka").bootstrap_servers
        return
    broker = EmbeddedBroker(tmp_path_factory.mktemp("embedded"))
    run_apart(broker.start())
    yield broker.bootstrap_servers
    run_apart(broker.stop())


@pytest.fixture
def deployment(servers: str) -> Deployment:
    return Deployment(new_settings(servers))
