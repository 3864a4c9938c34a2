"""Policies from the configuration: presets and own tables together, durations read, calendars made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from importlib import resources

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from stream.config.calendars import calendar, weekly_seconds
from stream.config.errors import ConfigError
from stream.config.holiday import holidays_version
from stream.config.shape import nearest
from stream.config.tables import (
    CalendarTable,
    ClockTable,
    Config,
    MatchTable,
    PolicyTable,
    Preset,
    ReplyTable,
    TargetTable,
)
from stream.config.toml import parse_table
from stream.domain.sla.calendar import ALWAYS, Calendar
from stream.domain.sla.policy import CLOCKS, PAUSES, Clock, Condition, Policies, Policy, Replies
from stream.domain.sla.terms import Terms
from stream.events.values import MICRO, NONE, OPEN_ENUMS, OTHER

# Where neither presets nor policies are given: first and next responses by priority, at any hour.
DEFAULT_PRESETS = ("support-24x7",)

# The longest target in weeks of its calendar: ten years. What lies further ahead is a slip, and a calendar that opens
# for a minute a week would be searched for centuries.
MAX_WEEKS = 522
WEEK_SECONDS = 7 * 86_400

BOOKING_LABELS = ("channel", "brand")

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_FOLDER = resources.files("stream.config").joinpath("presets")


class Agreement(Struct, frozen=True):
    """What is agreed: the configuration's own tables, then those of its presets that they do not replace."""

    calendars: dict[str, CalendarTable]
    policies: tuple[PolicyTable, ...]
    targets: tuple[TargetTable, ...]
    replies: ReplyTable = ReplyTable()


def preset_names() -> list[str]:
    """Return the names of the presets that ship with the package."""
    return sorted(file.name.removesuffix(".toml") for file in _FOLDER.iterdir() if file.name.endswith(".toml"))


def preset(name: str) -> Preset:
    """Return the preset of that name. Raises ConfigError."""
    if name not in preset_names():
        raise ConfigError(f"presets: no preset {name!r}; the nearest is {nearest(name, preset_names())!r}")
    return parse_table(_FOLDER.joinpath(f"{name}.toml").read_text(encoding="utf-8"), name, Preset)


def agreement(config: Config) -> Agreement:
    """Return what the configuration and its presets agree. Raises ConfigError on an unknown preset."""
    names = config.presets or (() if config.policies else DEFAULT_PRESETS)
    calendars = dict(config.calendars)
    policies = list(config.policies)
    targets = list(config.targets)
    for found in map(preset, names):
        calendars = found.calendars | calendars
        taken = {policy.name for policy in policies}
        policies += [policy for policy in found.policies if policy.name not in taken]
        aims = {(target.kpi, target.window) for target in targets}
        targets += [target for target in found.targets if (target.kpi, target.window) not in aims]
    return Agreement(calendars, tuple(policies), tuple(targets), config.replies)


def policies(config: Config) -> Policies:
    """Return the policies to judge by. Raises ConfigError, naming the key and what would be right."""
    return _policies(agreement(config))


def terms(config: Config) -> Terms:
    """Return the policies as a shard keeps them. Raises ConfigError."""
    kept = msgspec.json.encode(msgspec.structs.replace(agreement(config), targets=()))  # nobody is judged by targets
    return Terms(_read(kept).version, kept, _read)


@lru_cache(maxsize=64)  # all shards of a worker keep the same few configurations, and calendars are dear to make
def _read(kept: bytes) -> Policies:
    return _policies(msgspec.json.decode(kept, type=Agreement))


def _policies(agreed: Agreement) -> Policies:
    replies = Replies(frozenset(agreed.replies.authors), frozenset(agreed.replies.private_channels))
    calendars: dict[str, Calendar] = {ALWAYS.name: ALWAYS}
    for name, table in agreed.calendars.items():
        if name == ALWAYS.name:
            raise ConfigError(f"calendars.{name}: this name is that of the calendar that is always open")
        try:
            calendars[name] = calendar(name, table)
        except ConfigError as error:
            raise ConfigError(f"calendars.{name}.{error}") from None
    made = tuple(_policy(table, calendars, agreed) for table in agreed.policies)
    return Policies(_version(agreed), made, calendars, replies)


