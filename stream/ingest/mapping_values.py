"""From the text of a cell to a value: numbers, times and dates, words; and arithmetic on numbers.

A value is None (missing), a str, a number, or a bool that a map gave. A time is RFC 3339 text in UTC, a date
is YYYY-MM-DD: the form in which the contract wants them.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation, localcontext
from zoneinfo import ZoneInfo

from stream.ingest.mapping import FieldSpec, Mapping, MappingError

Value = str | int | float | bool | Decimal | None
Reader = Callable[[str], Value]

# Texts repeat (states, teams, the minute of an update), so each is converted once; the bound keeps a column
# of unique texts from growing without end.
MEMO_LIMIT = 100_000

# No exponent and at most 15 digits before the point: a number that JSON readers everywhere take exactly.
NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{0,15})?", re.ASCII)
SIX_PLACES = Decimal("0.000001")

CONTRACT_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)
SHIFT = re.compile(r"([+-]?)(?:(\d+)|\{([^{}]+)\}) (second|minute|hour|day|week)s?")


class BadRow(Exception):  # noqa: N818 - it is about the row, not the program
    """A row cannot be taken; the message is the reason that stands in the reject file."""


class Memo(dict[str, Value]):
    """Remembers what a reader made of each text."""

    def __init__(self, read: Reader) -> None:
        self._read = read

    def __missing__(self, text: str) -> Value:
        if len(self) >= MEMO_LIMIT:
            self.clear()
        value = self[text] = self._read(text)
        return value


def reader(field: FieldSpec, mapping: Mapping, where: str) -> Reader:
    """Return the function from the text of a cell to the field's value; raises MappingError at *where*."""
    missing = {"", *mapping.missing, *field.missing}
    read = _typed(field, mapping, where)
    words = field.map

    def convert(text: str) -> Value:
        text = text.strip()
        if text in missing:
            return None
        if words is None:
            return read(text)
        if text in words:
            return words[text]
        if "*" in words:
            return words["*"]
        raise BadRow(f"{text!r} is not in the map")

    return Memo(convert).__getitem__


def shifter(shift: str, kind: str, where: str) -> tuple[str | None, Callable[[str, Value], str]]:
    """Compile a shift such as "-{lead_time} days".

    Returns the field that holds the number (None if it is fixed) and the function (time, number) to time.
    """
    match = SHIFT.fullmatch(shift)
    if match is None:
        raise MappingError(f'{where}: {shift!r} is not like "-{{field}} days" or "+90 minutes"')
    sign, number, name, unit = match.groups()
    step = timedelta(**{f"{unit}s": -1 if sign == "-" else 1})

    def move(time: str, by: Value) -> str:
        if isinstance(by, str):
            by = _number(by)
        amount = int(number) if number else by
        if not isinstance(amount, int):
            raise BadRow(f"cannot shift by {amount} {unit}s")
        try:
            moved = datetime.fromisoformat(time) + step * amount
        except OverflowError:
            raise BadRow(f"shifted by {amount} {unit}s, {time} leaves the calendar") from None
        return moved.date().isoformat() if kind == "date" else _utc_text(moved.replace(tzinfo=UTC))

    return name, move


def formula(text: str, slot: Callable[[str], int], where: str) -> Callable[[list[Value]], Value]:
    """Compile arithmetic (+ - * / and brackets over fields and numbers); missing if a part of it is.

    Results have at most six decimals, as the contract's amounts do; ties round to even.
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise MappingError(f"{where}: {text!r} is not arithmetic") from None
    used: list[int] = []

    def find(name: str) -> int:
        used.append(slot(name))
        return used[-1]

    compute = _arithmetic(tree, find, where)

    def run(values: list[Value]) -> Value:
        if any(values[at] is None for at in used):
            return None
        try:
            with localcontext() as context:
                context.prec = 40  # enough for the product of two 15-digit numbers with decimals
                return plain(compute(values).quantize(SIX_PLACES))
        except (InvalidOperation, ZeroDivisionError):
            raise BadRow(f"{text} has no value here") from None

    return run


def plain(number: Decimal) -> int | Decimal:
    """Return whole numbers as int, others without trailing zeros."""
    return int(number) if number == number.to_integral_value() else number.normalize()


def decimal(value: Value) -> Decimal:
    """Return a present value as an exact number; raises BadRow."""
    if isinstance(value, Decimal):
        return value
    return Decimal(value) if isinstance(value, int) else Decimal(_number(str(value)))


def as_text(value: Value) -> str:
    """Return a present value as it stands within a longer text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _typed(field: FieldSpec, mapping: Mapping, where: str) -> Reader:
    if field.type == "text":
        return str
    if field.type == "number":
        return _number
    return _clock(field.format or mapping.format, field.zone or mapping.zone, field.type == "date", where)


def _number(text: str) -> int | Decimal:
    if not NUMBER.fullmatch(text):
        raise BadRow(f"{text[:40]!r} is not a number")
    return plain(Decimal(text))


def _clock(form: str, zone_name: str, whole_day: bool, where: str) -> Reader:
    """Return the reader of times written in *form*, those without an offset in the zone of that name."""
    try:
        zone = ZoneInfo(zone_name)
    except (ValueError, OSError, KeyError):
        raise MappingError(f"{where}: no time zone {zone_name!r}; write one like Europe/Lisbon") from None
    parse = _parser(form)

    def read(text: str) -> Value:
        try:
            # A time made of other fields has the contract's form already, whatever the file's own form is.
            moment = datetime.fromisoformat(text) if CONTRACT_TIME.fullmatch(text) else parse(text)
            if whole_day:
                return date.isoformat(moment)[:10]
            # An hour that comes twice in autumn is taken at its first occurrence (fold = 0), as the contract's
            # SLA conventions do.
            return _utc_text((moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC))
        except (ValueError, OverflowError):
            raise BadRow(f"{text[:40]!r} is not a time of the form {form!r}") from None

    return read


def _parser(form: str) -> Callable[[str], datetime]:
    if form == "iso":
        return datetime.fromisoformat
    if form == "unix":
        return lambda text: datetime.fromtimestamp(0, UTC) + timedelta(seconds=float(_number(text)))
    if form == "unix_ms":
        return lambda text: datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=float(_number(text)))
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007 - the caller adds the zone


def _utc_text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat() + "Z"


OPERATORS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _arithmetic(node: ast.expr, find: Callable[[str], int], where: str) -> Callable[[list[Value]], Decimal]:
    match node:
        case ast.Name(id=name):
            at = find(name)
            return lambda values: decimal(values[at])
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            exact = Decimal(str(number))
            return lambda values: exact
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            positive = _arithmetic(inner, find, where)
            return lambda values: -positive(values)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            first, second = _arithmetic(left, find, where), _arithmetic(right, find, where)
            apply = OPERATORS[type(op)]
            return lambda values: apply(first(values), second(values))
    raise MappingError(f"{where}: a formula has names, numbers, + - * / and brackets only")
