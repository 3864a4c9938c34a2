"""A customer: sums over everything that came under one key, no ledger.

The three topics share their key, so all of a customer lies in one shard. Every field is a sum, a minimum or a maximum:
events may come in any order.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from stream.domain.entity import body, prefix
from stream.events.registry import Kind
from stream.events.values import DAY_US

# The measures that `Customer.contributes` takes notice of.
MEASURES = frozenset({"booking_completed", "revenue"})


class Customer(Struct, array_like=True, gc=False):
    """Sums of one customer. Times are microseconds since the epoch (UTC), money millionths per currency.

    ``last`` is the end of the day of its last event: to the microsecond it would make every event of a customer write
    a record, for an expiry after months.
    """

    first: int
    last: int
    entities: dict[Kind, int] = {}
    completed: int = 0
    value: dict[str, int] = {}

    def saw(self, at: int) -> None:
        """Take notice of an event."""
        self.first, self.last = min(self.first, at), max(self.last, day_end(at))

    def contributes(self, measure: str, labels: tuple[str, ...], value: int, count: int) -> None:
        """Take notice of what one of its entities contributes, or with count -1 retracts."""
        if measure == "booking_completed":
            self.completed += count
        elif measure == "revenue":
            currency = labels[-1]
            total = self.value.pop(currency, 0) + value * count
            if total:  # what was retracted leaves no trace, whatever the order
                self.value[currency] = total

    def record(self) -> bytes:
        """Return the bytes that `load` reads; a customer is never open, so it expires with its last event."""
        return prefix(self.last, False) + _ENCODE(self)


_ENCODE = msgspec.msgpack.Encoder(order="sorted").encode
_DECODE = msgspec.msgpack.Decoder(Customer).decode


def day_end(at: int) -> int:
    """Return the end of the day (UTC) in which an instant lies."""
    return at - at % DAY_US + DAY_US


def load(record: bytes) -> Customer:
    """Decode a customer from its record."""
    return _DECODE(body(record))
