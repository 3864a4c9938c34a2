"""The one clock of bookings: quote_response, from the enquiry to the quote."""

from __future__ import annotations

from typing import Any

from stream.domain.measures import Emit
from stream.domain.sla.rules import Book
from stream.domain.sla.runs import CANCELLED, MET, QUOTE_RESPONSE, STATUS_CODES, Ends, SlaState
from stream.domain.sla.step import Step
from stream.events.registry import BY_NAME
from stream.events.values import NONE

_ENQUIRED = BY_NAME["booking.enquired"].code
_QUOTED = BY_NAME["booking.quoted"].code
_CREATED = BY_NAME["booking.created"].code
_ENDING = frozenset(
    BY_NAME[name].code for name in ("booking.cancelled", "booking.no_show", "booking.completed", "booking.deleted")
)
_ANSWERING = frozenset({_QUOTED, _CREATED})


class QuoteEngine:
    """The runs of bookings; see `engine.Engine`. Only for bookings that are not retracted."""

    def __init__(self, book: Book, emit: Emit, ended: Ends) -> None:
        self._book = book
        self._emit = emit
        self._ended = ended

    def advance(self, sla: SlaState, code: int, at: int, data: Any) -> None:
        """Let the next event in ledger order do its work on the run."""
        if sla.began is None:
            if code in _ANSWERING or code in _ENDING:
                sla.replied = True  # an enquiry stamped later waits for nothing
            elif code == _ENQUIRED and not sla.replied:
                self._enquired(sla, at, data)
        elif sla.opened is not None and (code in _ANSWERING or code in _ENDING):
            step = Step(sla, at, self._book.rules[sla.config].plans[sla.policy], self._emit, self._ended)
            if code in _ANSWERING:
                step.end(QUOTE_RESPONSE, MET, no_reply=code == _CREATED)
            step.end_all(CANCELLED)

    def reconfigure(self, sla: SlaState, channel: str, brand: str, number: int) -> None:
        """Apply the edited configurations up to *number*; see `engine.Engine.reconfigure`."""
        while sla.began is not None and sla.config < number:
            old, new = self._book.rules[sla.config], self._book.rules[sla.config + 1]
            step = Step(sla, self._book.edits[sla.config], old.plans[sla.policy], self._emit, self._ended)
            step.switch(new.plan_for((channel, brand)), NONE, NONE)
            sla.config += 1

    def _enquired(self, sla: SlaState, at: int, data: Any) -> None:
        sla.config = self._book.number(at)
        plan = self._book.rules[sla.config].plan_for((data.channel, data.brand or NONE))
        sla.began = sla.opened = at
        sla.openings, sla.policy, sla.track = 1, plan.name, [at, STATUS_CODES["new"]]
        Step(sla, at, plan, self._emit, self._ended).start(QUOTE_RESPONSE, 1)
