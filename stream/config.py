"""The configuration: a TOML file over the defaults, and the environment over the file.

Every key, with its default and what it is for, stands in docs/configuration.md; a test holds that page to the structs
here.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, inspect

FILE = "deskpulse.toml"
FILE_VARIABLE = "DESKPULSE_CONFIG"
SERVERS_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"

# Kafka allows these characters in topic names, and the application's id is part of some.
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]+$", max_length=100)]
Prefix = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]*$", max_length=100)]
Partitioner = Literal["murmur2", "crc32", "fnv1a", "any"]
Dimension = Literal["channel", "priority", "team", "brand", "site", "purpose", "by"]
Window = Literal["5m", "1h", "24h", "7d", "30d"]


class ConfigError(Exception):
    """The configuration cannot be used; the message is one line for the user."""


class Kafka(Struct, frozen=True):
    """Where Kafka is and how the deployment is named there. No servers = none is configured."""

    bootstrap_servers: str = ""
    app_id: Name = "deskpulse"
    topic_prefix: Prefix = ""
    partitions: Annotated[int, Meta(ge=1, le=1_000)] = 4
    replication_factor: Annotated[int, Meta(ge=-1, le=10)] = -1


class Partitioners(Struct, frozen=True):
    """How the producers of each topic choose a partition."""

    tickets: Partitioner = "murmur2"
    bookings: Partitioner = "murmur2"
    reviews: Partitioner = "murmur2"


class Ingest(Struct, frozen=True):
    """How events are read."""

    clock: Literal["wall", "events"] = "wall"
    partitioner: Partitioners = Partitioners()


class Retention(Struct, frozen=True):
    """How long things are remembered, in days."""

    horizon_days: Annotated[int, Meta(ge=1, le=3_650)] = 35
    summary_days: Annotated[int, Meta(ge=1, le=36_500)] = 400


class Web(Struct, frozen=True):
    """The HTTP server. No advertised URL = that of the bound host and port."""

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 6066
    advertised_url: str = ""


class Metrics(Struct, frozen=True):
    """What /metrics splits by label, and how many values of a label get series of their own."""

    dimensions: tuple[Dimension, ...] = ("channel", "team")
    windows: tuple[Window, ...] = ("1h", "24h", "7d")
    label_values: Annotated[int, Meta(ge=1, le=1_000)] = 10


class Config(Struct, frozen=True):
    """The whole configuration; each field is a table of the file."""

    kafka: Kafka = Kafka()
    ingest: Ingest = Ingest()
    retention: Retention = Retention()
    web: Web = Web()
    metrics: Metrics = Metrics()


def find_file(named: Path | None, environment: Mapping[str, str]) -> Path | None:
    """Return the file to read: the one named, else DESKPULSE_CONFIG, else ./deskpulse.toml where there is one."""
    if named is not None:
        return named
    if environment.get(FILE_VARIABLE):
        return Path(environment[FILE_VARIABLE])
    return Path(FILE) if Path(FILE).is_file() else None


def load(named: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Return the configuration; KAFKA_BOOTSTRAP_SERVERS wins over the file. Raises ConfigError."""
    environment = os.environ if environment is None else environment
    file = find_file(named, environment)
    config = Config() if file is None else parse(_read(file), str(file))
    servers = environment.get(SERVERS_VARIABLE, "").strip()
    if servers:
        config = msgspec.structs.replace(config, kafka=msgspec.structs.replace(config.kafka, bootstrap_servers=servers))
    return config


def parse(text: str, file: str) -> Config:
    """Return the configuration in *text*; *file* is what errors call it. Raises ConfigError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: no valid TOML: {error}") from None
    complaint = next(_unknown(data, Config, ""), None)
    if complaint is not None:
        raise ConfigError(f"{file}: {complaint}")
    try:
        return msgspec.convert(data, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{file}: {_complaint(str(error), data)}") from None


def keys(table: type[Struct] = Config, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield every key as (dotted name, what is allowed, default)."""
    for field in msgspec.structs.fields(table):
        name = f"{path}{field.name}"
        if isinstance(field.default, Struct):
            yield from keys(type(field.default), f"{name}.")
        else:
            yield name, _allowed(inspect.type_info(field.type)), field.default


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: no valid TOML: it is not UTF-8") from None


def _unknown(data: Mapping[str, Any], table: type[Struct], path: str) -> Iterator[str]:
    """Yield a complaint for each key that the configuration does not have."""
    fields = {field.name: field.default for field in msgspec.structs.fields(table)}
    for key, value in data.items():
        if key not in fields:
            near = get_close_matches(key, fields, n=1, cutoff=0.0)[0]
            yield f"{path}{key}: unknown key; the nearest is {path}{near}"
        elif isinstance(fields[key], Struct) and isinstance(value, dict):
            yield from _unknown(value, type(fields[key]), f"{path}{key}.")


def _complaint(error: str, data: Any) -> str:
    """Return what is wrong with a value and what is allowed in its place, given msgspec's message."""
    place = re.search(r"at `\$\.([\w.]+)", error)
    name = place[1] if place else ""
    value = data
    for key in name.split("."):
        value = value[key]
    allowed = next((text for key, text, _ in keys() if key == name), "a table")
    return f"{name}: {value!r} is not allowed; it takes {allowed}"


def _allowed(kind: inspect.Type) -> str:
    """Return what values a type takes, in words."""
    match kind:
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(map(str, values))}"
        case inspect.VarTupleType(item_type=item):
            return f"a list of {_allowed(item).replace('one of ', '')}"
        case inspect.IntType(ge=low, le=high):
            return f"a whole number from {low} to {high}"
        case inspect.StrType(pattern=None):
            return "text"
        case inspect.StrType():
            return "letters, digits, dots, underscores and hyphens"
    raise NotImplementedError(kind)
