"""Fixtures: a stand-in in this process, and a fake issuer that the tests control."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from stack.standin.app import Options
from tests.support.issuer import DISCOVERY_URL, FakeIssuer
from tests.unit.standin.running import running


@pytest.fixture
def issuer() -> FakeIssuer:
    """The issuer that the stand-in trusts."""
    return FakeIssuer()


@pytest.fixture
def options(issuer: FakeIssuer, tmp_path: Path) -> Options:
    """What the stand-in is told, with an empty data folder."""
    return Options(tmp_path, DISCOVERY_URL, realm_transport=issuer.transport)


@pytest.fixture
async def client(options: Options) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a fresh stand-in."""
    async with running(options) as client:
        yield client
