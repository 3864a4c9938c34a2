"""``deskpulse config check``: whether the configuration can be used, and what it comes to."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

from stream.config import find_file, load
from stream.config.advice import advice
from stream.config.coverage import rows, universe
from stream.config.shape import keys, shown
from stream.config.sla import policies
from stream.domain.sla.policy import CLOCKS, Kind, Policies

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
    """Print every key that differs from its default, the policy of each combination, and advice. Raises ConfigError."""
    config = load(args.file)
    file = find_file(args.file, os.environ)
    print(f"{file or 'no file'}: fine")
    for name, _, default in keys():
        value = attrgetter(name)(config)
        if value != default:
            print(f"  {name} = {shown(value)} (default {shown(default)})")
    made = policies(config)
    for kind in CLOCKS:
        for line in _coverage(made, kind):
            print(line)
    for text in advice(config):
        print(f"warning: {text}")
    return 0


def _coverage(policies: Policies, kind: Kind) -> Iterator[str]:
    """Yield a table of which policy each combination of labels gets, nothing where no policy is for the kind."""
    asked = [policy for policy in policies.policies if policy.covers(kind)]
    if not any(policy.clocks for policy in asked):
        return
    every = universe(asked)
    lines = [(*every, "policy")]
    for box, policy in rows(policies, kind):
        cells = ["any" if values == every[label] else ", ".join(sorted(values)) for label, values in box.items()]
        lines.append((*cells, policy.name if policy is not None else "none"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    yield f"{kind}s:"
    for line in lines:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
