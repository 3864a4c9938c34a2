"""TOML to tables, one value at a time."""

from __future__ import annotations

import tomllib
from typing import TypeVar

import msgspec
from msgspec import Struct

from stream.config.errors import ConfigError
from stream.config.shape import complaint

Table = TypeVar("Table", bound=Struct)


def parse_table(text: str, file: str, table: type[Table]) -> Table:
    """Return the TOML in *text* as a table; each value is checked, but not how they go together. Raises ConfigError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: no valid TOML: {error}") from None
    found = complaint(data, table)
    if found is not None:
        raise ConfigError(f"{file}: {found}")
    return msgspec.convert(data, table)
