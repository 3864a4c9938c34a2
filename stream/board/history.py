"""The last hour of the board's figures, so that a page just opened shows where they come from.

It is kept in memory and is as long as the process is old: the windows themselves are exact at every instant, so nothing
that matters is lost with it.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from msgspec import Struct

from stream.metrics.tally import Group

# 240 points are more than a sparkline has pixels. With every label value in use (39 groups in 4 windows) an hour takes
# some 7 MB.
INTERVAL_SECONDS = 15
POINTS = 3_600 // INTERVAL_SECONDS

Figures = Mapping[tuple[str, Group], Sequence[float]]  # by window and group, in the order of the series


class _Sample(Struct, frozen=True):
    time: float
    figures: dict[tuple[str, Group], array[float]]


class History:
    """Samples of the series *names*, the oldest dropped after an hour. Used by the server's thread alone."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._samples: deque[_Sample] = deque(maxlen=POINTS)

    def add(self, time: float, figures: Figures) -> None:
        """Add a sample at *time* (seconds since the epoch); NaN is no value, no figures at all a gap."""
        self._samples.append(_Sample(time, {key: array("d", values) for key, values in figures.items()}))

    def series(self, window: str, group: Group) -> dict[str, Any]:
        """Return the times and the series of one window and group, ready for JSON (NaN becomes null)."""
        nothing = array("d", [nan] * len(self.names))
        rows = [sample.figures.get((window, group), nothing) for sample in self._samples]
        return {
            "times": [sample.time for sample in self._samples],
            "kpis": {name: [row[index] for row in rows] for index, name in enumerate(self.names)},
        }
