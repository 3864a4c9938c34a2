"""The laws of the SLA engine: random tickets against a walk minute by minute, and against themselves."""

from __future__ import annotations

from collections import Counter
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.sla.calendar import ALWAYS, OpeningHours
from stream.domain.sla.explain import COUNTED, explain
from stream.domain.sla.policy import Clock, Policy
from stream.domain.sla.runs import CLOCKS
from tests.oracle import sla as oracle
from tests.unit.domain.sla.desk import Desk, Folded, minutes, policies
from tests.unit.domain.world import MINUTE, at, event

LAWS = settings(max_examples=150, deadline=None)
HOURS = [(9, 12), (13, 17)]  # Sunday has none; events begin on Sunday evening
DESK = OpeningHours(
    "desk",
    ZoneInfo("UTC"),
    (tuple((start * 3600, end * 3600) for start, end in HOURS),) * 6 + ((),),
    {},
    lambda year: set(),
)


def open_at(minute: int) -> bool:
    """Whether DESK is open, from the start of these tests' time, a Sunday midnight."""
    day, rest = divmod(minute, 1440)
    return day % 7 != 0 and any(start * 60 <= rest < end * 60 for start, end in HOURS)


def at_all_times(minute: int) -> bool:
    return True


PAUSES = st.sampled_from([frozenset(), {"pending"}, {"pending"}, {"pending", "on_hold"}, {"new"}]).map(frozenset)
PROMISES = st.builds(
    oracle.Promise, st.sampled_from([1, 30, 60, 120, 240, 480]), st.sampled_from([open_at, at_all_times]), PAUSES
)
CLOCKWORK = st.dictionaries(st.sampled_from(oracle.CLOCKS), PROMISES, min_size=2, max_size=3)
GAPS = st.sampled_from([1, 10, 29, 30, 31, 60, 90, 120, 240])
STATUS = st.tuples(
    st.just("status_changed"),
    st.fixed_dictionaries(
        {"status": st.sampled_from(["open", "open", "open", "pending", "pending", "on_hold", "resolved", "closed"])},
        optional={"by": st.sampled_from(["bot", "customer"])},
    ),
)
MESSAGE = st.tuples(
    st.just("message"),
    st.fixed_dictionaries(
        {"author": st.sampled_from(["customer", "customer", "agent", "agent", "bot"])},
        optional={"public": st.sampled_from([True, True, False])},
    ),
)
RARER = st.one_of(
    st.tuples(st.just("updated"), st.fixed_dictionaries({"priority": st.sampled_from(["high", "urgent"])})),
    st.tuples(st.just("assigned"), st.fixed_dictionaries({"team": st.sampled_from(["red", "blue"])})),
    st.tuples(st.just("escalated"), st.just({"tier": 2, "team": "red"})),
    st.tuples(st.just("handed_off"), st.just({})),
    st.tuples(st.just("abandoned"), st.just({})),
    st.tuples(st.just("worked"), st.just({"seconds": 5})),
    st.tuples(st.just("deleted"), st.just({"reason": "privacy"})),
)
# Statuses and messages make runs pause, end and start again, so they are three quarters of a life.
EVENTS = st.sampled_from([STATUS, STATUS, MESSAGE, RARER]).flatmap(lambda events: events)


@st.composite
def configs(draw) -> list[oracle.Config]:
    """Return one or two configurations, each with a policy for urgent tickets and one for the others."""
    out = []
    for number in range(draw(st.sampled_from([1, 1, 2]))):
        rules = [oracle.Rule("urgent", "urgent", draw(CLOCKWORK)), oracle.Rule("rest", None, draw(CLOCKWORK))]
        out.append((number * (1440 + 600 + draw(st.integers(1, 400))), rules))
    return out


