"""What a fold does with the clocks: which configuration holds, which deadlines fire, and the news of both.

A deadline fires when the frontier has reached it, so that a backlog which still holds the answer fires nothing. A fold
tells the difference between what held before it and what holds after it; a tick is a fold without events.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stream.domain.entity import CLOCKED, Entity
from stream.domain.keys import ENTITY, HISTORY_KEY
from stream.domain.measures import Emit
from stream.domain.overlay import Overlay
from stream.domain.sla import terms
from stream.domain.sla.clocks import Clocks
from stream.domain.sla.deadlines import NOTHING_DUE, due_of
from stream.domain.sla.notices import BREACHED, RETRACTED, WARNING, Notice, cloud_event, follows, news, standing
from stream.domain.sla.runs import CLOCKS, MISSED, Ended, SlaState

if TYPE_CHECKING:
    from stream.domain.shard import Shard

# Open entities that follow an edited configuration in one fold at the most, so that a million of them hold up no event.
FOLLOW_AT_ONCE = 500


class Promises:
    """The clocks of one fold. ``clocks`` is None where nobody promised anything."""

    def __init__(self, shard: Shard, base: Overlay | None, out: Overlay, emit: Emit) -> None:
        before = base or shard
        self._shard = shard
        self._base = base
        self._out = out
        self._fired = before.meta.fired_until
        self._at_hand: Entity[Any] | None = None
        self.clocks: Clocks | None = None
        history = before.history
        if shard.terms is not None:
            # An edited configuration holds from the present on, and after every event that was folded, be it of this
            # very instant (the clock may be that of the events).
            since = max(out.now, self._fired, before.meta.newest_event) + 1
            held, history = history, terms.begin(shard.terms) if history is None else history.edited(since, shard.terms)
            if history is not held:
                out.writes[HISTORY_KEY] = history.record()
            self.clocks = Clocks(history.books, emit, self._ended)
        out.history = history

    def remember(self, held: Entity[Any]) -> None:
        """Take note of what has been told of an entity that was just decoded."""
        if self.clocks is not None and held.kind in CLOCKED:
            held.told = standing(held.state.sla, self._fired)

    def hand(self, held: Entity[Any]) -> Clocks | None:
        """Return the clocks, to be used for this entity until the next one is handed over."""
        self._at_hand = held
        return self.clocks

    def _ended(self, run: Ended, count: int) -> None:
        assert self._at_hand is not None
        self._at_hand.find_ended(run, count)

    def due(self, frontier: int) -> Iterable[bytes]:
        """Fire all up to *frontier* or the clock; return the entities of which something may fall due by that."""
        if self.clocks is None:
            return ()
        until = max(self._fired, min(frontier, self._out.now))
        self._out.meta.fired_until = until
        keys = self._shard.deadlines.reached(until)
        if self._base is not None:
            keys.update(key for key, due in self._base.due.items() if due.falls(self._fired, until))
        return keys

    def followers(self) -> list[bytes]:
        """Return open entities, some at a time, that have yet to follow an edited configuration."""
        if self.clocks is None:
            return []
        first = 0 if self._base is None else self._base.followed
        keys = self._shard.followers[first : first + FOLLOW_AT_ONCE]
        self._out.followed = len(keys)
        return keys

    def follow(self, held: Entity[Any]) -> bool:
        """Apply the configuration in force to an entity whose clocks run; return whether that changed it."""
        history, clocks = self._out.history, self.clocks
        if history is None or clocks is None or not history.newest or held.kind not in CLOCKED:
            return False
        sla: SlaState = held.state.sla
        if sla.opened is None or sla.config >= history.newest:
            return False
        self._at_hand = held
        clocks.reconfigure(held.kind, held.state, history.newest)
        return True

    def settle(self, key: bytes, held: Entity[Any]) -> None:
        """Note what falls due of an entity as it is now, and tell the news of it."""
        if self.clocks is None or held.kind not in CLOCKED:
            return
        out, sla = self._out, held.state.sla
        out.due[key] = due_of(sla)
        now = standing(sla, out.meta.fired_until)
        if held.told is now and not held.ended:
            return
        for notice in news(held.told, now, held.ended or {}):
            self._tell(held, notice, key)
        held.told, held.ended = now, None

    def gone(self, key: bytes) -> None:
        """Note that nothing falls due of an entity any more."""
        if key[:1] == ENTITY:
            self._out.due[key] = NOTHING_DUE

    def _tell(self, held: Entity[Any], notice: Notice, key: bytes) -> None:
        subject, state = key[2:].decode(), held.state
        if held.kind == "ticket":
            labels = {"team": state.team, "agent": state.agent, "priority": state.priority, "brand": state.brand}
            event = cloud_event(notice, "ticket", subject, labels)
        else:
            event = cloud_event(notice, "booking", subject, {"brand": state.labels[1]})
        self._out.notices.append((held.key, event))
        outcome = notice.kind
        if outcome == WARNING:
            return
        if outcome == BREACHED:
            outcome = MISSED
        elif outcome == MISSED and follows(held.told.breaches.get((notice.clock, notice.n)), notice):
            return  # counted when its deadline fired
        if outcome == RETRACTED:
            outcome = f"{RETRACTED}_{MISSED if notice.of == BREACHED else notice.of}"
        self._out.outcomes[CLOCKS[notice.clock], notice.policy, notice.priority, outcome] += 1
