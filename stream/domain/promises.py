"""What a fold does with the clocks: which configuration holds, which deadlines fire, and the news of both.

A deadline fires when the frontier has reached it, so that a backlog which still holds the answer fires nothing. A fold
tells the difference between what held before it and what holds after it; a tick is a fold without events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from stream.domain.entity import CLOCKED, Entity
from stream.domain.keys import ENTITY, HISTORY_KEY
from stream.domain.measures import Emit
from stream.domain.overlay import Overlay
from stream.domain.sla import terms
from stream.domain.sla.clocks import Clocks
from stream.domain.sla.deadlines import NOTHING_DUE, due_of
from stream.domain.sla.notices import BREACHED, RETRACTED, WARNING, Notice, cloud_event, news, standing
from stream.domain.sla.runs import CLOCKS, MISSED, Ended

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
            # A configuration that was edited holds from the present on, and no event that was folded lies after it.
            since = max(out.now, self._fired, before.meta.newest_event)
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
            keys.update(key for key, due in self._base.due.items() if due.first is not None and due.first <= until)
        return keys

    def followers(self) -> list[bytes]:
        """Return open entities, some at a time, that have yet to follow an edited configuration."""
        return self._shard.followers[:FOLLOW_AT_ONCE] if self.clocks is not None else []

    def follow(self, held: Entity[Any]) -> bool:
        """Apply the configuration in force to an entity; return whether that changed it."""
        history, clocks = self._out.history, self.hand(held)
        if history is None or clocks is None or held.kind not in CLOCKED or held.state.sla.config >= history.newest:
            return False
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
        subject = key[2:].decode()
        kind: Literal["ticket", "booking"] = "ticket" if held.kind == "ticket" else "booking"
        labels = dict(_labels(kind, held.state))
        self._out.notices.append((held.key, cloud_event(notice, kind, subject, labels)))
        outcome = notice.kind
        if outcome == WARNING:
            return
        if outcome == BREACHED:
            outcome = MISSED
        elif outcome == MISSED and (notice.clock, notice.n) in held.told.breaches:
            return  # counted when its deadline fired
        if outcome == RETRACTED:
            outcome = f"{RETRACTED}_{MISSED if notice.of == BREACHED else notice.of}"
        self._out.outcomes[CLOCKS[notice.clock], notice.policy, held.state.sla.priority, outcome] += 1


def _labels(kind: str, state: Any) -> Iterator[tuple[str, str]]:
    if kind == "ticket":
        yield from (("team", state.team), ("agent", state.agent), ("priority", state.priority), ("brand", state.brand))
    else:
        yield "brand", state.labels[1]
