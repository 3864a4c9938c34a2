"""Which policy each combination of labels gets, and which policies get none.

The tickets that a condition admits form a box: for each label a set of values. A policy gets its own box less those of
the policies before it, which is a handful of boxes again; so every combination is in one row, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stream.domain.sla.policy import Kind, Policies, Policy

Box = dict[str, frozenset[str]]

REST = "(other)"  # stands for all values that no policy names


def universe(policies: Iterable[Policy]) -> Box:
    """Return the labels that policies ask for, each with the values they name and `REST`."""
    box: Box = {}
    for policy in policies:
        for label, values in policy.match:
            box[label] = box.get(label, frozenset({REST})) | values
    return box


def rows(policies: Policies, kind: Kind) -> Iterator[tuple[Box, Policy | None]]:
    """Yield each box of combinations with the policy it gets, None where it gets none.

    Of a ticket with several tags the row of the first policy that asks for one of them counts.
    """
    asked = [policy for policy in policies.policies if policy.covers(kind)]
    left = [universe(asked)]
    for policy in asked:
        condition = dict(policy.match)
        outside: list[Box] = []
        for box in left:
            inside = {label: values & condition.get(label, values) for label, values in box.items()}
            if all(inside.values()):
                yield inside, policy
                outside += _without(box, inside)
            else:
                outside.append(box)
        left = outside
    for box in left:
        yield box, None


def shadowed(policies: Policies) -> list[str]:
    """Return the names of policies that nothing ever gets, since those before them take it all."""
    used = {policy.name for kind in ("ticket", "booking") for _, policy in rows(policies, kind) if policy is not None}
    return [policy.name for policy in policies.policies if policy.name not in used]


def _without(box: Box, inside: Box) -> Iterator[Box]:
    """Yield the parts of *box* that lie outside *inside*, which is a box within it."""
    rest = dict(box)
    for label, values in inside.items():
        if rest[label] - values:
            yield {**rest, label: rest[label] - values}
        rest[label] = values
