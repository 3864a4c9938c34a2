"""The CloudEvents 1.0 envelope: the attributes around every event's data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Raw, Struct

# In characters. It holds the ids of every helpdesk and shop many times over; without a bound one upstream bug could
# make a single key or ledger entry megabytes long.
MAX_ID = 1_000
Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Source = Annotated[Id, Meta(description="The system that tells.")]
Subject = Annotated[Id, Meta(description="The ticket, booking, review or survey invitation.")]
Customer = Annotated[Id, Meta(description="The customer: the Kafka key too, which stands in for it, else the subject.")]
Time = Annotated[datetime, Meta(tz=True, description="When it happened: RFC 3339 with an offset.")]
# This pattern is for the schemas only; `decode` tests the prefix itself, since a regex per event costs 0.2 us.
Version = Annotated[str, Meta(description="CloudEvents 1.x.", extra_json_schema={"pattern": "^1\\."})]
Sequence = Annotated[
    int | str, Meta(description="Orders events of equal time: an integer of 64 bits, or its decimal string.")
]


class Attributes(Struct, frozen=True, gc=False):
    """What an event says about itself; *subject* may be absent only in a heartbeat."""

    specversion: Version
    id: Annotated[Id, Meta(description="Names the event together with source: the same pair again is a duplicate.")]
    source: Source
    type: Id
    time: Time
    subject: Subject | None = None
    partitionkey: Customer | None = None
    sequence: Sequence | None = None


class Envelope(Attributes, frozen=True, gc=False):
    """A whole event in structured mode; *data* stays undecoded until the type is known."""

    data: Raw = Raw(b"{}")
