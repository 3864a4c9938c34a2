"""What goes with time: closed entities are sealed, stubs and customers forgotten, by log time and never by a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from stream.domain import entity
from stream.domain.keys import ENTITY
from stream.events.values import DAY_US

HORIZON = 35 * DAY_US
RETENTION = 400 * DAY_US

# Entities sealed by one batch at the most, so that a backlog of them does not hold up events.
SEAL_AT_ONCE = 500

# Expiries are kept in steps this long, and a step is looked at when it is over: few enough to look through at each
# batch, and things go at most six hours later than they might.
EXPIRY_STEP = DAY_US // 4


class Limits(Struct, frozen=True):
    """How long things stay, in microseconds: entities live (horizon), stubs and customers remembered (retention)."""

    horizon: int = HORIZON
    retention: int = RETENTION


class Expiry:
    """The keys of closed entities, stubs and customers, by the step in which they are due."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.steps: dict[int, dict[bytes, None]] = {}  # in the order they came

    def due(self, key: bytes, record: bytes) -> int | None:
        """Return the log time (microseconds UTC) after which a record is sealed (an entity) or dropped (the others).

        None of an open entity: it stays.
        """
        newest, is_open = entity.read_prefix(record)
        if is_open:
            return None
        return newest + (self._limits.horizon + DAY_US if key[:1] == ENTITY else self._limits.retention)

    def move(self, key: bytes, before: bytes | None, record: bytes | None) -> None:
        """Move a key to the step in which its new record is due."""
        if (before is None or entity.is_open(before)) and (record is None or entity.is_open(record)):
            return  # most writes by far: it was not to expire, and is not
        old, new = self._step(key, before), self._step(key, record)
        if old == new:
            return
        if old is not None:
            del self.steps[old][key]
            if not self.steps[old]:
                del self.steps[old]
        if new is not None:
            self.steps.setdefault(new, {})[key] = None

    def ripe(self, log_time: int, read: Callable[[bytes], bytes | None]) -> Iterator[tuple[bytes, bytes]]:
        """Yield what is due, some at a time, with its record as *read* has it now."""
        left = SEAL_AT_ONCE
        for step in sorted(step for step in self.steps if (step + 1) * EXPIRY_STEP <= log_time):
            for key in self.steps[step]:
                record = read(key)
                due = None if record is None else self.due(key, record)
                if record is None or due is None or log_time <= due:
                    continue
                yield key, record
                left -= 1
                if not left:
                    return

    def _step(self, key: bytes, record: bytes | None) -> int | None:
        due = None if record is None else self.due(key, record)
        return None if due is None else due // EXPIRY_STEP
