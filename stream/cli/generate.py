"""``deskpulse generate``: the files made from the code, written or checked for drift."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from stream.cli.errors import UsageError
from stream.cli.options import add_config, configuration
from stream.config import Config
from stream.config.sla import agreement
from stream.domain.kpis import KPIS
from stream.generate.inputs import Objective, RuleError, RuleInputs, Target
from stream.generate.kubernetes import kubernetes_files
from stream.generate.reference import reference_files
from stream.generate.rules import RULES_FOLDER, rule_files
from stream.generate.schemas import schema_files
from stream.generate.write import drifted, write

NAME = "generate"
HELP = "write the generated files (schemas, reference pages, alert rules), or check them for drift"

# Each takes the project's root and gives text by path from there.
GENERATORS: list[Callable[[Path], dict[str, str]]] = [schema_files, reference_files]
# Folders in which every file is generated.
FOLDERS = ["schemas", RULES_FOLDER]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_config(parser)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and list the files that differ")
    parser.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the project's root (default: here)")
    parser.add_argument(
        "--time-scale",
        type=_scale,
        default=1,
        metavar="N",
        help="for tests: divide every duration of the alert rules by N",
    )


def _scale(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Write the files, or with --check list those that differ and return 1. Raises ConfigError and UsageError."""
    if not (args.root / "pyproject.toml").is_file():
        raise UsageError(f"{args.root.absolute()} is not the project's root: it has no pyproject.toml")
    files = {path: text for generator in GENERATORS for path, text in generator(args.root).items()}
    inputs = rule_inputs(configuration(args), args.time_scale)
    try:
        files |= rule_files(inputs) | kubernetes_files(inputs)
    except RuleError as error:
        raise UsageError(str(error)) from None
    try:
        changed = (drifted if args.check else write)(args.root, files, FOLDERS)
    except OSError as error:
        raise UsageError(f"cannot use {error.filename}: {error.strerror}") from None
    for path in changed:
        print(path)
    print(f"{len(files)} generated files, {len(changed)} {'differ' if args.check else 'changed'}")
    return 1 if args.check and changed else 0


def rule_inputs(config: Config, time_scale: int) -> RuleInputs:
    """Return what the rules are made from; where the configuration has no targets or objectives, the defaults stand."""
    defaults = RuleInputs()
    agreed = agreement(config).targets
    for target in agreed:
        if target.kpi not in KPIS:
            print(f"no rule for target {target.kpi!r}: it is no KPI of this version", file=sys.stderr)
    targets = tuple(Target(one.kpi, one.min, one.max, one.window) for one in agreed if one.kpi in KPIS)
    objectives = tuple(Objective(one.clock, one.target, one.burn_rates) for one in config.objectives)
    return RuleInputs(
        board_url=config.web.advertised_url or defaults.board_url,
        objectives=objectives or defaults.objectives,
        targets=targets or defaults.targets,
        time_scale=time_scale,
    )
