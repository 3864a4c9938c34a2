"""Everything that connects to Kafka does so by TLS, mutual TLS and SASL, and is refused in one line without them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stream.runtime.doctor import check_broker
from stream.runtime.failure import WorkerFailure
from stream.runtime.feed import Feed
from stream.runtime.security import client_context, credentials
from stream.runtime.settings import RuntimeSettings
from stream.runtime.topics import ensure_topics
from tests.integration.runtime.harness import Deployment, created, new_settings
from tests.integration.security.broker import PASSWORD, USER, SecuredBroker
from tests.integration.security.certificates import Authority
from tests.kafka.broker import HOST

pytestmark = pytest.mark.kafka
EVENTS = 40


def with_sasl(broker: SecuredBroker, mechanism: str, password: str = PASSWORD) -> RuntimeSettings:
    context = client_context(str(broker.authority.certificate))
    settings = new_settings(f"{HOST}:{broker.sasl_port}", partitions=2)
    return replace(settings, credentials=credentials(context, mechanism, USER, password))


def with_certificate(broker: SecuredBroker) -> RuntimeSettings:
    certificate, key = broker.authority.sign("worker")
    context = client_context(str(broker.authority.certificate), str(certificate), str(key))
    return replace(new_settings(f"{HOST}:{broker.mutual_port}", partitions=2), credentials=credentials(context))


def with_bare_sasl(broker: SecuredBroker) -> RuntimeSettings:
    settings = new_settings(f"{HOST}:{broker.plaintext_sasl_port}", partitions=2)
    return replace(settings, credentials=credentials(None, "SCRAM-SHA-512", USER, PASSWORD))


WAYS: dict[str, Callable[[SecuredBroker], RuntimeSettings]] = {
    "PLAIN over TLS": lambda broker: with_sasl(broker, "PLAIN"),
    "SCRAM-SHA-256 over TLS": lambda broker: with_sasl(broker, "SCRAM-SHA-256"),
    "SCRAM-SHA-512 over TLS": lambda broker: with_sasl(broker, "SCRAM-SHA-512"),
    "a certificate": with_certificate,
    "SCRAM-SHA-512 without TLS": with_bare_sasl,
}


@pytest.mark.parametrize("way", WAYS)
def test_topics_feed_and_worker_connect_with(
    way: str, secured: SecuredBroker, caplog: pytest.LogCaptureFixture
) -> None:
    settings = WAYS[way](secured)
    caplog.set_level(logging.INFO)  # the most that any command shows

    async def work() -> None:
        deployment = Deployment(settings)
        partitions = await ensure_topics(settings)
        async with Feed(settings, partitions) as feed:
            for number in range(EVENTS):
                event = created(f"T-{number}", f"C-{number}", at_s=number)
                assert event.key is not None
                assert event.value is not None
                await feed.send(event.source, event.key, event.value, event.timestamp_ms * 1000)
            await feed.flush()
        async with deployment.worker():
            snapshot = await deployment.until_counted(EVENTS)
            assert sum(count for (*_, result), count in snapshot.events.items() if result == "applied") == EVENTS

    asyncio.run(work())
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(settings)


def without_certificate(broker: SecuredBroker) -> RuntimeSettings:
    context = client_context(str(broker.authority.certificate))
    return replace(new_settings(f"{HOST}:{broker.mutual_port}"), credentials=credentials(context))


def with_a_strangers_trust(broker: SecuredBroker, folder: Path) -> RuntimeSettings:
    stranger = Authority(folder, "stranger")
    context = client_context(str(stranger.certificate))
    servers = f"{HOST}:{broker.sasl_port}"
    return replace(new_settings(servers), credentials=credentials(context, "PLAIN", USER, PASSWORD))


REFUSALS: dict[str, tuple[Callable[[SecuredBroker, Path], RuntimeSettings], str]] = {
    "a wrong password": (lambda broker, _: with_sasl(broker, "SCRAM-SHA-512", "wrong"), "SaslAuthenticationFailed"),
    "no certificate of its own": (lambda broker, _: without_certificate(broker), "or a certificate of ours"),
    "trust in another authority": (with_a_strangers_trust, "its certificate does not hold: "),
    "no TLS": (lambda broker, _: new_settings(f"{HOST}:{broker.sasl_port}"), "it may want TLS"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_client_is_refused_and_the_doctor_names_the_reason_with(
    refusal: str, secured: SecuredBroker, tmp_path: Path
) -> None:
    make, reason = REFUSALS[refusal]
    settings = make(secured, tmp_path)
    with pytest.raises(WorkerFailure) as failure:
        asyncio.run(ensure_topics(settings, create=False))
    assert "\n" not in str(failure.value)
    port = int(settings.bootstrap_servers.partition(":")[2])
    finding = asyncio.run(check_broker(settings, HOST, port))
    assert finding.verdict == "wrong"
    assert reason in finding.text
    assert PASSWORD not in finding.text
