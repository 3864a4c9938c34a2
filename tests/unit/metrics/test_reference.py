"""The reference pages in docs/ are what the tables say."""

from pathlib import Path

import pytest

from stream.domain.kpis import CATALOGUE
from stream.generate.reference import kpis_page, metrics_page, reference_files
from stream.generate.write import drifted
from stream.metrics.names import TABLE

ROOT = Path(__file__).parents[3]


def test_the_committed_pages_are_the_generated_ones() -> None:
    assert drifted(ROOT, reference_files(ROOT)) == []


def test_every_metric_has_one_row_with_its_type_and_help() -> None:
    page = metrics_page().splitlines()
    for metric in TABLE:
        rows = [line for line in page if line.startswith(f"| `{metric.name}` |")]
        assert len(rows) == 1
        assert f"| {metric.type} |" in rows[0]
        assert metric.help in rows[0]


def test_every_kpi_has_one_row_that_names_its_metrics() -> None:
    page = kpis_page().splitlines()
    documented = set()
    for kpi in CATALOGUE:
        (row,) = [line for line in page if line.startswith(f"| `{kpi.id}` |")]
        documented |= {metric.name for metric in TABLE if f"`{metric.name}`" in row}

    live = {f"deskpulse_{kpi.id}" for kpi in CATALOGUE if kpi.shape == "live"}
    assert documented == {metric.name for metric in TABLE if "window" in metric.labels} | live


@pytest.mark.parametrize("page", [metrics_page(), kpis_page()])
def test_every_row_of_a_table_has_as_many_cells_as_its_head(page: str) -> None:
    rows = [line for line in page.splitlines() if line.startswith("|")]
    widths = {row.count("|") for row in rows}
    assert len(widths) == 1
