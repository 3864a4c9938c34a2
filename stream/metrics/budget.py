"""The label budget: how many values of a free label become series of their own.

Teams, channels and brands come from events, so their number is in strangers' hands. The largest values get a series
each; the rest adds up in `other`, and an overflow counter says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from stream.events.values import NONE, OTHER

# Values per label. With the default dimensions this keeps the page below 3,000 lines, which a worker renders in about
# 65 ms (research, ops (b)); the test with 10,000 random values holds the two to that.
DEFAULT_BUDGET = 10
BUDGETS: Mapping[str, int] = {"channel": 12, "currency": 5}

# Longer names are no names of teams or channels, and would make every series of theirs long.
MAX_VALUE_LENGTH = 128


def is_label_value(value: str) -> bool:
    """Say whether *value* may stand on the page: short and printable (no line breaks, no lone surrogates)."""
    return len(value) <= MAX_VALUE_LENGTH and value.isprintable()


class LabelBudget:
    """Chooses, per label, the values that keep their name.

    A value once chosen keeps its series until one at least twice its size comes and there is no room: series that come
    and go with every scrape would be worse than a choice slightly off. ``none`` and ``other`` cost nothing.
    """

    def __init__(self, budgets: Mapping[str, int] = BUDGETS, default: int = DEFAULT_BUDGET) -> None:
        self._budgets = budgets
        self._default = default
        self._chosen: dict[str, set[str]] = {}
        self._beyond: Counter[str] = Counter()
        self.overflow: Counter[str] = Counter()

    def choose(self, label: str, sizes: Mapping[str, int]) -> frozenset[str]:
        """Return the values of *label* that keep their name, given the size of each value present."""
        chosen = self._chosen.setdefault(label, set())
        self.overflow[label] += 0
        candidates = [value for value in sizes if value not in (NONE, OTHER) and is_label_value(value)]
        # Ties are broken by name, so that the same numbers give the same page.
        ranked = sorted(candidates, key=lambda value: (-sizes[value], value))
        for value in ranked[: self._budgets.get(label, self._default)]:
            self._admit(label, chosen, value, sizes)
        beyond = sum(1 for value in sizes if value not in (NONE, OTHER) and value not in chosen)
        self.overflow[label] += max(0, beyond - self._beyond[label])
        self._beyond[label] = beyond
        return frozenset(chosen)

    def _admit(self, label: str, chosen: set[str], value: str, sizes: Mapping[str, int]) -> None:
        if value in chosen:
            return
        if len(chosen) >= self._budgets.get(label, self._default):
            smallest = min(chosen, key=lambda held: (sizes.get(held, 0), held))
            if sizes[value] < max(1, 2 * sizes.get(smallest, 0)):
                return
            chosen.remove(smallest)
        chosen.add(value)
