"""What the tests of `nextcloud_mcp.nextcloud` share."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import stamina

from nextcloud_mcp.nextcloud.client import Nextcloud, http_client
from tests.support.nextcloud import URL, FakeNextcloud, people_with

ALICE = ("https://issuer.test", "sub-of-alice", "sub-of-alice")


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
    return Nextcloud(http, people_with(ALICE), account=ALICE, token="token-of-alice")
