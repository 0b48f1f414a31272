"""The scopes that clients request: from the challenge, from either metadata, of their own, or none.

Each request ends in a token that works, or in an error that names the scope to request.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from stack.chain import Chain
from stack.keycloak import Keycloak
from tests.e2e.servers import EVERYTHING, Server
from tests.support.administration import somebody_new
from tests.support.browser import Browser
from tests.support.http import patient_client
from tests.support.mcp_http import call_tool, challenge, message, post, result
from tests.support.oauth import Person, Pkce, authorize, claims, metadata, sign_in

CALLBACK = "http://localhost:49152/callback"
Registered = Callable[..., Awaitable[str]]


@pytest.fixture
def person(chain: Chain) -> Iterator[Person]:
    """Somebody who has consented to nothing yet."""
    with somebody_new(chain.keycloak.admin()) as (_, who):
        yield who


@pytest.fixture
async def registered(keycloak: Keycloak) -> AsyncIterator[Registered]:
    """Register a client with these scopes, or without any; return its id. The client is deleted after the test."""
    endpoint = (await metadata(keycloak))["registration_endpoint"]
    async with AsyncExitStack() as cleanup:
        http = await cleanup.enter_async_context(patient_client())

        async def register(scope: str | None) -> str:
            client = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
            answer = await http.post(endpoint, json=client if scope is None else client | {"scope": scope})
            assert answer.status_code == 201, answer.text
            made = answer.json()
            credentials = {"authorization": f"Bearer {made['registration_access_token']}"}
            cleanup.push_async_callback(http.delete, made["registration_client_uri"], headers=credentials)
            return str(made["client_id"])

        yield register


async def challenged(server: Server) -> str:
    """Return the scopes of the server's challenge."""
    return challenge(await post(server.url, message("tools/list")))["scope"]


async def listed_by_server(server: Server) -> str:
    """Return the scopes of the server's metadata."""
    async with patient_client() as http:
        document = (await http.get(f"{server.origin}/.well-known/oauth-protected-resource/mcp")).json()
    return " ".join(document["scopes_supported"])


async def challenged_and_identity(server: Server) -> str:
    """Return the scopes of the challenge with those of OpenID Connect."""
    return f"openid profile email {await challenged(server)}"


@pytest.mark.parametrize("requested", [challenged, listed_by_server, challenged_and_identity])
@pytest.mark.parametrize("is_registered_with_scope", [True, False], ids=["registered with scope", "without"])
async def test_requested_scopes_give_a_token_that_works(
    keycloak: Keycloak,
    registered: Registered,
    server: Server,
    person: Person,
    requested: Callable[[Server], Awaitable[str]],
    *,
    is_registered_with_scope: bool,
) -> None:
    """The token has the scopes of all tools, and no name or e-mail address beyond the user name."""
    scope = await requested(server)
    client_id = await registered(scope if is_registered_with_scope else None)
    token = (await sign_in(keycloak, **person, scope=scope, client_id=client_id, redirect_uri=CALLBACK))["access_token"]

    answer = result(await call_tool(server.url, "nc_whoami", token=token))

    assert answer["structuredContent"]["user_id"] == person["username"]
    assert set(claims(token)["scope"].split()) >= {server.scope, *EVERYTHING.split()}
    if server.mode == "exchange":
        assert claims(token).keys().isdisjoint({"name", "email"})


async def test_scopes_of_the_realm_give_a_token_for_the_listed_server(
    keycloak: Keycloak, registered: Registered, exchange: Server, pass_through: Server, person: Person
) -> None:
    """A client that requests all scopes of the realm's metadata can call one server; the other names its scope."""
    scope = " ".join((await metadata(keycloak))["scopes_supported"])
    client_id = await registered(scope)
    token = (await sign_in(keycloak, **person, scope=scope, client_id=client_id, redirect_uri=CALLBACK))["access_token"]

    answer = result(await call_tool(exchange.url, "nc_whoami", token=token))
    refused = await call_tool(pass_through.url, "nc_whoami", token=token)

    assert answer["structuredContent"]["user_id"] == person["username"]
    assert refused.status_code == 401
    assert "sign in with the scope nextcloud-mcp:pass-through" in challenge(refused)["error_description"]


@pytest.mark.parametrize("first", [None, "openid", "openid profile email"], ids=["none", "openid", "identity"])
async def test_token_for_no_server_leads_to_the_right_scopes(
    keycloak: Keycloak, registered: Registered, server: Server, person: Person, first: str | None
) -> None:
    """A client that ignores the challenge gets a token for no server; the next challenge names what to request."""
    client = {"client_id": await registered(None), "redirect_uri": CALLBACK}
    browser = Browser()
    useless = (await sign_in(keycloak, **person, scope=first, browser=browser, **client))["access_token"]

    refused = await call_tool(server.url, "nc_whoami", token=useless)
    assert refused.status_code == 401
    assert challenge(refused)["error"] == "invalid_token"

    scope = challenge(refused)["scope"]
    token = (await sign_in(keycloak, **person, scope=scope, browser=browser, **client))["access_token"]
    assert result(await call_tool(server.url, "nc_whoami", token=token))["structuredContent"]["mode"] == server.mode


@pytest.mark.parametrize("extra", ["mcp:tools", "nextcloud", "roles"])
async def test_unknown_scope_is_named_in_the_redirect(
    keycloak: Keycloak, server: Server, person: Person, extra: str
) -> None:
    """Keycloak refuses a scope that it does not have; the client gets the error with the scopes (RFC 6749 4.1.2.1)."""
    scope = f"{await challenged(server)} {extra}"
    answer = await authorize(keycloak, Browser(), **person, scope=scope, **Pkce().parameters)

    assert answer["error"] == "invalid_scope"
    assert extra in answer["error_description"]
