"""What a deployment has made of its topics, held against the oracle key by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from stream.domain.entity import Entity
from stream.domain.keys import ENTITY, chunk_key
from stream.domain.shard import Shard
from stream.ingest.deadletter import origin_of
from tests.integration.exactness.log import Record, read_back, rejection
from tests.integration.exactness.page import RESULTS, Page, by_partition, differences, results
from tests.integration.exactness.state import Letter, dead_letters, refused, restored
from tests.integration.runtime.harness import Deployment
from tests.oracle import entities
from tests.oracle.murmur2 import partition_of

KINDS = {kind[0]: kind for kind in ("ticket", "booking", "review", "survey")}
REROUTED = "rerouted"
Place = tuple[str, int, int]  # source, partition, offset


@dataclass(frozen=True)
class Truth:
    """What the oracle knows of the topics.

    `records` are those that count, each in the partition of its shard, with its place `at` which it is read; `strays`
    are the places on a wrong partition, and `moved` how often each of them was found among the re-routed records.
    """

    records: list[Record]
    read: list[Record]
    ends: Mapping[tuple[str, int], int]
    strays: Counter[Place]
    moved: Counter[Place]
    letters: Counter[Letter]

    def shown(self, page: Page) -> list[Record]:
        """Those of the records that are in the page's numbers."""
        return [one for one in self.records if one["at"][2] < page.offsets.get(one["at"][:2], 0)]


async def truth_of(deployment: Deployment, read: list[Record] | None = None) -> Truth:
    """Ask the topics; *read* stands in for the sources where they do not hold any more all that was read."""
    read = await read_back(deployment) if read is None else read
    partitions = deployment.settings.partitions
    rerouted = await deployment.read(deployment.settings.topic(REROUTED))
    moved: dict[Place, list[Place]] = {}
    for copy in rerouted:
        origin = origin_of(copy.headers)
        assert origin is not None
        at = deployment.settings.source(origin.topic), origin.partition, origin.offset
        moved.setdefault(at, []).append((REROUTED, copy.partition, copy.offset))
    ends = {(one["topic"], one["partition"]): one["offset"] + 1 for one in read}
    ends |= {(REROUTED, copy.partition): copy.offset + 1 for copy in rerouted}
    strays, counted = Counter[Place](), []
    for one in read:
        at, home = (one["topic"], one["partition"], one["offset"]), partition_of(one["key"], partitions)
        if home != one["partition"] and _leaves(one):
            strays[at] += 1
            copies = moved.get(at, [])
            counted += [{**one, "partition": home, "at": copies[0]}] if copies else []
        else:
            counted.append({**one, "at": at})
    found = Counter({at: len(copies) for at, copies in moved.items()})
    return Truth(counted, read, ends, strays, found, refused(read))


def _leaves(record: Record) -> bool:
    """Whether a record on a wrong partition is sent on: an event whose time the owner of its customer may judge."""
    return (
        b'"type": "heartbeat"' not in (record["value"] or b"")
        and (dict(record["headers"]).get("ce_type") != b"heartbeat")
        and rejection(record) in (None, "future")
    )


async def check(deployment: Deployment, truth: Truth, pages: Iterable[Page]) -> list[str]:
    """All differences between what the topics should have become and what they have."""
    shards = await restored(deployment)
    return [
        *numbers(truth, shards, pages),
        *_compared("count", _counts(truth), _counted(shards)),
        *_compared("offset", truth.ends, _positions(shards)),
        *_compared("dead letter", truth.letters, await dead_letters(deployment)),
        *_compared("re-routed", truth.strays, truth.moved),
    ]


def numbers(truth: Truth, shards: Mapping[int, Shard], pages: Iterable[Page]) -> list[str]:
    """Differences in what is known of the entities and in the KPIs, however often records were read."""
    return [
        *(line for page in pages for line in kpis(page, truth)),
        *_compared("ledger", _ledgers(truth), _held(shards)),
    ]


def kpis(page: Page, truth: Truth) -> list[str]:
    """How the numbers of a page differ from the oracle's for the records that it says it has."""
    return differences(page, truth.shown(page), page.instant_us("snapshot"))


def _compared(what: str, wanted: Mapping[Any, Any], found: Mapping[Any, Any]) -> Iterator[str]:
    for key in sorted(wanted.keys() | found.keys(), key=repr):
        if wanted.get(key) != found.get(key):
            yield f"{what} {str(key)[:200]}: found {str(found.get(key))[:200]}, oracle {str(wanted.get(key))[:200]}"


def _ledgers(truth: Truth) -> dict[Any, Any]:
    return {
        (partition, *entity): [(event.time_us, event.sequence, event.source, event.id) for event in ledger]
        for partition, records in by_partition(truth.records).items()
        for entity, ledger in entities(records).ledgers.items()
    }


def _held(shards: Mapping[int, Shard]) -> dict[Any, Any]:
    found = {}
    for partition, shard in shards.items():
        for key, record in shard.store.items():
            if key[:1] == ENTITY:
                kind: Any = KINDS[chr(key[1])]
                held = Entity.load(kind, record, partial(_chunk, shard, key))
                ledger = [(entry.time, entry.sequence, entry.source, entry.id) for entry in held.entries()]
                found[partition, kind, key[2:].decode()] = ledger
    return found


def _chunk(shard: Shard, key: bytes, number: int) -> bytes:
    return shard.store[chunk_key(key, number)]


def _counts(truth: Truth) -> Counter[str]:
    """What became of the records; a stray is counted where it was read and where it was folded."""
    return results(entities(truth.read)) + Counter({"rerouted": truth.strays.total()})


def _counted(shards: Mapping[int, Shard]) -> Counter[str]:
    found: Counter[str] = Counter()
    for shard in shards.values():
        for name, count in shard.meta.counts.items():
            found[name.partition("/")[2]] += count
    assert found.keys() <= {*RESULTS, "rerouted"}
    return found


def _positions(shards: Mapping[int, Shard]) -> dict[tuple[str, int], int]:
    return {
        (source, partition): position.next_offset
        for partition, shard in shards.items()
        for source, position in shard.meta.positions.items()
    }
