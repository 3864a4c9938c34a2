"""Questions that need an entity go to the worker's loop, and get an answer in time or a reason."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.unit.board.serving import Worker, one_of, tickets
from tests.unit.board.test_peers import serving


class Loop:
    """A worker's loop in a thread, answering for the tickets it is given."""

    def __init__(self, *rows: Mapping[str, Any], configured: bool = True) -> None:
        self._rows = rows
        self._configured = configured
        self.loop = asyncio.new_event_loop()
        self.free = threading.Event()  # while it is not set, `hang` holds the loop up
        self.asked: list[Mapping[str, str]] = []

    async def overdue(self, filters: Mapping[str, str]) -> list[Mapping[str, Any]] | None:
        assert asyncio.get_running_loop() is self.loop
        self.asked.append(filters)
        return list(self._rows) if self._configured else None

    async def ticket(self, ticket: str) -> Mapping[str, Any] | None:
        return next((row for row in self._rows if row["id"] == ticket), None)

    def hang(self) -> None:
        self.loop.call_soon_threadsafe(self.free.wait)

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self.free.set()
            self.loop.call_soon_threadsafe(self.loop.stop)
            thread.join()

    def _run(self) -> None:
        self.loop.run_forever()
        self.loop.run_until_complete(asyncio.sleep(0))  # what was asked while it hung
        self.loop.close()


def row(name: str, minute: int) -> dict[str, Any]:
    deadline = f"2025-10-09T08:{minute:02}:00Z"
    return {"id": name, "policy": "std", "clock": "first_response", "deadline": deadline, "confirmed": True,
            "team": "care", "agent": None}  # fmt: skip


LATER, FIRST = row("t1", 40), row("t2", 10)


@contextmanager
def two(*loops: Loop) -> Iterator[list[Worker]]:
    """A worker per loop, each with one shard of two."""
    workers = [Worker() for _ in loops]
    with ExitStack() as stack:
        for partition, (worker, loop) in enumerate(zip(workers, loops, strict=True)):
            worker.latest.publish(one_of(2, tickets("t", partition=partition)))
            worker.board.desk.open(loop, loop.loop)
            stack.enter_context(loop.running())
        stack.enter_context(serving(*workers))
        yield workers


def test_the_overdue_tickets_of_all_workers_come_by_deadline() -> None:
    with two(Loop(LATER), Loop(FIRST)) as workers:
        for worker in workers:
            status, answer = worker.json("/api/overdue")
            assert (status, answer["tickets"], answer["total"]) == (200, [FIRST, LATER], 2)
            assert (answer["complete"], answer["missing_partitions"], answer["configured"]) == (True, [], True)


def test_filters_reach_the_loops_of_all_workers() -> None:
    loops = Loop(), Loop()
    with two(*loops) as workers:
        workers[0].json("/api/overdue?team=care%20%26%20co&clock=first_response&within=900")

    filters = {"within": "900", "team": "care & co", "clock": "first_response"}
    assert [loop.asked for loop in loops] == [[filters], [filters]]


@pytest.mark.parametrize(
    "query", ["?owner=x", "?within=soon", "?within=-1", "?within=86401", "?within=1e3", f"?within={'9' * 5_000}"]
)
def test_a_filter_that_there_is_not_is_400(query: str) -> None:
    with two(Loop()) as (worker,):
        assert worker.json(f"/api/overdue{query}")[0] == 400


def test_without_any_policy_nothing_is_configured() -> None:
    with two(Loop(configured=False)) as (worker,):
        answer = worker.json("/api/overdue")[1]
        assert (answer["configured"], answer["tickets"]) == (False, [])


def test_a_silent_peer_makes_the_list_incomplete() -> None:
    with two(Loop(LATER), Loop(FIRST)) as workers:
        workers[1].server.stop()
        answer = workers[0].json("/api/overdue")[1]
        assert (answer["complete"], answer["missing_partitions"], answer["tickets"]) == (False, [1], [LATER])


def test_a_ticket_is_found_on_whichever_worker_has_it() -> None:
    with two(Loop(LATER), Loop(FIRST)) as workers:
        assert [worker.json("/api/tickets/t2") for worker in workers] == [(200, FIRST), (200, FIRST)]
        assert workers[0].json("/api/tickets/t3") == (404, {"error": "no such ticket"})


def test_a_ticket_that_a_silent_peer_may_have_is_not_said_to_be_missing() -> None:
    with two(Loop(LATER), Loop(FIRST)) as workers:
        workers[1].server.stop()
        status, answer = workers[0].json("/api/tickets/t2")
        assert (status, answer["error"]) == (503, f"not on this worker, and no answer from {workers[1].server.url}")


def test_a_loop_that_hangs_is_503_after_two_seconds_and_the_figures_stand() -> None:
    loop = Loop(LATER)
    with two(loop) as (worker,):
        loop.hang()
        assert worker.json("/api/overdue") == (503, {"error": "the worker did not answer within 2 s"})
        assert worker.json("/api/kpis")[0] == 200


def test_before_the_worker_can_answer_it_is_503() -> None:
    worker = Worker()
    with serving(worker):
        assert worker.json("/api/tickets/t1") == (503, {"error": "starting: the worker does not answer yet"})
