"""What one event, or a change of configuration, does to the runs of a ticket or booking.

A run contributes ``sla_met`` or ``sla_missed`` when it ends. One that is open and past its deadline is missed as well,
whatever comes: `deadlines.Deadlines` counts those, since a breach has no event of its own.
"""

from __future__ import annotations

from stream.domain.measures import Emit
from stream.domain.sla.policy import Clock
from stream.domain.sla.rules import Plan
from stream.domain.sla.runs import (
    BREACHED,
    CANCELLED,
    CARRIED,
    DROPPED,
    MET,
    MISSED,
    ON_TIME,
    RESOLVING,
    WAITING,
    Ended,
    Ends,
    Run,
    SlaState,
    arm,
    counts,
    halt,
    late,
    reckon,
    warned,
)


class Step:
    """One instant (*at*, microseconds UTC) in the life of a state, under a plan."""

    __slots__ = ("_at", "_emit", "_ended", "_plan", "_sla")

    def __init__(self, sla: SlaState, at: int, plan: Plan, emit: Emit, ended: Ends) -> None:
        self._sla = sla
        self._at = at
        self._plan = plan
        self._emit = emit
        self._ended = ended

    def start(self, code: int, n: int) -> None:
        """Start a run, if the plan has its clock. A resolving one carries what earlier runs have spent."""
        clock = self._plan.clocks[code]
        if clock is None:
            return
        run = Run(code, n, self._at)
        self._sla.runs.append(run)
        if n > 1 and code in RESOLVING:
            self._reckon(run, clock)
        elif counts(clock, self._sla.status):
            arm(run, clock, self._at)

    def end(self, code: int, outcome: str, no_reply: bool = False) -> None:
        """End the run of a clock, if there is one, with what it comes to if it is in time."""
        for index, run in enumerate(self._sla.runs):
            if run.clock == code:
                del self._sla.runs[index]
                self._close(run, outcome, no_reply)
                return

    def end_all(self, outcome: str) -> None:
        """End all runs; nothing is awaited any more."""
        sla = self._sla
        runs, sla.runs = sla.runs, []
        for run in runs:
            self._close(run, outcome, outcome == MET and run.clock not in RESOLVING)
        sla.opened, sla.since = None, [None, None, None]

    def restart(self, code: int) -> None:
        """Let the run of a clock begin now: what came before was not its time."""
        for run in self._sla.runs:
            clock = self._plan.clocks[code]
            if run.clock == code and clock is not None:
                self._sla.runs.remove(run)
                self.start(code, run.n)
                return

    def open_since(self, code: int, start: int | None) -> int | None:
        """Return the open time since *start* by a clock's calendar; None without a clock or a start."""
        clock = self._plan.clocks[code]
        if clock is None or start is None or start > self._at:
            return None
        return clock.calendar.open_between(start, self._at)

    def status(self, status: int) -> None:
        """Go over to a status in which the runs may pause or count again."""
        sla = self._sla
        sla.track += (self._at, status)
        for run in sla.runs:
            clock = self._plan.clocks[run.clock]
            self._judge(run)
            if run.verdict != ON_TIME or clock is None:
                continue
            if counts(clock, status) != (run.since is not None):
                if run.since is None:
                    arm(run, clock, self._at)
                else:
                    halt(run, clock, self._at)

    def switch(self, plan: Plan, priority: str, team: str) -> None:
        """Go over to other labels, and to the plan that they or an edited configuration choose.

        What has passed stays as it was. Other deadlines are those from the original start under the new clocks; one
        that is past is breached now. A run that has no clock any more is cancelled, and what is waited for without a
        run gets one, if there is a clock for it now.
        """
        sla, was = self._sla, self._plan
        for run in sla.runs:
            self._judge(run)
        if plan is not was:
            self._drop([run for run in sla.runs if plan.clocks[run.clock] is None])
        sla.policy, sla.priority, sla.team, self._plan = plan.name, priority, team, plan
        for run in sla.runs:
            if run.verdict == ON_TIME:
                self._move(run, was.clocks[run.clock], plan.clocks[run.clock])
        if plan is not was:
            self._start_missing()

    def _drop(self, runs: list[Run]) -> None:
        """End runs that lose their clock. Missed ones are remembered, lest a later change start them anew."""
        for run in runs:
            if run.verdict == ON_TIME:
                run.deadline = None
                self._sla.runs.remove(run)
            self._close(run, CANCELLED)
            run.verdict = DROPPED

    def _move(self, run: Run, old: Clock | None, new: Clock | None) -> None:
        """Give a run the deadline that it has under the clock in force now."""
        if new is old or old is None or new is None:
            return
        warned_before = warned(run, old, self._at)
        self._reckon(run, new)
        if not warned_before and run.since is not None and warned(run, new, self._at):
            run.warnings = (self._at, *run.warnings)

    def _start_missing(self) -> None:
        """Start what is waited for, has no run and has a clock, from when the wait began."""
        sla = self._sla
        for code, clock in enumerate(self._plan.clocks):
            n, start = (sla.waits[code], sla.since[code]) if code in WAITING else (sla.openings, sla.opened)
            if start is not None and clock is not None and all(run.clock != code for run in sla.runs):
                run = Run(code, n, start)
                sla.runs.append(run)
                self._reckon(run, clock)

    def _reckon(self, run: Run, clock: Clock) -> None:
        """Give a run the deadline that it has from its original start, or find that it is breached by now."""
        sla = self._sla
        if sla.missed & 1 << run.clock:
            run.verdict, run.deadline = CARRIED, self._at
            return
        origin = run.start if run.clock in WAITING else sla.track[0]
        run.spent, passed = reckon(sla.track, origin, self._at, clock)
        run.since = run.deadline = None
        run.warnings = ()
        if passed:
            run.deadline, run.verdict, run.labels = self._at, BREACHED, sla.labels_of(run)
        elif counts(clock, sla.status):
            arm(run, clock, self._at)

    def _judge(self, run: Run) -> None:
        """Settle that a deadline has passed: it stays as it is, under the labels of that time."""
        if run.verdict == ON_TIME and late(run, self._at):
            run.verdict, run.labels = BREACHED, self._sla.labels_of(run)
            run.since, run.warnings = None, ()

    def _close(self, run: Run, outcome: str, no_reply: bool = False) -> None:
        if run.verdict == DROPPED:
            return
        labels = self._sla.labels_of(run)
        if late(run, self._at):
            outcome, no_reply = MISSED, False
            if run.clock in RESOLVING:
                self._sla.missed |= 1 << run.clock
            if not run.silent:
                self._emit("sla_missed", run.deadline, labels, 0, 1)
        elif outcome == MET:
            self._emit("sla_met", self._at, labels, 0, 1)
        self._ended(
            Ended(
                clock=run.clock,
                n=run.n,
                policy=labels[1],
                outcome=outcome,
                start=run.start,
                end=self._at,
                deadline=run.deadline,
                silent=run.silent,
                no_reply=no_reply,
                priority=labels[2],
                team=self._sla.team,
            ),
            1,
        )
