"""One suite over two brokers: Apache Kafka, and the embedded one for what a single worker needs (ADR 0002).

A test that the embedded broker cannot pass says why: `@pytest.mark.only_kafka("reason")`.
Every test has a deployment of its own on the session's broker.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from stream.demo.broker import EmbeddedBroker
from tests.integration.runtime.harness import SMALL_CHECKPOINTS, Deployment, new_settings
from tests.kafka.broker import run_apart


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_kafka(reason): the embedded broker cannot do what the test needs")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "broker" not in metafunc.fixturenames:
        return
    brokers = [pytest.param("kafka", marks=pytest.mark.kafka)]
    excluded = list(metafunc.definition.iter_markers("only_kafka"))
    for mark in excluded:
        (reason,) = mark.args
        assert reason
    if not excluded:
        brokers.append(pytest.param("embedded"))
    metafunc.parametrize("broker", brokers, indirect=True, scope="session")


@dataclass(frozen=True)
class Broker:
    """Its address, and the shortest session (seconds) that it lets a member of a group have."""

    servers: str
    session_timeout: float


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if request.param == "kafka":
        yield Broker(request.getfixturevalue("kafka").bootstrap_servers, 3.0)
        return
    embedded = EmbeddedBroker(tmp_path_factory.mktemp("embedded"))
    run_apart(embedded.start())
    yield Broker(embedded.bootstrap_servers, 6.0)
    run_apart(embedded.stop())


@pytest.fixture
def deployment(broker: Broker) -> Deployment:
    settings = replace(new_settings(broker.servers), **SMALL_CHECKPOINTS)
    return Deployment(replace(settings, session_timeout=broker.session_timeout))
