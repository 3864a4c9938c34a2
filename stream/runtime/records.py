"""From a fetched batch to what the shard folds, and what must be written beside it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias
from zlib import crc32

import orjson
from aiokafka import ConsumerRecord

from stream import __version__
from stream.domain.overlay import Record, ReRouted
from stream.events.event import Event, Heartbeat, Rejected
from stream.events.registry import TOPICS
from stream.ingest.deadletter import Origin, dead_letter, origin_headers, origin_of, without_origin
from stream.ingest.decode import decode
from stream.ingest.partitioner import Partitioner, Places, partition_for
from stream.runtime.checkpoint import OutRecord
from stream.runtime.settings import REROUTED, RuntimeSettings
from stream.runtime.transport import Batch

log = logging.getLogger(__name__)

Raw: TypeAlias = ConsumerRecord[bytes, bytes]
Item: TypeAlias = Event | Heartbeat | Rejected | ReRouted

# Below this many records the share of re-routed ones says nothing about a producer's setting.
JUDGED_FROM = 1_000
TOO_MANY = 0.05  # design, "One key": over 5 % re-routed is a warning
CANDIDATES: tuple[Partitioner, ...] = ("murmur2", "crc32", "fnv1a")


class Intake:
    """Decodes the records of one shard and finds those of other shards."""

    def __init__(self, settings: RuntimeSettings, partition: int, partitions: int) -> None:
        self._settings = settings
        self._partition = partition
        self._partitions = partitions
        self._misroutes = {
            source: Misroutes(source, settings.partitioner(source), partitions)
            for source in settings.sources
            if source != REROUTED
        }
        self._places = {source: Places(partitions, settings.partitioner(source)) for source in self._misroutes}

    def read(self, batch: Batch) -> list[Record]:
        """Return one record for the fold per record of *batch*; never raises."""
        source = self._settings.source(batch.topic)
        if source == REROUTED:
            return [self._returned(raw) for raw in batch.records]
        anywhere = self._settings.partitioner(source) == "any"
        places, misroutes = self._places[source], self._misroutes[source]
        records = []
        for raw in batch.records:
            item: Item = decode(raw.value, raw.headers, key=raw.key, topic=source)
            if not anywhere and isinstance(item, Event) and places[item.key] != self._partition:
                misroutes.note(item.key.encode(), self._partition)
                item = ReRouted(places[item.key])
            records.append(Record(source, raw.offset, raw.timestamp * 1000, _crc(raw), item))
        misroutes.judge(len(records))
        return records

    def _returned(self, raw: Raw) -> Record:
        """Decode a record that another shard sent here; it stays, wherever its key would lead."""
        origin = self._origin_elsewhere(raw)
        source = self._settings.source(origin.topic) if origin else REROUTED
        item = decode(raw.value, without_origin(raw.headers), key=raw.key, topic=source)
        return Record(REROUTED, raw.offset, raw.timestamp * 1000, _crc(raw), item)

    def _origin_elsewhere(self, raw: Raw) -> Origin | None:
        """Return where a re-routed record was first read; None if a stranger wrote it, whose word is nothing."""
        origin = origin_of(raw.headers)
        return origin if origin and self._settings.source(origin.topic) in TOPICS else None

    def beside(
        self,
        raws: Sequence[Raw],
        records: Sequence[Record],
        rejected: Iterable[tuple[int, Rejected]],
        now: int,
    ) -> list[OutRecord]:
        """Return the dead letters and re-routed records of a folded batch; *now* in microseconds UTC."""
        moved = [
            self._rerouted(raw, record.item.partition)
            for raw, record in zip(raws, records, strict=True)
            if isinstance(record.item, ReRouted)
        ]
        return moved + [self._dead_letter(raws[index], reason, now) for index, reason in rejected]

    def notices(self, told: Iterable[tuple[str, dict[str, Any]]]) -> list[OutRecord]:
        """Return the records of what was told of the clocks: (customer, CloudEvent)."""
        topic = self._settings.sla_events
        return [OutRecord(topic, self._partition, key.encode(), orjson.dumps(event)) for key, event in told]

    def _rerouted(self, raw: Raw, place: int) -> OutRecord:
        headers = [*raw.headers, *origin_headers(_origin(raw))]
        # Timestamp kept: whether an event is late or in the future depends on it.
        topic = self._settings.topic(REROUTED)
        return OutRecord(topic, place, raw.key, raw.value, headers, raw.timestamp)

    def _dead_letter(self, raw: Raw, rejected: Rejected, now: int) -> OutRecord:
        known = self._origin_elsewhere(raw) if self._settings.source(raw.topic) == REROUTED else None
        letter = dead_letter(
            rejected,
            key=raw.key,
            value=raw.value,
            headers=without_origin(raw.headers) if known else raw.headers,
            origin=known or _origin(raw),
            group=self._settings.app_id,
            version=__version__,
            failed_at=now,
        )
        return OutRecord(letter.topic, self._partition, letter.key, letter.value, letter.headers)


class Misroutes:
    """Counts the records of one source that lay on the wrong partition, and says once which setting would fit."""

    def __init__(self, source: str, partitioner: Partitioner, partitions: int) -> None:
        self._source = source
        self._partitioner = partitioner
        self._partitions = partitions
        self._seen = 0
        self._moved = 0
        self._fits: Counter[Partitioner] = Counter()
        self._warned = False

    def note(self, key: bytes, found_on: int) -> None:
        """Count a record that lay elsewhere than its key leads."""
        self._moved += 1
        for candidate in CANDIDATES:
            self._fits[candidate] += partition_for(key, self._partitions, candidate) == found_on

    def judge(self, seen: int) -> None:
        """Warn when too many of the records so far had to be re-routed."""
        self._seen += seen
        if self._warned or self._seen < JUDGED_FROM or self._moved <= TOO_MANY * self._seen:
            return
        self._warned = True
        best, hits = max(self._fits.items(), key=lambda item: item[1])
        advice = best if hits > 0.9 * self._moved else "any"  # a tenth may be misplaced for reasons of its own
        log.warning(
            "%s: %d of %d records lay on a wrong partition for partitioner %s; ingest.partitioner = %s fits better",
            self._source, self._moved, self._seen, self._partitioner, advice,
        )  # fmt: skip


def _origin(raw: Raw) -> Origin:
    kind = "LogAppendTime" if raw.timestamp_type == 1 else "CreateTime"
    return Origin(raw.topic, raw.partition, raw.offset, raw.timestamp * 1000, kind)


def _crc(raw: Raw) -> int:
    return crc32(raw.value or b"", crc32(raw.key or b""))
