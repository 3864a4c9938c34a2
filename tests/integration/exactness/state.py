"""What a deployment's topics hold after a run: the shards of the changelog and the dead letters."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from stream.domain.shard import Shard
from tests.integration.exactness.log import Record, rejection
from tests.integration.runtime.harness import Deployment

Letter = tuple[str, int, int, Any, Any, tuple[Any, ...], str]


async def restored(deployment: Deployment) -> dict[int, Shard]:
    """The shards that the changelog holds, as a new owner would restore them; windows are still to be asked for."""
    records = defaultdict(list)
    for record in await deployment.read(deployment.settings.changelog):
        records[record.partition].append((record.key, record.value))
    shards = {partition: Shard(partition) for partition in records}
    for partition, shard in shards.items():
        shard.restore(records[partition])
        shard.restored(shard.meta.newest_event)
    return shards


async def dead_letters(deployment: Deployment) -> Counter[Letter]:
    """What this deployment's workers refused: whence, key, value, headers of its own, and reason."""
    letters: Counter[Letter] = Counter()
    for source in ("bookings", "tickets", "reviews"):
        for record in await deployment.read(deployment.settings.dead_letter_topic(source)):
            about = {name: text.decode() for name, text in record.headers if name.startswith("dlq-")}
            if about["dlq-consumer-group"] == deployment.settings.app_id:
                own = tuple(header for header in record.headers if not header[0].startswith("dlq-"))
                place = source, int(about["dlq-original-partition"]), int(about["dlq-original-offset"])
                letters[*place, record.key, record.value, own, about["dlq-reason"]] += 1
    return letters


def refused(records: Iterable[Record]) -> Counter[Letter]:
    """What the oracle refuses, each once."""
    return Counter(
        (one["topic"], one["partition"], one["offset"], one["key"], one["value"], tuple(one["headers"]), reason)
        for one in records
        if (reason := rejection(one)) is not None
    )
