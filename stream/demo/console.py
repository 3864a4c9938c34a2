"""The live numbers on a terminal: a table that is drawn anew, or a plain line where there is no terminal."""

from __future__ import annotations

from collections import Counter

from rich.console import Group as Stack
from rich.table import Table
from rich.text import Text

from stream.domain.kpis import KPIS, Kpi, value
from stream.events.values import MICRO
from stream.metrics.model import WorkerSnapshot
from stream.metrics.tally import TOTAL, Tallies, Tally, Teller, live_sum
from stream.metrics.wording import NO_VALUE, duration

WINDOWS = ("1h", "24h", "30d")
ROWS = (
    *("tickets_created", "first_response_time", "resolution_time", "resolved_within_24h", "complaint_rate", "csat"),
    *("nps", "mean_rating", "bookings_created", "cancellation_rate", "revenue"),
)
LINE = ("first_response_time", "complaint_rate", "csat", "nps", "revenue")  # of 24 h
CATCHING_UP = 1_000  # messages behind, from which on figures across topics would mislead


class Board:
    """Draws snapshots. It has a teller of its own, since the HTTP server's belongs to another thread."""

    def __init__(self) -> None:
        self._teller = Teller()
        self._seen: tuple[int, int] | None = None  # time of the last drawing, records read by then

    def table(self, snapshot: WorkerSnapshot | None) -> Stack:
        """Return the state of the work and the figures per window."""
        if snapshot is None:
            return Stack()
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("")
        for window in WINDOWS:
            table.add_column(window, justify="right")
        tallies = self._teller.tell(snapshot)
        for name in ROWS if tallies.windows else ():
            kpi = KPIS[name]
            table.add_row(name, *(figure(kpi, tallies.windows[window], tallies) for window in WINDOWS))
        return Stack(Text(self._work(snapshot, tallies), style="bold"), table)

    def line(self, snapshot: WorkerSnapshot | None) -> str:
        """Return the same in one line, with a few figures of the last 24 hours."""
        if snapshot is None:
            return "starting"
        tallies = self._teller.tell(snapshot)
        day = tallies.windows.get("24h")
        figures = [f"{name} {figure(KPIS[name], day, tallies)}" for name in LINE] if day else []
        if lag(snapshot) > CATCHING_UP:
            # Tickets may be read ahead of bookings: a ratio of the two would be true of the offsets alone.
            figures = ["catching up"]
        return " | ".join((self._work(snapshot, tallies), *figures))

    def _work(self, snapshot: WorkerSnapshot, tallies: Tallies) -> str:
        read = snapshot.events
        total = sum(read.values())
        then, before = self._seen or (snapshot.time, total)
        self._seen = (snapshot.time, total)
        rate = (total - before) * MICRO / (snapshot.time - then) if snapshot.time > then else 0.0
        active = value(KPIS["tickets_active"], live_sum(tallies).parts(KPIS["tickets_active"]))
        return f"{applied(snapshot):,} events applied, {rate:,.0f}/s, lag {lag(snapshot):,}, {active:,} tickets active"


def lag(snapshot: WorkerSnapshot) -> int:
    """Return the number of messages still to read."""
    return sum(source.lag_messages or 0 for source in snapshot.sources)


def applied(snapshot: WorkerSnapshot) -> int:
    """Return the number of events applied since the worker started."""
    return results(snapshot)["applied"]


def results(snapshot: WorkerSnapshot) -> Counter[str]:
    """Return what became of the records read since the worker started."""
    counts: Counter[str] = Counter()
    for (_, _, result), number in snapshot.events.items():
        counts[result] += number
    return counts


def figure(kpi: Kpi, tally: Tally, tallies: Tallies) -> str:
    """Return a KPI's figure for people; "-" where it has no value."""
    if kpi.shape == "money":
        sums = [(value(kpi, tally.parts(kpi, TOTAL, currency)), currency) for currency in tallies.currencies]
        return ", ".join(f"{amount:,.0f} {currency}" for amount, currency in sums) or NO_VALUE
    number = value(kpi, tally.parts(kpi))
    if number is None:
        return NO_VALUE
    if kpi.shape in ("count", "live"):
        return f"{number:,}"
    if kpi.shape == "ratio":
        return f"{number:.1%}"
    return duration(number) if kpi.shape == "time" else f"{number:.1f}"
