"""The tables of the file and the values that their keys take."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from stream.config.security import KafkaTls, Sasl, WebTls

# Each pattern's description is what a complaint and docs/configuration.md say in its place.
_KAFKA_NAME = "letters, digits, dots, underscores and hyphens"
# Kafka allows these characters in topic names, and the application's id is part of some.
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]+$", max_length=100, description=_KAFKA_NAME)]
Prefix = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]*$", max_length=100, description=_KAFKA_NAME)]
Partitioner = Literal["murmur2", "crc32", "fnv1a", "any"]
Dimension = Literal["channel", "priority", "team", "brand", "site", "purpose", "by", "clock", "policy"]
Window = Literal["5m", "1h", "24h", "7d", "30d"]

Text = Annotated[str, Meta(min_length=1)]
# Policies and clocks are values of Prometheus labels and stand in the ids of events; calendars are named beside them.
Label = Annotated[str, Meta(pattern=r"^[a-z0-9_.-]{1,60}$", description="lower-case letters, digits, `_.-`, up to 60")]
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"
Interval = Annotated[
    str, Meta(pattern=rf"^{_TIME}-({_TIME}|24:00)$", description='opening hours such as "09:00-12:30" or "13:00-24:00"')
]
_DURATION = r"(?=.*[1-9])(?=.)([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,7}s)?"
Duration = Annotated[str, Meta(pattern=f"^{_DURATION}$", description='a duration such as "30m", "8h" or "1h30m"')]
Ahead = Annotated[
    str,
    Meta(
        pattern=f"^([1-9][0-9]?%|{_DURATION})$",
        description='shares of the target such as "75%" or times before the deadline such as "15m"',
    ),
]
Pause = Literal["new", "pending", "on_hold"]
Author = Literal["agent", "bot", "system"]
ClockName = Literal[
    "first_response", "next_response", "periodic_update", "resolution", "requester_wait", "agent_work", "quote_response"
]


class Kafka(Struct, frozen=True):
    """Where Kafka is and how the deployment is named there. No servers = none is configured."""

    bootstrap_servers: str = ""
    app_id: Name = "deskpulse"
    topic_prefix: Prefix = ""
    partitions: Annotated[int, Meta(ge=1, le=1_000)] = 4
    replication_factor: Annotated[int, Meta(ge=-1, le=10)] = -1
    instance_id: Prefix = ""
    session_timeout_seconds: Annotated[int, Meta(ge=6, le=300)] = 10
    tls: KafkaTls = KafkaTls()
    sasl: Sasl = Sasl()


class Partitioners(Struct, frozen=True):
    """How the producers of each topic choose a partition."""

    tickets: Partitioner = "murmur2"
    bookings: Partitioner = "murmur2"
    reviews: Partitioner = "murmur2"


class Ingest(Struct, frozen=True):
    """How events are read."""

    clock: Literal["wall", "events"] = "wall"
    partitioner: Partitioners = Partitioners()


class Retention(Struct, frozen=True):
    """How long things are remembered, in days."""

    horizon_days: Annotated[int, Meta(ge=1, le=3_650)] = 35
    summary_days: Annotated[int, Meta(ge=1, le=36_500)] = 400


class Web(Struct, frozen=True):
    """The HTTP server. No advertised URL = that of the bound host and port."""

    host: Text = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 6066
    advertised_url: str = ""
    token_file: str = ""
    tls: WebTls = WebTls()


class Metrics(Struct, frozen=True):
    """What /metrics splits by label, and how many values of a label get series of their own."""

    dimensions: tuple[Dimension, ...] = ("channel", "team")
    windows: tuple[Window, ...] = ("1h", "24h", "7d")
    label_values: Annotated[int, Meta(ge=1, le=1_000)] = 10


class Paging(Struct, frozen=True):
    """When alerts may page."""

    after: Annotated[datetime, Meta(tz=True)] | None = None


class ReplyTable(Struct, frozen=True):
    """Which messages count as a reply (stream.domain.sla.policy.Replies)."""

    authors: tuple[Author, ...] = ("agent",)
    private_channels: tuple[Text, ...] = ("phone",)


class WeekTable(Struct, frozen=True):
    """The opening hours of a week; a day left out is closed."""

    mon: tuple[Interval, ...] = ()
    tue: tuple[Interval, ...] = ()
    wed: tuple[Interval, ...] = ()
    thu: tuple[Interval, ...] = ()
    fri: tuple[Interval, ...] = ()
    sat: tuple[Interval, ...] = ()
    sun: tuple[Interval, ...] = ()


class CalendarTable(Struct, frozen=True):
    """A calendar of opening hours."""

    zone: Text = "UTC"
    hours: WeekTable = WeekTable()
    dates: dict[date, tuple[Interval, ...]] = {}
    holidays: tuple[date, ...] = ()
    country: str = ""
    region: str = ""


class MatchTable(Struct, frozen=True):
    """The conditions of a policy: for each label the values of which a ticket must have one; empty = any."""

    channel: tuple[Text, ...] = ()
    priority: tuple[Text, ...] = ()
    category: tuple[Text, ...] = ()
    complexity: tuple[Text, ...] = ()
    team: tuple[Text, ...] = ()
    brand: tuple[Text, ...] = ()
    market: tuple[Text, ...] = ()
    tags: tuple[Text, ...] = ()
    customer_segment: tuple[Text, ...] = ()


class ClockTable(Struct, frozen=True):
    """A promise. Without pauses those of the clock's definition hold (stream.domain.sla.policy.PAUSES)."""

    target: Duration
    calendar: Label = "24x7"
    pauses: tuple[Pause, ...] | None = None
    warnings: tuple[Ahead, ...] = ()


