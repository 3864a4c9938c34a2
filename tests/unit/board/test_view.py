"""The board's answer: the state of the data, the figures of one window and label, and their targets."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import Any

import pytest
from msgspec import structs

from stream.board.view import LATE, SHOWN, Target, is_current, samples, select
from stream.domain.kpis import KPIS
from stream.events.values import MICRO
from stream.metrics.model import WorkerSnapshot
from stream.metrics.tally import TOTAL, Teller
from tests.unit.board.serving import SOURCES, Worker, a_day, caught_up, one_of, tickets
from tests.unit.metrics.events import MINUTE, NOW, event, shard_of, snapshot_of

TARGETS = {
    ("first_response_time", "24h"): Target(max=60.0),
    ("mean_rating", "7d"): Target(min=3.5),
    ("csat", "24h"): Target(min=0.8),
}


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(TARGETS)
    worker.server.start()
    yield worker
    worker.server.stop()


def board(worker: Worker, snapshot: WorkerSnapshot, query: str = "") -> Any:
    worker.latest.publish(snapshot)
    status, answer = worker.json(f"/api/board{query}")
    assert status == 200
    return answer


def test_without_a_choice_it_shows_everything_of_24_hours(worker: Worker) -> None:
    answer = board(worker, caught_up(a_day()))

    assert (answer["window"], answer["filter"]) == ("24h", {})
    assert (answer["complete"], answer["missing_partitions"]) == (True, [])
    assert answer["kpis"]["tickets_active"]["figure"] == 2
    assert answer["kpis"]["first_response_time"]["figure"] == {"count": 1, "mean": 120.0}
    assert answer["kpis"]["revenue"]["figure"] == {"EUR": 9.5}
    assert set(answer["kpis"]) == {name for name in SHOWN if name in KPIS}


def test_a_window_shows_what_lies_in_it(worker: Worker) -> None:
    old = event("ticket.created", "t1", 120 * MINUTE, channel="chat", priority="low", category="question")
    new = event("ticket.created", "t2", 20 * MINUTE, channel="chat", priority="low", category="question")
    snapshot = caught_up(snapshot_of(shard_of([old, new])))

    assert board(worker, snapshot, "?window=1h")["kpis"]["tickets_created"]["figure"] == 1
    assert board(worker, snapshot, "?window=24h")["kpis"]["tickets_created"]["figure"] == 2


def test_a_filter_shows_one_label_value_and_names_the_figures_that_are_not_known_by_it(worker: Worker) -> None:
    answer = board(worker, caught_up(a_day()), "?channel=chat")

    assert answer["filter"] == {"channel": "chat"}
    assert answer["kpis"]["tickets_active"]["figure"] == 1
    assert answer["kpis"]["first_response_time"]["figure"]["count"] == 1
    assert (answer["kpis"]["nps"]["split"], answer["kpis"]["nps"]["figure"]) == (False, None)


def test_it_offers_the_label_values_there_are(worker: Worker) -> None:
    filters = board(worker, caught_up(a_day()))["filters"]
    assert filters == {"brand": [], "channel": ["chat", "email", "w"], "team": []}


@pytest.mark.parametrize("query", ["?window=2h", "?window=", "?channel=chat&team=a"])
def test_a_choice_that_cannot_be_shown_is_400_with_the_reason(worker: Worker, query: str) -> None:
    status, answer = worker.json(f"/api/board{query}")
    assert status == 400
    assert list(answer) == ["error"]


def test_a_target_is_met_missed_or_open(worker: Worker) -> None:
    kpis = board(worker, caught_up(a_day()))["kpis"]

    assert kpis["first_response_time"]["target"] == {"min": None, "max": 60.0, "window": "24h", "met": False}
    assert kpis["mean_rating"]["target"] == {"min": 3.5, "max": None, "window": "7d", "met": True}
    assert kpis["csat"]["target"]["met"] is None
    assert kpis["nps"]["target"] is None


def state(worker: Worker, snapshot: WorkerSnapshot) -> tuple[str, str]:
    data = board(worker, snapshot)["data"]
    return data["state"], data["reason"]


def test_read_to_the_ends_the_data_is_live_and_as_old_as_the_last_look_at_them(worker: Worker) -> None:
    data = board(worker, caught_up(a_day(), known=NOW - 2 * MICRO))["data"]

    assert (data["state"], data["age"]) == ("live", 2.0)
    assert data["known_until"] == "2025-10-09T08:53:18Z"
    assert data["newest"] == dict.fromkeys(("tickets", "bookings", "reviews"), "2025-10-09T08:53:20Z")


def test_data_a_minute_old_is_still_live(worker: Worker) -> None:
    assert state(worker, caught_up(a_day(), known=NOW - LATE, lag=9))[0] == "live"


def test_older_data_is_late_and_says_how_much_is_to_be_read(worker: Worker) -> None:
    late = state(worker, caught_up(a_day(), known=NOW - LATE - 1, lag=300))
    assert late == ("late", "These numbers are not of now: 1,200 messages are still to be read.")


def test_a_worker_that_hangs_makes_its_numbers_late(worker: Worker) -> None:
    worker.latest.publish(caught_up(a_day()))
    worker.time = NOW + LATE + MICRO
    data = worker.json("/api/board")[1]["data"]

    assert (data["state"], data["age"]) == ("late", 61.0)
    assert data["reason"].endswith("the worker gives no sign of life.")


def test_while_shards_recover_it_says_which_and_how_much_is_left(worker: Worker) -> None:
    answer = board(worker, one_of(4, tickets("t1"), waiting=(1, 3)))

    assert (answer["complete"], answer["missing_partitions"]) == (False, [1, 2, 3])
    assert answer["data"]["state"] == "recovering"
    assert answer["data"]["reason"] == "Partitions not in these numbers yet: 1, 2, 3; 1,400 records of state to read."


def test_partitions_that_no_worker_shows_make_it_incomplete(worker: Worker) -> None:
    assert state(worker, one_of(3, tickets("t1"))) == ("incomplete", "No worker shows these partitions: 1, 2.")


def test_before_the_first_event_the_data_is_absent(worker: Worker) -> None:
    empty = caught_up(snapshot_of(shard_of([]), topic_partitions=dict.fromkeys(SOURCES, 1)), offset=-1)
    assert state(worker, empty)[0] == "absent"


def test_before_the_group_has_assigned_anything_it_is_starting(worker: Worker) -> None:
    assert state(worker, WorkerSnapshot(NOW, NOW))[0] == "starting"


def test_until_the_ends_are_known_it_is_starting_and_has_no_age(worker: Worker) -> None:
    data = board(worker, a_day())["data"]
    assert (data["state"], data["age"]) == ("starting", None)


def test_only_complete_and_timely_snapshots_belong_into_a_curve() -> None:
    whole = caught_up(a_day())

    assert is_current(whole, NOW)
    assert not is_current(whole, NOW + LATE + 1)
    assert not is_current(a_day(), NOW)
    assert not is_current(one_of(2, tickets("t1")), NOW)


def test_samples_hold_every_window_and_label_value_in_the_order_of_the_series() -> None:
    teller = Teller()
    figures = samples(teller.tell(caught_up(a_day())))
    names = [name for name in SHOWN if name in KPIS]
    total = dict(zip(names, figures["1h", TOTAL], strict=True))
    chat = dict(zip(names, figures["1h", ("channel", "chat")], strict=True))

    assert (total["tickets_active"], total["first_response_time"], total["revenue"]) == (2.0, 120.0, 9.5)
    assert isnan(total["csat"])
    assert (chat["tickets_created"], isnan(chat["nps"])) == (1.0, True)
    assert {window for window, _ in figures} == {"1h", "24h", "7d", "30d"}


def test_money_in_several_currencies_has_no_single_curve() -> None:
    made = [
        event("booking.created", name, 9 * MINUTE, channel="w", service="s", amount="5", currency=name)
        for name in ("EUR", "USD")
    ]
    done = [event("booking.completed", name, 8 * MINUTE) for name in ("EUR", "USD")]
    figures = samples(Teller().tell(caught_up(snapshot_of(shard_of([*made, *done])))))
    names = [name for name in SHOWN if name in KPIS]

    assert isnan(figures["1h", TOTAL][names.index("revenue")])


def test_a_selection_is_made_from_the_known_parts_of_a_query() -> None:
    selection = select({"window": "7d", "team": "billing", "utm": "x"})
    assert structs.astuple(selection) == ("7d", ("team", "billing"))
