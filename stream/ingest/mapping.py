"""The mapping file: how rows of foreign CSV files become events of the contract (reference: docs/import.md).

This module is the language: what a mapping file may say, and the one-line errors for what it may not.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from stream.events.registry import BY_NAME

Scalar = str | int | float | bool
Which = Literal["first", "last"]


class MappingError(Exception):
    """A mapping file, or its use on these sources, is wrong; the message is one line that names the place."""


class FieldSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A named value computed from a row; exactly one of column, template, formula and lookup says whence."""

    column: str | None = None
    template: str | None = None
    formula: str | None = None
    lookup: str | None = None
    by: str | None = None
    take: str | None = None
    rows: Literal["first", "last", "sum"] | None = None
    type: Literal["text", "number", "time", "date"] = "text"
    format: str | None = None
    zone: str | None = None
    missing: list[str] = []
    map: dict[str, Scalar] | None = None
    shift: str | None = None
    default: Scalar | None = None
    required: bool = False


class EventSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of event that rows give; keys that name a field are bare, the others are templates."""

    type: str
    time: str
    data: dict[str, Any] = {}
    id: str | None = None
    subject: str | None = None
    partitionkey: str | None = None
    sequence: str | None = None
    rows: Which | None = None
    when: dict[str, Scalar | list[Scalar]] = {}
    unless: dict[str, Scalar | list[Scalar]] = {}
    changed: list[str] | dict[str, Scalar] = []


class TableSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of file: how it is read, which fields its rows have, which events they give."""

    file: str = "*"
    encoding: str = "utf-8"
    delimiter: str = ","
    key: str | None = None
    group: str | None = None
    order: list[str] = []
    subject: str | None = None
    partitionkey: str | None = None
    fields: dict[str, FieldSpec] = {}
    events: list[EventSpec] = []


class Mapping(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole mapping file; ``name`` is what error messages call it."""

    source: str
    tables: dict[str, TableSpec]
    name: str = ""
    description: str = ""
    sort: bool = True
    missing: list[str] = []
    format: str = "iso"
    zone: str = "UTC"


def load(name_or_path: str) -> Mapping:
    """Read the mapping file at a path, or the shipped one of that name; raises MappingError."""
    path = Path(name_or_path)
    if name_or_path in shipped():
        text = _folder().joinpath(f"{name_or_path}.toml").read_text(encoding="utf-8")
    elif path.suffix == ".toml" or path.is_file():
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MappingError(f"{path}: cannot be read: {error}") from None
    else:
        hint = nearest(name_or_path, shipped())
        raise MappingError(f"no mapping {name_or_path!r}; give a .toml file or a shipped name; {hint}")
    return parse(text, path.name)


def parse(text: str, name: str) -> Mapping:
    """Check the text of a mapping file called *name*; raises MappingError."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{name}: not TOML: {error}") from None
    bodies = _tables(raw, "tables", f"{name}: ")
    tables = {table: _table(body, f"{name}: tables.{table}") for table, body in bodies.items()}
    mapping = _convert(raw | {"tables": tables, "name": name}, Mapping, f"{name}: ")
    if not any(table.events for table in tables.values()):
        raise MappingError(f"{name}: no table has events; add [[tables.NAME.events]]")
    _check_lookups(mapping)
    return mapping