class ClocksTable(Struct, frozen=True):
    """The clocks of a policy; one that is left out does not run."""

    first_response: ClockTable | None = None
    next_response: ClockTable | None = None
    periodic_update: ClockTable | None = None
    resolution: ClockTable | None = None
    requester_wait: ClockTable | None = None
    agent_work: ClockTable | None = None
    quote_response: ClockTable | None = None


class PolicyTable(Struct, frozen=True):
    """A policy; the first whose conditions hold is taken."""

    name: Label
    match: MatchTable = MatchTable()
    clocks: ClocksTable = ClocksTable()


class TargetTable(Struct, frozen=True):
    """What a KPI should come to over a window: at least *min*, at most *max*."""

    kpi: Text
    window: Literal["24h", "7d", "30d"] = "7d"  # a shorter one holds too few cases to judge
    min: float | None = None
    max: float | None = None


class ObjectiveTable(Struct, frozen=True):
    """The share of a clock's runs that shall be met over 30 days, and at which burn rates that budget alerts."""

    clock: ClockName
    target: Annotated[float, Meta(gt=0, lt=1, description="a share between 0 and 1, as 0.9")]
    burn_rates: tuple[float, ...] = ()


class Config(Struct, frozen=True):
    """The whole configuration; each field is a table of the file."""

    kafka: Kafka = Kafka()
    ingest: Ingest = Ingest()
    retention: Retention = Retention()
    web: Web = Web()
    metrics: Metrics = Metrics()
    paging: Paging = Paging()
    replies: ReplyTable = ReplyTable()
    presets: tuple[Text, ...] = ()
    calendars: dict[Label, CalendarTable] = {}
    policies: tuple[PolicyTable, ...] = ()
    targets: tuple[TargetTable, ...] = ()
    objectives: tuple[ObjectiveTable, ...] = ()


class Preset(Struct, frozen=True):
    """Calendars, policies and targets to start from, and where their numbers come from."""

    about: Text
    source: Text
    calendars: dict[Label, CalendarTable] = {}
    policies: tuple[PolicyTable, ...] = ()
    targets: tuple[TargetTable, ...] = ()
