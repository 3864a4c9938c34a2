"""The last hour of the figures, bounded."""

from __future__ import annotations

from math import isnan, nan

import orjson

from stream.board.history import POINTS, History
from stream.metrics.tally import TOTAL


def test_a_series_has_a_value_per_sample_and_nan_where_there_was_none() -> None:
    history = History(["a", "b"])
    history.add(10.0, {("1h", TOTAL): [1.0, nan]})
    history.add(25.0, {})
    history.add(40.0, {("1h", TOTAL): [3.0, 4.0], ("1h", ("team", "x")): [5.0, 6.0]})
    series = history.series("1h", TOTAL)

    assert series["times"] == [10.0, 25.0, 40.0]
    assert series["kpis"]["a"][::2] == [1.0, 3.0]
    assert isnan(series["kpis"]["a"][1])
    assert orjson.loads(orjson.dumps(series))["kpis"]["b"] == [None, None, 4.0]
    assert history.series("1h", ("team", "x"))["kpis"]["b"][2] == 6.0


def test_it_forgets_what_is_older_than_an_hour_of_samples() -> None:
    history = History(["a"])
    for number in range(POINTS + 3):
        history.add(float(number), {("1h", TOTAL): [float(number)]})

    times = history.series("1h", TOTAL)["times"]
    assert (len(times), times[0], times[-1]) == (POINTS, 3.0, POINTS + 2)
