"""What the topic sla-events tells of a ticket, and that it ends up true whatever order the events come in."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.sla.notices import Standing, cloud_event, news, standing
from stream.domain.sla.runs import Ended
from stream.events.event import Event
from tests.unit.domain.sla.desk import Desk, clock, policy
from tests.unit.domain.world import at, created, event, says, status

DESK = Desk(policy("all", clock("first_response", 60, warnings=(15,)), clock("resolution", 480, warnings=(240, 60))))


class Topic:
    """Tells the news of one ticket as its events come and as time passes."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.folded = DESK.fold()
        self.fired = at(-1)
        self.told: list[dict] = []

    def take(self, *events: Event) -> list[str]:
        before, known = self.folded, standing(self.folded.sla, self.fired)
        self.events += events
        self.folded = DESK.fold(*self.events)
        ended = Counter(self.folded.ended)
        ended.subtract(before.ended)
        return self.tell(known, {run: count for run, count in ended.items() if count})

    def tick(self, minute: float) -> list[str]:
        known, self.fired = standing(self.folded.sla, self.fired), at(minute)
        return self.tell(known, {})

    def tell(self, known: Standing, ended: dict[Ended, int]) -> list[str]:
        notices = news(known, standing(self.folded.sla, self.fired), ended)
        told = [cloud_event(notice, "ticket", "T", {"team": "blue"}) for notice in notices]
        self.told += told
        return [f"{one['data']['clock']} {one['type'].removeprefix('sla.')}" for one in told]

    def believed(self) -> set[tuple[str, str, int, str]]:
        """Return what a consumer that follows the retractions believes, warnings aside."""
        out: set[tuple[str, str, int, str]] = set()
        for one in self.told:
            data = one["data"]
            what = data.get("retracts", one["type"])
            run = (data["clock"], data["run"], data["deadline"])
            if one["type"] == "sla.retracted":
                out.remove((what, *run))
            elif what != "sla.warning":
                out.discard(("sla.breached", *run))  # a run that ends missed goes on from its breach
                out.add((what, *run))
        return out


def test_a_deadline_fires_when_the_frontier_reaches_it_and_not_again() -> None:
    topic = Topic()
    topic.take(created())
    assert [topic.tick(minute) for minute in (44, 45, 59, 60, 61)] == [
        [],
        ["first_response warning"],
        [],
        ["first_response breached"],
        [],
    ]


def test_no_warning_where_the_deadline_has_passed_as_well() -> None:
    topic = Topic()
    topic.take(created())
    assert topic.tick(100) == ["first_response breached"]


def test_a_backlog_that_holds_the_answer_fires_nothing() -> None:
    topic = Topic()
    assert topic.take(created(), says(10, "agent")) == ["first_response met"]
    assert topic.tick(200) == []


def test_a_late_answer_tells_missed_after_breached() -> None:
    topic = Topic()
    topic.take(created())
    topic.tick(60)
    assert topic.take(says(90, "agent")) == ["first_response missed"]


def test_a_late_event_that_proves_a_breach_wrong_retracts_it() -> None:
    topic = Topic()
    topic.take(created())
    topic.tick(60)
    assert topic.take(says(30, "agent")) == ["first_response retracted", "first_response met"]
    assert topic.told[-2]["data"]["retracts"] == "sla.breached"


def test_a_deadline_that_a_fold_puts_where_time_has_passed_fires_at_once() -> None:
    topic = Topic()
    topic.tick(1_000)
    assert topic.take(created()) == ["first_response breached", "resolution breached"]


def test_a_merge_retracts_all_that_was_told() -> None:
    topic = Topic()
    topic.take(created(), says(5, "agent"))
    topic.tick(500)
    assert topic.take(event("ticket.merged", 510, into="Y")) == ["first_response retracted", "resolution retracted"]


def test_an_overdue_run_after_a_missed_one_tells_nothing() -> None:
    topic = Topic()
    topic.take(created(), says(5, "agent"), status(490, "resolved"))
    assert topic.take(status(500, "open"), status(600, "resolved")) == []


def test_a_replay_tells_the_same_under_the_same_ids() -> None:
    events = [created(), says(90, "agent"), status(100, "pending"), status(900, "resolved")]
    live, replay = Topic(), Topic()
    for one in events:
        live.take(one)
        live.tick((one.time - at(0)) / 60_000_000)
    replay.take(*events)
    ids = {one["id"] for one in live.told}
    assert {one["id"] for one in replay.told} <= ids
    assert len(ids) == len(live.told)


def test_an_event_names_the_run_and_no_person() -> None:
    topic = Topic()
    topic.take(created())
    topic.tick(60)
    told = topic.told[-1]
    assert (told["type"], told["subject"], told["time"]) == ("sla.breached", "T", "2026-03-01T01:00:00Z")
    assert told["data"] == {
        "ticket": "T",
        "clock": "first_response",
        "policy": "all",
        "run": 1,
        "start": "2026-03-01T00:00:00Z",
        "deadline": "2026-03-01T01:00:00Z",
        "team": "blue",
    }


LIFE = st.lists(
    st.one_of(
        st.builds(says, st.integers(1, 900), st.sampled_from(["agent", "customer"])),
        st.builds(status, st.integers(1, 900), st.sampled_from(["open", "pending", "resolved"])),
        st.builds(lambda minute: event("ticket.handed_off", minute), st.integers(1, 900)),
    ),
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(LIFE, st.randoms())
def test_whatever_the_order_a_consumer_ends_up_with_the_truth(life, random) -> None:
    events, topic, fired = [created(), *life], Topic(), 0
    random.shuffle(events)
    for one in events:
        topic.take(one)
        fired = max(fired, random.randrange(1_000))
        topic.tick(fired)
    topic.tick(1_000)
    final = Topic()
    final.take(*events)
    final.tick(1_000)
    assert topic.believed() == final.believed()
