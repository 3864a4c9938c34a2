"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stream.cli.errors import UsageError
from stream.config import SERVERS_VARIABLE, Config, load

if TYPE_CHECKING:
    from stream.runtime.settings import RuntimeSettings


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare --config."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: $DESKPULSE_CONFIG, else ./deskpulse.toml")


def add_port(parser: argparse.ArgumentParser) -> None:
    """Declare --port."""
    parser.add_argument(
        "--port", type=int, metavar="N", help="serve HTTP on this port (default: web.port; 0 = a free one)"
    )


def configuration(args: argparse.Namespace) -> Config:
    """Return the configuration that --config names, with --port where that is given. Raises ConfigError."""
    config = load(args.config)
    port = getattr(args, "port", None)
    return config if port is None else replace(config, web=replace(config.web, port=port))


def config_with_kafka(args: argparse.Namespace) -> Config:
    """Return the configuration. Raises ConfigError, and UsageError when it names no Kafka."""
    config = configuration(args)
    if not config.kafka.bootstrap_servers:
        raise UsageError(f"no Kafka is configured: set {SERVERS_VARIABLE} or kafka.bootstrap_servers in deskpulse.toml")
    return config


def settings_with_kafka(args: argparse.Namespace) -> RuntimeSettings:
    """Return the runtime's settings for a client. Raises as `config_with_kafka`."""
    # Faust takes half a second to import.
    from stream.bootstrap import runtime_settings  # noqa: PLC0415

    return runtime_settings(config_with_kafka(args))


def positive(text: str) -> float:
    """Parse a number above zero. Raises ValueError, which argparse turns into its complaint."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number


positive.__name__ = "number above 0"  # what argparse calls the type in its complaint
