"""A shard under an agreement, for tests of its promises: what it has told and counted, and what it shows."""

from __future__ import annotations

from collections import Counter
from typing import Any

from stream.domain.overlay import Overlay
from stream.domain.shard import Shard, ShardView
from stream.domain.sla.policy import Policies, Policy
from stream.domain.sla.terms import Terms
from stream.domain.tables import ShardTable
from stream.events.event import Event
from tests.unit.domain.sla.desk import policies
from tests.unit.domain.world import START, World, at, event

_KNOWN: dict[bytes, Policies] = {}


def terms(*agreed: Policy) -> Terms:
    """Return the terms of a configuration; its bytes are its version, by which all of these tests are known."""
    made = policies(*agreed)
    _KNOWN[made.version.encode()] = made
    return Terms(made.version, made.version.encode(), _KNOWN.__getitem__)


class Floor(World):
    """A shard under an agreement, its log, and all that it has told and counted."""

    def __init__(self, *agreed: Policy) -> None:
        super().__init__()
        self.terms = terms(*agreed)
        self.shard = Shard(0, None, self.terms)
        self.told: list[dict[str, Any]] = []
        self.outcomes: Counter[tuple[str, str, str, str]] = Counter()

    def fold(self, *events: Event, now: float, frontier: float | None = None, base: Overlay | None = None) -> Overlay:
        """Fold events at minute *now*, with event time known up to minute *frontier*."""
        self.now = max(self.now, at(now))
        known = -(2**63) if frontier is None else at(frontier)
        return self.shard.fold([self.record(one) for one in events], self.now, base, frontier=known)

    def take(self, *events: Event, now: float, frontier: float | None = None) -> list[str]:
        """Fold and merge; return what was told."""
        overlay = self.fold(*events, now=now, frontier=frontier)
        self.merge(overlay)
        return words(overlay)

    def tick(self, minute: float) -> list[str]:
        """Let time pass, with everything known up to it."""
        return self.take(now=minute, frontier=minute)

    def merge(self, overlay: Overlay) -> None:
        super().merge(overlay)
        self.told += [one for _, one in overlay.notices]
        self.outcomes += overlay.outcomes

    def restored(self) -> Shard:
        again = Shard(0, None, self.terms)
        again.restore(self.log)
        again.restored(self.now)
        return again

    def restart(self, *agreed: Policy) -> None:
        """Go on with the state restored from the log, under the same agreement or another one."""
        self.terms = terms(*agreed) if agreed else self.terms
        self.shard = self.restored()

    def view(self, minute: float) -> ShardView:
        self.now = max(self.now, at(minute))
        return self.shard.view(self.now, self.now)

    def count(self, measure: str, window: str = "30d") -> int:
        view = self.shard.view(self.now, self.now)
        sums = view.windows[window] if measure in ("sla_met", "sla_missed") else view.live
        return sums.get((measure, 0, "", "", ""), (0, 0))[0]

    def deadlines(self, subject: str = "X") -> dict[str, float]:
        """Return the deadlines of the open runs of a ticket, in minutes, by clock."""
        state = ShardTable(self.shard, "ticket")[subject].state
        names = ("first_response", "next_response", "periodic_update", "resolution")
        return {names[run.clock]: (run.deadline - START) / 60e6 for run in state.sla.runs}


def words(overlay: Overlay) -> list[str]:
    return [f"{one['data']['clock']} {one['type'].removeprefix('sla.')}" for _, one in overlay.notices]


def net(outcomes: Counter[tuple[str, str, str, str]]) -> Counter[tuple[str, str, str, str]]:
    """Return outcomes less those retracted."""
    out: Counter[tuple[str, str, str, str]] = Counter()
    for (*run, outcome), count in outcomes.items():
        out[(*run, outcome.removeprefix("retracted_"))] += -count if outcome.startswith("retracted_") else count
    return Counter({name: count for name, count in out.items() if count})


def shown(view: ShardView) -> dict[str, Any]:
    """Return the figures of a view, without those that have come to nothing."""
    series = {**view.windows, "live": view.live}
    figures = {name: {key: sums for key, sums in of.items() if sums != (0, 0)} for name, of in series.items()}
    return figures | {"outlooks": view.outlooks, "unanswered": view.unanswered}


def index(shard: Shard, now: int) -> dict[str, Any]:
    """Return all that the index of open runs shows and would fire."""
    view = shard.view(now, now)
    return shown(view) | {
        "reached": {ahead: shard.deadlines.reached(at(ahead)) for ahead in range(0, 3_000, 50)},
        "overdue": sorted(shard.deadlines.overdue(now)),
        "fired": shard.meta.fired_until,
        "followers": sorted(shard.followers),
    }


def merged(minute: float, subject: str = "X") -> Event:
    return event("ticket.merged", minute, subject, into="Y")


def deleted(minute: float, reason: str, subject: str = "X") -> Event:
    return event("ticket.deleted", minute, subject, reason=reason)


def enquired(minute: float = 0, subject: str = "B") -> Event:
    return event("booking.enquired", minute, subject, channel="web")
