"""The configurations of policies over time, made ready for the fold.

A configuration that was edited is data: the fold reads each event under the one that was in force at its time, so a
refold gives the same runs, and what was judged under an old one stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream.domain.sla.policy import CLOCKS as CLOCKS_OF
from stream.domain.sla.policy import Clock, Kind, Policies, Policy
from stream.domain.sla.runs import CLOCKS

# Distinct combinations of labels remembered with the policy they get; beyond it the memory starts anew.
_REMEMBERED = 10_000

# The labels that policies match on, in the order in which they are handed to `Rules.plan_for`.
MATCHED: dict[Kind, tuple[str, ...]] = {
    "ticket": (
        *("channel", "priority", "category", "team", "brand"),
        *("complexity", "market", "customer_segment", "tags"),
    ),
    "booking": ("channel", "brand"),
}


class Plan:
    """A policy, or none, with its clocks for one kind of entity by code; None where it has no such clock."""

    def __init__(self, policy: Policy | None, kind: Kind) -> None:
        self.name = "" if policy is None else policy.name
        by_name = {clock.name: clock for clock in (policy.clocks if policy else ()) if clock.name in CLOCKS_OF[kind]}
        self.clocks: list[Clock | None] = [by_name.get(name) for name in CLOCKS]


class Rules:
    """One configuration for one kind of entity: the plan for its labels, and by the name of the policy."""

    def __init__(self, policies: Policies, kind: Kind) -> None:
        self.replies = policies.replies
        self.plans = {"": Plan(None, kind), **{policy.name: Plan(policy, kind) for policy in policies.policies}}
        self._policies = policies
        self._kind: Kind = kind
        self._chosen: dict[tuple[Any, ...], Plan] = {}

    def plan_for(self, labels: tuple[Any, ...]) -> Plan:
        """Return the plan for labels in the order of `MATCHED`."""
        plan = self._chosen.get(labels)
        if plan is None:
            policy = self._policies.select(dict(zip(MATCHED[self._kind], labels, strict=True)), self._kind)
            if len(self._chosen) >= _REMEMBERED:
                self._chosen.clear()
            plan = self._chosen[labels] = self.plans["" if policy is None else policy.name]
        return plan


class Book:
    """All configurations so far with the instants from which on they hold; the first holds from the beginning.

    A state keeps the number of the configuration applied to it, so configurations are only ever added at the end.
    """

    def __init__(self, kind: Kind, first: Policies, edits: Sequence[tuple[int, Policies]] = ()) -> None:
        self.rules = [Rules(policies, kind) for policies in (first, *(policies for _, policies in edits))]
        self.edits = [at for at, _ in edits]  # edits[n] = from when configuration n + 1 holds
        if sorted(self.edits) != self.edits:
            raise ValueError("configurations come in order of time")

    def number(self, at: int) -> int:
        """Return the number of the configuration in force at *at*."""
        number = len(self.edits)
        while number and self.edits[number - 1] > at:
            number -= 1
        return number
