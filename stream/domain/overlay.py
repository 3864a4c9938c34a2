"""Overlays: what a batch changes, before anything is changed.

An overlay is the content of one checkpoint transaction. It becomes part of the shard, and visible, only after that
transaction has committed.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct

from stream.domain.cells import Numbered
from stream.domain.keys import OFFSETS_KEY
from stream.domain.sla.deadlines import Due
from stream.domain.sla.terms import History
from stream.domain.windows import Bucket, Grid
from stream.events.event import Event, Heartbeat, Reason, Rejected
from stream.events.values import BEFORE_ALL

# The layout of the records; a state of another version is refused rather than misread.
STATE_VERSION = 4

_ENCODE = msgspec.msgpack.Encoder().encode


class ReRouted(Struct, frozen=True, gc=False):
    """Stands for a record of another shard's customer; the runtime sends it to *partition*."""

    partition: int


class Record(Struct, frozen=True, gc=False):
    """One decoded record of the log: where it stood, its Kafka timestamp (microseconds UTC) and what it says.

    ``crc`` is of key and value, kept with the offset to recognise a topic that was deleted and made anew.
    """

    source: str
    offset: int
    timestamp: int
    crc: int
    item: Event | Heartbeat | Rejected | ReRouted


class Position(Struct, array_like=True, frozen=True, gc=False):
    """Where to read on in a source, and which record was folded last."""

    next_offset: int
    timestamp: int
    crc: int
    newest: int  # the newest Kafka timestamp folded


class Meta(Struct, array_like=True, gc=False):
    """The record ``offsets``: written with every checkpoint. ``counts`` are by "source/result"."""

    version: int = STATE_VERSION
    positions: dict[str, Position] = {}
    rolled: int = BEFORE_ALL
    newest_event: int = BEFORE_ALL
    counts: dict[str, int] = {}
    upstream: dict[str, int] = {}
    fired_until: int = BEFORE_ALL  # deadlines up to here have been told of


META_DECODER = msgspec.msgpack.Decoder(Meta)


class FoldError(Exception):
    """The record at ``index`` of the batch made the fold raise; fold the batch again with it as a Rejected."""

    def __init__(self, index: int, reason: Reason, detail: str) -> None:
        super().__init__(f"record {index} of the batch: {detail}")
        self.index = index
        self.reason = reason
        self.detail = detail


class Overlay:
    """Changes folded but not yet checkpointed.

    ``writes`` holds new values of the state, ``changes`` what is added to buckets and windows. ``rolled`` is added to
    coarse buckets in place of the fine ones ``dropped`` (with what they held), which changes no window.
    """

    def __init__(self, now: int, meta: Meta, grid: Grid) -> None:
        self.now = now
        self.meta = meta
        self.grid = grid
        self.writes: dict[bytes, bytes | None] = {}
        self.changes: dict[Bucket, Numbered] = {}
        self.rolled: dict[Bucket, Numbered] = {}
        self.dropped: dict[Bucket, Numbered] = {}
        self.parts: dict[Bucket, int] = {}  # how many parts the fine buckets changed here have in the log
        self.bucket_records: list[tuple[bytes, bytes | None]] = []
        self.waiting: dict[bytes, set[bytes]] = {}  # entity key -> unjoined keys written here
        self.rejected: list[tuple[int, Rejected]] = []
        self.results: Counter[tuple[str, str, str]] = Counter()
        self.notes: Counter[str] = Counter()
        self.history: History | None = None  # the configurations that hold after this
        self.followed = 0  # how many of the shard's followers, from the first, this has seen to
        self.due: dict[bytes, Due] = {}  # what may fall due of the entities changed here
        self.notices: list[tuple[str, dict[str, Any]]] = []  # customer, CloudEvent of the topic sla-events
        self.outcomes: Counter[tuple[str, str, str, str]] = Counter()  # clock, policy, priority, outcome

    @property
    def changed(self) -> bool:
        """Whether there is anything to write besides the offsets."""
        return bool(self.writes or self.bucket_records or self.notices)

    @property
    def records(self) -> list[tuple[bytes, bytes | None]]:
        """The changelog records of this checkpoint, the record ``offsets`` last."""
        return [*self.writes.items(), *self.bucket_records, (OFFSETS_KEY, _ENCODE(self.meta))]
