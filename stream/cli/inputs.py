"""What commands read that work on event files: their lines, and moments given as arguments."""

from __future__ import annotations

import gzip
import sys
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, tzinfo
from typing import IO, cast

from stream.cli.errors import UsageError
from stream.events.values import micros

_GZIP_MAGIC = b"\x1f\x8b"


def lines(name: str) -> Iterator[tuple[int, bytes]]:
    """Yield the numbered lines of a file that are not blank; ``-`` is standard input. Raises UsageError.

    Gzip is known by its first bytes, not by its name.
    """
    try:
        with _opened(name) as raw:
            for number, line in enumerate(raw, 1):
                text = line.strip()
                if number == 1:
                    text = text.removeprefix(BOM_UTF8)  # spreadsheets and editors put it there
                if text:
                    yield number, text
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UsageError(f"{name}: {reason}") from None


def moment(text: str | None, zone: tzinfo = UTC) -> int | None:
    """Return a given time in microseconds UTC; a date or a time without an offset is in *zone*. Raises UsageError."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text}: a time is like 2026-03-01 or 2026-03-01T09:30:00Z") from None
    return micros((found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC))


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    with ExitStack() as stack:
        raw = sys.stdin.buffer if name == "-" else stack.enter_context(open(name, "rb"))
        packed = raw.peek(2)[:2] == _GZIP_MAGIC  # type: ignore[union-attr]  # both are buffered readers
        yield cast("IO[bytes]", stack.enter_context(gzip.open(raw)) if packed else raw)
