"""Reviews and surveys: the latest word counts."""

from __future__ import annotations

from itertools import permutations

from tests.unit.domain.world import Told, event


def posted(minute=0, rating=2, **data):
    return event("review.posted", minute, "R", rating=rating, site="maps", **data)


def stars(told):
    return [value for (name, _, _, value), number in told.net.items() for _ in range(number) if name == "review"]


def test_an_updated_rating_counts_at_the_time_of_posting():
    told = Told(posted(), event("review.updated", 9, "R", rating=5))
    assert (stars(told), told.minutes("review")) == ([5], [0])


def test_a_removed_review_counts_nowhere_even_if_an_update_follows():
    told = Told(posted(), event("review.removed", 5, "R"), event("review.updated", 9, "R", rating=5))
    assert stars(told) == []


def test_an_update_without_its_posting_is_incomplete():
    told = Told(event("review.updated", 9, "R", rating=5))
    assert told.counted() == {"incomplete": 1}


def test_the_latest_answer_of_a_survey_counts_at_its_own_time():
    answers = [event("survey.answered", minute, "S", survey="csat", score=score) for minute, score in ((5, 1), (9, 4))]
    told = Told(event("survey.sent", 0, "S", survey="csat", purpose="relationship"), *answers)
    assert [(value, labels) for (name, _, labels, value), n in told.net.items() if n] == [(4, ("relationship",))]
    assert told.minutes("csat_answer") == [9]


def test_an_answer_without_an_invitation_counts():
    assert Told(event("survey.answered", 5, "S", survey="nps", score=10)).counted() == {"nps_answer": 1}


def test_reviews_and_surveys_contribute_the_same_in_every_order():
    review = [posted(), event("review.updated", 5, "R", rating=5), event("review.updated", 5, "R", rating=1)]
    survey = [event("survey.answered", 5, "S", survey="nps", score=score) for score in (0, 7, 10)]
    for events in (review, survey):
        wanted = +Told(*events).net
        assert all(+Told(*order).net == wanted for order in permutations(events))
