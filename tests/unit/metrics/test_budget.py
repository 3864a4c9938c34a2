"""The label budget: the largest values keep their name, the rest is counted as other."""

from stream.metrics.budget import LabelBudget, is_label_value


def test_the_largest_values_keep_their_name() -> None:
    assert LabelBudget({"team": 2}).choose("team", {"small": 1, "large": 9, "middle": 5}) == {"large", "middle"}


def test_none_and_other_take_no_room() -> None:
    assert LabelBudget({"team": 1}).choose("team", {"none": 90, "other": 80, "a": 1}) == {"a"}


def test_a_chosen_value_stays_until_one_twice_its_size_comes() -> None:
    budget = LabelBudget({"team": 1})
    budget.choose("team", {"a": 10})

    assert budget.choose("team", {"a": 10, "b": 19}) == {"a"}
    assert budget.choose("team", {"a": 10, "b": 20}) == {"b"}


def test_a_chosen_value_that_is_gone_makes_room() -> None:
    budget = LabelBudget({"team": 1})
    budget.choose("team", {"a": 10})

    assert budget.choose("team", {}) == {"a"}
    assert budget.choose("team", {"b": 1}) == {"b"}


def test_overflow_counts_values_as_they_come_and_never_falls() -> None:
    budget = LabelBudget({"team": 1})

    totals = []
    for others in (0, 3, 1, 2):
        budget.choose("team", {"a": 9} | {f"v{number}": 1 for number in range(others)})
        totals.append(budget.overflow["team"])

    assert totals == [0, 3, 3, 4]


def test_long_and_unprintable_values_never_become_labels() -> None:
    assert [is_label_value(value) for value in ("sales", "größe 1", "x" * 129, "a\nb", "\ud800", "\x00")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
