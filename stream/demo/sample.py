"""The committed sample of real events, and the memory of when it was published.

The sample is shifted so that it ends at the moment of its first publication. That moment is kept in a file: a run that
was interrupted publishes the sample again with the same shift, and the events already there are dropped as duplicates.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

FILES = tuple(Path(__file__).parent / "data" / f"{name}.jsonl.gz" for name in ("tickets", "bookings"))


class Publication(Struct, frozen=True):
    """When the sample went where: *deployment* names the cluster and the group, *shift* is in microseconds."""

    deployment: str
    shift: int
    complete: bool = False


class Memory:
    """Remembers one publication in a file."""

    def __init__(self, file: Path, deployment: str) -> None:
        self._file = file
        self._deployment = deployment

    def shift(self, newest: int, now: int, *, empty: bool) -> int | None:
        """Return by how much the sample is to be shifted, or None when it is not to be published.

        *newest* is the time of its last event; *empty* says whether the topics hold no events yet. Topics that hold
        events of others are left alone.
        """
        last = self._last()
        if empty:
            return now - newest
        return None if last is None or last.complete else last.shift

    def remember(self, shift: int, *, complete: bool) -> None:
        """Note that the publication began, or that it is complete. Raises OSError."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_bytes(msgspec.json.encode(Publication(self._deployment, shift, complete)))

    def _last(self) -> Publication | None:
        try:
            last = msgspec.json.decode(self._file.read_bytes(), type=Publication)
        except (OSError, msgspec.DecodeError):  # none, or one that a crash cut short: as if there were none
            return None
        return last if last.deployment == self._deployment else None
