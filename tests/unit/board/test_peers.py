"""Any worker answers for all shards, and says so when it cannot."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec import structs

from stream.board.whole import decode, merged
from stream.metrics.model import ShardSnapshot
from tests.unit.board.serving import Worker, one_of, tickets
from tests.unit.metrics.events import NOW


@contextmanager
def serving(*workers: Worker) -> Iterator[None]:
    """Workers that answer and know of each other."""
    for worker in workers:
        worker.board.peers.tell({other.server.url for other in workers if other is not worker})
        worker.server.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.server.stop()


@pytest.fixture
def three() -> Iterator[list[Worker]]:
    """Three workers that hold the four shards of a deployment, with 1 + 2 + 4 + 8 tickets in them."""
    workers = [Worker(), Worker(), Worker()]
    shards = [
        tickets(*(f"t{partition}-{n}" for n in range(2**partition)), partition=partition) for partition in range(4)
    ]
    for worker, held in zip(workers, (shards[:1], shards[1:2], shards[2:]), strict=True):
        worker.latest.publish(one_of(4, *held))
    with serving(*workers):
        yield workers


def incomplete(worker: Worker, path: str = "/api/kpis") -> Any:
    """The first incomplete answer; the one before it may be shared for half a second."""
    deadline = time.monotonic() + 10
    while (answer := worker.json(path)[1])["complete"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


def created(answer: Any) -> int:
    return int(answer["windows"]["24h"]["kpis"]["tickets_created"])


def test_every_worker_gives_the_same_complete_answer(three: list[Worker]) -> None:
    for worker in three:
        status, answer = worker.json("/api/kpis")
        assert (status, answer["complete"], answer["missing_partitions"]) == (200, True, [])
        assert created(answer) == 15
        assert answer["live"]["kpis"]["tickets_active"] == 15
        assert worker.json("/api/board")[1]["kpis"]["tickets_created"]["figure"] == 15


def test_the_scrape_page_stays_that_of_the_worker_alone(three: list[Worker]) -> None:
    """Prometheus scrapes every worker and would count the shards of the others again."""
    assert b'deskpulse_window_tickets_created{window="24h"} 1.0\n' in three[0].ask("/metrics")[2]


def test_a_silent_peer_makes_the_answer_incomplete_and_names_the_missing_partitions(three: list[Worker]) -> None:
    three[2].server.stop()
    answer, board = incomplete(three[0]), incomplete(three[0], "/api/board")

    assert (answer["complete"], answer["missing_partitions"], created(answer)) == (False, [2, 3], 3)
    assert board["data"]["state"] == "incomplete"
    assert board["data"]["reason"] == (f"No answer from {three[2].server.url}; partitions not in these numbers: 2, 3.")


def test_a_peer_that_accepts_and_says_nothing_is_silent_after_a_second(three: list[Worker]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        three[0].board.peers.tell({three[1].server.url, f"http://127.0.0.1:{mute.getsockname()[1]}"})
        assert incomplete(three[0])["missing_partitions"] == [2, 3]


def test_a_peer_without_shards_is_not_missed_when_it_is_silent() -> None:
    worker = Worker()
    worker.latest.publish(one_of(1, tickets("t1")))
    with serving(worker):
        worker.board.peers.tell({"http://127.0.0.1:9"})  # discard: nobody listens there
        answer = worker.json("/api/board")[1]

    assert (answer["complete"], answer["data"]["state"]) == (True, "live")


def test_a_peer_of_another_version_counts_as_silent(three: list[Worker]) -> None:
    strange = Worker()
    strange.latest.publish({"time": "then"})  # type: ignore[arg-type] # what another version may send
    with serving(strange):
        three[0].board.peers.tell({three[1].server.url, strange.server.url})
        assert incomplete(three[0])["missing_partitions"] == [2, 3]


def test_what_a_peer_shows_comes_through_msgpack_unchanged(three: list[Worker]) -> None:
    status, headers, body = three[2].ask("/api/worker")

    assert (status, headers["Content-Type"]) == (200, "application/msgpack")
    assert decode(body) == three[2].latest.snapshot


def test_of_a_shard_that_two_workers_show_the_one_known_further_is_taken() -> None:
    old, new = one_of(1, tickets("t1")), one_of(1, tickets("t1", "t2"))
    shard = structs.replace(new.shards[0], frontier=NOW + 1)
    moved = structs.replace(new, shards=(shard,))

    assert merged(old, [moved]).shards == merged(moved, [old]).shards == (shard,)


def test_a_recovered_shard_is_taken_before_one_that_is_still_being_read() -> None:
    whole = one_of(1, tickets("t1"))
    reading = structs.replace(whole, shards=(ShardSnapshot(0, "restoring", restore_remaining=9),), sources=())
    both = merged(reading, [whole])

    assert (both.shards, both.sources) == (whole.shards, whole.sources)


def test_together_they_are_as_old_as_the_oldest() -> None:
    old, new = one_of(2, tickets("t1")), one_of(2, tickets("t2", partition=1))
    late = structs.replace(old, time=NOW - 5)

    assert merged(late, [new]).time == merged(new, [late]).time == NOW - 5
