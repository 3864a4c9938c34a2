"""The laws of promises: neither order nor duplicates nor cuts nor restarts change what is counted, shown and told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain import ledger
from stream.domain.entity import refold
from stream.domain.shard import Shard
from stream.domain.sla.clocks import Clocks
from stream.domain.sla.deadlines import due_of
from stream.domain.sla.policy import Policy
from stream.domain.tables import ShardTable
from stream.events.event import Event
from tests.unit.domain.floor import Floor, enquired, index, net, shown
from tests.unit.domain.sla.desk import clock, policy
from tests.unit.domain.world import at, created, event

FIRST = clock("first_response", 60, warnings=(15,))
RESOLUTION = clock("resolution", 480)
AGREED = (
    policy("high", FIRST, clock("next_response", 30), clock("resolution", 120, warnings=(60,)), priority="high"),
    policy("rest", FIRST, RESOLUTION),
    policy("web", clock("quote_response", 60), channel="web"),
)
VERBS = {
    "ticket.message": {"author": ["agent", "customer"]},
    "ticket.status_changed": {"status": ["open", "pending", "resolved", "closed"]},
    "ticket.updated": {"priority": ["high", "low"]},
    "ticket.assigned": {"team": ["red", "blue"]},
    "ticket.handed_off": {},
    "ticket.merged": {"into": ["Z"]},
    "ticket.deleted": {"reason": ["spam", "other"]},
    "booking.enquired": {"channel": ["web"]},
    "booking.created": {"channel": ["web"], "service": ["cleaning"], "amount": [5], "currency": ["EUR"]},
    "booking.deleted": {"reason": ["spam", "other"]},
}
RARE = {"ticket.merged", "ticket.deleted", "booking.deleted"}


def life(random: Random) -> list[Event]:
    """Return the events of two tickets and two bookings."""
    events = [created(subject="X", priority="high"), created(3, "Y"), enquired(random.randrange(900))]
    kinds = [kind for kind in VERBS for _ in range(1 if kind in RARE else 5)]
    for kind in random.choices(kinds, k=random.randrange(20)):
        minute = random.randrange(600 if kind in RARE else 1, 900)
        data = {field: random.choice(values) for field, values in VERBS[kind].items()}
        events.append(event(kind, minute, random.choice("XY" if kind.startswith("ticket") else "BD"), **data))
    return events


EDITED = (
    (
        policy("rest", clock("first_response", 20), clock("resolution", 600)),
        policy("quotes", clock("quote_response", 60)),
    ),
    (policy("high", RESOLUTION, priority="high"), policy("web", clock("quote_response", 200), channel="web")),
)
END = 2_000


def in_order(events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=lambda one: ledger.entry_of(one).order)


def at_once(events: Iterable[Event]) -> Floor:
    floor = Floor(*AGREED)
    floor.take(*in_order(events), now=END)
    floor.tick(END)
    return floor


def by_and_by(events: list[Event], random: Random, edited: tuple[tuple[Policy, ...], ...] = ()) -> Floor:
    """Feed events in random batches, with overlays in flight, ticks and restarts, some with policies out of *edited*.

    An edit holds from the clock's instant on, so with edits the clock goes along with what is known.
    """
    floor, base, now = Floor(*AGREED), None, 0.0
    floor.tick(0)
    events = list(events)
    while events or base is not None:
        size = random.choice([0, 1, 1, 2, 5])
        batch, events = events[:size], events[size:]
        now = min(now + random.choice([0, 1, 30, 200]), END)
        overlay = floor.fold(*batch, now=now if edited else END, frontier=now, base=base)
        if base is not None:
            floor.merge(base)
        base = overlay if events else None
        if base is None:
            floor.merge(overlay)
        elif random.random() < 0.1:
            floor.merge(base)
            base = None
            floor.restart(*random.choice([(), *edited]))
    floor.tick(END)
    return floor


def believed(told: list[dict[str, Any]]) -> set[tuple[str, str, int, str, str | None]]:
    """Return what a consumer that follows the retractions believes in the end, warnings aside."""
    last: dict[tuple[str, str, int], tuple[str, str | None]] = {}
    for one in told:
        data = one["data"]
        run = (one["subject"], data["clock"], data["run"])
        if one["type"] == "sla.retracted":
            assert last.pop(run) == (data["retracts"], data["deadline"])
        elif one["type"] != "sla.warning":
            last[run] = (one["type"], data["deadline"])
    # A late pause may leave an end in time without a deadline; that tells nothing new.
    return {(*run, what, None if what == "sla.met" else deadline) for run, (what, deadline) in last.items()}


def states(shard: Shard) -> dict[str, bytes]:
    return {
        f"{kind} {subject}": msgspec.msgpack.encode(held.state)
        for kind in ("ticket", "booking")
        for subject, held in ShardTable(shard, kind).items()
    }


def by_clock(outcomes: Counter[tuple[str, str, str, str]]) -> Counter[tuple[str, str]]:
    """Return outcomes less those retracted, under whichever policy and priority they were told."""
    out: Counter[tuple[str, str]] = Counter()
    for (clock_, _, _, outcome), count in net(outcomes).items():
        out[clock_, outcome] += count
    return +out


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_neither_order_nor_duplicates_nor_cuts_matter(seed: int) -> None:
    random = Random(seed)
    events = life(random)
    arrived = [*random.sample(events, len(events)), *random.choices(events, k=3)]
    plain, fed = at_once(events), by_and_by(arrived, random)
    assert states(fed.shard) == states(plain.shard)
    assert shown(fed.view(END)) == shown(plain.view(END))
    assert believed(fed.told) == believed(plain.told)
    assert by_clock(fed.outcomes) == by_clock(plain.outcomes)
    assert index(fed.restored(), at(END)) == index(fed.shard, at(END))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_events_in_order_leave_the_same_bytes_wherever_they_are_cut(seed: int) -> None:
    random = Random(seed)
    events = in_order(life(random))
    assert by_and_by(events, random).shard.store == at_once(events).shard.store


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_what_followed_edits_is_what_its_ledger_says_under_all_configurations(seed: int) -> None:
    random = Random(seed)
    events = life(random)
    random.shuffle(events)
    floor = by_and_by(events, random, EDITED)
    history = floor.shard.history
    assert history is not None
    counted: Counter[str] = Counter()

    def emit(measure: str, instant: int | None, labels: tuple[str, ...], value: int, count: int) -> None:
        counted[measure] += count

    for kind in ("ticket", "booking"):
        for held in ShardTable(floor.shard, kind).values():
            clocks = Clocks(history.books, emit, lambda run, count: None)
            again = refold(kind, held.entries(), emit, clocks, held.state.sla.config)
            assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(held.state)
            assert held.state.sla.opened is None or held.state.sla.config == history.newest
            counted["sla_missed"] += sum(due <= at(END) for _, due in due_of(held.state.sla).deadlines)
    assert (floor.count("sla_met"), floor.count("sla_missed")) == (counted["sla_met"], counted["sla_missed"])
    assert index(floor.restored(), at(END)) == index(floor.shard, at(END))
    believed(floor.told)