@st.composite
def tickets(draw) -> list[oracle.Happening]:
    """Return a life that begins on Monday some time around the opening; no two events of one minute."""
    minute = 1440 + draw(st.sampled_from([500, 540, 600, 690, 719]))
    first = {"channel": "chat", "category": "question", "priority": draw(st.sampled_from(["high", "urgent"]))}
    if draw(st.integers(0, 9)) == 0:
        first["requested_by"] = "agent"
    life: list[oracle.Happening] = [(minute, "created", first)]
    for gap, (verb, data) in draw(st.lists(st.tuples(GAPS, EVENTS), min_size=3, max_size=12)):
        minute += gap
        life.append((minute, verb, data))
    return life


def real(life: list[oracle.Happening]):
    return [event(f"ticket.{verb}", minute, **data) for minute, verb, data in life]


def policy_of(rule: oracle.Rule) -> Policy:
    match = () if rule.priority is None else (("priority", frozenset({rule.priority})),)
    clocks = [
        Clock(name, promise.target * MINUTE, DESK if promise.open is open_at else ALWAYS, promise.pauses)
        for name, promise in rule.promises.items()
    ]
    return Policy(rule.name, match, tuple(clocks))


def desk_of(history: list[oracle.Config]) -> Desk:
    (_, first), *edits = history
    return Desk(*map(policy_of, first), edits=[(minute, policies(*map(policy_of, rules))) for minute, rules in edits])


def counted(folded: Folded, now: int) -> Counter:
    """Return the outcomes that count by *now*, in the oracle's words: those contributed, and the misses still open."""
    found = Counter(
        {
            (measure.removeprefix("sla_"), minute, labels): count
            for (measure, minute, labels, _), count in folded.contributions.items()
            if measure in ("sla_met", "sla_missed")
        }
    )
    for run in folded.sla.runs:
        if not run.silent and run.deadline is not None and run.deadline <= at(now):
            sla = folded.sla
            labels = run.labels or (CLOCKS[run.clock], sla.policy, sla.priority, sla.team)
            found["missed", minutes(run.deadline), labels] += 1
    return found


@LAWS
@given(tickets(), configs(), st.integers(0, 900))
def test_every_outcome_breach_and_state_is_that_of_a_walk_minute_by_minute(life, history, later):
    now = life[-1][0] + later
    told = oracle.tell(life, history, now)
    folded = desk_of(history).fold(*real(life), until=now)
    ended = [(CLOCKS[run.clock], run.n, run.outcome, (run.end - at(0)) // MINUTE) for run in folded.ended]
    assert sorted(ended) == sorted(told.ended)
    assert counted(folded, now) == told.counted
    shown = {
        CLOCKS[run.clock]: (run.n, folded.phase(CLOCKS[run.clock], now)) for run in folded.sla.runs if run.verdict != 3
    }
    assert shown == {name: (n, state) for name, (n, state, _) in told.open.items()}


@LAWS
@given(tickets(), configs(), st.integers(0, 900))
def test_the_segments_of_every_run_add_up_to_its_life_and_to_the_time_it_was_judged_by(life, history, later):
    now = life[-1][0] + later
    desk = desk_of(history)
    told = oracle.tell(life, history, now)
    for run in explain(desk.fold(*real(life)).entries, desk.book, at(now)):
        edges = [edge for part in run.segments for edge in (part.start, part.end)]
        assert edges == sorted(edges)
        assert sum(part.end - part.start for part in run.segments) == run.end - run.start
        if run.state in ("running", "paused") and len(history) == 1:
            assert run.carried + run.total(COUNTED) == told.open[run.clock][2] * MINUTE


@LAWS
@given(tickets(), configs())
def test_a_state_that_was_stored_after_every_event_goes_on_like_one_that_was_not(life, history):
    desk, events = desk_of(history), real(life)
    plain, stored = desk.fold(*events), desk.fold(*events, stored=True)
    assert (stored.sla, stored.ended, stored.contributions) == (plain.sla, plain.ended, plain.contributions)
