"""The import itself: files in, event lines in ledger order out, bad rows to the side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from stream.ingest.mapping import Mapping, MappingError
from stream.ingest.mapping_event import EventRule, Line
from stream.ingest.mapping_rows import CsvFile, OpenFile, Reject, files_of
from stream.ingest.mapping_table import Index, Record, Table, Values
from stream.ingest.mapping_values import BadRow, Value, decimal, plain


def open_binary(path: Path) -> BinaryIO:
    """Open a file for reading, without a progress bar."""
    return path.open("rb")


class Import:
    """One run of a mapping over source files. Counts ``rows``, ``rejected`` and ``events`` (by type) as it goes."""

    def __init__(
        self,
        mapping: Mapping,
        sources: list[Path],
        reject: Callable[[Reject], None],
        open_file: OpenFile = open_binary,
    ) -> None:
        """Share the sources out over the mapping's tables; raises MappingError."""
        self.rows = 0
        self.rejected = 0
        self.events: Counter[str] = Counter()
        self._mapping = mapping
        self._files = files_of(mapping, sources)
        self._reject = reject
        self._open_file = open_file
        self._ids: set[str] = set()
        self._lookups: dict[tuple[str, str, str], Index] = {}

    def lines(self) -> Iterator[bytes]:
        """Yield the events as JSON lines, ends included; raises MappingError.

        With ``sort`` they come in ledger order (time, sequence, life cycle), equal ones as in the files.
        """
        made = (line for name in self._lookup_order() for line in self._events_of(name))
        for line in sorted(made, key=lambda line: line.order) if self._mapping.sort else made:
            yield line.json

    def _lookup_order(self) -> list[str]:
        """Return the tables, each after those that it looks up in (the mapping has no circles)."""
        order: list[str] = []

        def add(name: str) -> None:
            for field in self._mapping.tables[name].fields.values():
                if field.lookup is not None:
                    add(field.lookup)
            if name not in order:
                order.append(name)

        for name in self._mapping.tables:
            add(name)
        return order

    def _events_of(self, name: str) -> Iterator[Line]:
        with CsvFile(self._files[name][0], self._mapping.tables[name], open_binary) as first:
            header = first.header
        table = Table(self._mapping, name, header, self._lookups)
        rules = [EventRule(table, number) for number in range(1, len(table.spec.events) + 1)]
        indexed = self._indexes(table)
        group_by = [table.row_slot(field, f"{table.where}.group") for field in [table.spec.group] if field]
        order_by = [table.row_slot(field, f"{table.where}.order") for field in table.spec.order]
        records: Iterable[Record] = self._records(table)
        if indexed or group_by:
            records = list(records)
        for index, key, value, rows in indexed:
            _fill(index, ((record.values[key], record.values[value]) for record in records), rows)
        groups = _groups(records, group_by[0], order_by) if group_by else ([record] for record in records)
        for group in groups:
            table.finish(group)
            yield from self._lines_of(rules, group)

    def _indexes(self, table: Table) -> list[tuple[Index, int, int, str]]:
        """Begin an index for each thing that other tables take from this one: (index, key, value, rows)."""
        wanted = {
            (str(field.take), str(field.rows or "first"))
            for other in self._mapping.tables.values()
            for field in other.fields.values()
            if field.lookup == table.name
        }
        if not wanted:
            return []
        key = table.row_slot(str(table.spec.key), f"{table.where}.key")
        indexes = []
        for take, rows in sorted(wanted):
            index = self._lookups[table.name, take, rows] = {}
            indexes.append((index, key, table.row_slot(take, f"{table.where}: take"), rows))
        return indexes

    def _records(self, table: Table) -> Iterator[Record]:
        for path in self._files[table.name]:
            with CsvFile(path, table.spec, self._open_file) as file:
                if file.header != table.header:
                    raise MappingError(f"{path.name}: not the header of {self._files[table.name][0].name}")
                for row in file.rows(self._count_reject):
                    self.rows += 1
                    try:
                        yield table.read(row)
                    except BadRow as error:
                        self._reject_row(Record(row, [], str(error)))

    def _lines_of(self, rules: list[EventRule], group: list[Record]) -> list[Line]:
        """Make the events of a group; a row that spoils one of its events gives none."""
        sound = [record for record in group if record.fault is None]
        made: list[tuple[Record, Line]] = []
        for rule in rules:
            for record in rule.select(sound):
                if record.fault is None:
                    try:
                        made.append((record, self._unique(rule.make(record.values))))
                    except BadRow as error:
                        record.fault = str(error)
        for record in group:
            if record.fault is not None:
                self._reject_row(record)
        lines = [line for record, line in made if record.fault is None]
        self.events.update(line.type for line in lines)
        return lines

    def _unique(self, line: Line) -> Line:
        """Refuse an id that was used: the same source and id twice would count as one event."""
        if line.id in self._ids:
            raise BadRow(f"{line.type}: an earlier event has the id {line.id!r}")
        self._ids.add(line.id)
        return line

    def _reject_row(self, record: Record) -> None:
        row = record.row
        self._send_reject(Reject(row.file, row.line, str(record.fault), row.cells))

    def _count_reject(self, reject: Reject) -> None:
        self.rows += 1
        self._send_reject(reject)

    def _send_reject(self, reject: Reject) -> None:
        self.rejected += 1
        self._reject(reject)


def _fill(index: Index, pairs: Iterable[tuple[Value, Value]], rows: str) -> None:
    """Enter (key, value) pairs; of several values under one key the first, the last or the sum stands."""
    for key, value in pairs:
        if key is None or value is None:
            continue
        if rows == "sum" and key in index:
            index[key] = plain(decimal(index[key]) + decimal(value))
        elif rows != "first" or key not in index:
            index[key] = value


def _groups(records: Iterable[Record], group_by: int, order_by: list[int]) -> Iterator[list[Record]]:
    """Yield the rows of each group, in order; missing values come first, rows of no group stand alone."""
    groups: dict[Value, list[Record]] = {}
    for record in records:
        key = record.values[group_by]
        if key is None:
            yield [record]
        else:
            groups.setdefault(key, []).append(record)

    def place(record: Record) -> list[tuple[bool, bool, object]]:
        return [_place(record.values, at) for at in order_by]

    for group in groups.values():
        group.sort(key=place)
        yield group


def _place(values: Values, at: int) -> tuple[bool, bool, object]:
    """Return a key that puts missing values first and numbers before texts."""
    value = values[at]
    if isinstance(value, str):
        # The text of a time sorts as the time does once its Z is gone.
        return True, True, value.removesuffix("Z")
    return value is not None, False, value
