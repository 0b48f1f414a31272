"""Fixtures for end-to-end tests: the two servers, users with MCP clients, and plain HTTP access to Nextcloud."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
import pytest
from joserfc.jwk import RSAKey
from mcp.client import Client

from stack.chain import Chain
from tests.e2e.servers import EVERYTHING, Connect, NextcloudOf, Server, TokenFor
from tests.support.administration import somebody_new
from tests.support.http import patient_client
from tests.support.mcp_client import McpUser, Tokens, connected
from tests.support.minting import Minter, realm_key
from tests.support.oauth import Person, sign_in
from tests.support.own_chain import OwnChain, run_own_chain
from tests.support.run import PEOPLE


@pytest.fixture(scope="session")
def exchange(chain: Chain) -> Server:
    """The server in exchange mode."""
    return Server("exchange", chain.config.exchange_url)


@pytest.fixture(scope="session")
def pass_through(chain: Chain) -> Server:
    """The server in pass-through mode."""
    return Server("pass-through", chain.config.pass_through_url)


@pytest.fixture(params=["exchange", "pass_through"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    chosen: Server = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture(scope="session")
def keychain() -> dict[tuple[str, str], Tokens]:
    """What the MCP clients of this run remember, by person and server."""
    return {}


@pytest.fixture
def connect(server: Server, keychain: dict[tuple[str, str], Tokens]) -> Connect:
    """Connect somebody's MCP client to the server; who was there before need not sign in again."""

    @asynccontextmanager
    async def connect(username: str) -> AsyncIterator[Client]:
        tokens = keychain.setdefault((username, server.url), Tokens())
        async with connected(server.url, McpUser(**PEOPLE[username]), tokens) as client:
            yield client

    return connect


@pytest.fixture
def token_of(chain: Chain, server: Server) -> TokenFor:
    """Sign somebody in for the server, with just the scopes that the test names."""

    async def token_of(username: str = "alice", *, scope: str = EVERYTHING) -> str:
        tokens = await sign_in(chain.keycloak, **PEOPLE[username], scope=f"{server.scope} {scope}")
        return str(tokens["access_token"])

    return token_of


@pytest.fixture
def nextcloud_of(chain: Chain) -> NextcloudOf:
    """Open somebody's Nextcloud by plain HTTP, past both servers."""

    @asynccontextmanager
    async def nextcloud_of(username: str) -> AsyncIterator[httpx.AsyncClient]:
        tokens = await sign_in(chain.keycloak, **PEOPLE[username], scope="nextcloud-mcp:pass-through")
        headers = {"Authorization": f"Bearer {tokens['access_token']}", "OCS-APIRequest": "true"}
        async with patient_client(base_url=chain.nextcloud.url, headers=headers) as http:
            yield http

    return nextcloud_of


@pytest.fixture(scope="session")
def signing_key(chain: Chain) -> RSAKey:
    """A key of ours that the realm publishes."""
    return realm_key(chain.keycloak.admin())


@pytest.fixture
def minter(chain: Chain, server: Server, signing_key: RSAKey) -> Minter:
    """Mint tokens for the server, genuine in all but what a test is about."""
    return Minter(issuer=chain.keycloak.issuer, resource=server.url, key=signing_key)


@pytest.fixture(scope="session")
def issuer(chain: Chain) -> str:
    """The realm's issuer identifier."""
    return chain.keycloak.issuer


@pytest.fixture
def unique() -> str:
    """Return a name that no other test uses."""
    return f"e2e-{uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def own(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnChain]:
    """A realm whose keys and secrets nobody else needs."""
    if chain.nextcloud.kind == "nextcloud" and chain.config.nextcloud_occ is None:
        pytest.skip("A real Nextcloud trusts a second realm only by occ: set NEXTCLOUD_OCC.")
    with run_own_chain(chain, tmp_path_factory.mktemp("own")) as running:
        yield running


@pytest.fixture(scope="module")
def person(own: OwnChain) -> Iterator[Person]:
    """Somebody of that realm alone, so that no account of the real Nextcloud is theirs already."""
    with somebody_new(own.keycloak.admin()) as (_, person):
        yield person
