"""The live stream: an answer at once, another every second, to as many readers as are allowed."""

from __future__ import annotations

import http.client
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stream.board import live
from tests.unit.board.serving import Worker, caught_up, tickets
from tests.unit.metrics.events import snapshot_of


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    worker.latest.publish(caught_up(snapshot_of(tickets("t1"))))
    worker.server.start()
    yield worker
    worker.server.stop()


@contextmanager
def reading(worker: Worker, query: str = "") -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=10)
    try:
        connection.request("GET", f"/api/stream{query}")
        yield connection.getresponse()
    finally:
        connection.close()


def answer(stream: http.client.HTTPResponse) -> Any:
    """The next answer: one line of data and an empty one."""
    line, end = stream.readline(), stream.readline()
    assert (line[:6], end) == (b"data: ", b"\n")
    return json.loads(line[6:])


def created(stream: http.client.HTTPResponse) -> int:
    return int(answer(stream)["kpis"]["tickets_created"]["figure"])


def test_the_stream_begins_at_once_and_goes_on_with_what_is_new(worker: Worker) -> None:
    with reading(worker) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["Cache-Control"] == "no-store"
        assert created(stream) == 1
        worker.latest.publish(caught_up(snapshot_of(tickets("t1", "t2"))))
        seen = [created(stream) for _ in range(3)]

    assert seen[-1] == 2


def test_a_stream_is_of_one_selection(worker: Worker) -> None:
    with reading(worker, "?window=1h&channel=email") as stream:
        first = answer(stream)

    assert (first["window"], first["filter"]) == ("1h", {"channel": "email"})
    assert first["kpis"]["tickets_created"]["figure"] == 0


def test_a_bad_selection_is_400_and_no_stream(worker: Worker) -> None:
    assert worker.json("/api/stream?window=1y")[0] == 400


def test_before_the_first_snapshot_the_stream_says_so_and_waits() -> None:
    worker = Worker()
    worker.server.start()
    try:
        with reading(worker) as stream:
            assert answer(stream)["data"]["state"] == "starting"
            worker.latest.publish(caught_up(snapshot_of(tickets("t1"))))
            assert answer(stream)["data"]["state"] == "live"
    finally:
        worker.server.stop()


def test_readers_beyond_the_limit_are_refused_until_one_goes(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_READERS", 1)
    with reading(worker) as stream:
        answer(stream)
        assert worker.json("/api/stream")[0] == 503

    deadline = time.monotonic() + 10  # that a reader has gone is seen when the next answer is written
    while True:
        with reading(worker) as stream:
            if stream.status == 200:
                break
        assert time.monotonic() < deadline


def test_a_reader_that_goes_away_is_no_error(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    with reading(worker) as stream:
        answer(stream)
    with reading(worker) as stream:  # two more answers: the first reader's writes have failed by now
        answer(stream), answer(stream), answer(stream)

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_the_server_stops_at_once_with_readers_listening(worker: Worker) -> None:
    with reading(worker) as stream:
        answer(stream)
        began = time.monotonic()
        worker.server.stop()
        assert time.monotonic() - began < 0.9  # its own patience with open requests is a second


def test_the_last_hour_is_there_for_a_page_just_opened(worker: Worker) -> None:
    deadline = time.monotonic() + 10
    while not (series := worker.json("/api/history?window=1h")[1])["times"]:
        assert time.monotonic() < deadline

    assert series["kpis"]["tickets_created"] == [1.0]
    assert worker.json("/api/history?window=1h&channel=email")[1]["kpis"]["tickets_created"] == [None]
