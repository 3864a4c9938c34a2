"""Value types of the contract: money, instants and the open enumerations.

Money and time are integers inside the process (millionths of the currency unit, microseconds since the epoch, UTC),
so that sums stay exact and a retraction undoes its contribution in any order.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
MICRO = 1_000_000

# A thousand milliards keeps any single amount, in millionths, inside a signed 64-bit integer (msgpack's largest).
MAX_AMOUNT = 10**12


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


def parse_amount(value: object) -> int:
    """Return a JSON number or decimal string in millionths.

    Raises ValueError on anything else, on more than six decimals, and beyond ±10**12.
    """
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
        raise ValueError("an amount is a number or a decimal string")
    if isinstance(value, str) and len(value) > 40:
        raise ValueError("an amount has at most 40 characters")
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise ValueError("an amount is a number or a decimal string") from None
    if not amount.is_finite() or abs(amount) > MAX_AMOUNT:
        raise ValueError("an amount lies within 1e12 either side of zero")
    if amount != round(amount, 6):
        raise ValueError("an amount has at most 6 decimals")
    return int(amount * MICRO)


def parse_instant(value: object) -> int:
    """Return an RFC 3339 time with offset, or a bare date (the end of that day, UTC), in microseconds.

    Raises ValueError on anything else, a time without an offset included.
    """
    if not isinstance(value, str):
        raise ValueError("a time is an RFC 3339 string")
    if len(value) == 10:
        day = datetime.combine(date.fromisoformat(value), datetime.min.time(), tzinfo=UTC)
        return micros(day + timedelta(days=1)) - 1
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time carries an offset")
    return micros(moment)


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
