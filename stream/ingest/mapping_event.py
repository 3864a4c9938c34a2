"""One event rule of a mapping, compiled: which rows of a group it takes, and the event it makes of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import orjson
from msgspec import Struct

from stream.events.registry import BY_NAME
from stream.events.values import decode_value
from stream.ingest.mapping import EventSpec, MappingError, nearest
from stream.ingest.mapping_table import Record, Table, Values
from stream.ingest.mapping_values import BadRow, Value, as_text

# Events without a sequence come first among those of the same time (contract, "Ledger order").
NO_SEQUENCE = -1

Select = Callable[[list[Record]], list[Record]]


class Line(Struct, frozen=True, gc=False):
    """A finished event: its place in ledger order, its id, its type, and the JSON line."""

    order: tuple[str, int, int]
    id: str
    type: str
    json: bytes


class EventRule:
    """Makes one kind of event of the rows that satisfy its conditions and give it a time."""

    def __init__(self, table: Table, number: int) -> None:
        """Compile rule *number* (from 1) of the table; raises MappingError."""
        spec = table.spec.events[number - 1]
        where = f"{table.where}.events[{number}]"
        subject = spec.subject or table.spec.subject or ""
        if spec.id is None:
            # The row number tells apart the events of one subject; a rule that makes one per group needs none.
            template = f"{subject}/{spec.type}" if spec.rows else f"{subject}/{spec.type}/{{row}}"
        else:
            template = spec.id
        self._kind = BY_NAME[spec.type]
        self._source = table.mapping.source
        self._id = table.template(template, f"{where}.id")
        self._subject = table.template(subject, f"{where}.subject")
        key = spec.partitionkey or table.spec.partitionkey or subject
        self._key = table.template(key, f"{where}.partitionkey")
        self._time = _time_slot(table, spec, where)
        self._sequence = None if spec.sequence is None else table.slot(spec.sequence, f"{where}.sequence")
        self._data = _data(table, spec.data, f"{where}.data")
        self.select = _selection(table, spec, self._time, where)

    def make(self, values: Values) -> Line:
        """Build the event of a selected row; raises BadRow if it would not satisfy the contract."""
        time = str(values[self._time])
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": _present(self._id(values), "id"),
            "source": self._source,
            "type": self._kind.name,
            "subject": _present(self._subject(values), "subject"),
            "time": time,
            "partitionkey": _present(self._key(values), "partitionkey"),
        }
        sequence = None if self._sequence is None else values[self._sequence]
        if sequence is not None:
            if not isinstance(sequence, int) or sequence < 0:
                raise BadRow(f"sequence {sequence!r} is not a whole number of a number field")
            event["sequence"] = sequence
        data = event["data"] = self._data(values)
        try:
            msgspec.convert(data, self._kind.data, dec_hook=decode_value)
            # Adding the line end also copies the text out of orjson's buffer, whose spare room is 4 KB a line.
            line = orjson.dumps(event, default=float) + b"\n"
        except msgspec.ValidationError as error:
            raise BadRow(f"{self._kind.name}: {str(error).replace('`', '')}") from None
        except orjson.JSONEncodeError as error:
            raise BadRow(f"{self._kind.name}: {error}") from None
        # Without its Z the text of a time sorts as the time does, with or without fractions of a second.
        order = (time[:-1], NO_SEQUENCE if sequence is None else sequence, self._kind.rank)
        return Line(order, event["id"], self._kind.name, line)


def _present(value: Value, name: str) -> str:
    if value is None or value == "":
        raise BadRow(f"{name} is missing")
    return as_text(value)


def _time_slot(table: Table, spec: EventSpec, where: str) -> int:
    times = [name for name, field in table.spec.fields.items() if field.type == "time"]
    if spec.time not in times:
        hint = nearest(spec.time, times)
        raise MappingError(f'{where}.time: no field with type = "time" is called {spec.time!r}; {hint}')
    return table.slot(spec.time, f"{where}.time")


def _data(table: Table, spec: dict[str, Any], where: str) -> Callable[[Values], dict[str, Any]]:
    """Compile the data of an event: texts are templates, what is missing is left out."""
    makers = [(key, _member(table, value, f"{where}.{key}")) for key, value in spec.items()]

    def make(values: Values) -> dict[str, Any]:
        made = ((key, maker(values)) for key, maker in makers)
        return {key: value for key, value in made if value is not None}

    return make


def _member(table: Table, value: Any, where: str) -> Callable[[Values], Any]:
    if isinstance(value, str):
        return table.template(value, where)
    if isinstance(value, dict):
        return _data(table, value, where)
    if isinstance(value, list):
        makers = [_member(table, item, where) for item in value]
        return lambda values: [item for item in (maker(values) for maker in makers) if item is not None]
    return lambda values: value


def _selection(table: Table, spec: EventSpec, time: int, where: str) -> Select:
    """Compile which rows of a group give the event: those with a time, when, unless, changed, then rows."""
    tests = [_condition(table, name, want, True, f"{where}.when") for name, want in spec.when.items()]
    tests += [_condition(table, name, want, False, f"{where}.unless") for name, want in spec.unless.items()]
    changed = _changes(table, spec, f"{where}.changed") if spec.changed else None

    def select(group: list[Record]) -> list[Record]:
        rows = changed(group) if changed else group
        rows = [one for one in rows if one.values[time] is not None and all(test(one.values) for test in tests)]
        if spec.rows is None:
            return rows
        return rows[:1] if spec.rows == "first" else rows[-1:]

    return select


def _condition(table: Table, name: str, want: Any, holds: bool, where: str) -> Callable[[Values], bool]:
    at = table.slot(name, where)
    if isinstance(want, bool):
        present = want == holds
        return lambda values: (values[at] is not None) == present
    allowed = frozenset(want if isinstance(want, list) else [want])
    return lambda values: (values[at] in allowed) == holds


def _changes(table: Table, spec: EventSpec, where: str) -> Select:
    """Compile "changed": rows where a field differs from its last value in the group; missing is no change.

    A list compares from the group's first row on; a table also gives what held before it.
    """
    given = spec.changed if isinstance(spec.changed, dict) else {}
    watched = [table.slot(name, where) for name in spec.changed]
    start: list[Value] = [given.get(name) for name in spec.changed]

    def select(group: list[Record]) -> list[Record]:
        held = list(start)
        rows = []
        for record in group:
            differs = False
            for number, at in enumerate(watched):
                value = record.values[at]
                if value is not None and value != held[number]:
                    held[number], differs = value, True
            if differs and (given or record is not group[0]):
                rows.append(record)
        return rows

    return select
