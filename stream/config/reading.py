"""Finds the configuration and reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from stream.config.checks import check
from stream.config.errors import ConfigError
from stream.config.tables import Config
from stream.config.toml import parse_table

FILE = "deskpulse.toml"
FILE_VARIABLE = "DESKPULSE_CONFIG"
SERVERS_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
# What differs between the workers of a deployment, which may share a file: variable -> table and key.
VARIABLES = {
    SERVERS_VARIABLE: ("kafka", "bootstrap_servers"),
    "DESKPULSE_INSTANCE_ID": ("kafka", "instance_id"),
    "DESKPULSE_ADVERTISED_URL": ("web", "advertised_url"),
}


def find_file(named: Path | None, environment: Mapping[str, str]) -> Path | None:
    """Return the file to read: the one named, else DESKPULSE_CONFIG, else ./deskpulse.toml where there is one."""
    if named is not None:
        return named
    if environment.get(FILE_VARIABLE):
        return Path(environment[FILE_VARIABLE])
    return Path(FILE) if Path(FILE).is_file() else None


def load(named: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Return the configuration; VARIABLES in the environment win over the file. Raises ConfigError."""
    environment = os.environ if environment is None else environment
    file = find_file(named, environment)
    config = Config() if file is None else parse(_read(file), str(file))
    for variable, (table, key) in VARIABLES.items():
        value = environment.get(variable, "").strip()
        if value:
            config = replace(config, **{table: replace(getattr(config, table), **{key: value})})
            _refuse(config, variable)
    return config


def parse(text: str, file: str) -> Config:
    """Return the configuration in *text*; *file* is what errors call it. Raises ConfigError."""
    config = parse_table(text, file, Config)
    _refuse(config, file)
    return config


def _refuse(config: Config, file: str) -> None:
    try:
        check(config)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: no valid TOML: it is not UTF-8") from None
