"""What is written beside the shard's state about a record: its dead letter, or the way it came when re-routed.

Both keep the record's key, value and headers; what is added stands in headers of our own, as UTF-8 text.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Final

from msgspec import Struct

from stream.events.event import Rejected
from stream.events.values import EPOCH
from stream.ingest.cloudevents import Headers

DEAD_LETTER: Final = "dlq-"
ORIGIN: Final = "deskpulse-origin-"

# Dead-letter topics take 4 MiB a batch (design, State); 16 KiB of it hold our own headers (the detail is at most
# 1 kB) and the batch's framing.
ROOM: Final = 4 * 1024 * 1024 - 16 * 1024
FRAMING: Final = 12  # bytes: two lengths of a header, as the longest varints they can be
KEPT: Final = 64 * 1024  # bytes of a part that is cut (contract, end of "Events")


class Origin(Struct, frozen=True):
    """Where a record was first read.

    ``timestamp`` is its Kafka timestamp in microseconds since the epoch (UTC); in headers it stands in milliseconds,
    as Kafka keeps it. ``timestamp_type`` is Kafka's name for it: CreateTime or LogAppendTime.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: str = "CreateTime"


class DeadLetter(Struct, frozen=True):
    """A record for a dead-letter topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def dead_letter(
    rejected: Rejected,
    *,
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
    origin: Origin,
    group: str,
    version: str,
    failed_at: int,
) -> DeadLetter:
    """Return the dead letter of a refused record: the record itself, and why and whence in `dlq-*` headers.

    *failed_at* is in microseconds since the epoch (UTC). Headers of an earlier dead letter of the same record, which
    a replay leaves on it, are replaced; `dlq-attempts` counts on from them. For a re-routed record give what
    `origin_of` and `without_origin` return.
    """
    attempts = _integer(dict(headers).get(f"{DEAD_LETTER}attempts")) or 0
    kept = [header for header in headers if not header[0].startswith(DEAD_LETTER)]
    about = {
        "reason": rejected.reason,
        "detail": rejected.detail,
        **{f"original-{name}": text for name, text in _described(origin).items()},
        "consumer-group": group,
        "app-version": version,
        "failed-at": (EPOCH + timedelta(microseconds=failed_at)).isoformat(timespec="milliseconds"),
        "attempts": str(attempts + 1),
    }
    if _size(key, value, kept) > ROOM:
        key, value, kept = _cut(key, value, kept, about)
    kept += ((f"{DEAD_LETTER}{name}", text.encode()) for name, text in about.items())
    return DeadLetter(f"{origin.topic}.dlq", key, value, kept)


def origin_headers(origin: Origin) -> list[tuple[str, bytes]]:
    """Return the headers that a re-routed record carries behind its own."""
    return [(f"{ORIGIN}{name}", text.encode()) for name, text in _described(origin).items()]


def origin_of(headers: Headers) -> Origin | None:
    """Return where a re-routed record was first read; None if no whole origin stands in its headers."""
    found = {name.removeprefix(ORIGIN): text for name, text in headers if name.startswith(ORIGIN)}
    topic, kind = _text(found.get("topic")), _text(found.get("timestamp-type"))
    partition, offset, timestamp = (_integer(found.get(name)) for name in ("partition", "offset", "timestamp"))
    if topic is None or kind is None or partition is None or offset is None or timestamp is None:
        return None
    return Origin(topic, partition, offset, timestamp * 1000, kind)


def without_origin(headers: Headers) -> list[tuple[str, bytes | None]]:
    """Return the headers that a re-routed record had where it was first read."""
    return [header for header in headers if not header[0].startswith(ORIGIN)]


def _described(origin: Origin) -> dict[str, str]:
    return {
        "topic": origin.topic,
        "partition": str(origin.partition),
        "offset": str(origin.offset),
        "timestamp": str(origin.timestamp // 1000),
        "timestamp-type": origin.timestamp_type,
    }


def _text(text: bytes | None) -> str | None:
    """Return *text* decoded, None where it is no UTF-8: a header may come from anybody."""
    try:
        return None if text is None else text.decode()
    except UnicodeDecodeError:
        return None


def _integer(text: bytes | None) -> int | None:
    """Return the integer that *text* spells, None for anything else."""
    try:
        return int(text) if text is not None and len(text) <= 20 else None
    except ValueError:
        return None


def _size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    return (
        len(key or b"")
        + len(value or b"")
        + sum(len(name.encode()) + len(text or b"") + FRAMING for name, text in headers)
    )


def _cut(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]], about: dict[str, str]
) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    """Cut a record that its dead-letter topic would refuse, and say in *about* what of it is missing.

    Keys and headers are cut too: a record of nothing else would stop the worker for ever.
    """
    if value is not None and len(value) > KEPT:
        about["truncated"] = f"sha256={sha256(value).hexdigest()} size={len(value)}"
        value = value[:KEPT]
    if key is not None and len(key) > KEPT:
        about["truncated-key"] = f"sha256={sha256(key).hexdigest()} size={len(key)}"
        key = key[:KEPT]
    if _size(None, None, headers) > KEPT:
        about["truncated-headers"] = f"count={len(headers)} size={_size(None, None, headers)}"
        headers = []
    return key, value, headers
