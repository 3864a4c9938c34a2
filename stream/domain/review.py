"""The folds of a review and of a survey invitation: the latest rating or answer counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from stream.domain.booking import Contribution, emit_change
from stream.domain.ledger import Entry
from stream.domain.measures import Emit
from stream.events.registry import BY_NAME
from stream.events.values import NONE

_POSTED = BY_NAME["review.posted"].code
_UPDATED = BY_NAME["review.updated"].code
_SENT = BY_NAME["survey.sent"].code


class ReviewState(Struct, array_like=True, gc=False):
    """A public review. Times are microseconds since the epoch (UTC)."""

    posted: int | None = None
    rating: int = 0
    labels: tuple[str, str] = (NONE, NONE)  # site, brand: measures.REVIEW_LABELS
    removed: bool = False

    @property
    def complete(self) -> bool:
        """Whether its posting is known."""
        return self.posted is not None

    @property
    def open(self) -> bool:
        """Say that nothing further is expected of a review."""
        return False


class SurveyState(Struct, array_like=True, gc=False):
    """An invitation to a survey and its latest answer. Times are microseconds since the epoch (UTC)."""

    sent: int | None = None
    purpose: str = NONE
    answered: int | None = None
    survey: str = ""
    score: int = 0

    @property
    def complete(self) -> bool:
        """Say that an answer counts also when its invitation is unknown."""
        return True

    @property
    def open(self) -> bool:
        """Say that nothing further is expected of a survey."""
        return False


State = ReviewState | SurveyState


def start_review(entries: Iterable[Entry]) -> ReviewState:
    """Return the state before the first entry."""
    return ReviewState()


def start_survey(entries: Iterable[Entry]) -> SurveyState:
    """Return the state before the first entry."""
    return SurveyState()


def revises(state: State, code: int, data: Any) -> bool:
    """Say that nothing last in order needs a refold: contributions are compared as a whole."""
    return False


def advance(state: State, code: int, at: int, data: Any, emit: Emit) -> None:
    """Fold the next event in ledger order into *state* and emit the difference it makes."""
    before = list(contributions(state))
    if isinstance(state, ReviewState):
        _advance_review(state, code, at, data)
    else:
        _advance_survey(state, code, at, data)
    emit_change(before, list(contributions(state)), emit)


def contributions(state: State) -> Iterator[Contribution]:
    """Yield what counts now: a review at its posting, an answer at its own time."""
    if isinstance(state, ReviewState):
        if state.posted is not None and not state.removed:
            yield "review", state.posted, state.labels, state.rating
    elif state.answered is not None:
        yield f"{state.survey}_answer", state.answered, (state.purpose,), state.score


def _advance_review(state: ReviewState, code: int, at: int, data: Any) -> None:
    if code == _POSTED:
        state.rating = data.rating
        if state.posted is None:
            state.posted, state.labels = at, (data.site, data.brand or NONE)
    elif code == _UPDATED:
        state.rating = data.rating
    else:
        state.removed = True


def _advance_survey(state: SurveyState, code: int, at: int, data: Any) -> None:
    if code == _SENT:
        state.sent = at if state.sent is None else state.sent
        state.purpose = data.purpose or state.purpose
    else:
        state.answered, state.survey, state.score = at, data.survey, data.score
