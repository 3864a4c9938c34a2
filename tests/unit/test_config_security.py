"""Who may connect and how: what goes together, and secrets that stay out of sight."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.config.errors import ConfigError
from stream.config.security import KafkaTls, Sasl, WebTls, kafka_complaints, read_secret, web_complaints

TLS = KafkaTls(enabled=True)
USER = Sasl("SCRAM-SHA-512", "ann")

COMPLAINTS = {
    "SASL without TLS": (KafkaTls(), USER, "kafka.sasl.mechanism: SCRAM-SHA-512 without TLS lets everybody"),
    "SASL without a user": (TLS, Sasl("PLAIN"), "kafka.sasl.username: missing; PLAIN needs one"),
    "a user without SASL": (TLS, Sasl(username="ann"), "kafka.sasl.mechanism: none, although a user"),
    "a password without SASL": (TLS, Sasl(password_file="p"), "kafka.sasl.mechanism: none, although a user"),
    "a key without its certificate": (KafkaTls(True, key_file="k"), Sasl(), "kafka.tls.certificate_file: missing"),
    "an authority without TLS": (KafkaTls(ca_file="ca"), Sasl(), "kafka.tls.enabled: false, although"),
}


@pytest.mark.parametrize("case", COMPLAINTS)
def test_what_does_not_go_together_is_refused(case: str) -> None:
    tls, sasl, complaint = COMPLAINTS[case]
    (found,) = kafka_complaints(tls, sasl)
    assert found.startswith(complaint)


@pytest.mark.parametrize(
    ("tls", "sasl"),
    [
        (KafkaTls(), Sasl()),
        (TLS, Sasl()),
        (TLS, USER),
        (KafkaTls(True, "ca", "certificate", "key"), USER),
        (KafkaTls(), Sasl("PLAIN", "ann", allow_plaintext=True)),
    ],
)
def test_what_goes_together_is_taken(tls: KafkaTls, sasl: Sasl) -> None:
    assert list(kafka_complaints(tls, sasl)) == []


def test_a_key_of_the_server_without_its_certificate_is_refused() -> None:
    assert list(web_complaints(WebTls())) == []
    assert list(web_complaints(WebTls("certificate", "key", "ca"))) == []
    for tls in (WebTls(key_file="key"), WebTls(ca_file="ca")):
        (found,) = web_complaints(tls)
        assert found.startswith("web.tls.certificate_file: missing")


@pytest.mark.parametrize("content", [b"hunter2", b"hunter2\n", b"hunter2\r\n"])
def test_a_secret_is_the_line_in_its_file(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    assert read_secret(str(file), "SECRET", {"SECRET": "another"}) == "hunter2"


def test_without_a_file_a_secret_is_in_the_environment() -> None:
    assert read_secret("", "SECRET", {"SECRET": "hunter2"}) == "hunter2"
    assert read_secret("", "SECRET", {}) == ""


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 5_000, b"hunter2\xff"])
def test_a_file_without_a_secret_is_refused_and_not_shown(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as refusal:
        read_secret(str(file), "SECRET", {})
    assert "holds no" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing: cannot be read: No such file or directory$"):
        read_secret(str(tmp_path / "missing"), "SECRET", {})
