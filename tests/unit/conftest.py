"""What all unit tests share."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import stamina

from nextcloud_mcp.nextcloud.client import Nextcloud, http_client
from tests.support.nextcloud import ALICE, URL, FakeNextcloud, accounts_with
from tests.support.server import EXCHANGE, PASS_THROUGH, Server, serving


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server in exchange mode."""
    async with serving(EXCHANGE) as running:
        yield running


@pytest.fixture
async def pass_through_server() -> AsyncIterator[Server]:
    """A server in pass-through mode."""
    async with serving(PASS_THROUGH) as running:
        yield running


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    """Repeat as often as in life, but at once."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def fake() -> FakeNextcloud:
    """A Nextcloud that nobody has asked anything yet."""
    return FakeNextcloud()


@pytest.fixture
async def http(fake: FakeNextcloud) -> AsyncIterator[httpx.AsyncClient]:
    """The server's pooled client, with that Nextcloud for a network."""
    async with http_client(URL, transport=fake.transport) as client:
        yield client


@pytest.fixture
def nextcloud(http: httpx.AsyncClient) -> Nextcloud:
    """Nextcloud as alice, who has an account, for one call."""
    return Nextcloud(http, accounts_with(ALICE), account=ALICE, token="token-of-alice")