def clocks(policy: PolicyTable) -> list[tuple[str, ClockTable]]:
    """Return the clocks that a policy has, by name."""
    return [(name, clock) for name, clock in asdict(policy.clocks).items() if clock is not None]


def seconds(duration: str) -> int:
    """Return a duration such as 1h30m in seconds."""
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([dhms])", duration))


def _policy(table: PolicyTable, calendars: dict[str, Calendar], agreed: Agreement) -> Policy:
    where = f"policies.{table.name}"
    of_bookings = table.clocks.quote_response is not None
    match = tuple(_conditions(table.match, f"{where}.match", of_bookings))
    made = (_clock(name, clock, f"{where}.clocks.{name}", calendars, agreed) for name, clock in clocks(table))
    return Policy(table.name, match, tuple(made))


def _conditions(match: MatchTable, where: str, of_bookings: bool) -> Iterator[Condition]:
    for label, values in asdict(match).items():
        if values and of_bookings and label not in BOOKING_LABELS:
            raise ConfigError(f"{where}.{label}: a booking has no {label}, so quote_response would never run")
        # An unknown channel of a ticket becomes `other`, but that of a booking is a free label.
        if label in OPEN_ENUMS and not (label == "channel" and of_bookings):
            known = OPEN_ENUMS[label] | {OTHER, NONE}
            for value in sorted(set(values) - known):
                raise ConfigError(f"{where}.{label}: no {label} {value!r}; the nearest is {nearest(value, known)!r}")
        if values:
            yield label, frozenset(values)


def _clock(name: str, table: ClockTable, where: str, calendars: dict[str, Calendar], agreed: Agreement) -> Clock:
    if table.calendar not in calendars:
        near = nearest(table.calendar, calendars)
        raise ConfigError(f"{where}.calendar: no calendar {table.calendar!r}; the nearest is {near!r}")
    if table.pauses and name in CLOCKS["booking"]:
        raise ConfigError(f"{where}.pauses: a booking has no status that pauses")
    target = seconds(table.target)
    of_week = weekly_seconds(agreed.calendars[table.calendar]) if table.calendar in agreed.calendars else WEEK_SECONDS
    if target > MAX_WEEKS * of_week:
        raise ConfigError(f"{where}.target: {table.target!r} is over ten years of calendar {table.calendar!r}")
    pauses = PAUSES[name] if table.pauses is None else frozenset(table.pauses)
    ahead = {_ahead(warning, target * MICRO, f"{where}.warnings") for warning in table.warnings}
    return Clock(name, target * MICRO, calendars[table.calendar], pauses, tuple(sorted(ahead, reverse=True)))


def _ahead(warning: str, target: int, where: str) -> int:
    """Return how long before the deadline a warning is due, in microseconds of open time."""
    if warning.endswith("%"):
        return target * (100 - int(warning[:-1])) // 100
    ahead = seconds(warning) * MICRO
    if ahead >= target:
        raise ConfigError(f"{where}: {warning!r} before the deadline is before the start")
    return ahead


def _version(agreed: Agreement) -> str:
    """Return a digest of all that a judgement rests on."""
    used = {clock.calendar for policy in agreed.policies for _, clock in clocks(policy)}
    tables = {name: table for name, table in agreed.calendars.items() if name in used}
    known = holidays_version() if any(table.country for table in tables.values()) else ""
    rested_on = msgspec.to_builtins((tables, agreed.policies, agreed.replies, known), str_keys=True)
    return blake2b(msgspec.msgpack.encode(rested_on, order="sorted"), digest_size=8).hexdigest()
