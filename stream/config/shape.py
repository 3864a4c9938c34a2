"""What the tables allow, in words: the complaints about a file, and the list of keys for the reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, time
from difflib import get_close_matches
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct, inspect

from stream.config.tables import Config


def complaint(value: Any, kind: Any, path: str = "") -> str | None:
    """Return what is wrong with *value* where it is no *kind*, naming the key and what it takes; None where it is."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _table_complaint(value, kind, path)
    origin, arguments = get_origin(kind), get_args(kind)
    inner = next((argument for argument in reversed(arguments) if _is_table(argument)), None)
    if inner is not None and origin is UnionType:
        return complaint(value, inner, path)
    if inner is not None and origin is dict and isinstance(value, dict):
        return next(filter(None, (_entry_complaint(key, item, arguments, path) for key, item in value.items())), None)
    if inner is not None and origin is tuple and isinstance(value, list):
        return next(filter(None, (complaint(item, inner, f"{path}[{at}]") for at, item in enumerate(value))), None)
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return f"{path}: {shown(value)} is not allowed; it takes {takes(kind)}"
    return None


def keys(table: type[Struct] = Config, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield every key as (dotted name, what it takes, default), NODEFAULT where one must be given.

    Those of tables that the user names or lists are left out.
    """
    for field in msgspec.structs.fields(table):
        name = f"{path}{field.name}"
        if isinstance(field.default, Struct):
            yield from keys(type(field.default), f"{name}.")
        elif not any(_is_table(argument) for argument in get_args(field.type)):
            made = field.default_factory() if callable(field.default_factory) else field.default
            yield name, takes(field.type), made


def takes(kind: Any) -> str:
    """Return what values a type takes, in words."""
    return "a table" if _is_table(kind) else _allowed(inspect.type_info(kind))


def shown(value: Any) -> str:
    """Return a value as a complaint quotes it."""
    if isinstance(value, date | time):
        return value.isoformat()
    return "none" if value is None else repr(value)


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the one of *names* that *name* was probably meant to be."""
    folded = {known.casefold(): known for known in sorted(names)}
    return folded[get_close_matches(name.casefold(), folded, n=1, cutoff=0.0)[0]]


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _table_complaint(value: Any, table: type[Struct], path: str) -> str | None:
    if not isinstance(value, dict):
        return f"{path}: {shown(value)} is not allowed; it takes a table"
    fields = {field.name: field for field in msgspec.structs.fields(table)}
    prefix = f"{path}." if path else ""
    for key, item in value.items():
        if key not in fields:
            return f"{prefix}{key}: unknown key; the nearest is {prefix}{nearest(key, fields)}"
        found = complaint(item, fields[key].type, f"{prefix}{key}")
        if found is not None:
            return found
    for name, field in fields.items():
        if field.required and name not in value:
            return f"{prefix}{name}: missing; it takes {takes(field.type)}"
    return None


def _entry_complaint(key: str, value: Any, kinds: tuple[Any, ...], path: str) -> str | None:
    """Complain about an entry of a table whose keys the user names."""
    key_kind, value_kind = kinds
    try:
        msgspec.convert(key, key_kind)
    except msgspec.ValidationError:
        return f"{path}: the name {key!r} is not allowed; it takes {takes(key_kind)}"
    return complaint(value, value_kind, f"{path}.{key}")


_WORDS: dict[type[inspect.Type], str] = {
    inspect.BoolType: "true or false",
    inspect.FloatType: "a number",
    inspect.StrType: "text",
    inspect.DateTimeType: "a time with its offset such as 2026-03-01T09:00:00Z",
    inspect.DateType: "dates such as 2026-12-24",
    inspect.StructType: "tables",
}


def _allowed(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.UnionType):  # of a type and None, which stands for a key left out
        kind = next(member for member in kind.types if not isinstance(member, inspect.NoneType))
    match kind:
        case inspect.Metadata(extra_json_schema={"description": str(words)}):
            return words
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(map(str, values))}"
        case inspect.VarTupleType(item_type=item):
            return f"a list of {_allowed(item).replace('one of ', '')}"
        case inspect.DictType(key_type=key, value_type=value):
            return f"a table from {_allowed(key)} to {_allowed(value)}"
        case inspect.IntType(ge=low, le=high):
            return f"a whole number from {low} to {high}"
    return _WORDS[type(kind)]
