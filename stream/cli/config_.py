"""``deskpulse config check``: whether the configuration can be used, and what it comes to."""

from __future__ import annotations

import argparse
import os
from operator import attrgetter
from pathlib import Path

from stream.config import find_file, keys, load

NAME = "config"
HELP = "check the configuration and show what it comes to"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    check = actions.add_parser("check", help=HELP, description=HELP, allow_abbrev=False)
    check.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="default: $DESKPULSE_CONFIG, else ./deskpulse.toml"
    )


def run(args: argparse.Namespace) -> int:
    """Print every key that differs from its default. Raises ConfigError."""
    config = load(args.file)
    file = find_file(args.file, os.environ)
    print(f"{file or 'no file'}: fine")
    for name, _, default in keys():
        value = attrgetter(name)(config)
        if value != default:
            print(f"  {name} = {value!r} (default {default!r})")
    return 0
