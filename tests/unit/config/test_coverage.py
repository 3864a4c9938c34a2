"""Which policy each combination gets, against asking for every combination one by one."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from stream.config.coverage import REST, rows, shadowed, universe
from stream.domain.sla.calendar import ALWAYS
from stream.domain.sla.policy import Clock, Policies, Policy, Replies

CLOCK = Clock("first_response", 1, ALWAYS)
VALUES = {"channel": ("chat", "email"), "priority": ("high", "low", "urgent"), "tags": ("gold", "vip")}

conditions = st.fixed_dictionaries(
    {}, optional={label: st.frozensets(st.sampled_from(values), min_size=1) for label, values in VALUES.items()}
)


def policies(matches: list[dict[str, frozenset[str]]]) -> Policies:
    made = tuple(Policy(str(at), tuple(match.items()), (CLOCK,)) for at, match in enumerate(matches))
    return Policies("v", made, {}, Replies())


@given(st.lists(conditions, max_size=6))
def test_every_combination_is_in_one_row_with_the_policy_it_gets(matches: list[dict[str, frozenset[str]]]) -> None:
    made = policies(matches)
    every = universe(made.policies)
    listed = list(rows(made, "ticket"))
    reached = set()
    for combination in product(*every.values()):
        labels = dict(zip(every, combination, strict=True))
        got = [policy for box, policy in listed if all(labels[label] in values for label, values in box.items())]
        asked = labels | {"tags": [labels["tags"]]} if "tags" in labels else labels
        assert got == [made.select(asked)]
        reached |= {policy.name for policy in got if policy is not None}
    assert shadowed(made) == [policy.name for policy in made.policies if policy.name not in reached]


def test_a_policy_is_shadowed_by_several_together() -> None:
    made = policies(
        [
            {"channel": frozenset({"chat"})},
            {"channel": frozenset({"email"})},
            {"channel": frozenset({"chat", "email"}), "priority": frozenset({"urgent"})},
            {},
        ]
    )
    assert shadowed(made) == ["2"]


def test_the_values_that_no_policy_names_stand_together() -> None:
    made = policies([{"channel": frozenset({"chat"})}])
    assert [(box, policy and policy.name) for box, policy in rows(made, "ticket")] == [
        ({"channel": frozenset({"chat"})}, "0"),
        ({"channel": frozenset({REST})}, None),
    ]
