"""What customers say: public reviews and answered surveys."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from stream.events.tickets import Label

Stars = Annotated[int, Meta(ge=1, le=5)]
Survey = Literal["csat", "nps", "ces", "self_service"]
SCORES: dict[str, tuple[int, int]] = {"csat": (1, 5), "self_service": (1, 5), "nps": (0, 10), "ces": (1, 7)}


class ReviewPosted(Struct, frozen=True, gc=False):
    """A customer published a rating of 1 to 5 stars."""

    rating: Stars
    site: Label
    booking_id: Label | None = None
    ticket_id: Label | None = None
    product: Label | None = None
    brand: Label | None = None


class ReviewUpdated(Struct, frozen=True, gc=False):
    """The rating changed; the review keeps its posted time."""

    rating: Stars


class ReviewRemoved(Struct, frozen=True, gc=False):
    """The review is gone and counts nowhere."""


class SurveySent(Struct, frozen=True, gc=False):
    """A customer was asked."""

    survey: Survey
    purpose: Label | None = None
    ticket_id: Label | None = None
    booking_id: Label | None = None


class SurveyAnswered(Struct, frozen=True, gc=False):
    """A customer answered; the latest answer counts."""

    survey: Survey
    score: int
    ticket_id: Label | None = None
    booking_id: Label | None = None
    aspects: dict[Label, Stars] | None = None
    attributes: list[Label] | None = None

    def __post_init__(self) -> None:
        """Hold the score against the scale of its survey; msgspec turns the ValueError into a validation error."""
        low, high = SCORES[self.survey]
        if not low <= self.score <= high:
            raise ValueError(f"a {self.survey} score lies between {low} and {high}")
