"""Fixtures for the tests that only `make matrix` runs, against a real Nextcloud."""

import os

import pytest

from tests.e2e.conftest import exchange, nextcloud_of, pass_through, server, unique
from tests.matrix.suites import SQL

__all__ = ["exchange", "nextcloud_of", "pass_through", "server", "unique"]  # fixtures


def pytest_ignore_collect(collection_path: object, config: pytest.Config) -> bool | None:
    """Leave these tests to `make matrix`."""
    del collection_path, config
    return None if SQL in os.environ else True
