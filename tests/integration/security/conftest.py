"""A secured Kafka for the tests of this folder, started once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.integration.security.broker import SecuredBroker, SecuredCluster
from tests.kafka.fixtures import NO_KAFKA
from tests.kafka.jars import KafkaUnavailableError, find_kafka


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    if shutil.which("openssl") is None:
        pytest.skip("NO OPENSSL: it makes the certificates")
    try:
        cluster = SecuredCluster(find_kafka(), tmp_path_factory.mktemp("secured"))
    except KafkaUnavailableError as error:  # in CI the fixture `kafka` makes a failure of it
        pytest.skip(f"{NO_KAFKA}: {error}")
    cluster.start()
    yield cluster.broker
    cluster.stop()
