"""What was promised, each with what was measured in this run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

Results = dict[str, Any]


class Bar(NamedTuple):
    """A promise: what it is about, what was measured, what is wanted, whether that is met."""

    what: str
    measured: str
    wanted: str
    met: bool


def bars(results: Results) -> Iterator[Bar]:
    """Yields the bars of the parts that were measured."""
    yield from _costs({row["name"]: row["cpu_us_per_event"] for row in results["rows"] if row.get("wrong") == ""})
    if "latency" in results:
        told = results["latency"]
        kept = told["rate"] >= 0.95 * told["wanted_rate"]
        measured = f"{told['p99_s']:.2f} s at {told['rate']:,.0f} events/s"
        yield Bar("published until shown, p99", measured, "< 1 s at 10,000 events/s", kept and told["p99_s"] < 1)
    if "scale" in results:
        yield from _scale(results["scale"], results.get("stock_recovery"))


def _costs(cost: dict[str, float]) -> Iterator[Bar]:
    """The cost of an event against that of each peer; those of the loops made by hand are aims."""
    wanted = (("stock-faust", 1 / 20, "1/20"), ("quixstreams", 1 / 2, "1/2"))
    aims = (("aiokafka", 1.5, "1.5 x (aim)"), ("confluent-kafka", 1.0, "1 x (aim)"))
    for peer, bound, said in (*wanted, *aims):
        if peer in cost and "deskpulse" in cost:
            ratio = cost["deskpulse"] / cost[peer]
            shown = f"1/{1 / ratio:.1f}" if ratio < 1 else f"{ratio:.1f} x"
            yield Bar(f"CPU per event, of {peer}'s", shown, f"at most {said}", ratio <= bound)


def _scale(rows: list[dict[str, Any]], stock: dict[str, Any] | None) -> Iterator[Bar]:
    few, many = rows[0], rows[-1]
    growth = many["cpu_us_per_event"] / few["cpu_us_per_event"]
    size, scrape = many["bytes_per_ticket"], many["scrape_busy_max_s"]
    with_tickets = f"with {many['tickets']:,} open tickets"
    grows = f"CPU per event {with_tickets}, of that with {few['tickets']:,}"
    yield Bar(grows, f"{growth:.2f} x", "at most 1.5 x", growth <= 1.5)
    yield Bar(f"longest scrape {with_tickets}", f"{scrape * 1e3:.0f} ms", "< 100 ms", scrape < 0.1)
    yield Bar("memory per open ticket", f"{size:,.0f} bytes", "at most 2,048", size <= 2048)
    takeover = many["takeover_s"]
    yield Bar(f"takeover from a killed worker {with_tickets}", f"{takeover:.1f} s", "< 20 s", takeover < 20)
    read = max(row["kept_read_records"] for row in rows)
    yield Bar("records read for shards that stay", f"{read:,}", "0", read == 0)
    if stock:
        faster = many["restore_records_per_second"] / stock["records_per_second"]
        yield Bar("records restored a second, of stock Faust's", f"{faster:.1f} x", "at least 10 x", faster >= 10)
