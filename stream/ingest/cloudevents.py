"""CloudEvents 1.0 over Kafka: an event's attributes and data from a record, in structured or in binary mode.

Structured: the value is the whole event. Binary: the attributes are in `ce_*` headers, the value is the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from stream.events.envelope import Attributes, Envelope
from stream.events.event import Reason
from stream.ingest.refusal import DECODE_ERRORS, RefusedError, refused

# Kafka allows a header without a value.
Headers = Sequence[tuple[str, bytes | None]]

_PREFIX: Final = "ce_"
_CONTENT_TYPE: Final = "content-type"
_STRUCTURED: Final = b"application/cloudevents"
NO_DATA: Final = b"{}"


class _Probe(Struct):
    specversion: Raw = Raw()


_envelope: Final = msgspec.json.Decoder(Envelope)
_probe: Final = msgspec.json.Decoder(_Probe)


def open_envelope(value: bytes | None, headers: Headers) -> tuple[Attributes, bytes | Raw]:
    """Return the attributes and the data, still JSON text, of the event in a record.

    Raises RefusedError (malformed or invalid) where there is none.
    """
    binary = _attributes(value, headers) if headers else None
    if binary is not None:
        return _convert(binary), value or NO_DATA
    if not value:
        raise RefusedError(Reason.MALFORMED, "the record has no value")
    try:
        envelope = _envelope.decode(value)
    except DECODE_ERRORS as error:
        raise refused(error, value) from None
    return envelope, envelope.data


def _attributes(value: bytes | None, headers: Headers) -> dict[str, bytes] | None:
    """Return the attributes in the headers of a record in binary mode, None for one in structured mode."""
    named = {name.lower(): text for name, text in headers if text is not None}
    content_type = named.get(_CONTENT_TYPE)
    if content_type is not None and content_type.lower().startswith(_STRUCTURED):
        return None
    attributes = {name.removeprefix(_PREFIX): text for name, text in named.items() if name.startswith(_PREFIX)}
    if not attributes:
        return None
    # Some producers repeat the attributes of a structured event in headers and leave out the content type.
    if content_type is None and value and _is_envelope(value):
        return None
    return attributes


def _is_envelope(value: bytes) -> bool:
    try:
        return bool(bytes(_probe.decode(value).specversion))
    except DECODE_ERRORS:
        return False


def _convert(attributes: dict[str, bytes]) -> Attributes:
    try:
        return msgspec.convert({name: text.decode() for name, text in attributes.items()}, Attributes)
    except UnicodeDecodeError:
        raise RefusedError(Reason.MALFORMED, "a ce_ header is not UTF-8") from None
    except msgspec.ValidationError as error:
        raise refused(error, NO_DATA) from None
