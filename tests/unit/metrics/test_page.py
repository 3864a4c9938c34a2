"""The scrape page: which series stand on it, when, and with which values."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from stream.config import Config
from stream.config.sla import terms
from stream.events.values import DAY_US
from stream.metrics import samples
from stream.metrics.collector import ScrapePage
from stream.metrics.latest import Latest
from stream.metrics.model import Histogram, ShardSnapshot, SourceSnapshot, WorkerSnapshot
from stream.metrics.names import BY_NAME, CHECKPOINT_BUCKETS, TABLE
from stream.metrics.tally import Teller
from tests.unit.metrics.events import MINUTE, NOW, event, shard_of, snapshot_of

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
Series = dict[str, float]

TICKET = {"channel": "chat", "priority": "low", "category": "complaint", "team": "east"}
BOOKING = {"channel": "web", "service": "cleaning", "amount": "12.50", "currency": "EUR"}


def page_of(snapshot: WorkerSnapshot | None, accept: str = "") -> str:
    latest = Latest()
    if snapshot is not None:
        latest.publish(snapshot)
    return ScrapePage(latest).render(accept)[0].decode()


def series_of(text: str) -> Series:
    """Return the lines of a page as {series: value}, without those of the process and the build."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = (line.rsplit(" ", 1) for line in lines)
    return {
        name: float(value) for name, value in pairs if not name.startswith(("process_", "python_", "deskpulse_build"))
    }


def within(text: str, *parts: str) -> Series:
    return {name: value for name, value in series_of(text).items() if all(part in name for part in parts)}


def small_day() -> list[tuple[str, bytes]]:
    """One chat ticket, answered after 5 minutes and resolved after 20, and one finished booking."""
    return [
        event("ticket.created", "t1", 30 * MINUTE, **TICKET),
        event("ticket.message", "t1", 25 * MINUTE, author="agent"),
        event("ticket.status_changed", "t1", 10 * MINUTE, status="resolved"),
        event("booking.created", "b1", 20 * MINUTE, **BOOKING),
        event("booking.completed", "b1", 15 * MINUTE),
    ]


def test_every_line_of_a_small_page_is_as_computed_by_hand() -> None:
    """All that is not zero is listed here; windows from an hour up hold the same events."""
    page = series_of(page_of(snapshot_of(shard_of(small_day()))))

    expected: Series = {
        "deskpulse_snapshot_timestamp_seconds": 1.76e9,
        "deskpulse_window_end_timestamp_seconds": 1.76e9,
        "deskpulse_paging_enabled": 1,
        'deskpulse_stream_recovery_state{partition="0",state="ready"}': 1,
        'deskpulse_stream_entities{partition="0"}': page['deskpulse_stream_entities{partition="0"}'],
    }
    for part in samples.PARTS:
        expected[f'deskpulse_exporter_up{{part="{part}"}}'] = 1
    for topic in ("bookings", "reviews", "tickets"):
        expected[f'deskpulse_stream_topic_partitions{{topic="{topic}"}}'] = 1
        expected[f'deskpulse_stream_partition_assigned{{partition="0",topic="{topic}"}}'] = 1
    for window in ("1h", "24h", "7d", "30d"):
        expected |= in_window(f'window="{window}"', split=window != "30d")
    assert {name: value for name, value in page.items() if value} == expected


def in_window(window: str, *, split: bool) -> Series:
    tickets = {
        "tickets_created": 1,
        "tickets_resolved": 1,
        "first_response_time_count": 1,
        "first_response_time_sum": 300,
        "resolution_time_count": 1,
        "resolution_time_sum": 1200,
        "full_resolution_time_count": 1,
        "full_resolution_time_sum": 1200,
        "resolved_within_24h_numerator": 1,
        "resolved_within_24h_denominator": 1,
        "complaint_share_numerator": 1,
        "complaint_share_denominator": 1,
    }
    bookings = {
        "bookings_created": 1,
        "bookings_completed": 1,
        "cancellation_rate_denominator": 1,
        "no_show_rate_denominator": 1,
    }
    total = {**tickets, **bookings, "complaint_rate_numerator": 1, "complaint_rate_denominator": 1}
    found = {f"deskpulse_window_{name}{{{window}}}": value for name, value in total.items()}
    found[f'deskpulse_window_revenue{{currency="EUR",{window}}}'] = 12.5
    bounds = (300, 600, 900, 1800, 2700, 3600, 7200, 14400, 28800, 43200, 86400, 172800, 259200, 604800)
    for name, least in (("first_response_time", 300), ("resolution_time", 1800), ("full_resolution_time", 1800)):
        reached = [f"{bound}.0" for bound in bounds if bound >= least]
        for bound in (*reached, "2.592e+06", "+Inf"):
            found[f'deskpulse_window_{name}_bucket{{le="{bound}",{window}}}'] = 1
    if split:
        for name, value in tickets.items():
            for label in ('channel="chat"', 'team="east"'):
                found[f"deskpulse_window_{name}{{{label},{window}}}"] = value
        for name, value in bookings.items():
            found[f'deskpulse_window_{name}{{channel="web",{window}}}'] = value
        found[f'deskpulse_window_revenue{{channel="web",currency="EUR",{window}}}'] = 12.5
    return found


