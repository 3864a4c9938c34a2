"""The load of a run: a seeded live log of all event types, with strays, published at a given rate."""

from __future__ import annotations

from zlib import crc32

from tests.integration.exactness.log import Record, live_log
from tests.oracle.envelope import RejectedError, decode
from tests.oracle.generator import Mix
from tests.oracle.log import HORIZON_US
from tests.oracle.values import MICRO

# A third of a live log lies before its start and is published at once; the rest comes at the rate.
LIVE_SHARE = 2 / 3
EVENTS_PER_ENTITY = 5.0  # as the generator's stories turn out
STRAYS = 50  # of so many customers one has all its records on a wrong partition


def load(
    seed: int, start_us: int, seconds: float, rate: float, *, partitions: int = 4, bad: float = 0.005, late: bool = True
) -> list[Record]:
    """A log whose live part lasts *seconds* at *rate* events a second: 1 % duplicates, 2 % late, 0.5 % bad.

    Without *late*, those beyond the horizon are left out: where an entity's other events may be lost, such a one founds
    an entity that is sealed at once, which the oracle does not know.
    """
    entities = int(seconds * rate / LIVE_SHARE / EVENTS_PER_ENTITY)
    # `live_log` itself makes 2 % of the live events late beyond the horizon and some more late or early within it.
    mix = Mix(
        seed=seed, customers=max(100, entities // 15), days=20, entities=entities, partitions=partitions,
        duplicates=0.01, bad=bad, heartbeats=entities // 100,
    )  # fmt: skip
    log = live_log(mix, start_us, int(seconds * MICRO))
    return [_astray(record, partitions) for record in log if late or not _is_late(record)]


def _is_late(record: Record) -> bool:
    try:
        return bool(record["timestamp_ms"] * 1000 - decode(record).time_us > HORIZON_US)
    except RejectedError:
        return False


def _astray(record: Record, partitions: int) -> Record:
    """The record on the next partition, if its customer is one whose producer hashes keys in another way."""
    if crc32(record["key"]) % STRAYS:
        return record
    return {**record, "partition": (record["partition"] + 1) % partitions}
