"""The HTTP server answers from the snapshot, whatever clients send and however the worker fares."""

from __future__ import annotations

import logging
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from stream.board.server import BindError, bind
from stream.events.values import MICRO
from stream.metrics.model import ShardSnapshot, WorkerSnapshot
from tests.unit.board.serving import Worker, a_day
from tests.unit.metrics.events import NOW


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    worker.server.start()
    yield worker
    worker.server.stop()


def test_kpis_are_figures_with_their_parts_and_null_where_there_is_no_value(worker: Worker) -> None:
    worker.latest.publish(a_day())
    status, answer = worker.json("/api/kpis")
    hour = answer["windows"]["1h"]["kpis"]

    assert status == 200
    assert (answer["time"], answer["complete"], answer["missing_partitions"]) == ("2025-10-09T08:53:20Z", True, [])
    assert hour["tickets_created"] == 2
    assert hour["first_response_time"] == {"count": 1, "mean": 120.0}
    assert hour["complaint_share"] == {"value": 0.5, "numerator": 1, "denominator": 2}
    assert hour["mean_rating"] == {"value": 3.5, "numerator": 7, "denominator": 2}
    assert hour["nps"] == {"value": 100.0, "promoters": 1, "passives": 0, "detractors": 0}
    assert hour["revenue"] == {"EUR": 9.5}
    assert hour["csat"] == {"value": None, "numerator": 0, "denominator": 0}
    late_or_soon = {"sla_breached_open": 0, "sla_due_soon_15m": 0, "sla_due_soon_1h": 0}
    assert answer["live"]["kpis"] == {"tickets_active": 2} | late_or_soon
    assert answer["live"]["by"]["channel"]["chat"] == {"tickets_active": 1}
    assert answer["windows"]["1h"]["by"]["channel"]["email"]["tickets_created"] == 1
    assert answer["windows"]["5m"]["by"] == {}


def test_kpis_name_the_partitions_that_are_not_in_them(worker: Worker) -> None:
    whole = a_day()
    partial = WorkerSnapshot(
        time=NOW,
        now=NOW,
        joined=True,
        shards=(*whole.shards, ShardSnapshot(2, "restoring")),
        topic_partitions={"tickets": 4},
    )
    worker.latest.publish(partial)
    answer = worker.json("/api/kpis")[1]

    assert (answer["complete"], answer["missing_partitions"]) == (False, [1, 2, 3])


def test_before_the_first_snapshot_only_the_kpis_are_unavailable(worker: Worker) -> None:
    assert worker.json("/api/kpis")[0] == 503
    assert worker.ask("/metrics")[0] == 200
    assert worker.ask("/livez")[0] == 200
    assert worker.json("/readyz") == (503, {"ok": False, "reason": "starting: no snapshot yet"})
    assert worker.ask("/")[0] == 200
    assert worker.json("/api/board")[1]["data"]["state"] == "starting"


def test_metrics_come_in_the_format_that_is_asked_for(worker: Worker) -> None:
    worker.latest.publish(a_day())
    _, plain, text = worker.ask("/metrics", Accept="*/*")
    _, headers, openmetrics = worker.ask("/metrics", Accept="application/openmetrics-text;version=1.0.0")

    assert plain["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert b'deskpulse_window_tickets_created{window="1h"} 2.0\n' in text
    assert b'deskpulse_window_tickets_created{window="1h"} 2.0\n' in openmetrics


def test_the_page_loads_nothing_that_the_worker_does_not_serve(worker: Worker) -> None:
    _, headers, body = worker.ask("/")
    named = re.findall(r'(?:src|href)="([^"#]+)"', body.decode())

    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "static/board.js" in named
    assert [path for path in named if worker.ask(f"/{path}")[0] not in (200, 503)] == []
    assert not [path for path in named if ":" in path]


def test_scripts_and_styles_are_kept_by_browsers_only_while_unchanged(worker: Worker) -> None:
    _, headers, body = worker.ask("/static/board.css")

    assert headers["Cache-Control"] == "no-cache"
    assert body
    assert worker.ask("/static/board.css", **{"If-None-Match": headers["ETag"]})[0] == 304
    assert worker.ask("/api/kpis")[1]["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/static/../live.py", "/static/%2e%2e/live.py", "/static/nothing.js", "/static/"])
def test_only_the_files_of_the_page_are_served(worker: Worker, path: str) -> None:
    assert worker.ask(path)[0] in (403, 404)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_unknown_path_is_404_in_json(worker: Worker, method: str) -> None:
    status, headers, _ = worker.ask("/etc/passwd", method)
    assert (status, headers["Content-Type"]) == (404, "application/json")