def promised() -> list[tuple[str, bytes]]:
    """Return tickets that wait for an answer: one due 10 minutes ago, one 2 minutes ago, one in 10 minutes.

    The default preset promises an answer to an urgent ticket in 30 minutes, and its solution in two hours.
    """
    waited = {"S1": 40, "S2": 32, "S3": 20}
    labels = {"channel": "chat", "priority": "urgent", "category": "incident", "team": "blue"}
    return [event("ticket.created", name, at * MINUTE, **labels) for name, at in waited.items()]


def test_open_promises_are_told_by_clock_policy_and_team() -> None:
    text = page_of(snapshot_of(shard_of(promised(), agreed=terms(Config())), frontier=NOW - 5 * MINUTE))
    page = {name: value for name, value in series_of(text).items() if "sla_" in name or "unanswered" in name}

    def at(name: str, clock: str, more: str = "") -> str:
        return f'{name}{{clock="{clock}",partition="0",policy="urgent-24x7",team="blue"{more}}}'

    due, first = "deskpulse_tickets_sla_due", "deskpulse_ticket_sla_next_deadline_timestamp_seconds"
    expected = {
        at("deskpulse_tickets_sla_breached_open", "first_response"): 1,
        at("deskpulse_tickets_sla_unconfirmed", "first_response"): 1,
        at(due, "first_response", ',within="15m"'): 1,
        at(due, "first_response", ',within="1h"'): 1,
        at(first, "first_response"): 1.76e9 - 2 * 60,
        at(first, "resolution"): 1.76e9 + 80 * 60,
        'deskpulse_ticket_oldest_unanswered_timestamp_seconds{partition="0",team="blue"}': 1.76e9 - 40 * 60,
        'deskpulse_sla_breached_open{partition="0"}': 2,
        'deskpulse_sla_due_soon_15m{partition="0"}': 1,
        'deskpulse_sla_due_soon_1h{partition="0"}': 1,
    }
    assert {name: value for name, value in page.items() if name in expected} == expected
    assert {name for name in page if "tickets_sla" in name or "ticket_sla" in name} <= set(expected)


def full_snapshot() -> WorkerSnapshot:
    """A snapshot in which every family of the table has a sample."""
    snapshot = snapshot_of(
        shard_of([*small_day(), *promised()], agreed=terms(Config())),
        frontier=NOW - 5 * MINUTE,
        outcomes={("resolution", "low-24x7", "low", "met"): 1},
        sources=(SourceSnapshot("tickets", 0, 3, NOW, 0, 0.0),),
        events={("tickets", "ticket.created", "applied"): 1},
        checkpoints={"committed": 2},
        checkpoint_seconds=Histogram((1, 1) + (0,) * (len(CHECKPOINT_BUCKETS) - 1), 0.011),
        upstream_last_seen={"helpdesk": NOW},
    )
    timed = replace(snapshot.shards[0], frontier=NOW, checkpoint_time=NOW)
    return replace(snapshot, shards=(timed,))


@pytest.mark.parametrize(("accept", "parse"), [("", parse_text), (OPENMETRICS, parse_openmetrics)])
def test_the_families_of_a_page_are_those_of_the_table(accept: str, parse: Any) -> None:
    families = list(parse(page_of(full_snapshot(), accept)))
    found = {
        (family.name + "_total" if family.type == "counter" else family.name): (family.type, family.documentation)
        for family in families
        if not family.name.startswith(("process_", "python_"))
    }

    assert found == {metric.name: (metric.type, metric.help) for metric in TABLE}


def test_series_carry_the_labels_of_the_table_and_at_most_one_dimension() -> None:
    for family in parse_text(page_of(full_snapshot())):
        metric = BY_NAME.get(family.name + "_total" if family.type == "counter" else family.name)
        for sample in family.samples if metric else ():
            labels = set(sample.labels) - ({"le"} if metric.type == "histogram" else set())
            assert set(metric.labels) <= labels
            assert len(labels - set(metric.labels)) <= 1
            assert labels - set(metric.labels) <= set(metric.dimensions)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_finds_nothing_to_say() -> None:
    page = page_of(full_snapshot())
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_nothing_is_shown_of_a_shard_before_it_is_recovered() -> None:
    restoring = WorkerSnapshot(time=NOW, now=NOW, joined=True, shards=(ShardSnapshot(0, "restoring"),))
    page = page_of(restoring)

    assert within(page, "deskpulse_window_", "{") == {}
    assert within(page, "deskpulse_tickets_active") == {}
    assert within(page, "deskpulse_stream_entities") == {}
    assert within(page, "recovery_state", "restoring") == {
        'deskpulse_stream_recovery_state{partition="0",state="restoring"}': 1
    }


