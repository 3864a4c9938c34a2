"""Certificates and keys that cannot be used are refused in one line that names the file."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import pytest

from stream.runtime.security import SecurityError, client_context, credentials, server_context
from tests.integration.security.certificates import Authority, openssl

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="NO OPENSSL: it makes the certificates")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_client_verifies_the_broker_and_its_name(authority: Authority) -> None:
    context = client_context(str(authority.certificate))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_key_may_stand_in_the_file_of_its_certificate(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.sign("worker")
    both = tmp_path / "both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    server_context(str(both))
    client_context(str(authority.certificate), str(both))


def test_the_wrong_key_is_refused(authority: Authority) -> None:
    certificate, _ = authority.sign("one")
    _, key = authority.sign("other")
    with pytest.raises(SecurityError, match=r"one\.pem with \S+other\.key: no usable certificate and key: "):
        server_context(str(certificate), str(key))


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_without_a_certificate_is_refused(content: bytes | None, authority: Authority, tmp_path: Path) -> None:
    file = tmp_path / "broken.pem"
    if content is not None:
        file.write_bytes(content)
    for make in (lambda: client_context(str(file)), lambda: server_context(str(file))):
        with pytest.raises(SecurityError, match=r"broken\.pem: no usable certificate") as refusal:
            make()
        assert "\n" not in str(refusal.value)


def test_an_encrypted_key_is_refused_instead_of_asking_on_the_terminal(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.sign("worker")
    locked = tmp_path / "locked.key"
    openssl("ec", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked)
    with pytest.raises(SecurityError, match=r"locked\.key: the key is encrypted"):
        server_context(str(certificate), str(locked))


def test_credentials_do_not_show_the_password() -> None:
    assert "hunter2" not in repr(credentials(None, "PLAIN", "ann", "hunter2"))


def test_without_tls_and_sasl_there_are_no_credentials() -> None:
    assert credentials(None) is None
