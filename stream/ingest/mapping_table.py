"""One table of a mapping, compiled for the header of its files: rows in, field values out.

Every column in use and every field has a slot in the row's list of values, and a step that fills it; steps run
in the order of their dependence. Fields picked from a group, and those made from them, wait for the whole group.
"""

from __future__ import annotations

from collections.abc import Callable
from string import Formatter

from msgspec import Struct

from stream.ingest.mapping import FieldSpec, Mapping, MappingError, Scalar, nearest
from stream.ingest.mapping_rows import Row
from stream.ingest.mapping_values import BadRow, Reader, Value, as_text, formula, reader, shifter

Values = list[Value]
Make = Callable[[Values], Value]
Step = tuple[int, Callable[[list[str], Values], Value]]
Index = dict[Value, Value]

ROW_NUMBER = "row"


class Record(Struct, gc=False):
    """A row that was read: the row (for the reject file), its values, and what was found wrong with it."""

    row: Row
    values: Values
    fault: str | None = None


GroupStep = Callable[[list[Record]], None]


class Table:
    """The compiled fields of one table.

    ``lookups`` holds the filled indexes of other tables by (table, field to take, rows).
    """

    def __init__(
        self, mapping: Mapping, name: str, header: list[str], lookups: dict[tuple[str, str, str], Index]
    ) -> None:
        self.mapping, self.name, self.header = mapping, name, header
        self.spec = mapping.tables[name]
        self.where = f"{mapping.name}: tables.{name}"
        self._lookups = lookups
        self._slots: dict[str, int] = {ROW_NUMBER: 0}
        self._size = 1
        self._row_steps: list[Step] = []
        self._group_steps: list[GroupStep] = []
        self._grouped: set[int] = set()
        self._open: list[str] = []
        for field in self.spec.fields:
            self.slot(field, f"{self.where}.fields")

    def read(self, row: Row) -> Record:
        """Compute the values of a row as far as it alone gives them; raises BadRow."""
        cells = row.cells
        values: Values = [None] * self._size
        values[0] = row.number
        for at, step in self._row_steps:
            values[at] = step(cells, values)
        return Record(row, values)

    def finish(self, group: list[Record]) -> None:
        """Fill the values that are picked from the group (its rows in order), and those made from them."""
        for step in self._group_steps:
            step(group)

    def slot(self, name: str, where: str) -> int:
        """Return the slot of a field, else of the column of that name; raises MappingError at *where*."""
        if name in self._slots:
            return self._slots[name]
        if name in self.spec.fields:
            if name in self._open:
                raise MappingError(f"{where}: {' -> '.join([*self._open, name])} is made from itself")
            self._open.append(name)
            at = self._field(name, self.spec.fields[name])
            self._open.pop()
        else:
            at = self._column(name, FieldSpec(column=name), where)
        self._slots[name] = at
        return at

    def row_slot(self, name: str, where: str) -> int:
        """As :meth:`slot`, but refuse what is picked from a group."""
        at = self.slot(name, where)
        if at in self._grouped:
            raise MappingError(f"{where}: {name!r} is picked from a group, and groups are not formed yet")
        return at

    def template(self, text: str, where: str) -> Make:
        """Compile "{field}" (its value) or a longer text around fields (missing if one of them is)."""
        return self._template(text, where)[0]

    def _template(self, text: str, where: str) -> tuple[Make, set[int]]:
        try:
            pieces = [(literal, name) for literal, name, _, _ in Formatter().parse(text)]
        except ValueError as error:
            raise MappingError(f"{where}: {text!r}: {error}") from None
        parts: list[tuple[str, int | None]] = [
            (literal, None if name is None else self.slot(name, where)) for literal, name in pieces
        ]
        used = {at for _, at in parts if at is not None}
        if not used:
            constant = "".join(literal for literal, _ in parts)
            return (lambda values: constant), used
        if len(parts) == 1 and not parts[0][0]:
            only = used.pop()
            return (lambda values: values[only]), {only}

        def fill(values: Values) -> Value:
            filled = []
            for literal, at in parts:
                filled.append(literal)
                if at is not None:
                    value = values[at]
                    if value is None:
                        return None
                    filled.append(value if isinstance(value, str) else as_text(value))
            return "".join(filled)

        return fill, used

    def _field(self, name: str, field: FieldSpec) -> int:
        """Add the steps of a field: its origin, then shift, pick from the group, default, required."""
        where = f"{self.where}.fields.{name}"
        at = self._origin(field, where)
        if field.shift is not None:
            at = self._shift(at, field, where)
        if field.rows in ("first", "last") and field.lookup is None:
            at = self._pick(at, field.rows == "last", where)
        if field.default is not None:
            at = self._default(at, field.default, f"{where}.default")
        if field.required:
            at = self._required(at, name)
        return at

    def _origin(self, field: FieldSpec, where: str) -> int:
        if field.column is not None:
            return self._column(field.column, field, f"{where}.column")
        if field.lookup is not None:
            by = self.slot(str(field.by), f"{where}.by")
            index = self._lookups[field.lookup, str(field.take), field.rows or "first"]
            make: Make = lambda values: index.get(values[by])  # noqa: E731 - one of four ways to make it
            used = {by}
        elif field.formula is not None:
            used = set()

            def slot(name: str) -> int:
                at = self.slot(name, f"{where}.formula")
                used.add(at)
                return at

            make = formula(field.formula, slot, f"{where}.formula")
        else:
            make, used = self._template(str(field.template), f"{where}.template")
        if field.map is not None or field.type != "text":
            make = _converted(make, reader(field, self.mapping, where))
        return self._add(make, used)

    def _column(self, column: str, field: FieldSpec, where: str) -> int:
        if column not in self.header:
            names = {*self.header, *self.spec.fields, ROW_NUMBER}
            raise MappingError(f"{where}: no field or column {column!r}; {nearest(column, names)}")
        convert, cell = reader(field, self.mapping, where), self.header.index(column)

        def step(cells: list[str], values: Values) -> Value:
            try:
                return convert(cells[cell])
            except BadRow as error:
                raise BadRow(f"{column}: {error}") from None

        at = self._new_slot()
        self._row_steps.append((at, step))
        return at

    def _shift(self, origin: int, field: FieldSpec, where: str) -> int:
        name, move = shifter(str(field.shift), field.type, f"{where}.shift")
        by = None if name is None else self.slot(name, f"{where}.shift")

        def make(values: Values) -> Value:
            time = values[origin]
            amount = None if by is None else values[by]
            if time is None or (by is not None and amount is None):
                return None
            return move(str(time).removesuffix("Z"), amount)

        return self._add(make, {origin} if by is None else {origin, by})

    def _pick(self, origin: int, last: bool, where: str) -> int:
        if origin in self._grouped:
            raise MappingError(f"{where}.rows: picks from what is picked already")
        at = self._new_slot()

        def pick(group: list[Record]) -> None:
            found = [record.values[origin] for record in group if record.values[origin] is not None]
            picked = found[-1 if last else 0] if found else None
            for record in group:
                record.values[at] = picked

        self._grouped.add(at)
        self._group_steps.append(pick)
        return at

    def _default(self, origin: int, default: Scalar, where: str) -> int:
        other: Make = lambda values: default  # noqa: E731 - a number or boolean as it stands
        used: set[int] = set()
        if isinstance(default, str):
            other, used = self._template(default, where)

        def make(values: Values) -> Value:
            return other(values) if values[origin] is None else values[origin]

        return self._add(make, used | {origin})

    def _required(self, origin: int, name: str) -> int:
        def make(values: Values) -> Value:
            if values[origin] is None:
                raise BadRow(f"{name} is missing")
            return values[origin]

        return self._add(make, {origin})

    def _add(self, make: Make, used: set[int]) -> int:
        """Add a step made from the slots *used*, in the pass that the latest of them allows."""
        at = self._new_slot()
        if not used & self._grouped:
            self._row_steps.append((at, lambda cells, values: make(values)))
            return at

        def each(group: list[Record]) -> None:
            for record in group:
                try:
                    record.values[at] = make(record.values)
                except BadRow as error:
                    record.fault = str(error)

        self._grouped.add(at)
        self._group_steps.append(each)
        return at

    def _new_slot(self) -> int:
        self._size += 1
        return self._size - 1


def _converted(make: Make, convert: Reader) -> Make:
    def converted(values: Values) -> Value:
        value = make(values)
        return None if value is None else convert(as_text(value))

    return converted
