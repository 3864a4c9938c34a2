"""What becomes of the clocks of one ticket: a walk minute by minute, with a counter for every promise ever made.

Events lie at whole minutes, and nothing is ever computed ahead: each counter of open time goes up by one for a minute
in which it counts, and a promise is due at the first minute at which its counter stands at the target while it counts.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

OVER = ("resolved", "closed", "abandoned", "gone")
RESOLVING = ("resolution", "requester_wait", "agent_work")
CLOCKS = ("first_response", "next_response", "periodic_update", *RESOLVING)

Happening = tuple[int, str, dict[str, Any]]  # minute, verb, data: in ledger order


@dataclass(frozen=True)
class Promise:
    """A clock: target in minutes, whether the desk is open in a minute, and the statuses that pause it."""

    target: int
    open: Callable[[int], bool]
    pauses: frozenset[str]


@dataclass(frozen=True)
class Rule:
    """A policy: the priority it is for (None = any), and its clocks by name."""

    name: str
    priority: str | None
    promises: dict[str, Promise]


Config = tuple[int, list[Rule]]  # from which minute on, policies in order


class Tally:
    """A counter of one promise: minutes counted, and the minute at which the target was reached."""

    def __init__(self) -> None:
        self.spent = 0
        self.due: int | None = None


@dataclass
class Wait:
    """Something the customer waits for, whether or not a policy has a clock for it now."""

    n: int
    start: int
    tallies: dict[int, Tally]  # by the identity of the promise
    running: bool = False
    breached: tuple[int, tuple[str, ...]] | None = None  # when, and the labels it counts under
    silent: bool = False  # after a missed run: overdue, but does not count
    dropped: bool = False


@dataclass
class Told:
    """What the walk found."""

    ended: list[tuple[str, int, str, int]] = field(default_factory=list)  # clock, n, outcome, minute
    counted: Counter[tuple[str, int, tuple[str, ...]]] = field(default_factory=Counter)  # met or missed, minute, labels
    open: dict[str, tuple[int, str, int]] = field(default_factory=dict)  # clock -> n, state, minutes counted


class Walk:
    """One ticket, minute by minute."""

    def __init__(self, configs: list[Config]) -> None:
        self.configs = configs
        self.promises = [p for _, rules in configs for rule in rules for p in rule.promises.values()]
        self.told = Told()
        self.rule: Rule | None = None
        self.number = 0
        self.created = False
        self.by_agent = False
        self.status = "new"
        self.priority = self.team = "none"
        self.replied = False
        self.bot_resolved = False
        self.waits: dict[str, Wait] = {}
        self.numbers: Counter[str] = Counter()
        self.missed: set[str] = set()
        self.kept: dict[str, dict[int, Tally]] = {name: self.fresh() for name in RESOLVING}

    def fresh(self) -> dict[int, Tally]:
        return {id(promise): Tally() for promise in self.promises}

    # Time.

    def minute(self, now: int, happenings: list[tuple[str, dict[str, Any]]]) -> None:
        while self.created and self.number + 1 < len(self.configs) and self.configs[self.number + 1][0] <= now:
            self.number += 1
            self.choose(now)
        for verb, data in happenings:
            self.happen(now, verb, data)
        self.fall_due(now)

    def fall_due(self, now: int) -> None:
        for name, wait in self.waits.items():
            for promise in self.promises:
                tally = wait.tallies[id(promise)]
                if self.counts(promise) and tally.spent == promise.target and tally.due is None:
                    tally.due = now
            promise = self.current(name)
            if promise and wait.running and not wait.breached and wait.tallies[id(promise)].due is not None:
                self.breach(name, wait, now)

    def pass_minute(self, now: int) -> None:
        for wait in self.waits.values():
            for promise in self.promises:
                if self.counts(promise) and promise.open(now):
                    wait.tallies[id(promise)].spent += 1

    def counts(self, promise: Promise) -> bool:
        return self.status not in OVER and self.status not in promise.pauses

    # Runs.

    def current(self, name: str) -> Promise | None:
        return self.rule.promises.get(name) if self.rule else None

    def labels(self, name: str) -> tuple[str, ...]:
        assert self.rule is not None
        return (name, self.rule.name, self.priority, self.team)

    def breach(self, name: str, wait: Wait, now: int) -> None:
        wait.breached = (now, self.labels(name))
        if not wait.silent:
            self.told.counted["missed", now, self.labels(name)] += 1

    def begin(self, name: str, now: int, n: int | None = None) -> None:
        self.numbers[name] += n is None
        tallies = self.kept[name] if name in RESOLVING else self.fresh()
        self.waits[name] = Wait(n or self.numbers[name], now, tallies)
        self.run(name, now)

    def run(self, name: str, now: int) -> None:
        """Set a wait running if there is a clock for it; what is past already is breached now."""
        wait, promise = self.waits[name], self.current(name)
        if promise is None or wait.running or wait.dropped:
            return
        wait.running = True
        if name in self.missed:
            wait.silent, wait.breached = True, (now, ())
        elif wait.tallies[id(promise)].due is not None:
            self.breach(name, wait, now)

    def end(self, name: str, outcome: str, now: int) -> None:
        wait = self.waits.pop(name)
        if wait.running:
            self.report(name, wait, outcome, now)

    def report(self, name: str, wait: Wait, outcome: str, now: int) -> None:
        if wait.breached:
            outcome = "missed"
            if name in RESOLVING:
                self.missed.add(name)
        elif outcome == "met":
            self.told.counted["met", now, self.labels(name)] += 1
        self.told.ended.append((name, wait.n, outcome, now))

    def end_all(self, outcome: str, status: str, now: int) -> None:
        for name in list(self.waits):
            self.end(name, outcome, now)
        self.status = status

    def choose(self, now: int) -> None:
        """Take the policy for the labels now, and let the runs go over to it."""
        rules = self.configs[self.number][1]
        chosen = next((rule for rule in rules if rule.priority in (None, self.priority)), None)
        for name, wait in list(self.waits.items()):
            if wait.running and (chosen is None or name not in chosen.promises):
                self.report(name, wait, "cancelled", now)
                wait.running, wait.dropped = False, wait.breached is not None
        self.rule = chosen
        for name, wait in list(self.waits.items()):
            promise = self.current(name)
            if wait.running and promise and not wait.breached and wait.tallies[id(promise)].due is not None:
                self.breach(name, wait, now)
            elif not wait.running:
                self.run(name, now)

    # Events.

    def happen(self, now: int, verb: str, data: dict[str, Any]) -> None:
        if self.status == "gone":
            return
        if not self.created:
            if verb == "created":
                self.create(now, data)
            return
        match verb:
            case "updated" | "assigned" | "escalated" | "handed_off":
                self.priority = data.get("priority", self.priority)
                self.team = data.get("team", data.get("to_team", self.team))
                self.choose(now)
                if verb == "handed_off":
                    self.hand_off(now)
            case "message":
                self.hear(now, data)
            case "status_changed":
                self.change(now, data["status"], data.get("by", "agent"), asked=True)
            case "abandoned" if self.status not in OVER:
                self.end_all("cancelled", "abandoned", now)
            case "deleted":
                self.end_all("cancelled", "gone", now)

    def create(self, now: int, data: dict[str, Any]) -> None:
        while self.number + 1 < len(self.configs) and self.configs[self.number + 1][0] <= now:
            self.number += 1
        self.created, self.status = True, "new"
        self.priority, self.team = data["priority"], data.get("team", "none")
        self.by_agent = data.get("requested_by") == "agent"
        self.choose(now)
        self.open(now, greet=not self.by_agent)

    def open(self, now: int, greet: bool) -> None:
        for name in RESOLVING:
            self.begin(name, now)
        if self.replied:
            self.begin("periodic_update", now)
        elif greet:
            self.begin("first_response", now)

    def hand_off(self, now: int) -> None:
        wait = self.waits.get("first_response")
        if wait is None:
            return
        if wait.running:
            if wait.breached:
                self.told.counted["missed", *wait.breached] -= 1
            self.begin("first_response", now, wait.n)
        else:
            wait.start, wait.tallies = now, self.fresh()

    def hear(self, now: int, data: dict[str, Any]) -> None:
        if not data.get("public", True):
            return
        if data["author"] == "agent":
            answered = "next_response" if self.replied else "first_response"
            self.replied = True
            for name in (answered, "periodic_update"):
                if name in self.waits:
                    self.end(name, "met", now)
            if self.status not in OVER:
                self.begin("periodic_update", now)
        elif data["author"] == "customer" and self.status != "closed":
            if self.status in ("pending", "resolved", "abandoned"):
                self.change(now, self.shown if self.status == "abandoned" else "open", "customer", asked=True)
            if self.status not in OVER and self.replied and "next_response" not in self.waits:
                self.begin("next_response", now)

    shown = "new"  # the status proper, which an abandoned ticket keeps

    def change(self, now: int, status: str, by: str, asked: bool) -> None:
        was = self.shown if self.status == "abandoned" else self.status
        if was == "closed" and status != "open":
            status = "closed"
        if self.status == "abandoned":
            status = "open" if status == "pending" and by == "customer" else status
        if status in ("resolved", "closed"):
            if self.status not in OVER:
                outcome = "cancelled" if status == "closed" else "bot" if by == "bot" else "met"
                self.end_all(outcome, status, now)
            if was != status and status == "resolved":
                self.bot_resolved = by == "bot"
            self.status = self.shown = status
        elif self.status in OVER:
            returns, after_bot = self.status == "abandoned", self.bot_resolved and was in ("resolved", "closed")
            self.status = self.shown = status
            if was in ("resolved", "closed"):
                self.bot_resolved = False
            self.open(now, greet=not self.by_agent and (returns or after_bot))
        else:
            self.status = self.shown = status


def tell(happenings: list[Happening], configs: list[Config], now: int) -> Told:
    """What becomes of the runs by the minute *now*."""
    walk = Walk(configs)
    for minute in range(min([*(at for at, _, _ in happenings), now]), now + 1):
        walk.minute(minute, [(verb, data) for at, verb, data in happenings if at == minute])
        if minute < now:
            walk.pass_minute(minute)
    for name, wait in walk.waits.items():
        promise = walk.current(name)
        if wait.running:
            paused = promise is None or not walk.counts(promise)
            state = "breached_open" if wait.breached else "paused" if paused else "running"
            walk.told.open[name] = (wait.n, state, wait.tallies[id(promise)].spent)
    walk.told.counted = +walk.told.counted
    return walk.told
