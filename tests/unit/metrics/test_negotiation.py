"""A scraper gets OpenMetrics if it asks for it, everybody else the text format."""

import pytest

from stream.metrics.negotiation import prefers_openmetrics

# What Prometheus 2.42 sends (scrape/scrape.go, acceptHeader).
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS, True),
        ("application/openmetrics-text", True),
        ("Application/OpenMetrics-Text; Q=0.3", True),
        ("text/plain, application/openmetrics-text;q=0.9", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=much", False),
        ("text/html,*/*", False),
        ("*/*", False),
        ("", False),
        (";;;,,q=", False),
    ],
)
def test_openmetrics_is_given_only_to_who_prefers_it(accept: str, expected: bool) -> None:
    assert prefers_openmetrics(accept) is expected
