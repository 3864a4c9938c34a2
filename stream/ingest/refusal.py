"""Why bytes were refused: a reason of the contract's list, and a detail that shows no value of the payload."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from msgspec import Raw, ValidationError

from stream.events.event import Reason

# What parsing and validating foreign JSON can raise: msgspec's errors and UnicodeDecodeError are ValueErrors,
# decimal's exceptions (an exponent of twenty digits) ArithmeticErrors, and deep nesting a RecursionError.
DECODE_ERRORS: Final = (ValueError, ArithmeticError, RecursionError)

# msgspec ends its messages with the place. Only that of an enumeration quotes the value, which may hold anything.
_PLACE: Final = re.compile(r" - at (`key` in )?`\$([^`]*)`\Z")
_ENUM: Final = "Invalid enum value"


class RefusedError(Exception):
    """Carries the reason and the detail from where a record fails to where it becomes a `Rejected`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def refused(
    error: Exception, text: bytes | Raw, *, root: str = "$", words: Mapping[str, str] | None = None
) -> RefusedError:
    """Return why *text* was refused, given what decoding it raised.

    *root* is the path of the decoded value within the event; *words* maps a field to the words it may hold.
    """
    if not _is_json(bytes(text)):
        return RefusedError(Reason.MALFORMED, "the value is not JSON")
    if isinstance(error, ValidationError):
        return RefusedError(Reason.INVALID, _explain(str(error), root, words or {}))
    if isinstance(error, ArithmeticError):
        return RefusedError(Reason.INVALID, f"a number within `{root}` is out of range")
    # The grammar of JSON allows the escape of half a surrogate pair; no text can hold it.
    return RefusedError(Reason.INVALID, f"a string within `{root}` is no Unicode text")


def _is_json(text: bytes) -> bool:
    """Tell whether *text* is one whole JSON value (RFC 8259): the decoder stops at the first field it refuses."""
    try:
        # Given bytes, json.loads would let UTF-16 and a byte order mark pass. Numbers stay text: int() refuses those
        # of more than 4,300 digits.
        json.loads(text.decode(), parse_int=str, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _explain(message: str, root: str, words: Mapping[str, str]) -> str:
    place = _PLACE.search(message)
    if place is None:
        return message if not message.startswith(_ENUM) else f"`{root}` holds an unknown word"
    path = f"`{root}{place[2]}`"
    what = message[: place.start()]
    if what.startswith(_ENUM):
        allowed = words.get(place[2].removeprefix("."))
        what = f"Expected one of {allowed}" if allowed else "Expected another word"
    return f"{what} - at {place[1] or ''}{path}"
