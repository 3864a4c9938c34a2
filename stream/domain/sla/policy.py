"""Policies: which clocks run on a ticket or booking, chosen by its labels.

A policy is taken where all its conditions hold; the first in order wins. One without a condition is the fallback, one
without a clock an exemption.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from stream.domain.sla.calendar import Calendar
from stream.events.values import NONE

Kind = Literal["ticket", "booking"]

CLOCKS: dict[Kind, tuple[str, ...]] = {
    "ticket": (
        "first_response",
        "next_response",
        "periodic_update",
        "resolution",
        "requester_wait",
        "agent_work",
    ),
    "booking": ("quote_response",),
}

TAGS = "tags"  # the one label that has several values; a condition holds where any of them is named

# The statuses that pause a clock unless its policy says otherwise: requester wait is new + open + on hold, agent work
# new + open (GitLab handbook, "Zendesk metrics definitions"); Zendesk's reply and update clocks never pause.
PAUSES: dict[str, frozenset[str]] = {
    "first_response": frozenset(),
    "next_response": frozenset(),
    "periodic_update": frozenset(),
    "resolution": frozenset({"pending"}),
    "requester_wait": frozenset({"pending"}),
    "agent_work": frozenset({"pending", "on_hold"}),
    "quote_response": frozenset(),
}

Condition = tuple[str, frozenset[str]]  # a label, and the values of which it must have one


class Clock(Struct, frozen=True):
    """A promise: *target* microseconds of the calendar's open time, not counting statuses that pause.

    *warnings* are microseconds of open time before the deadline, the earliest warning first.
    """

    name: str
    target: int
    calendar: Calendar
    pauses: frozenset[str] = frozenset()
    warnings: tuple[int, ...] = ()


class Policy(Struct, frozen=True):
    """The clocks of the tickets or bookings for which all conditions hold."""

    name: str
    match: tuple[Condition, ...] = ()
    clocks: tuple[Clock, ...] = ()

    def matches(self, labels: Mapping[str, Any]) -> bool:
        """Whether all conditions hold; a label that is missing or None has the value ``none``."""
        for label, values in self.match:
            value = labels.get(label)
            if label == TAGS:
                if values.isdisjoint(value or (NONE,)):
                    return False
            elif (NONE if value is None else value) not in values:
                return False
        return True

    def covers(self, kind: Kind) -> bool:
        """Whether the policy has a say on a kind: through a clock of it, or as an exemption."""
        return not self.clocks or any(clock.name in CLOCKS[kind] for clock in self.clocks)


class Replies(Struct, frozen=True):
    """Which messages count as a reply.

    Public ones by *authors*; in *private_channels* any message by them counts as the first reply, since a phone call
    leaves nothing public.
    """

    authors: frozenset[str] = frozenset({"agent"})
    private_channels: frozenset[str] = frozenset({"phone"})

    def counts(self, author: str, public: bool, channel: str, first: bool) -> bool:
        """Whether a message answers the customer; *first* = nothing has answered yet."""
        return author in self.authors and (public or (first and channel in self.private_channels))


class Policies:
    """A configuration of policies in order; *version* differs wherever two of them could differ in a result."""

    def __init__(
        self,
        version: str,
        policies: tuple[Policy, ...],
        calendars: Mapping[str, Calendar],
        replies: Replies,
    ) -> None:
        self.version = version
        self.policies = policies
        self.calendars = calendars
        self.replies = replies
        self._by_kind: dict[Kind, tuple[Policy, ...]] = {
            kind: tuple(policy for policy in policies if policy.covers(kind)) for kind in CLOCKS
        }

    def select(self, labels: Mapping[str, Any], kind: Kind = "ticket") -> Policy | None:
        """Return the first policy whose conditions hold, among those with a say on the kind."""
        for policy in self._by_kind[kind]:
            if policy.matches(labels):
                return policy
        return None
