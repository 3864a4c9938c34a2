"""The clocks of whatever has any: which engine an entity's events go to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream.domain.measures import Emit
from stream.domain.sla import engine
from stream.domain.sla.engine import Engine
from stream.domain.sla.policy import Kind
from stream.domain.sla.quotes import QuoteEngine
from stream.domain.sla.rules import Book
from stream.domain.sla.runs import Ends


class Clocks:
    """The engines of one fold or refold: contributions go to *emit*, ends of runs to *ended*."""

    def __init__(self, books: Mapping[Kind, Book], emit: Emit, ended: Ends) -> None:
        self._books = books
        self._tickets, self._bookings = books["ticket"], books["booking"]
        self._edited = bool(self._tickets.edits)  # most configurations never are, and all events come by here
        self._engine = Engine(self._tickets, emit, ended)
        self._quotes = QuoteEngine(self._bookings, emit, ended)

    def into(self, emit: Emit, ended: Ends) -> Clocks:
        """Return the same clocks with other ears."""
        return Clocks(self._books, emit, ended)

    def is_ahead(self, kind: str, state: Any, at: int) -> bool:
        """Whether an edited configuration was applied that did not hold yet at *at*, so an event needs a refold."""
        if not self._edited:
            return False
        if kind == "ticket":
            return engine.ahead(state.sla, at, self._tickets)
        return kind == "booking" and engine.ahead(state.sla, at, self._bookings)

    def before(self, kind: str, state: Any, at: int) -> None:
        """Apply the configurations in force at *at*; to be called before the entity's own fold takes an event."""
        if not self._edited:
            return
        if kind == "ticket":
            self.reconfigure(kind, state, self._tickets.number(at))
        elif kind == "booking":
            self.reconfigure(kind, state, self._bookings.number(at))

    def after(self, kind: str, state: Any, code: int, at: int, data: Any) -> None:
        """Let an event do its work on the runs, after the entity's own fold has taken it."""
        if kind == "ticket":
            if state.visible:
                self._engine.advance(state.sla, state, code, at, data)
        elif kind == "booking" and not state.retracted:
            self._quotes.advance(state.sla, code, at, data)

    def reconfigure(self, kind: str, state: Any, number: int) -> None:
        """Apply the configurations up to *number*. What is retracted has no runs."""
        if state.sla.config >= number:
            return
        if kind == "ticket":
            if state.visible:
                self._engine.reconfigure(state.sla, state, number)
        elif not state.retracted:
            channel, brand = state.labels
            self._quotes.reconfigure(state.sla, channel, brand, number)
