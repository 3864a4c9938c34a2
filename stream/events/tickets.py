"""What can happen to a ticket."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from stream.events.values import Micros

Label = Annotated[str, Meta(min_length=1, max_length=200)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Status = Literal["new", "open", "pending", "on_hold", "resolved", "closed"]
Party = Literal["customer", "agent", "bot", "system"]


class TicketCreated(Struct, frozen=True, gc=False):
    """A customer's issue came to exist."""

    channel: Label
    priority: Label
    category: Label
    team: Label | None = None
    agent_id: Label | None = None
    complexity: Label | None = None
    brand: Label | None = None
    market: Label | None = None
    booking_id: Label | None = None
    requested_by: Literal["customer", "agent"] | None = None
    customer_segment: Label | None = None
    tags: list[Label] | None = None


class TicketAssigned(Struct, frozen=True, gc=False):
    """A team or an agent holds the ticket from now on."""

    team: Label | None = None
    agent_id: Label | None = None
    tier: int | str | None = None


class TicketEscalated(Struct, frozen=True, gc=False):
    """The ticket went up to another tier."""

    tier: int | str
    team: Label | None = None
    reason: str | None = None


class TicketHandedOff(Struct, frozen=True, gc=False):
    """A bot handed the ticket to a human."""

    to_team: Label | None = None


class TicketUpdated(Struct, frozen=True, gc=False):
    """Labels of the ticket changed; an absent field keeps its value."""

    channel: Label | None = None
    priority: Label | None = None
    category: Label | None = None
    complexity: Label | None = None
    brand: Label | None = None
    market: Label | None = None
    tags: list[Label] | None = None
    customer_segment: Label | None = None


class TicketMessage(Struct, frozen=True, gc=False):
    """Somebody wrote or spoke."""

    author: Party
    public: bool | None = None  # absent = true
    agent_id: Label | None = None


class TicketStatusChanged(Struct, frozen=True, gc=False):
    """The ticket has another status from now on."""

    status: Status
    by: Party | None = None  # absent = agent
    agent_id: Label | None = None


class TicketWorked(Struct, frozen=True, gc=False):
    """Somebody worked on the ticket for *seconds*, ending at the event's time."""

    seconds: Seconds
    agent_id: Label | None = None
    cost: Micros | None = None
    currency: Label | None = None


class TicketAbandoned(Struct, frozen=True, gc=False):
    """The customer left before being served."""

    waited_seconds: Seconds | None = None


class TicketMerged(Struct, frozen=True, gc=False):
    """The ticket was a double of *into*; it counts nowhere."""

    into: Label


class TicketDeleted(Struct, frozen=True, gc=False):
    """The ticket was removed."""

    reason: Label
