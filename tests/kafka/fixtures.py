"""Pytest plugin: `kafka`, a real broker for the session, and `topics`, which creates topics for one test."""

import itertools
import os
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from tests.kafka.broker import KafkaCluster, run_apart
from tests.kafka.jars import KafkaInstall, KafkaUnavailableError, find_kafka

NO_KAFKA = "NO KAFKA"
_count = itertools.count(1)  # Two tests of one session must never share a topic.


class Topics:
    """Creates topics on one cluster."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers

    def create(self, base: str, partitions: int = 1, *, replicas: int = 1, **config: str) -> str:
        """Creates the topic `base`-N, a name not used before in this session, and returns that name.

        `config` holds Kafka's topic settings with `_` for `.`. Raises KafkaError when the broker
        refuses.
        """
        name = f"{base}-{next(_count)}"
        settings = {setting.replace("_", "."): value for setting, value in config.items()}
        run_apart(self._create(NewTopic(name, partitions, replicas, topic_configs=settings)))
        return name

    async def _create(self, topic: NewTopic) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        await admin.start()
        try:
            (_, code, message), *_ = (await admin.create_topics([topic])).topic_errors
            if code:
                raise for_code(code)(message)
        finally:
            await admin.close()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """One broker, started once per session.

    Where none can be had the tests that ask for it are skipped; in CI they fail instead, unless the reason is that a
    package registry does not answer.
    """
    install = _find_kafka_or_give_up()
    cluster = KafkaCluster(install, tmp_path_factory.mktemp("kafka"))
    cluster.start()
    yield cluster
    cluster.stop()


def _find_kafka_or_give_up() -> KafkaInstall:
    try:
        return find_kafka()
    except KafkaUnavailableError as error:
        reason, network = f"{NO_KAFKA}: {error}", error.network
    if os.environ.get("CI") == "true" and not network:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def topics(kafka: KafkaCluster) -> Topics:
    return Topics(kafka.bootstrap_servers)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says in one line that cannot be overlooked how many tests had no broker, and why."""
    reasons = [
        str(report.longrepr) for report in terminalreporter.stats.get("skipped", []) if NO_KAFKA in str(report.longrepr)
    ]
    if reasons:
        reason = reasons[0].partition(f"{NO_KAFKA}: ")[2].rstrip("'\")")
        terminalreporter.write_line(f"{NO_KAFKA}: {len(reasons)} tests skipped: {reason}", red=True, bold=True)