def shipped() -> list[str]:
    """Return the names of the mappings that come with the package."""
    files = [entry.name for entry in _folder().iterdir()]
    return sorted(file.removesuffix(".toml") for file in files if file.endswith(".toml"))


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return the hint at the end of an error: the name probably meant, else all that are allowed."""
    names = sorted(allowed)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(names) or 'none'}"


def _folder() -> Any:
    return resources.files("stream.ingest").joinpath("mappings")


def _table(raw: Any, where: str) -> TableSpec:
    fields = {
        field: _field(body, f"{where}.fields.{field}") for field, body in _tables(raw, "fields", f"{where}.").items()
    }
    events = raw.get("events", [])
    if not isinstance(events, list):
        raise MappingError(f"{where}.events: write [[...events]], a list of tables")
    rules = [_event(body, f"{where}.events[{number}]") for number, body in enumerate(events, 1)]
    table = _convert(raw | {"fields": fields, "events": rules}, TableSpec, f"{where}.")
    if len(table.delimiter) != 1:
        raise MappingError(f"{where}.delimiter: one character, not {table.delimiter!r}")
    for number, event in enumerate(rules, 1):
        if not (event.subject or table.subject):
            raise MappingError(f"{where}.events[{number}].subject: missing here and in the table")
        if not table.group and (event.rows or event.changed):
            raise MappingError(f"{where}.events[{number}]: rows and changed need the table's group")
    if table.order and not table.group:
        raise MappingError(f"{where}.order: needs group, as rows are ordered within a group")
    for name, field in fields.items():
        if field.lookup is None and field.rows and not table.group:
            raise MappingError(f"{where}.fields.{name}.rows: needs the table's group")
    return table


def _field(raw: Any, where: str) -> FieldSpec:
    field = _convert(raw, FieldSpec, f"{where}.")
    if sum(origin is not None for origin in (field.column, field.template, field.formula, field.lookup)) != 1:
        raise MappingError(f"{where}: give exactly one of column, template, formula and lookup")
    if field.lookup is not None and not (field.by and field.take):
        raise MappingError(f"{where}: a lookup needs by (a field here) and take (a field there)")
    if field.lookup is None and (field.by or field.take or field.rows == "sum"):
        raise MappingError(f'{where}: by, take and rows = "sum" belong to a lookup')
    if field.map is not None and field.type != "text":
        raise MappingError(f"{where}: a map stands instead of type")
    if (field.format or field.zone) and field.type not in ("time", "date"):
        raise MappingError(f'{where}: format and zone need type = "time" or "date"')
    if field.shift is not None and field.type not in ("time", "date"):
        raise MappingError(f'{where}.shift: needs type = "time" or "date"')
    return field


def _event(raw: Any, where: str) -> EventSpec:
    event = _convert(raw, EventSpec, f"{where}.")
    if event.type not in BY_NAME:
        raise MappingError(f"{where}.type: no event type {event.type!r}; {nearest(event.type, BY_NAME)}")
    known = msgspec.structs.fields(BY_NAME[event.type].data)
    for key in event.data:
        if key not in {field.name for field in known}:
            hint = nearest(key, (field.name for field in known))
            raise MappingError(f"{where}.data.{key}: {event.type} has no such field; {hint}")
    for field in known:
        if field.required and field.name not in event.data:
            raise MappingError(f"{where}.data: {event.type} needs {field.name!r}")
    return event


def _check_lookups(mapping: Mapping) -> None:
    """Every lookup names a table with a key, and no chain of lookups comes back to where it began."""
    after: dict[str, set[str]] = {}
    for name, table in mapping.tables.items():
        after[name] = set()
        for key, field in table.fields.items():
            if field.lookup is not None:
                _check_lookup(mapping, field, f"{mapping.name}: tables.{name}.fields.{key}")
                after[name].add(field.lookup)
    while ready := [name for name, others in after.items() if not others & after.keys()]:
        for name in ready:
            del after[name]
    if after:
        raise MappingError(f"{mapping.name}: tables {', '.join(sorted(after))} look up in a circle")


def _check_lookup(mapping: Mapping, field: FieldSpec, where: str) -> None:
    other, take = str(field.lookup), str(field.take)
    if other not in mapping.tables:
        raise MappingError(f"{where}.lookup: no table {other!r}; {nearest(other, mapping.tables)}")
    if not mapping.tables[other].key:
        raise MappingError(f"{where}.lookup: table {other!r} needs a key")
    taken = mapping.tables[other].fields.get(take)
    if field.rows == "sum" and (taken is None or (taken.type != "number" and taken.formula is None)):
        raise MappingError(f'{where}.take: a sum needs a field of {other!r} with type = "number", not {take!r}')


def _tables(raw: Any, key: str, where: str) -> dict[str, Any]:
    """Return the sub-tables at *key*, which may be absent."""
    found = raw.get(key, {}) if isinstance(raw, dict) else raw
    if not isinstance(found, dict):
        raise MappingError(f"{where}{key}: must be a table")
    return found


Spec = TypeVar("Spec", bound=Struct)


def _convert(raw: Any, spec: type[Spec], where: str) -> Spec:
    """Check one table of the file against its struct, naming the key in whatever is wrong."""
    if not isinstance(raw, dict):
        raise MappingError(f"{where.rstrip('.')}: must be a table")
    for key in raw:
        if key not in spec.__struct_fields__:
            raise MappingError(f"{where}{key}: no such key; {nearest(key, spec.__struct_fields__)}")
    try:
        return msgspec.convert(raw, spec)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).replace("`", "").partition(" - at $.")
        key = re.sub(r"\[\.\.\.\]", "", path)
        raise MappingError(f"{where}{key + ': ' if key else ''}{problem[:1].lower()}{problem[1:]}") from None
