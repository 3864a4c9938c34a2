"""Fixtures of the whole suite."""

from __future__ import annotations

import pytest

from tests.support.data import found_data

pytest_plugins = ["tests.kafka.fixtures"]


@pytest.fixture(scope="session")
def data_folder():
    """The full data sets; without them their tests are skipped, loudly."""
    folder = found_data()
    if folder is None:
        pytest.skip("NO DATA: the full data sets are not here; set DESKPULSE_DATA to their folder")
    return folder
