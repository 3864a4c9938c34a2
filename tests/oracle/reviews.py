"""What one review and one survey invitation contribute."""

from .catalogue import Contribution
from .envelope import Event


def tell_review(ledger: list[Event]) -> list[Contribution]:
    """The contributions of a review, at the time it was posted, by its latest rating; none once it is removed."""
    posted = next((event for event in ledger if event.verb == "posted"), None)
    if posted is None or any(event.verb == "removed" for event in ledger):
        return []
    rating = ledger[-1].data["rating"]
    labels = {"site": posted.data["site"], "brand": posted.data.get("brand", "none"), "stars": str(rating)}
    parts = [
        ("reviews", "count", 1),
        ("mean_rating", "sample", rating),
        ("negative_feedback_rate", "numerator", int(rating <= 2)),
        ("negative_feedback_rate", "denominator", 1),
        ("positive_review_rate", "numerator", int(rating >= 4)),
        ("positive_review_rate", "denominator", 1),
    ]
    return [Contribution(kpi, part, posted.time_us, value, labels) for kpi, part, value in parts]


def tell_survey(ledger: list[Event]) -> list[Contribution]:
    """The contributions of a survey invitation: its latest answer, at the answer's instant."""
    answers = [event for event in ledger if event.verb == "answered"]
    if not answers:
        return []
    answer = answers[-1]
    score, at_us = answer.data["score"], answer.time_us
    if answer.data["survey"] == "csat":
        return [
            Contribution("csat", "numerator", at_us, int(score >= 4), {}),
            Contribution("csat", "denominator", at_us, 1, {}),
        ]
    if answer.data["survey"] == "nps":
        part = "promoters" if score >= 9 else "passives" if score >= 7 else "detractors"
        return [Contribution("nps", part, at_us, 1, {})]
    return []
