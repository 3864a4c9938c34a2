"""Rows of CSV files: opened (also .gz), split, numbered, and the reject that stands for a bad one."""

from __future__ import annotations

import csv
import fnmatch
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import orjson
from msgspec import Struct

from stream.ingest.mapping import Mapping, MappingError, TableSpec

OpenFile = Callable[[Path], BinaryIO]

# A cell may be as long as the largest event body of the contract (1 MiB); csv's own limit is 128 KiB.
CELL_LIMIT = 1 << 20


class Row(Struct, gc=False):
    """One row of a file: its number (1 = first after the header), its first line, its cells."""

    file: str
    number: int
    line: int
    cells: list[str]


class Reject(Struct, frozen=True):
    """A row that was not taken, and why."""

    file: str
    line: int
    reason: str
    row: list[str]

    def encode(self) -> bytes:
        """Return the line of the reject file; bytes that were no text in the file's encoding show as "?"."""
        cells = [cell.encode("utf-8", "replace").decode() for cell in self.row]
        return orjson.dumps({"file": self.file, "line": self.line, "reason": self.reason, "row": cells})


def files_of(mapping: Mapping, sources: list[Path]) -> dict[str, list[Path]]:
    """Share the sources out over the tables by file name; a folder stands for the files in it that fit.

    Raises MappingError for a file that fits no table or two, and for a table without a file.
    """
    found: dict[str, list[Path]] = {name: [] for name in mapping.tables}
    for source in sources:
        if not source.exists():
            raise MappingError(f"{source}: no such file")
        for path in sorted(source.iterdir()) if source.is_dir() else [source]:
            fits = [name for name, table in mapping.tables.items() if fnmatch.fnmatch(path.name, table.file)]
            if len(fits) > 1:
                raise MappingError(f"{path.name}: fits the tables {' and '.join(fits)} of {mapping.name}")
            if fits:
                found[fits[0]].append(path)
            elif not source.is_dir():
                globs = ", ".join(repr(table.file) for table in mapping.tables.values())
                raise MappingError(f"{path.name}: fits no table of {mapping.name}, which takes {globs}")
    for name, table in mapping.tables.items():
        if not found[name]:
            raise MappingError(f"{mapping.name}: no file for table {name}, which takes {table.file!r}")
    return found


class CsvFile:
    """One CSV file, open: its header, then its rows. Used as a context manager."""

    def __init__(self, path: Path, table: TableSpec, open_file: OpenFile) -> None:
        """Open the file and read its header; raises MappingError."""
        self.path = path
        encoding = "utf-8-sig" if table.encoding.lower() in ("utf-8", "utf8") else table.encoding
        try:
            raw = open_file(path)
            data = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            # Bad bytes become lone surrogates, so that they spoil their own row, not the file.
            text = io.TextIOWrapper(data, encoding, errors="surrogateescape", newline="")
        except OSError as error:
            raise MappingError(f"{path}: cannot be read: {error.strerror or error}") from None
        except LookupError:
            raise MappingError(f"{path.name}: no encoding {table.encoding!r}; try utf-8 or latin-1") from None
        self._text, self._raw = text, raw
        csv.field_size_limit(CELL_LIMIT)
        self._reader = csv.reader(text, delimiter=table.delimiter)
        self.header = self._next() or []

    def rows(self, reject: Callable[[Reject], None]) -> Iterator[Row]:
        """Yield the rows; one that has not the header's number of cells goes to *reject*."""
        width, name, number = len(self.header), self.path.name, 0
        while True:
            line = self._reader.line_num + 1
            try:
                cells = self._next()
            except csv.Error as error:
                number += 1
                reject(Reject(name, line, f"not CSV: {error}", []))
                continue
            if cells is None:
                return
            if not cells:
                continue
            number += 1
            if len(cells) != width:
                reject(Reject(name, line, f"{len(cells)} cells where the header has {width}", cells))
                continue
            yield Row(name, number, line, cells)

    def _next(self) -> list[str] | None:
        try:
            return next(self._reader, None)
        except (OSError, EOFError, zlib.error, UnicodeError) as error:
            raise MappingError(f"{self.path}: broken at line {self._reader.line_num + 1}: {error}") from None

    def __enter__(self) -> CsvFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._text.close()
        self._raw.close()
