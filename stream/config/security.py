"""The configuration of who may connect and how: TLS and SASL to Kafka, TLS and a token for our own HTTP server.

No secret stands in the configuration. It names a file that holds one, or the environment does; so the configuration can
be printed and committed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from stream.config.errors import ConfigError

PASSWORD_VARIABLE = "DESKPULSE_KAFKA_PASSWORD"
TOKEN_VARIABLE = "DESKPULSE_WEB_TOKEN"
# A secret is a word, not a document: a file beyond this was named by mistake.
MAX_SECRET_BYTES = 4_096

Mechanism = Literal["none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
Username = Annotated[str, Meta(max_length=255)]


class KafkaTls(Struct, frozen=True):
    """TLS to Kafka. No authority = the system's; a certificate of our own makes it mutual."""

    enabled: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""


class Sasl(Struct, frozen=True):
    """How we say to Kafka who we are. The password: from the file, else from DESKPULSE_KAFKA_PASSWORD."""

    mechanism: Mechanism = "none"
    username: Username = ""
    password_file: str = ""
    allow_plaintext: bool = False


class WebTls(Struct, frozen=True):
    """The certificate of our HTTP server, none = plain HTTP; and the authority of its peers', none = the system's."""

    certificate_file: str = ""
    key_file: str = ""
    ca_file: str = ""


def kafka_complaints(tls: KafkaTls, sasl: Sasl) -> Iterator[str]:
    """Yield what is wrong with the way to Kafka, each with its key in front."""
    if not tls.enabled and (tls.ca_file or tls.certificate_file or tls.key_file):
        yield "kafka.tls.enabled: false, although certificates are configured beside it"
    if tls.key_file and not tls.certificate_file:
        yield "kafka.tls.certificate_file: missing; kafka.tls.key_file alone proves nothing"
    if sasl.mechanism == "none":
        if sasl.username or sasl.password_file:
            yield "kafka.sasl.mechanism: none, although a user or password is configured beside it"
        return
    if not sasl.username:
        yield f"kafka.sasl.username: missing; {sasl.mechanism} needs one"
    if not tls.enabled and not sasl.allow_plaintext:
        yield (
            f"kafka.sasl.mechanism: {sasl.mechanism} without TLS lets everybody on the way take the account over; "
            "set kafka.tls.enabled, or kafka.sasl.allow_plaintext where you are sure"
        )


def web_complaints(tls: WebTls) -> Iterator[str]:
    """Yield what is wrong with our HTTP server's TLS, each with its key in front."""
    if (tls.key_file or tls.ca_file) and not tls.certificate_file:
        yield "web.tls.certificate_file: missing; without it the server speaks plain HTTP"


def read_secret(file: str, variable: str, environment: Mapping[str, str]) -> str:
    """Return the secret in *file*, else the one in the environment's *variable*; "" when there is neither.

    A line end at the end is not part of it: editors and `echo` leave one. Raises ConfigError.
    """
    if not file:
        return environment.get(variable, "")
    try:
        with Path(file).open("rb") as opened:
            data = opened.read(MAX_SECRET_BYTES + 1)
        secret = data.decode().rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: holds no text") from None
    if not secret or len(data) > MAX_SECRET_BYTES:
        raise ConfigError(f"{file}: holds no secret (one line of 1 to {MAX_SECRET_BYTES} bytes)")
    return secret
