"""The configuration: a TOML file over the defaults, and the environment over the file.

Every key, with its default and what it is for, stands in docs/configuration.md; a test holds that page to the tables.
"""

from stream.config.errors import ConfigError
from stream.config.reading import (
    FILE,
    FILE_VARIABLE,
    SERVERS_VARIABLE,
    find_file,
    load,
    parse,
)
from stream.config.tables import Config, Dimension, Window

__all__ = [
    "FILE",
    "FILE_VARIABLE",
    "SERVERS_VARIABLE",
    "Config",
    "ConfigError",
    "Dimension",
    "Window",
    "find_file",
    "load",
    "parse",
]
