"""The terms that a shard judges by: every configuration of policies it has seen, and since when each holds.

A configuration is part of the state. What was judged under an old one stays judged when it is edited, also where a late
event has the ledger folded anew, so the old ones must be known as long as their tickets are.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from stream.domain.sla.policy import Kind, Policies
from stream.domain.sla.rules import Book


class Terms(Struct, frozen=True):
    """The configuration of this process: its *version*, itself as bytes for the state, and how such bytes are read."""

    version: str
    agreement: bytes
    read: Callable[[bytes], Policies]


class Edit(Struct, array_like=True, frozen=True):
    """A configuration, and since when (microseconds UTC) it holds; the first holds from the beginning."""

    since: int
    version: str
    agreement: bytes


class History:
    """All configurations so far, as books to judge by; immutable."""

    def __init__(self, edits: tuple[Edit, ...], read: Callable[[bytes], Policies]) -> None:
        self._edits = edits
        self._read = read
        policies = [read(edit.agreement) for edit in edits]
        later = [(edit.since, one) for edit, one in zip(edits[1:], policies[1:], strict=True)]
        self.books: dict[Kind, Book] = {kind: Book(kind, policies[0], later) for kind in ("ticket", "booking")}

    @property
    def newest(self) -> int:
        """The number of the configuration that holds now."""
        return len(self._edits) - 1

    def edited(self, since: int, terms: Terms) -> History:
        """Return the history in which *terms* hold from *since* on; itself where they hold already."""
        if self._edits[-1].version == terms.version:
            return self
        return History((*self._edits, Edit(since, terms.version, terms.agreement)), self._read)

    def record(self) -> bytes:
        """Return the bytes that `load` reads."""
        return _ENCODE(self._edits)


def begin(terms: Terms) -> History:
    """Return the history that begins with *terms*."""
    return History((Edit(0, terms.version, terms.agreement),), terms.read)


def load(record: bytes, terms: Terms) -> History:
    """Return the history in a record of the state."""
    return History(_DECODE(record), terms.read)


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(tuple[Edit, ...]).decode
