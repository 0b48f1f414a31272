"""What the tests of `nextcloud_mcp.auth` share."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.clock import Clock
from tests.support.issuer import FakeIssuer


@pytest.fixture
def keycloak() -> FakeIssuer:
    """A realm that nobody has asked anything yet."""
    return FakeIssuer()


@pytest.fixture
def clock() -> Clock:
    """The clock that what is under test reads."""
    return Clock()


@pytest.fixture
async def http(keycloak: FakeIssuer) -> AsyncIterator[httpx.AsyncClient]:
    """A client that reaches that realm and nothing else."""
    async with httpx.AsyncClient(transport=keycloak.transport) as client:
        yield client
