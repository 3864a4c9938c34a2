"""How every connection to Kafka proves who it is, and to whom it speaks."""

from __future__ import annotations

import ssl
from typing import Any

from faust.auth import SASLCredentials, SSLCredentials


class SecurityError(Exception):
    """A certificate or key cannot be used; the message is one line for the user."""


def client_context(ca_file: str = "", certificate_file: str = "", key_file: str = "") -> ssl.SSLContext:
    """Return what verifies the broker and its host name, and shows our own certificate if there is one.

    No *ca_file* = the system's authorities; no *key_file* = it stands in the certificate's file. Raises SecurityError.
    """
    context = _verifying(ca_file)
    if certificate_file:
        _load_certificate(context, certificate_file, key_file)
    return context


def server_context(certificate_file: str, key_file: str = "") -> ssl.SSLContext:
    """Return what an HTTP server shows its clients. Raises SecurityError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _load_certificate(context, certificate_file, key_file)
    return context


def credentials(context: ssl.SSLContext | None, mechanism: str = "none", username: str = "", password: str = "") -> Any:
    """Return Faust's credentials, which `RuntimeSettings.client` translates for aiokafka; None = plaintext.

    Their representation shows no password.
    """
    if mechanism != "none":
        return SASLCredentials(mechanism=mechanism, username=username, password=password, ssl_context=context)
    return None if context is None else SSLCredentials(context)


def _verifying(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:  # ssl.SSLError is one
        raise SecurityError(f"{ca_file}: no usable certificate authorities: {_reason(error)}") from None


def _load_certificate(context: ssl.SSLContext, certificate_file: str, key_file: str) -> None:
    def refuse_to_ask() -> str:
        # Without it OpenSSL would ask for the passphrase on the terminal, and a service would hang there.
        raise SecurityError(f"{key_file or certificate_file}: the key is encrypted; give one that is not")

    try:
        context.load_cert_chain(certificate_file, key_file or None, password=refuse_to_ask)
    except OSError as error:
        files = " with ".join(filter(None, (certificate_file, key_file)))
        raise SecurityError(f"{files}: no usable certificate and key: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no PEM").replace("_", " ").lower()
    return error.strerror or "cannot be read"
