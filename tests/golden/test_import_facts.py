"""The real importer on the real files gives the facts that others computed from the same files.

The data are too large to commit. They are looked for under DESKPULSE_DATA, else in ../shared/data beside the project.
The figures come from the data's facts files (pandas, DuckDB); what follows counts in plain Python over the produced
lines, with nothing of the project's core.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from statistics import fmean, median
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "stream" / "demo" / "data"

# The contract's life-cycle rank, for events of equal time and sequence.
RANK = {"created": 0, "updated": 1, "assigned": 1, "message": 2, "status_changed": 4}

Event = dict[str, Any]
Imported = Callable[[str, str], Path]  # the fixture: mapping, source -> events


def read(events: Path) -> list[Event]:
    """Return the events of an imported file."""
    with events.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def at(event: Event) -> datetime:
    return datetime.fromisoformat(event["time"])


def ledgers(events: list[Event]) -> dict[str, list[Event]]:
    """Return the events of each subject in the contract's ledger order."""
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        found[event["subject"]].append(event)
    for ledger in found.values():
        ledger.sort(key=lambda e: (at(e), e.get("sequence", -1), RANK[e["type"].split(".")[1]], e["source"], e["id"]))
    return found


def hours_to(ledger: list[Event], **data: str) -> float | None:
    """Return the hours from created to the first event with these data."""
    created = next(event for event in ledger if event["type"] == "ticket.created")
    found = next((event for event in ledger if data.items() <= event["data"].items()), None)
    return None if found is None else (at(found) - at(created)).total_seconds() / 3600


def reopened(ledger: list[Event]) -> bool:
    """Tell whether a ticket left resolved for any unfinished state, or closed for open."""
    status = "new"
    for event in ledger:
        to = event["data"].get("status")
        if to is None or (status == "closed" and to != "open"):
            continue
        if (status == "resolved" and to in ("new", "open", "pending", "on_hold")) or status == "closed":
            return True
        status = to
    return False


KNOWN = {
    "uci-incident-column": {"resolved": 23_362, "p50": 22.10, "mean": 178.1716, "within_24h": 0.516737},
    "uci-incident-audit": {"resolved": 24_905, "p50": 13.88, "mean": 162.92, "within_24h": 0.5519},
}


@pytest.mark.parametrize("mapping", KNOWN)
def test_incidents_give_the_known_resolution_times(imported: Imported, mapping: str) -> None:
    known = KNOWN[mapping]
    found = ledgers(read(imported(mapping, "tickets_uci_incident")))
    hours = [h for h in (hours_to(ledger, status="resolved") for ledger in found.values()) if h is not None]
    replies = [h for h in (hours_to(ledger, author="agent") for ledger in found.values()) if h is not None]

    assert len(found) == 24_918
    assert len(hours) == known["resolved"]
    assert median(hours) == pytest.approx(known["p50"], abs=0.005)
    assert fmean(hours) == pytest.approx(known["mean"], abs=0.005)
    assert sum(h <= 24 for h in hours) / len(hours) == pytest.approx(known["within_24h"], abs=5e-5)
    # "first row whose state is not New" of the facts file.
    assert (len(replies), sum(h < 0 for h in replies)) == (24_918, 2)
    assert (median(replies), fmean(replies)) == pytest.approx((0.35, 43.605844), abs=1e-6)
    assert all(len({event["partitionkey"] for event in ledger}) == 1 for ledger in found.values())
    assert sum(event["type"] == "ticket.created" for ledger in found.values() for event in ledger) == 24_918
    if mapping == "uci-incident-audit":
        assert sum(reopened(ledger) for ledger in found.values()) == 276


def test_hotel_bookings_give_the_known_outcomes_and_revenue(data_folder: Path, imported: Imported) -> None:
    facts = json.loads((data_folder / "hotel_bookings_facts.json").read_text())
    events = read(imported("hotel-bookings", "bookings_hotel"))
    amounts = {event["subject"]: event["data"] for event in events if event["type"] == "booking.created"}
    stayed = [event["subject"] for event in events if event["type"] == "booking.completed"]
    channels = Counter(booking["channel"] for booking in amounts.values())

    assert Counter(event["type"] for event in events) == {
        "booking.created": 119_390,
        "booking.cancelled": 43_017,
        "booking.no_show": 1_207,
        "booking.completed": 75_166,
    }
    assert sum(amounts[booking]["amount"] for booking in stayed) == pytest.approx(facts["all"]["revenue_of_stays"])
    assert channels == {name: row["bookings"] for name, row in facts["by_distribution_channel"].items()}


def test_olist_orders_and_reviews_give_the_known_ratings_and_lateness(imported: Imported) -> None:
    events = read(imported("olist", "bookings_reviews_olist_random5000"))
    by_type: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_type[event["type"]].append(event)
    orders = {event["subject"]: event for event in by_type["booking.created"]}
    ratings = [event["data"]["rating"] for event in by_type["review.posted"]]
    late = [e for e in by_type["booking.completed"] if e["time"][:10] > orders[e["subject"]]["data"]["promised_by"]]

    assert (len(orders), len(ratings), len(by_type["booking.cancelled"])) == (5_000, 4_988, 25)
    assert fmean(ratings) == pytest.approx(4.1193, abs=5e-5)
    assert sum(rating <= 2 for rating in ratings) / len(ratings) == pytest.approx(0.1385, abs=5e-5)
    assert sum(rating >= 4 for rating in ratings) / len(ratings) == pytest.approx(0.7821, abs=5e-5)
    assert (len(late), len(by_type["booking.completed"])) == (333, 4_858)
    assert sum(event["data"]["amount"] == 0 for event in orders.values()) == 34
    assert all(
        review["partitionkey"] == orders[review["data"]["booking_id"]]["partitionkey"]
        for review in by_type["review.posted"]
    )


def test_the_committed_sample_is_what_its_script_makes_of_the_data(data_folder: Path, tmp_path: Path) -> None:
    script = ROOT / "tests" / "tools" / "make_sample.py"
    command = [sys.executable, str(script), str(data_folder), str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, timeout=240)

    for name in ("tickets.jsonl.gz", "bookings.jsonl.gz"):
        # The content, not the file: another zlib may pack the same bytes otherwise.
        assert gzip.decompress((tmp_path / name).read_bytes()) == gzip.decompress((SAMPLE / name).read_bytes())


def test_the_committed_sample_is_small_ordered_and_credited() -> None:
    files = sorted(SAMPLE.glob("*.gz"))
    attribution = (SAMPLE / "ATTRIBUTION.md").read_text(encoding="utf-8")

    assert [file.name for file in files] == ["bookings.jsonl.gz", "tickets.jsonl.gz"]
    assert sum(file.stat().st_size for file in files) < 3_000_000
    for file in files:
        events = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
        times = [at(event) for event in events]
        assert times == sorted(times)
        assert len({(event["source"], event["id"]) for event in events}) == len(events)
        assert {event["source"] for event in events} <= {"/servicenow/uci-incident", "/hotel/bookings"}
        assert file.name in attribution
