"""Derive the committed sample (stream/demo/data) from the two CC BY data sets.

    python tests/tools/make_sample.py DATA_FOLDER [OUT_FOLDER]

Eight weeks of 2016 that both sets cover, cut off at a busy hour, so that what was open then is open "now" when the
sample is shifted to end now. The same input gives the same events, byte for byte.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from stream.ingest.mapping import load
from stream.ingest.mapping_import import Import

BEGIN = "2016-03-16T16:00:00Z"
END = "2016-05-11T16:00:00Z"
# One caller in three keeps the tickets near 5,000, and each kept caller's history whole.
CALLER_SHARE = 3
OUT = Path(__file__).resolve().parents[2] / "stream" / "demo" / "data"


def tickets(data: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of tickets opened in the window by a third of the callers."""
    chosen = set()
    for event in imported("uci-incident-audit", data / "tickets_uci_incident"):
        kept = zlib.crc32(event["partitionkey"].encode()) % CALLER_SHARE == 0
        if kept and event["type"] == "ticket.created" and event["time"] >= BEGIN:
            chosen.add(event["subject"])
        if event["subject"] in chosen:
            yield event


def bookings(data: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of bookings made in the window.

    The set gives days only. Each event gets a time of day made of its booking's number: created 08:00-15:59, ended
    16:00-22:59, so that the hours of the day are not all one midnight.
    """
    chosen = set()
    for event in imported("hotel-bookings", data / "bookings_hotel"):
        created = event["type"] == "booking.created"
        spread = zlib.crc32(event["id"].encode())
        hour = 8 + spread % 8 if created else 16 + spread % 7
        event["time"] = f"{event['time'][:10]}T{hour:02}:{spread // 8 % 60:02}:{spread // 480 % 60:02}Z"
        if created and event["time"] >= BEGIN:
            chosen.add(event["subject"])
        if event["subject"] in chosen:
            yield event


def imported(mapping: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the events before the end of the window."""

    def refuse(reject: object) -> None:
        raise SystemExit(f"the sample is made of clean files only: {reject}")

    for line in Import(load(mapping), [folder], refuse).lines():
        event = orjson.loads(line)
        if event["time"] < END:
            yield event


def write(path: Path, events: Iterator[dict[str, Any]]) -> None:
    """Write events in the order of time; those of equal time stay in ledger order."""
    in_time = sorted((event for event in events if event["time"] < END), key=lambda event: str(event["time"]))
    lines = [orjson.dumps(event) + b"\n" for event in in_time]
    with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.writelines(lines)
    print(f"{path.name}: {len(lines):,} events, {path.stat().st_size:,} bytes")


def main(data: Path, out: Path) -> None:
    """Write both files of the sample."""
    write(out / "tickets.jsonl.gz", tickets(data))
    write(out / "bookings.jsonl.gz", bookings(data))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else OUT)
