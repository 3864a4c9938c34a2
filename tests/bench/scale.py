"""What does not grow with the number of open tickets, what does, and how long the takeover of that many takes."""

from __future__ import annotations

import time
from typing import Any

from tests.bench.open_tickets import MOVES, created, moves
from tests.bench.rig import Process, Progress, Rig, say
from tests.bench.scrape import Scraper, quantile

SCRAPES = 20
SCRAPE_EVERY_S = 0.25
Figures = dict[str, Any]


def measure(at: Rig, tickets: int) -> Figures:
    """The figures of a worker that has *tickets* open tickets, and of those that take over from it."""
    say(f"scale: {tickets:,} open tickets")
    app_id, prefix = f"bench-open-{tickets}", f"open-{tickets}."
    at.load(app_id, prefix, created(tickets))
    with at.process("deskpulse", at.task(app_id, prefix, tickets, MOVES)) as worker:
        url = worker.until("url")["url"]
        filled = worker.until("seconds", Progress(app_id, tickets))
        changelog_bytes = at.log_bytes(at.changelogs(app_id))
        idle = Scraper(url, SCRAPE_EVERY_S)
        for _ in range(SCRAPES):
            idle.scrape()
        with Scraper(url, SCRAPE_EVERY_S) as scraper:
            at.load(app_id, prefix, moves(tickets))
            moved = worker.until("seconds", Progress(app_id, tickets + MOVES))
        worker.kill()
        return {
            "tickets": tickets,
            "cpu_us_per_event": moved["cpu_seconds"] / MOVES * 1e6,
            "events_per_second": MOVES / moved["seconds"],
            "bytes_per_ticket": filled["grown_mib"] / tickets * 2**20,
            "changelog_bytes_per_ticket": changelog_bytes / tickets,
            "scrape_idle_s": quantile(idle.seconds, 0.5),
            "scrape_busy_max_s": max(scraper.seconds),
            "loop_lag_s": moved["loop_lag"],
            **_takeovers(at, app_id, prefix),
        }


def _takeovers(at: Rig, app_id: str, prefix: str) -> Figures:
    """After a worker was killed: a second one takes all shards over, then a third one half of them."""
    died = time.time()
    task = at.task(app_id, prefix, MOVES)
    with at.process("deskpulse", task, f"{app_id}-second") as second:
        taken = second.until("ready")
        say(f"  taken over after {taken['at'] - died:.1f} s: {taken['restored']:,} changelog records")
        with at.process("deskpulse", task, f"{app_id}-third") as third:
            other = third.until("ready")
            kept = _ready(second, len(taken["ready"]) - len(other["ready"]))
        return {
            "takeover_s": taken["at"] - died,
            "restored_records": taken["restored"],
            "restore_records_per_second": taken["restored"] / taken["restoring"]["seconds"],
            "restore_cpu_us_per_record": taken["restoring"]["cpu_seconds"] / taken["restored"] * 1e6,
            "kept_shards": len(kept["ready"]),
            "kept_read_records": kept["restored"] - taken["restored"],
        }


def _ready(worker: Process, shards: int) -> dict[str, Any]:
    """Returns what a worker tells when it has so many shards."""
    while len((told := worker.until("ready"))["ready"]) != shards:
        pass
    return told
