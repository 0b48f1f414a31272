"""How long a sign-in lasts, how clients refresh it, and how soon each mode refuses it after Keycloak ends it."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import anyio
import httpx
import pytest
from joserfc.jwk import RSAKey
from keycloak import KeycloakAdmin
from mcp.client import Client
from mcp.shared.auth import OAuthToken

from stack.chain import Chain
from stack.config import EXCHANGE_CLIENT_SECRET
from stack.keycloak import Keycloak
from tests.e2e.servers import Server
from tests.support import oauth
from tests.support.administration import realm_with, somebody_new
from tests.support.documents import CLAUDE_CODE, Documents
from tests.support.http import patient_client
from tests.support.mcp_client import REDIRECT_URI, McpUser, Tokens, connected, registered_by_hand
from tests.support.mcp_http import call_tool, challenge, message, post, result
from tests.support.minting import Minter
from tests.support.oauth import ALICE, Person, claims, metadata, sign_in, token_request

NO_LONGER_HONOURED: Final = (400, "invalid_request", "Invalid token")
"""Keycloak's answer at the exchange, whatever it was that ended the subject token."""


@pytest.fixture
def admin(chain: Chain) -> KeycloakAdmin:
    """Keycloak's administration API."""
    return chain.keycloak.admin()


# --- a sign-in is prolonged -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """How a client comes to its id, and at which server it is then; a document needs the second chain's features."""

    path: Literal["by hand", "by registration", "by document"]
    mode: Literal["exchange", "pass-through"]


WAYS: Final = [
    Way("by hand", "exchange"),
    Way("by hand", "pass-through"),
    Way("by registration", "exchange"),
    Way("by registration", "pass-through"),
    Way("by document", "exchange"),
]


async def expiry(token: str) -> None:
    """Wait until a token that lasts a second has expired.

    Its client counts from its arrival, and Keycloak honours it to the end of the second that `exp` names.
    """
    await anyio.sleep(max(1.1, claims(token)["exp"] + 1.1 - time.time()))


@dataclass
class SignedIn:
    """An MCP client with an access token that lasts a second, the person in front of it, and where they signed in."""

    keycloak: Keycloak
    client: Client
    person: McpUser
    storage: Tokens

    @property
    def tokens(self) -> OAuthToken:
        """What the client holds now."""
        assert self.storage.tokens is not None
        return self.storage.tokens

    async def wait_until_expired(self) -> None:
        """Wait until the access token has expired."""
        assert self.tokens.expires_in in {0, 1}
        await expiry(self.tokens.access_token)


@pytest.fixture(params=WAYS, ids=lambda way: f"{way.path}, {way.mode}")
async def signed_in(request: pytest.FixtureRequest) -> AsyncIterator[SignedIn]:
    """Alice, by each client path, at each server, while Keycloak issues access tokens that last a second."""
    way: Way = request.param
    person, storage = McpUser(**ALICE), registered_by_hand() if way.path == "by hand" else Tokens()
    options: dict[str, Any] = {}
    if way.path == "by document":
        documents: Documents = request.getfixturevalue("documents")
        options = {"document": documents.publish(CLAUDE_CODE), "redirect_uri": "http://localhost:51234/callback"}
    chain: Chain = request.getfixturevalue("featured" if way.path == "by document" else "chain")
    url = chain.config.exchange_url if way.mode == "exchange" else chain.config.pass_through_url
    with realm_with(chain.keycloak.admin(), accessTokenLifespan=1):
        async with connected(url, person, storage, **options) as client:
            yield SignedIn(chain.keycloak, client, person, storage)