def test_head_answers_as_get_without_a_body(worker: Worker) -> None:
    status, headers, body = worker.ask("/metrics", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 0


def test_another_method_is_405_and_says_which_are_allowed(worker: Worker) -> None:
    status, headers, _ = worker.ask("/metrics", "POST")
    assert (status, headers["Allow"]) == (405, "GET,HEAD")


@pytest.mark.parametrize(
    "request_bytes",
    [b"\x00\xff\r\n\r\n", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n"],
)
def test_garbage_gets_no_traceback_and_stops_nobody(
    worker: Worker, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(("127.0.0.1", worker.port), timeout=10) as client:
        client.sendall(request_bytes)
        client.shutdown(socket.SHUT_WR)
        answer = client.recv(100)

    assert answer == b"" or answer.split()[1] in (b"400", b"505")
    assert worker.ask("/livez")[0] == 200
    assert all(record.exc_info is None for record in caplog.records if record.levelno >= logging.WARNING)


def test_slow_clients_do_not_hold_up_the_others(worker: Worker) -> None:
    slow = [socket.create_connection(("127.0.0.1", worker.port), timeout=10) for _ in range(100)]
    try:
        for client in slow:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost:")
        assert worker.ask("/metrics")[0] == 200
    finally:
        for client in slow:
            client.close()


def test_an_error_of_ours_is_500_in_json_and_one_line_in_the_log(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.latest.publish("no snapshot")  # type: ignore[arg-type] # what a bug would do
    assert worker.json("/api/kpis") == (500, {"error": "internal error"})
    assert [record.exc_info for record in caplog.records if "GET /api/kpis failed" in record.message] == [None]


def test_it_answers_while_the_workers_loop_hangs(worker: Worker) -> None:
    """The server's thread is not the loop's: nothing here runs but the server, and time goes on without a beat."""
    worker.latest.publish(a_day())
    worker.time = NOW + 31 * MICRO

    assert worker.ask("/metrics")[0] == 200
    assert worker.json("/api/kpis")[0] == 200
    assert worker.json("/livez") == (503, {"ok": False, "reason": "the worker's loop has been silent for 31 s"})
    assert worker.json("/readyz") == (503, {"ok": False, "reason": "the snapshot is 31 s old"})


def test_a_loop_silent_for_30_s_is_still_alive(worker: Worker) -> None:
    worker.time = NOW + 30 * MICRO
    assert worker.json("/livez") == (200, {"ok": True, "reason": "alive"})


def ready(worker: Worker, snapshot: WorkerSnapshot) -> tuple[int, Any]:
    worker.latest.publish(snapshot)
    status, answer = worker.json("/readyz")
    return status, answer["reason"]


def test_ready_means_assigned_recovered_and_fresh(worker: Worker) -> None:
    view = a_day().shards[0].view
    restoring = (ShardSnapshot(0, "ready", view), ShardSnapshot(1, "restoring"), ShardSnapshot(2, "waiting"))

    assert ready(worker, a_day()) == (200, "ready")
    assert ready(worker, WorkerSnapshot(time=NOW, now=NOW)) == (503, "no assignment from the consumer group yet")
    assert ready(worker, WorkerSnapshot(time=NOW, now=NOW, joined=True)) == (200, "ready")
    assert ready(worker, WorkerSnapshot(time=NOW, now=NOW, joined=True, shards=restoring)) == (
        503,
        "partitions not recovered yet: 1, 2",
    )


def test_a_worker_that_goes_down_is_not_ready_and_says_why(worker: Worker) -> None:
    worker.health.stopping = True
    assert ready(worker, a_day()) == (503, "stopping")
    worker.health.failure = "reviews has 3 partitions, tickets has 4"
    assert ready(worker, a_day()) == (503, "going down: reviews has 3 partitions, tickets has 4")


def test_the_socket_is_taken_when_bind_returns() -> None:
    with bind(port=0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=f"^cannot listen on 127.0.0.1:{port}: Address already in use$"):
            bind(port=port)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 65_536), ("127.0.0.1", -1), ("192.0.2.1", 0)])
def test_an_address_that_cannot_be_had_is_one_clear_line(host: str, port: int) -> None:
    """192.0.2.1 belongs to no machine (RFC 5737)."""
    with pytest.raises(BindError, match=f"^cannot listen on {host}:{port}: .+$"):
        bind(host, port)


def test_stop_ends_the_thread_and_frees_the_port() -> None:
    worker = Worker()
    worker.server.start()
    worker.server.stop()
    worker.server.stop()

    assert "board" not in {thread.name for thread in threading.enumerate()}
    bind(port=worker.port).close()


def test_a_server_never_started_can_be_stopped() -> None:
    worker = Worker()
    worker.server.stop()
    bind(port=worker.port).close()
