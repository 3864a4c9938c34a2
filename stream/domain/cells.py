"""Cells and their sums as integers, since adding them up is what a worker does most.

A cell is (measure, bin, labels), what adds up within a bucket. Hashing such a tuple costs more than the addition it is
hashed for, so buckets and windows know cells by a number. The numbers are this process's own and stand in no record.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

import msgspec

Cell = tuple[str, int, tuple[str, ...]]
Sums = tuple[int, int]  # count, sum of values
# Cell number -> its sums, packed. Dictionaries of integers are nothing that the garbage collector has to look through.
Numbered = dict[int, int]

# A pair of sums is packed into one integer, so that adding two pairs is one addition and 0 means that nothing is left.
# The sum of values has the low 96 bits: a milliard of the largest amounts (values.MAX_AMOUNT) fit.
_SHIFT = 96
ONE = 1 << _SHIFT  # a count of 1 with the value 0; so n contributions of v are n * (ONE + v)
_HALF = ONE >> 1

FEW = 100_000  # cells, some 40 MB, below which none is forgotten

_ENCODE = msgspec.msgpack.Encoder().encode


def pack(count: int, total: int) -> int:
    """Return a count and a sum of values as one integer."""
    return count * ONE + total


def unpack(sums: int) -> Sums:
    """Return the count and the sum of values in a packed pair."""
    count = (sums + _HALF) >> _SHIFT
    return count, sums - (count << _SHIFT)


def add_cells(held: Numbered, cells: Mapping[int, int]) -> None:
    """Add *cells* to *held*; a cell that comes to nothing is removed."""
    get = held.get
    for cell, sums in cells.items():
        left = get(cell, 0) + sums
        if left:
            held[cell] = left
        else:
            del held[cell]


class Cells:
    """Numbers for the cells of a shard, and their names as they stand in records."""

    def __init__(self) -> None:
        self.numbers: dict[Cell, int] = {}
        self.names: dict[int, Cell] = {}
        self.encoded: dict[int, msgspec.Raw] = {}
        self._next = 0
        self._enough = FEW

    def number(self, cell: Cell) -> int:
        """Return the number of a cell, a new one when it has none."""
        number = self.numbers.get(cell)
        if number is None:
            number = self.numbers[cell] = self._next
            self._next += 1
            self.names[number] = cell
            self.encoded[number] = msgspec.Raw(_ENCODE(cell))
        return number

    def named(self, cells: Mapping[int, int]) -> dict[Cell, Sums]:
        """Return numbered sums as people read them."""
        return {self.names[number]: unpack(sums) for number, sums in cells.items()}

    def crowded(self) -> bool:
        """Say whether so many cells have come since `keep` that looking for unused ones is worth it."""
        return len(self.names) > self._enough

    def keep(self, used: Set[int]) -> None:
        """Forget all cells but those *used*: labels are free text, and a process lives long."""
        for number in self.names.keys() - used:
            del self.numbers[self.names.pop(number)], self.encoded[number]
        self._enough = max(FEW, 2 * len(self.names))