def test_nothing_is_shown_of_a_shard_that_went_to_another_worker() -> None:
    latest = Latest()
    page = ScrapePage(latest)
    latest.publish(snapshot_of(shard_of(small_day())))
    assert within(page.render()[0].decode(), "deskpulse_window_", "{") != {}
    latest.publish(snapshot_of(topic_partitions={"tickets": 4}))
    text = page.render()[0].decode()

    assert within(text, "deskpulse_window_", "{") == {}
    assert within(text, "partition=") == {}
    assert within(text, "topic_partitions") == {'deskpulse_stream_topic_partitions{topic="tickets"}': 4}


def test_before_the_first_snapshot_the_page_says_only_what_is_running() -> None:
    assert "deskpulse_build_info{" in page_of(None)
    assert series_of(page_of(None)) == {}


def test_an_expired_window_is_zero_for_label_sets_that_are_known() -> None:
    shard = shard_of(small_day())
    latest = Latest()
    page = ScrapePage(latest)
    latest.publish(snapshot_of(shard))
    before = within(page.render()[0].decode(), "deskpulse_window_tickets_created")
    latest.publish(snapshot_of(shard, now=NOW + 40 * DAY_US))
    after = within(page.render()[0].decode(), "deskpulse_window_tickets_created")

    assert 'deskpulse_window_tickets_created{team="east",window="24h"}' in before
    assert after == dict.fromkeys(before, 0)


def test_values_that_come_and_go_do_not_pile_up() -> None:
    latest = Latest()
    page = ScrapePage(latest)
    lines = []
    for generation in range(4):
        ticket = TICKET | {"channel": "email"}
        teams = [f"g{generation}-{number}" for number in range(12)]
        size = 2**generation  # each generation is twice as large as the last, so it takes over the budget
        events = [
            event("ticket.created", f"{team}-{copy}", MINUTE, **ticket | {"team": team})
            for team in teams
            for copy in range(size)
        ]
        latest.publish(snapshot_of(shard_of(events)))
        lines.append(set(within(page.render()[0].decode(), "tickets_created", "team", '"1h"')))

    assert [len(names) for names in lines] == [11] * 4  # the budget of ten and other
    assert not any("g0-" in name for name in lines[-1])


def test_the_tallies_of_a_snapshot_are_made_once() -> None:
    teller = Teller()
    snapshot = snapshot_of(shard_of(small_day()))

    assert teller.tell(snapshot) is teller.tell(snapshot)


def test_shards_of_one_worker_add_up_and_only_state_keeps_the_partition() -> None:
    one = shard_of([event("ticket.created", "t1", MINUTE, **TICKET)], partition=0)
    two = shard_of([event("ticket.created", f"t{n}", MINUTE, **TICKET) for n in (2, 3)], partition=1)
    page = page_of(snapshot_of(one, two))

    assert within(page, "deskpulse_window_tickets_created", 'chat",window="1h"') == {
        'deskpulse_window_tickets_created{channel="chat",window="1h"}': 3
    }
    assert within(page, "deskpulse_tickets_active", "team") == {
        'deskpulse_tickets_active{partition="0",team="east"}': 1,
        'deskpulse_tickets_active{partition="1",team="east"}': 2,
    }


def test_money_is_never_added_up_over_currencies() -> None:
    events = []
    for number, currency in enumerate(("EUR", "USD", "AAA", "BBB", "CCC", "DDD")):
        for copy in range(9 - number):
            events.append(event("booking.created", f"{currency}{copy}", 2 * MINUTE, **BOOKING | {"currency": currency}))
            events.append(event("booking.completed", f"{currency}{copy}", MINUTE))
    page = page_of(snapshot_of(shard_of(events)))

    totals = {name: value for name, value in within(page, "revenue", "1h").items() if "channel" not in name}
    assert totals == {
        f'deskpulse_window_revenue{{currency="{currency}",window="1h"}}': 12.5 * copies
        for currency, copies in (("EUR", 9), ("USD", 8), ("AAA", 7), ("BBB", 6), ("CCC", 5))
    }
    assert within(page, "label_overflow", "currency") == {'deskpulse_label_overflow_total{label="currency"}': 1}


