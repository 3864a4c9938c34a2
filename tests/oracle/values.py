"""Checks of single values: each returns the value in the oracle's own units, or raises ValueError."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

MICRO = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LIMIT = Decimal(2**63 - 1) / MICRO  # what a signed 64-bit count of millionths holds
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")

Check = Callable[[Any], Any]  # returns the normalised value, raises ValueError


def text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError
    result = Decimal(str(value))
    if not 0 <= result <= LIMIT:
        raise ValueError
    return result


def amount(value: Any) -> int:
    """Money from a number or a decimal string, in millionths; more than 6 decimals are invalid."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError
    if not NUMBER.fullmatch(str(value)) or abs(written := Decimal(str(value))) > LIMIT:
        raise ValueError
    # Digit by digit, since decimal arithmetic would round what is longer than its context.
    sign, digits, exponent = written.as_tuple()
    shown = "".join(map(str, digits)).rstrip("0")
    power = int(exponent) + len(digits) - len(shown) + 6
    if shown and power < 0:
        raise ValueError
    return (-1) ** sign * int(shown) * 10**power if shown else 0


def refund(value: Any) -> int:
    micro = amount(value)
    if micro <= 0:
        raise ValueError
    return micro


def whole(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError
        return value

    return check


def sequence_number(value: Any) -> int:
    """An integer, or a string of one as binary mode and CloudEvents' own `sequence` attribute have it."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,19}", value):
        value = int(value)
    return int(whole(-(2**63), 2**63 - 1)(value))


def one_of(*names: str) -> Check:
    def check(value: Any) -> str:
        if text(value) not in names:
            raise ValueError
        return str(value)

    return check


def open_enum(*names: str) -> Check:
    """An enum in which an unknown word becomes `other`."""
    return lambda value: value if text(value) in names else "other"


def list_of(check: Check) -> Check:
    def check_all(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError
        return [check(each) for each in value]

    return check_all


def aspects(value: Any) -> dict[str, int]:
    if not isinstance(value, dict):
        raise ValueError
    return {name: whole(1, 5)(score) for name, score in value.items()}


RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")


def instant(value: Any) -> int:
    """Microseconds since the epoch of an RFC 3339 time with an offset; digits below a microsecond are cut."""
    match = RFC3339.fullmatch(text(value))
    if match is None:
        raise ValueError
    day, clock, fraction, offset = match.groups()
    zone = "+00:00" if offset in "Zz" else offset
    at = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '')[:6].ljust(6, '0')}{zone}")
    return (at - EPOCH) // timedelta(microseconds=1)


def promise(value: Any) -> int:
    """An instant, or a bare date: the end of that day, UTC."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text(value)):
        end = date.fromisoformat(value) + timedelta(days=1)
        return (datetime(end.year, end.month, end.day, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    return instant(value)


def tier(value: Any) -> str | int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError
    return value
