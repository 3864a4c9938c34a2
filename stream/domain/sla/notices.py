"""Notices: what consumers of the topic sla-events are told of runs, and when.

What has been told is no state but a function of the runs and of the instant up to which deadlines have fired. So the
news of a fold or a tick is what holds after it and did not before; what held and does not any more is retracted. An id
is a hash of what is told, so a replay tells nothing new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from stream.domain.sla.policy import Kind
from stream.domain.sla.runs import CLOCKS, MET, MISSED, Ended, Run, SlaState
from stream.events.values import rfc3339

WARNING, BREACHED, RETRACTED = "warning", "breached", "retracted"

_TOLD = (MET, MISSED)  # cancelled runs, and those that a bot ended, have no outcome to tell of


class Notice(Struct, frozen=True, gc=False):
    """One thing to tell of a run: a warning, a breach, its outcome (met, missed), or that one of these was wrong.

    ``at`` is the instant of what is told, microseconds UTC; ``of`` is the kind that a retraction takes back. Policy and
    priority are those under which the run counts.
    """

    kind: str
    clock: int
    n: int
    policy: str
    priority: str
    start: int
    at: int
    deadline: int | None
    of: str = ""

    @property
    def name(self) -> tuple[int, int, str, str, int]:
        """What makes it one notice among those of its ticket: a run breaches or ends once by a deadline."""
        reference = self.at if self.deadline is None or WARNING in (self.kind, self.of) else self.deadline
        return (self.clock, self.n, self.kind, self.of, reference)


Told = dict[tuple[int, int], Notice]  # by clock and n


class Standing(NamedTuple):
    """What has been told of runs that are still open."""

    breaches: Told
    warnings: dict[tuple[int, int, str, str, int], Notice]  # by name


NOTHING_TOLD = Standing({}, {})


def standing(state: SlaState, fired: int) -> Standing:
    """Return what has been told of the open runs when all up to *fired* (microseconds UTC) has fired.

    Where the deadline has passed as well as a warning, only the breach is told.
    """
    breaches: Told = {}
    warnings = {}
    for run in state.runs:
        deadline = run.deadline
        if deadline is None:
            continue
        if deadline <= fired:
            if not run.silent:
                breaches[run.clock, run.n] = _of_run(state, run, BREACHED, deadline)
        elif run.warnings and run.warnings[0] <= fired:
            for at in run.warnings:
                if at <= fired:
                    notice = _of_run(state, run, WARNING, at)
                    warnings[notice.name] = notice
    return Standing(breaches, warnings) if breaches or warnings else NOTHING_TOLD


def news(before: Standing, after: Standing, ended: Mapping[Ended, int]) -> Iterator[Notice]:
    """Yield what must be told when one standing gives way to another, by a fold or by the passing of time.

    *ended* holds how often each run was found to have ended so, or with a minus to have not. Retractions come before
    what takes their place.
    """
    was, now = dict(before.breaches), dict(after.breaches)
    for end, count in ended.items():
        if count and end.outcome in _TOLD and not end.silent:
            (was if count < 0 else now)[end.clock, end.n] = _of_end(end)
    for name, notice in after.warnings.items():
        if name not in before.warnings:
            yield notice
    if not was:
        yield from (now[run] for run in sorted(now))
        return
    for run in sorted(was.keys() | now.keys()):
        old, new = was.get(run), now.get(run)
        if old is not None and new is not None and old.name == new.name:
            continue
        if old is not None and not follows(old, new):
            yield replace(old, kind=RETRACTED, of=old.kind)
        if new is not None:
            yield new


def follows(old: Notice | None, new: Notice | None) -> bool:
    """Whether a breach went on as it had to: the run ended, missed by the same deadline."""
    if old is None or new is None:
        return False
    return old.kind == BREACHED and new.kind == MISSED and old.deadline == new.deadline


def _of_end(run: Ended) -> Notice:
    return Notice(run.outcome, run.clock, run.n, run.policy, run.priority, run.start, run.end, run.deadline)


def _of_run(state: SlaState, run: Run, kind: str, at: int) -> Notice:
    _, policy, priority, _ = state.labels_of(run)
    return Notice(kind, run.clock, run.n, policy, priority, run.start, at, run.deadline)


def cloud_event(notice: Notice, kind: Kind, subject: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return a notice as a CloudEvent of the topic sla-events; *labels* are team, agent, priority and brand."""
    clock, n, what, of, reference = notice.name
    name = "\x1f".join((kind, subject, CLOCKS[clock], str(n), what, of, str(reference)))
    data = {
        kind: subject,
        "clock": CLOCKS[clock],
        "policy": notice.policy,
        "run": n,
        "start": rfc3339(notice.start),
        "deadline": None if notice.deadline is None else rfc3339(notice.deadline),
        **labels,
    }
    if of:
        data["retracts"] = f"sla.{of}"
    return {
        "specversion": "1.0",
        "id": blake2b(name.encode(), digest_size=16).hexdigest(),
        "source": "deskpulse",
        "type": f"sla.{what}",
        "subject": subject,
        "time": rfc3339(notice.at),
        "data": data,
    }
