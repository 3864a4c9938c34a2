"""The console script ``deskpulse``: finds the command, runs it, and turns its errors into one line."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import NoReturn

from stream import __version__
from stream.cli.errors import UsageError
from stream.config import ConfigError
from stream.runtime.failure import WorkerFailure

# In the order of --help: the command's name and its module in stream.cli, which gives NAME, HELP, add_arguments(parser)
# and run(args) -> exit code. Only the module of the chosen command is imported, and what is slow to import (Faust above
# all) only in its run, so that every command starts quickly.
COMMANDS = {
    "run": "run",
    "worker": "worker",
    "topics": "topics",
    "doctor": "doctor",
    "deadletters": "deadletters",
    "rebuild": "rebuild",
    "simulate": "simulate",
    "replay": "replay",
    "import": "import_",
    "report": "report",
    "sla": "sla",
    "config": "config_",
    "generate": "generate",
}

OK, WRONG, MISUSED, INTERRUPTED = 0, 1, 2, 130  # the last is what a shell makes of a process that SIGINT ended


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError in place of printing the usage and ending the process."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def build_parser(names: Iterable[str] = COMMANDS) -> Parser:
    """Return the parser with a subparser for each of the commands *names*."""
    parser = Parser(
        prog="deskpulse",
        description="The live pulse of a service business: customer-service KPIs from Kafka events.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"deskpulse {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in names:
        module = import_module(f"stream.cli.{COMMANDS[name]}")
        subparser = commands.add_parser(name, help=module.HELP, description=module.HELP, allow_abbrev=False)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command in *argv* (default: the process's) and return its exit code: 0 fine, 1 found wrong, 2 misused."""
    argv = sys.argv[1:] if argv is None else argv
    # A command that shows no log says itself what went wrong; without a handler Python would print the client's words.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        args = build_parser(argv[:1] if argv and argv[0] in COMMANDS else COMMANDS).parse_args(argv)
        code: int = args.run(args)
        sys.stdout.flush()  # here, where a closed pipe can still be dealt with
        return code
    except (UsageError, ConfigError) as error:
        print(f"deskpulse: {error}", file=sys.stderr)
        return MISUSED
    except WorkerFailure as failure:
        print(f"deskpulse: {failure}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # A reader that had enough, as head has, is no error; the interpreter flushes stdout once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
