"""Fixtures of the whole suite."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.support.data import deskpulse, found_data

pytest_plugins = ["tests.kafka.fixtures"]


@pytest.fixture(scope="session")
def data_folder():
    """The full data sets; without them their tests are skipped, loudly."""
    folder = found_data()
    if folder is None:
        pytest.skip("NO DATA: the full data sets are not here; set DESKPULSE_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def imported(data_folder, tmp_path_factory):
    """Run `deskpulse import` on a source of the full data; each is imported once a session, every row must be taken."""
    folder = tmp_path_factory.mktemp("imported")

    @cache
    def run(mapping: str, source: str) -> Path:
        out = folder / f"{mapping}.jsonl"
        done = deskpulse("import", "--mapping", mapping, data_folder / source, "--out", out)
        assert done.returncode == 0, done.stderr
        return out

    return run
