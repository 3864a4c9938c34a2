"""``deskpulse import``: rows of foreign files become events of the contract, as JSON lines."""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from rich.console import Console
from rich.progress import Progress

from stream.cli.errors import UsageError
from stream.ingest.mapping import MappingError, load, shipped
from stream.ingest.mapping_import import Import
from stream.ingest.mapping_rows import Reject

NAME = "import"
HELP = "turn rows of foreign CSV files into events (JSON lines)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "--mapping",
        required=True,
        metavar="FILE|NAME",
        help=f"a mapping file (.toml), or a shipped one: {', '.join(shipped())}",
    )
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="CSV files (.gz too) or folders")
    parser.add_argument("--out", default="-", metavar="FILE", help="where the events go (.gz compresses; - = stdout)")
    parser.add_argument("--rejects", type=Path, metavar="FILE", help="where bad rows go, one JSON line each")


def run(args: argparse.Namespace) -> int:
    """Import the sources; 0 when every row was taken, 1 when rows were rejected. Raises UsageError."""
    began = time.monotonic()
    first: list[Reject] = []
    with ExitStack() as stack:
        progress = stack.enter_context(_progress())
        rejects = None if args.rejects is None else stack.enter_context(_output(str(args.rejects)))

        def reject(row: Reject) -> None:
            if not first:
                first.append(row)
            if rejects is not None:
                rejects.write(row.encode() + b"\n")

        def open_file(path: Path) -> BinaryIO:
            return progress.open(path, "rb", description=path.name)

        try:
            job = Import(load(args.mapping), args.sources, reject, open_file)
            out = stack.enter_context(_output(args.out))
            out.writelines(job.lines())
            out.flush()
        except MappingError as error:
            raise UsageError(str(error)) from None
    _summary(job, first, args.rejects, time.monotonic() - began)
    return 1 if job.rejected else 0


def _progress() -> Progress:
    """Return a progress bar on stderr, silent unless that is a terminal."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def _output(target: str) -> Iterator[BinaryIO]:
    """Open stdout for "-", else a file that appears under its name only when it is complete."""
    if target == "-":
        try:
            yield sys.stdout.buffer
        except OSError as error:
            # Without this the interpreter complains once more when it flushes stdout at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            # A reader that had enough, as head has, is no error.
            if not isinstance(error, BrokenPipeError):
                raise UsageError(f"stdout: cannot be written: {error.strerror}") from None
        return
    part = Path(f"{target}.part")
    try:
        with part.open("wb") as file:
            if target.endswith(".gz"):
                # Neither name nor time in the header: the same input gives the same bytes.
                with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed:
                    yield cast(BinaryIO, packed)
            else:
                yield file
        os.replace(part, target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from None
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _summary(job: Import, first: list[Reject], rejects: Path | None, seconds: float) -> None:
    """Say on stderr what came of the rows."""
    lines = [
        f"{job.rows:,} rows, {job.rejected:,} rejected, {job.events.total():,} events in {seconds:.1f} s",
        *(f"  {count:>9,}  {kind}" for kind, count in sorted(job.events.items())),
    ]
    if first:
        where = f"all in {rejects}" if rejects else "--rejects FILE keeps them"
        lines.append(f"first rejected: {first[0].file}:{first[0].line}: {first[0].reason} ({where})")
    print("\n".join(lines), file=sys.stderr)
