"""What one key says against another, or a value against the world: errors, found before anything starts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from stream.config.errors import ConfigError
from stream.config.security import kafka_complaints, web_complaints
from stream.config.sla import policies
from stream.config.tables import Config

_MAX_PORT = 65_535


def check(config: Config) -> None:
    """Raise ConfigError with the first thing that is wrong."""
    found = next(_wrong(config), None)
    if found is not None:
        raise ConfigError(found)
    policies(config)


def _wrong(config: Config) -> Iterator[str]:
    kafka, retention, url = config.kafka, config.retention, config.web.advertised_url
    for server in kafka.bootstrap_servers.split(",") if kafka.bootstrap_servers.strip() else ():
        if not _is_server(server.strip()):
            yield f"kafka.bootstrap_servers: {server.strip()!r} is no host:port"
    if kafka.replication_factor == 0:
        yield "kafka.replication_factor: 0 is not allowed; it takes -1 for the broker's default, or 1 and above"
    if retention.summary_days < retention.horizon_days:
        yield (
            f"retention.summary_days: {retention.summary_days} is less than retention.horizon_days "
            f"({retention.horizon_days}); a summary outlives what it sums up"
        )
    if url and not _is_url(url):
        yield f"web.advertised_url: {url!r} is no URL of the form http://host:port"
    yield from kafka_complaints(kafka.tls, kafka.sasl)
    yield from web_complaints(config.web.tls)
    for key, values in (
        ("metrics.windows", config.metrics.windows),
        ("metrics.dimensions", config.metrics.dimensions),
        ("presets", config.presets),
    ):
        yield from (f"{key}: {value!r} stands there twice" for value, times in Counter(values).items() if times > 1)
    names = Counter(policy.name for policy in config.policies)
    yield from (f"policies: two have the name {name!r}" for name, times in names.items() if times > 1)
    for number, target in enumerate(config.targets):
        if target.min is None and target.max is None:
            yield f"targets[{number}]: it says neither min nor max"


def _is_server(text: str) -> bool:
    """Whether it is host:port; an IPv6 address stands in brackets."""
    match = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})", text)
    return match is not None and 0 < int(match[1]) <= _MAX_PORT


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # a port that is no number, or brackets that do not close
        return False
    bare = not (parts.query or parts.fragment or parts.path.strip("/") or parts.username)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and bare
