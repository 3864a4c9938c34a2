"""Runs: the promises at work on one ticket or booking, and how one of them counts, waits and is judged.

All instants are microseconds since the epoch (UTC), all durations microseconds of a calendar's open time.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

from stream.domain.sla.policy import CLOCKS as CLOCKS_BY_KIND
from stream.domain.sla.policy import Clock
from stream.events.values import NONE

# A clock is kept as its place in this tuple, so new ones go to the end.
CLOCKS = (*CLOCKS_BY_KIND["ticket"], *CLOCKS_BY_KIND["booking"])
FIRST_RESPONSE, NEXT_RESPONSE, PERIODIC_UPDATE, RESOLUTION, REQUESTER_WAIT, AGENT_WORK, QUOTE_RESPONSE = range(7)
# The clocks that run from created to resolved; a reopen carries on with what they have spent.
RESOLVING = (RESOLUTION, REQUESTER_WAIT, AGENT_WORK)
# The clocks that run while the customer waits for a message.
WAITING = (FIRST_RESPONSE, NEXT_RESPONSE, PERIODIC_UPDATE)

# A status is kept as its place, too. The last two are not of the contract: what ends all clocks besides a status.
ABANDONED, DELETED = "abandoned", "deleted"
STATUSES = ("new", "open", "pending", "on_hold", "resolved", "closed", ABANDONED, DELETED)
STATUS_CODES = {status: code for code, status in enumerate(STATUSES)}
_OVER = STATUS_CODES["resolved"]  # from here on no clock runs

# What is known of a run that has not ended. ON_TIME: nothing against it so far. BREACHED: its deadline passed, which
# nothing later undoes. CARRIED: the run before the reopen was missed, so this one is overdue, but neither pages nor
# counts. DROPPED: breached, then left without a clock by a change of policy.
ON_TIME, BREACHED, CARRIED, DROPPED = range(4)

# How a run ends. The last two are in no attainment.
MET, MISSED, BOT, CANCELLED = "met", "missed", "bot", "cancelled"

Labels = tuple[str, ...]  # clock, policy, priority, team: measures.SLA_LABELS


class Run(Struct, array_like=True, gc=False):
    """One run that has not ended, as of the last event. No deadline = it is void while paused."""

    clock: int
    n: int
    start: int
    spent: int = 0  # open time counted up to ``since``, or up to the pause
    since: int | None = None  # since when it counts; None = paused, or judged already
    deadline: int | None = None
    warnings: tuple[int, ...] = ()  # the instants still to come when the clock last started to count
    verdict: int = ON_TIME
    labels: Labels = ()  # of a breached run: those under which it was missed

    @property
    def silent(self) -> bool:
        """Whether it neither pages nor counts."""
        return self.verdict in (CARRIED, DROPPED)


class SlaState(Struct, array_like=True, gc=False):
    """The runs of one ticket or booking, and what a change of policy or a reopen needs to reckon new ones."""

    began: int | None = None  # created (tickets), enquired (bookings)
    opened: int | None = None  # the begin, or the last reopen; None = over, no clock runs
    config: int = 0  # the number of the configuration applied last
    policy: str = ""
    priority: str = NONE
    team: str = NONE
    traits: tuple[str | None, str | None, str | None, tuple[str, ...]] | None = (
        None  # rare labels: see engine._keep_traits
    )
    track: list[int] = []  # instant, status code, instant, status code ...: every status since it began
    replied: bool = False
    # By the codes of `WAITING`, of which next_response waits from the oldest message without an answer:
    waits: list[int] = field(default_factory=lambda: [0, 0, 0])  # how many such waits there have been
    # since when the customer waits now
    since: list[int | None] = field(default_factory=lambda: [None, None, None])
    openings: int = 0  # how often it was opened: the number of the resolving runs
    missed: int = 0  # bits by clock: a resolving clock of which a run was missed
    runs: list[Run] = []
    asked: int | None = None  # the oldest customer message without an answer, also where no clock runs for it
    bot_resolved: bool = False  # the last resolve was a bot's, which leaves the first response to be given

    @property
    def status(self) -> int:
        """The code of the status in force."""
        return self.track[-1]

    def labels_of(self, run: Run) -> Labels:
        """Return the labels that an open run counts under: those of its breach, or of now where it has none."""
        return run.labels or (CLOCKS[run.clock], self.policy, self.priority, self.team)

    @property
    def unanswered(self) -> int | None:
        """Since when the customer waits for an answer of any kind, None if for none."""
        return self.since[NEXT_RESPONSE] if self.since[FIRST_RESPONSE] is None else self.since[FIRST_RESPONSE]


class Ended(Struct, frozen=True, gc=False):
    """How a run came out. ``deadline`` is None if it ended in a pause; labels are those of its end."""

    clock: int
    n: int
    policy: str
    outcome: str
    start: int
    end: int
    deadline: int | None
    silent: bool  # a CARRIED run: neither pages nor counts
    no_reply: bool  # met by a resolve that answered nobody
    priority: str
    team: str


# ended(run, count): a run has ended, or with count -1 a refold finds that it has not ended so.
Ends = Callable[[Ended, int], None]


def counts(clock: Clock, status: int) -> bool:
    """Whether a clock counts in a status."""
    return status < _OVER and STATUSES[status] not in clock.pauses


def arm(run: Run, clock: Clock, at: int) -> None:
    """Let a run count from *at* on: set its deadline and the warnings still to come."""
    left = max(clock.target - run.spent, 0)
    run.since = at
    run.deadline = clock.calendar.after(at, left)
    if clock.warnings:
        run.warnings = tuple([clock.calendar.after(at, left - early) for early in clock.warnings if early < left])


def halt(run: Run, clock: Clock, at: int) -> None:
    """Pause a run that counts: its deadline is void until it counts again."""
    if run.since is not None:
        run.spent += clock.calendar.open_between(run.since, at)
    run.since = run.deadline = None
    run.warnings = ()


def late(run: Run, at: int) -> bool:
    """Whether an end at *at* comes too late; at exactly the deadline it is in time."""
    return run.verdict != ON_TIME or (run.deadline is not None and run.deadline < at)


def reckon(track: list[int], origin: int, until: int, clock: Clock) -> tuple[int, bool]:
    """Return the time a clock counts in [origin, until) over the statuses in *track*, and whether its target passed.

    Passed = a deadline lies before *until*; one that falls on a pause's very start is void, as always in a pause.
    """
    spent = 0
    for index in range(0, len(track), 2):
        start = max(track[index], origin)
        end = min(track[index + 2], until) if index + 2 < len(track) else until
        if start < end and counts(clock, track[index + 1]):
            counted = clock.calendar.open_between(start, end)
            left = clock.target - spent
            if counted > left or (counted == left and clock.calendar.after(start, left) < end):
                return spent + counted, True
            spent += counted
    return spent, False


def warned(run: Run, clock: Clock, at: int) -> bool:
    """Whether the open time spent by *at* has reached the clock's first warning."""
    if not clock.warnings:
        return False
    spent = run.spent if run.since is None else run.spent + clock.calendar.open_between(run.since, at)
    return clock.target - spent <= clock.warnings[0]


def phase(run: Run, clock: Clock, now: int) -> str:
    """Return the state of an open run at *now*, not before the last event: a function of run and instant alone."""
    if run.verdict != ON_TIME or (run.deadline is not None and run.deadline <= now):
        return "breached_open"
    if run.since is None:
        return "paused"
    return "warning" if warned(run, clock, now) else "running"
