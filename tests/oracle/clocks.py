"""What one ticket's promises contribute, by brute force: every run judged by a walk over all of the ticket's moments.

For clocks at all hours whose pauses are the same in every policy, as in the preset `support-24x7`. Then the time that a
run has counted is the sum of the spans in which the ticket had a status that counts, whatever policy was in force.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .catalogue import Contribution
from .envelope import Event
from .tickets import ACTIVE, Walk, retracts
from .values import MICRO

# The default policies, as the text of stream/config/presets/support-24x7.toml has them: by priority the name and the
# targets in microseconds. A priority without a row has the last policy, which has no condition.
HOUR_US = 3_600 * MICRO
RESPONSES = {"urgent": HOUR_US // 2, "high": HOUR_US, "normal": 8 * HOUR_US, "low": 24 * HOUR_US}
RESOLUTIONS = {"urgent": 2 * HOUR_US, "high": 4 * HOUR_US, "normal": 24 * HOUR_US, "low": 72 * HOUR_US}
PAUSES = {"first_response": (), "next_response": (), "resolution": ("pending", "on_hold")}

GONE = "gone"  # the status in which nothing runs: resolved, closed, abandoned, deleted


@dataclass(frozen=True)
class Moment:
    """How the ticket stands after an event, until the next one."""

    at_us: int
    status: str
    priority: str
    team: str

    @property
    def policy(self) -> str:
        return self.priority if self.priority in RESPONSES else "low"

    def target_us(self, clock: str) -> int:
        return (RESOLUTIONS if clock == "resolution" else RESPONSES)[self.policy]

    def counts(self, clock: str) -> bool:
        return self.status in ACTIVE and self.status not in PAUSES[clock]

    def labels(self, clock: str) -> dict[str, str]:
        return {"clock": clock, "policy": f"{self.policy}-24x7", "priority": self.priority, "team": self.team}


@dataclass
class Run:
    """From the moment number `first` to the moment number `last` (None: open), at which it ends so or so."""

    clock: str
    first: int
    last: int | None = None
    outcome: str = ""


def tell(ledger: list[Event]) -> list[Contribution]:
    """The contributions of a ticket's clocks; an open run's lie at its deadline, be it past or to come.

    The desk is open at all hours, so the business times are the calendar times.
    """
    promises = Promises()
    for event in ledger:
        if retracts(event):
            return []
        promises.read(event)
        if event.verb == "deleted":
            break
    business = [
        Contribution(f"{each.kpi}_business", each.part, each.at_us, each.value, each.labels)
        for each in promises.walk.given
        if each.kpi in ("first_response_time", "next_response_time") and promises.moments
    ]
    return [*business, *(one for clock in PAUSES for one in promises.outcomes(clock))]


class Promises:
    """The moments of a ticket from its created on, and the runs between them."""

    def __init__(self) -> None:
        self.walk = Walk()
        self.left = False  # abandoned, and neither the customer nor a status has come back
        self.moments: list[Moment] = []
        self.runs: list[Run] = []
        self.open: dict[str, Run] = {}

    @property
    def active(self) -> bool:
        return self.walk.status in ACTIVE and not self.left

    def read(self, event: Event) -> None:
        """Take the next event of the ledger."""
        walk = self.walk
        began, was_active, replied, after_bot = bool(self.moments), self.active, walk.replied, walk.resolved_by_bot
        walk.read(event)
        if walk.created_us is None:
            return
        returns = self.left and self._asks(event)
        if returns:
            self.left = False
        elif event.verb == "deleted" or (event.verb == "abandoned" and was_active):
            self.left = True
        status = walk.status if self.active else GONE
        self.moments.append(Moment(event.time_us, status, walk.labels["priority"], walk.labels["team"]))
        if not began:
            self._open(greets=True)
        elif was_active and not self.active:
            self._end_all(event)
        elif self.active and not was_active:
            self._open(greets=returns or after_bot)
        if event.verb == "message":
            self._hear(event, replied)
        elif event.verb == "handed_off" and "first_response" in self.open:
            self.open["first_response"].first = len(self.moments) - 1

    def _asks(self, event: Event) -> bool:
        """Whether an event brings back a ticket that was abandoned."""
        asked = event.verb == "message" and event.data["author"] == "customer" and event.data.get("public", True)
        return asked or event.verb == "status_changed"

    def _open(self, *, greets: bool) -> None:
        """Start what runs from created or a reopen on; the first response only where nobody has given it yet."""
        if self.active:
            self._start("resolution")
            if greets and not self.walk.replied and not self.walk.requested_by_agent:
                self._start("first_response")

    def _hear(self, event: Event, replied: bool) -> None:
        author, public = event.data["author"], event.data.get("public", True)
        if author == "agent" and (public or (not replied and self.walk.replied)):
            self._end("next_response" if replied else "first_response", "met")
        elif author == "customer" and public and self.active and replied and "next_response" not in self.open:
            self._start("next_response")

    def _end_all(self, event: Event) -> None:
        outcome = "cancelled"
        if event.verb == "status_changed" and event.data["status"] == "resolved":
            outcome = "bot" if event.data.get("by") == "bot" else "met"
        for clock in list(self.open):
            self._end(clock, outcome)

    def _start(self, clock: str) -> None:
        self.open[clock] = Run(clock, len(self.moments) - 1)
        self.runs.append(self.open[clock])

    def _end(self, clock: str, outcome: str) -> None:
        if clock in self.open:
            run = self.open.pop(clock)
            run.last, run.outcome = len(self.moments) - 1, outcome

    def outcomes(self, clock: str) -> Iterator[Contribution]:
        """The contributions of the runs of one clock. After a missed resolution later runs neither page nor count."""
        for run in (run for run in self.runs if run.clock == clock):
            missed = self._missed(run)
            if missed is not None:
                at_us, labels = missed
                yield Contribution("sla_attainment", "denominator", at_us, 1, labels)
                if run.last is None:
                    holder = {**labels, "team": self.moments[-1].team}
                    for kpi in ("sla_breached_open", "sla_due_soon_15m", "sla_due_soon_1h"):
                        yield Contribution(kpi, "count", at_us, 1, holder)
                if clock == "resolution":
                    return
            elif run.outcome == "met" and run.last is not None:
                end = self.moments[run.last]
                yield Contribution("sla_attainment", "numerator", end.at_us, 1, end.labels(clock))
                yield Contribution("sla_attainment", "denominator", end.at_us, 1, end.labels(clock))

    def _missed(self, run: Run) -> tuple[int, dict[str, str]] | None:
        """When a run has been or will be missed and under which labels; None if it ends before, or is paused.

        What happens at one instant happens before a deadline that lies there, but a new target that is smaller than
        what was counted already, and a reopen after more than the target, are missed at once.
        """
        since = 0 if run.clock == "resolution" else run.first  # a reopen carries on with all since created
        spent = sum(self._counted(run.clock, number) for number in range(since, run.first))
        last = len(self.moments) if run.last is None else run.last
        for number in range(run.first, last):
            moment = self.moments[number]
            left = moment.target_us(run.clock) - spent
            if left < 0:
                return moment.at_us, moment.labels(run.clock)
            if moment.counts(run.clock):
                due_us = moment.at_us + left
                if number + 1 == len(self.moments) or due_us < self.moments[number + 1].at_us:
                    return due_us, moment.labels(run.clock)
                spent += self._counted(run.clock, number)
        return None

    def _counted(self, clock: str, number: int) -> int:
        """How long the moment lasts until the next, if its status counts."""
        moment = self.moments[number]
        return self.moments[number + 1].at_us - moment.at_us if moment.counts(clock) else 0
