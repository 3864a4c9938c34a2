"""YAML for Prometheus and Alertmanager: mappings, lists, numbers and strings, in the order given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

NOTE = "# Made by `deskpulse generate`; edit stream/generate/ or the configuration instead.\n"

# Words and durations need no quotes; YAML 1.1 reads some short words as booleans.
_PLAIN = re.compile(
    r"(?!(?:y|n|yes|no|on|off|true|false|null)$)(?:[a-z_][\w:./-]*(?<!:)|\d+m?[smhd])$", re.ASCII | re.IGNORECASE
)


def document(value: Mapping[str, Any]) -> str:
    """Return a YAML document that says where it comes from."""
    return f"{NOTE}{_block(value, 0)}\n"


def _block(value: Mapping[str, Any] | Sequence[Any], depth: int) -> str:
    pad = "  " * depth
    if isinstance(value, Mapping):
        return "\n".join(f"{pad}{_scalar(key)}:{_after(item, depth)}" for key, item in value.items())
    items = (_block(item, depth + 1) if _nested(item) else f"{pad}  {_scalar(item)}" for item in value)
    return "\n".join(f"{pad}- {item[len(pad) + 2 :]}" for item in items)


def _after(value: Any, depth: int) -> str:
    """Return what stands behind a key's colon."""
    if isinstance(value, str) and "\n" in value:
        pad = "  " * (depth + 1)
        return " |-\n" + "\n".join(f"{pad}{line}" if line else "" for line in value.splitlines())
    if not _nested(value):
        return f" {_scalar(value)}"
    if isinstance(value, Mapping) or any(map(_nested, value)):
        return "\n" + _block(value, depth + 1)
    return f" [{', '.join(map(_scalar, value))}]"


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple)


def _scalar(value: str | float | bool) -> str:
    if isinstance(value, str) and _PLAIN.match(value):
        return value
    if isinstance(value, str) and '"' in value and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return orjson.dumps(value).decode()  # every JSON scalar is a YAML one