def many_values(seed: int) -> Iterator[tuple[str, bytes]]:
    """Events whose free labels take some 10,000 random values: channel, team, brand, service, site, currency."""
    source = random.Random(seed)
    channels = ("email", "chat", "web", "phone", "social", "marketplace", "in_person", "other")
    for number in range(420):
        at = source.randrange(6 * DAY_US) + 10 * MINUTE
        team, brand, channel, service, currency, site = (f"v{source.randrange(10**12)}" for _ in range(6))
        ticket = {"channel": source.choice(channels), "priority": "high", "category": "complaint"}
        yield event("ticket.created", f"t{number}", at, **ticket, team=team, brand=brand)
        yield event("ticket.message", f"t{number}", at - MINUTE, author="agent")
        yield event("ticket.message", f"t{number}", at - 2 * MINUTE, author="customer")
        yield event("ticket.message", f"t{number}", at - 3 * MINUTE, author="agent")
        yield event("ticket.escalated", f"t{number}", at - 4 * MINUTE, tier=2)
        yield event("ticket.status_changed", f"t{number}", at - 5 * MINUTE, status="resolved")
        yield event("ticket.status_changed", f"t{number}", at - 6 * MINUTE, status="open")
        booking = {"channel": channel, "service": service, "currency": currency, "brand": brand, "amount": "1"}
        yield event("booking.created", f"b{number}", at, **booking)
        ended = {"booking.cancelled": {"by": "customer"}, "booking.no_show": {}, "booking.completed": {}}
        kind = source.choice(sorted(ended))
        yield event(kind, f"b{number}", at - MINUTE, **ended[kind])
        yield event("review.posted", f"r{number}", at, rating=source.randint(1, 5), site=site, brand=brand)


def test_ten_thousand_random_label_values_leave_at_most_3000_lines() -> None:
    shards = [shard_of(many_values(partition), partition) for partition in range(4)]  # 4 x 420 x 6 values
    upstream = {f"source {number}": NOW + number for number in range(10_000)}
    page = page_of(snapshot_of(*shards, upstream_last_seen=upstream))

    assert len(page.splitlines()) <= 3_000
    assert all(value == 1 for value in within(page, "exporter_up").values())
    named = within(page, "deskpulse_window_tickets_created", "team", '"7d"')
    assert len(named) == 11  # the budget of ten and other
    assert sum(named.values()) == 4 * 420


def test_a_part_that_fails_leaves_the_rest_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(snapshot: WorkerSnapshot, _: object) -> Iterator[samples.Sample]:
        yield "deskpulse_tickets_active", "", {"partition": "0"}, 1
        raise RuntimeError("broken")

    monkeypatch.setitem(samples.PARTS, "state", broken)  # type: ignore[arg-type] # a dict at run time
    page = page_of(snapshot_of(shard_of(small_day())))

    assert within(page, "exporter_up", "state") == {'deskpulse_exporter_up{part="state"}': 0}
    assert within(page, "deskpulse_tickets_active") == {}
    assert within(page, "deskpulse_window_tickets_created{window", "1h") != {}


def test_a_page_is_made_once_per_snapshot_and_format() -> None:
    latest = Latest()
    page = ScrapePage(latest)
    latest.publish(snapshot_of(shard_of(small_day())))
    first, openmetrics = page.render()[0], page.render(OPENMETRICS)[0]

    assert page.render()[0] is first
    assert page.render(OPENMETRICS)[0] is openmetrics
    assert openmetrics.endswith(b"# EOF\n")
    latest.publish(snapshot_of(shard_of(small_day()), now=NOW + MINUTE))
    assert b"deskpulse_snapshot_timestamp_seconds 1.76000006e+09" in page.render()[0]


def test_counters_of_known_labels_start_at_zero_and_unknown_types_share_one_series() -> None:
    counted = {("tickets", f"made.up.{number}", "rejected"): 1 for number in range(500)}
    page = page_of(snapshot_of(shard_of([]), events=counted))

    rejected = within(page, "deskpulse_stream_events_total", 'result="rejected"', "tickets")
    assert rejected.pop('deskpulse_stream_events_total{result="rejected",topic="tickets",type="unknown"}') == 500
    assert rejected
    assert set(rejected.values()) == {0}
    assert within(page, "dead_letters_total", "too_large") == {
        f'deskpulse_stream_dead_letters_total{{reason="too_large",topic="{topic}"}}': 0
        for topic in ("tickets", "bookings", "reviews")
    }


def test_the_offset_shown_is_that_of_the_same_snapshot() -> None:
    sources = (SourceSnapshot("tickets", 0, 17, NOW, 3, 1.5), SourceSnapshot("reviews", 0, -1, None, None, None))
    page = page_of(snapshot_of(shard_of([]), sources=sources))

    assert within(page, "applied_offset") == {'deskpulse_stream_applied_offset{partition="0",topic="tickets"}': 17}
    assert within(page, "consumer_lag") == {
        'deskpulse_stream_consumer_lag_messages{partition="0",topic="tickets"}': 3,
        'deskpulse_stream_consumer_lag_seconds{partition="0",topic="tickets"}': 1.5,
    }