async def refresh(keycloak: Keycloak, refresh_token: str, client_id: str) -> httpx.Response:
    """Use a refresh token (RFC 6749 section 6)."""
    return await token_request(
        keycloak, {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": client_id}
    )


async def test_client_refreshes_an_expired_token_silently(signed_in: SignedIn) -> None:
    """When the access token has expired, the client refreshes it without a browser and continues."""
    first = signed_in.tokens
    await signed_in.wait_until_expired()
    with realm_with(signed_in.keycloak.admin(), accessTokenLifespan=300):
        answer = await signed_in.client.call_tool("nc_whoami", {})

    assert not answer.is_error
    assert signed_in.person.sign_ins == 1
    assert signed_in.tokens.access_token != first.access_token
    assert signed_in.tokens.refresh_token != first.refresh_token
    assert claims(signed_in.tokens.access_token)["aud"] == claims(first.access_token)["aud"]
    assert set((signed_in.tokens.scope or "").split()) == set((first.scope or "").split())


@pytest.mark.requirement("mcp-rotate-refresh-tokens")
async def test_reused_refresh_token_ends_the_session(signed_in: SignedIn) -> None:
    """A refresh token whose successor was used is refused and revokes all later ones; the client signs in again."""
    first = signed_in.tokens
    for _ in range(2):
        await signed_in.wait_until_expired()
        await signed_in.client.list_tools()
    second = signed_in.tokens
    assert second.refresh_token != first.refresh_token
    client_id = signed_in.storage.client.client_id if signed_in.storage.client else ""
    replayed = await refresh(signed_in.keycloak, str(first.refresh_token), client_id)
    successor = await refresh(signed_in.keycloak, str(second.refresh_token), client_id)
    await signed_in.wait_until_expired()
    with realm_with(signed_in.keycloak.admin(), accessTokenLifespan=300):
        answer = await signed_in.client.call_tool("nc_whoami", {})

    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_grant")
    assert (successor.status_code, successor.json()["error"]) == (400, "invalid_grant")
    assert signed_in.person.sign_ins == 2
    assert not answer.is_error


# --- a sign-in is ended in Keycloak ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grant:
    """What a person has given a client of their own: a token for each server.

    Attributes:
        admin: Keycloak's administration API.
        user_id: the person's.
        person: who signs in.
        client_id: the client's public id.
        tokens: the token responses, by mode.
    """

    admin: KeycloakAdmin
    user_id: str
    person: Person
    client_id: str
    tokens: Mapping[Literal["exchange", "pass-through"], dict[str, Any]]

    @property
    def client_key(self) -> str:
        """The client's id in the administration API."""
        return str(self.admin.get_client_id(self.client_id))


async def register(keycloak: Keycloak) -> str:
    """Register a client (RFC 7591) and return its id."""
    client = {"client_name": "A client", "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}
    async with patient_client() as http:
        answer = await http.post((await metadata(keycloak))["registration_endpoint"], json=client)
    return str(answer.raise_for_status().json()["client_id"])


@pytest.fixture
async def grant(chain: Chain, admin: KeycloakAdmin, exchange: Server, pass_through: Server) -> AsyncIterator[Grant]:
    """A new person with a new client, signed in for both servers."""
    client_id = await register(chain.keycloak)
    with somebody_new(admin) as (user_id, person):
        tokens = {
            server.mode: await sign_in(
                chain.keycloak, **person, scope=server.scope, client_id=client_id, redirect_uri=REDIRECT_URI
            )
            for server in (exchange, pass_through)
        }
        yield Grant(admin, user_id, person, client_id, tokens)
    key = admin.get_client_id(client_id)
    if key:
        admin.delete_client(key)


def end_sessions(grant: Grant) -> None:
    """End each of the person's sessions by itself."""
    for session in grant.admin.get_sessions(grant.user_id):
        path = f"/admin/realms/{grant.admin.connection.realm_name}/sessions/{session['id']}"
        assert grant.admin.connection.raw_delete(path).status_code == 204


def set_enabled(grant: Grant, *, enabled: bool) -> None:
    """Disable or enable the account."""
    grant.admin.update_user(grant.user_id, grant.admin.get_user(grant.user_id) | {"enabled": enabled})


def revoke_all_until_now(grant: Grant) -> None:
    """Set the realm's not-before; the fixture takes it back."""
    grant.admin.update_realm(str(grant.admin.connection.realm_name), {"notBefore": int(time.time()) + 1})


ENDS: Final[Mapping[str, Callable[[Grant], object]]] = {
    "signed out everywhere": lambda grant: grant.admin.user_logout(grant.user_id),
    "session ended": end_sessions,
    "account disabled": lambda grant: set_enabled(grant, enabled=False),
    "account deleted": lambda grant: grant.admin.delete_user(grant.user_id),
    "consent withdrawn": lambda grant: grant.admin.revoke_consent(grant.user_id, grant.client_id),
    "client disabled": lambda grant: grant.admin.update_client(grant.client_key, {"enabled": False}),
    "client deleted": lambda grant: grant.admin.delete_client(grant.client_key),
    "client's not-before": lambda grant: grant.admin.update_client(
        grant.client_key, {"notBefore": int(time.time()) + 1}
    ),
    "realm's not-before": revoke_all_until_now,
}


@pytest.fixture(params=[*ENDS])
def end(request: pytest.FixtureRequest, admin: KeycloakAdmin, grant: Grant) -> Iterator[Callable[[], object]]:
    """Each way in which Keycloak stops honouring a sign-in."""
    with realm_with(admin, notBefore=0):
        yield lambda: ENDS[request.param](grant)


async def exchanged(chain: Chain, grant: Grant) -> tuple[int, str | None, str | None]:
    """Exchange the person's token as the server does: Keycloak's status, error and description."""
    response = await oauth.exchange(
        chain.keycloak,
        grant.tokens["exchange"]["access_token"],
        client_id=chain.config.exchange_url,
        client_secret=EXCHANGE_CLIENT_SECRET,
        audience="nextcloud",
    )
    answer = response.json()
    return response.status_code, answer.get("error"), answer.get("error_description")


@pytest.mark.requirement("rfc8693-subject-token-validated", "rfc6750-limited-lifetime", "mcp-short-lived")
async def test_ended_sign_in_is_refused_by_exchange_mode_at_once(
    chain: Chain, exchange: Server, pass_through: Server, grant: Grant, end: Callable[[], object]
) -> None:
    """Exchange mode refuses the next call with 401; no token can be refreshed; pass-through works until `exp`."""
    tokens = {mode: str(answer["access_token"]) for mode, answer in grant.tokens.items()}
    for server in (exchange, pass_through):
        assert not result(await call_tool(server.url, "nc_whoami", token=tokens[server.mode])).get("isError")
    end()
    refused = await call_tool(exchange.url, "nc_whoami", token=tokens["exchange"])
    lasting = await call_tool(pass_through.url, "nc_whoami", token=tokens["pass-through"])
    refreshed = [
        await refresh(chain.keycloak, answer["refresh_token"], grant.client_id) for answer in grant.tokens.values()
    ]

    assert await exchanged(chain, grant) == NO_LONGER_HONOURED
    assert refused.status_code == 401
    assert challenge(refused)["error"] == "invalid_token"
    assert "sign in again" in challenge(refused)["error_description"]
    assert [answer.json()["error"] in {"invalid_grant", "invalid_client"} for answer in refreshed] == [True, True]
    assert not result(lasting).get("isError")
    lifetime = claims(tokens["pass-through"])
    assert lifetime["exp"] - lifetime["iat"] <= 300


@pytest.mark.requirement("mcp-invalid-is-401")
async def test_pass_through_has_no_leeway_after_exp(pass_through: Server, signing_key: RSAKey, issuer: str) -> None:
    """No pass-through call succeeds after `exp`, although other tokens get 30 seconds of clock leeway."""
    minter = Minter(issuer=issuer, resource=pass_through.url, key=signing_key)
    token = minter.mint(exp=int(time.time()) - 1)
    call = await call_tool(pass_through.url, "nc_whoami", token=token)
    listing = await post(pass_through.url, message("tools/list"), token=token)

    assert call.status_code == 401
    assert challenge(call)["error"] == "invalid_token"
    assert "expired" in challenge(call)["error_description"]
    assert listing.status_code == 200


@pytest.mark.requirement("rfc8693-subject-token-validated", "mcp-invalid-is-401")
async def test_keycloak_refuses_to_exchange_an_expired_token(
    chain: Chain, admin: KeycloakAdmin, exchange: Server
) -> None:
    """In exchange mode Keycloak checks `exp` itself, and an expired token gets 401."""
    with realm_with(admin, accessTokenLifespan=1):
        tokens = await sign_in(chain.keycloak, **ALICE, scope=exchange.scope)
    await expiry(tokens["access_token"])
    response = await call_tool(exchange.url, "nc_whoami", token=tokens["access_token"])

    assert response.status_code == 401
    assert challenge(response)["error"] == "invalid_token"


OPEN_AGAIN: Final = ("signed out everywhere", "session ended", "consent withdrawn", "realm's not-before")


@pytest.mark.parametrize("event", OPEN_AGAIN)
async def test_client_starts_a_new_sign_in_without_a_failed_call(
    admin: KeycloakAdmin, exchange: Server, event: str
) -> None:
    """If the sign-in ends while a client works, the user signs in again, and no call of the client fails."""
    with somebody_new(admin) as (user_id, person), realm_with(admin, notBefore=0):
        somebody, storage = McpUser(**person), Tokens()
        async with connected(exchange.url, somebody, storage) as client:
            before = await client.call_tool("nc_whoami", {})
            assert storage.client is not None
            ENDS[event](Grant(admin, user_id, person, str(storage.client.client_id), {}))
            if event == "realm's not-before":
                await anyio.sleep(1.1)  # what is issued within the same second is stale as well
            after = await client.call_tool("nc_whoami", {})

    assert not before.is_error
    assert not after.is_error
    assert somebody.sign_ins == 2
    assert len(somebody.browser.consents) == (2 if event == "consent withdrawn" else 1)


def disable_and_enable(grant: Grant) -> None:
    """Disable the account for a moment."""
    set_enabled(grant, enabled=False)
    set_enabled(grant, enabled=True)


LEAVES_IT_OPEN: Final[Mapping[str, Callable[[Grant], object]]] = {
    "password changed": lambda grant: grant.admin.set_user_password(
        grant.user_id, "another password of hers", temporary=False
    ),
    "disabled and enabled again": disable_and_enable,
}


@pytest.mark.parametrize("event", LEAVES_IT_OPEN.values(), ids=LEAVES_IT_OPEN.keys())
async def test_actions_that_do_not_end_a_sign_in(chain: Chain, grant: Grant, event: Callable[[Grant], object]) -> None:
    """Some administrator actions resemble a sign-out but keep the sessions (docs/explanation/sessions.md)."""
    event(grant)
    status, error, _ = await exchanged(chain, grant)

    assert (status, error) == (200, None)
