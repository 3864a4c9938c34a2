"""Value types of the contract: money, instants and the open enumerations.

Money and time are integers inside the process (millionths of the currency unit, microseconds since the epoch, UTC),
so that sums stay exact and a retraction undoes its contribution in any order.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- arithmetic and printing without a zone are twice as fast
DAY_US = 86_400_000_000
MICRO = 1_000_000
BEFORE_ALL = -(2**63)  # earlier than any instant: the least that 64 bits hold

# A thousand milliards keeps any single amount, in millionths, inside a signed 64-bit integer (msgpack's largest).
MAX_AMOUNT = 10**12

# Python's own parsers take more than the contract offers: "1_000" and " 1 " as numbers, "2026-W09-7" as a date.
_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?"
)


class Micros(int):
    """An amount of money in millionths of its currency unit."""


class Positive(Micros):
    """An amount of money above zero (the contract: refunds > 0)."""


class Instant(int):
    """A moment in microseconds since 1970-01-01T00:00:00Z."""


def micros(moment: datetime) -> int:
    """Return *moment* (zone-aware) as exact microseconds since the epoch; float seconds would round far dates."""
    gap = moment - EPOCH
    return (gap.days * 86_400 + gap.seconds) * MICRO + gap.microseconds


def rfc3339(at: int) -> str:
    """Return an instant (microseconds since the epoch) as RFC 3339 in UTC."""
    return (_NAIVE_EPOCH + timedelta(microseconds=at)).isoformat() + "Z"


def parse_amount(value: object) -> int:
    """Return a JSON number or decimal string in millionths.

    Raises ValueError on anything else, on more than six decimals, and beyond ±10**12.
    """
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
        raise ValueError("an amount is a number or a decimal string")
    if isinstance(value, str) and not (len(value) <= 40 and _DECIMAL.fullmatch(value)):
        raise ValueError("an amount is a number or a decimal string of at most 40 characters")
    try:
        amount = Decimal(value)
    except InvalidOperation:  # an exponent of twenty digits
        raise ValueError("an amount lies within 1e12 either side of zero") from None
    if not -MAX_AMOUNT <= amount <= MAX_AMOUNT:  # abs() would raise decimal.Overflow on 1e9999999
        raise ValueError("an amount lies within 1e12 either side of zero")
    if amount != round(amount, 6):
        raise ValueError("an amount has at most 6 decimals")
    return int(amount * MICRO)


def parse_instant(value: object) -> int:
    """Return an RFC 3339 time with offset, or a bare date (the end of that day, UTC), in microseconds.

    Raises ValueError on anything else, a time without an offset included.
    """
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise ValueError("a time is RFC 3339 with an offset, or a bare date")
    if len(value) == 10:
        day = datetime.combine(date.fromisoformat(value), datetime.min.time(), tzinfo=UTC)
        return micros(day) + DAY_US - 1
    return micros(datetime.fromisoformat(value.upper()))


def decode_value(target: type, value: Any) -> Any:
    """Build one of this module's types from decoded JSON; msgspec's ``dec_hook``.

    Raises ValueError with a sentence that names no payload data.
    """
    if target is Micros:
        return Micros(parse_amount(value))
    if target is Positive:
        amount = parse_amount(value)
        if amount <= 0:
            raise ValueError("this amount is above zero")
        return Positive(amount)
    if target is Instant:
        return Instant(parse_instant(value))
    raise NotImplementedError(target)


OTHER = "other"
NONE = "none"

# Fields whose unknown values become "other" and are counted (contract, end of "Events").
OPEN_ENUMS: dict[str, frozenset[str]] = {
    "channel": frozenset({"chat", "email", "phone", "social", "web", "marketplace", "in_person", OTHER}),
    "priority": frozenset({"low", "normal", "high", "urgent"}),
    "category": frozenset({"question", "incident", "complaint", "return_request", "lead", OTHER}),
    "complexity": frozenset({"simple", "normal", "complex"}),
    "purpose": frozenset({"transactional", "relationship"}),
    "reason": frozenset({"spam", "test", "privacy", OTHER}),
}
