"""The tokens of a user's MCP client, and their lifetimes."""

import pytest
from joserfc import jws

from stack.keycloak import Keycloak
from tests.support.browser import Browser, BrowserError
from tests.support.oauth import ALICE, BOB, CLIENT_ID, Person, Pkce, authorize, claims, sign_in
from tests.support.run import ServerUrls


def audience(token: str) -> set[str]:
    """The `aud` claim as a set: it is a string or a list (RFC 7519 4.1.3)."""
    value = claims(token).get("aud", [])
    return {value} if isinstance(value, str) else set(value)


@pytest.mark.requirement(
    "rfc6750-audience",
    "rfc8707-audience-restricted",
    "rfc8725-audience-present",
    "rfc9068-default-audience",
    "rfc9728-audience-restricted",
)
@pytest.mark.parametrize("person", [ALICE, BOB], ids=["alice", "bob"])
async def test_exchange_server_token_has_only_that_audience(
    keycloak: Keycloak, server_urls: ServerUrls, person: Person
) -> None:
    """Its only audience is the server, so Nextcloud refuses it."""
    tokens = await sign_in(keycloak, **person, scope="nextcloud-mcp:exchange notes:read")
    token = claims(tokens["access_token"])
    assert audience(tokens["access_token"]) == {server_urls.exchange}
    assert set(token["scope"].split()) == {"nextcloud-mcp:exchange", "notes:read"}
    assert token["preferred_username"] == person["username"]
    assert token["iss"] == keycloak.issuer
    assert token["azp"] == CLIENT_ID
    assert token["sub"] != person["username"]


async def test_pass_through_token_also_has_the_nextcloud_audience(keycloak: Keycloak, server_urls: ServerUrls) -> None:
    """Its audiences are the server and Nextcloud, and no others."""
    tokens = await sign_in(keycloak, **ALICE, scope="nextcloud-mcp:pass-through notes:read")
    assert audience(tokens["access_token"]) == {server_urls.pass_through, "nextcloud"}
    assert claims(tokens["access_token"])["preferred_username"] == "alice"


PERSONAL = {"name", "given_name", "family_name", "email", "email_verified", "groups"}


@pytest.mark.parametrize("scope", ["nextcloud-mcp:exchange notes:read", "notes:read", "openid nextcloud-mcp:exchange"])
async def test_client_tokens_have_no_personal_data(keycloak: Keycloak, scope: str) -> None:
    """In exchange mode a client's tokens have neither name nor e-mail address; only Nextcloud's token has them."""
    tokens = await sign_in(keycloak, **ALICE, scope=scope)
    for kind in ("access_token", "id_token", "refresh_token"):
        assert not PERSONAL & claims(tokens.get(kind) or tokens["access_token"]).keys(), kind


async def test_pass_through_token_has_name_and_email(keycloak: Keycloak) -> None:
    """The pass-through token goes to Nextcloud, which fills the account from it; the ID token has no personal data."""
    tokens = await sign_in(keycloak, **ALICE, scope="openid nextcloud-mcp:pass-through")
    token = claims(tokens["access_token"])
    assert (token["name"], token["email"], token["email_verified"]) == ("Alice Demo", "alice@example.org", True)
    assert "groups" not in token
    assert not PERSONAL & claims(tokens["id_token"]).keys()


@pytest.mark.requirement("rfc9068-default-audience")
@pytest.mark.parametrize("scope", ["notes:read", "openid", "files:read files:write"])
async def test_token_without_a_servers_scope_has_no_audience(keycloak: Keycloak, scope: str) -> None:
    """A token with only an app's scope has no audience and no user name, so no server accepts it."""
    tokens = await sign_in(keycloak, **ALICE, scope=scope)
    assert audience(tokens["access_token"]) == set()
    assert "preferred_username" not in claims(tokens["access_token"])


@pytest.mark.requirement("rfc9068-no-ambiguity")
async def test_token_for_both_servers_is_refused(keycloak: Keycloak) -> None:
    """Keycloak refuses the scopes of both servers together: one server could use such a token at the other."""
    answer = await authorize(
        keycloak,
        Browser(),
        **ALICE,
        scope="nextcloud-mcp:exchange nextcloud-mcp:pass-through",
        **Pkce().parameters,
    )
    assert "code" not in answer
    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize("scope", ["nextcloud", "offline_access", "no-such-scope"])
async def test_scopes_that_the_client_does_not_have_are_refused(keycloak: Keycloak, scope: str) -> None:
    """A client that requests such a scope gets no code (RFC 6749 section 4.1.2.1)."""
    answer = await authorize(keycloak, Browser(), **ALICE, scope=scope, **Pkce().parameters)
    assert answer["error"] == "invalid_scope"


@pytest.mark.requirement(
    "rfc6750-scoped", "rfc9068-claims", "rfc9068-signed", "rfc9068-asymmetric", "rfc9068-scope-claim"
)
async def test_token_has_the_claims_for_a_resource_server(keycloak: Keycloak) -> None:
    """The token has the claims of RFC 9068 section 2.2, with `azp` as `client_id`, and an asymmetric signature."""
    token = (await sign_in(keycloak, **ALICE, scope="nextcloud-mcp:exchange notes:read"))["access_token"]
    assert claims(token).keys() >= {"iss", "exp", "aud", "sub", "azp", "iat", "jti"}
    assert claims(token)["azp"] == CLIENT_ID
    assert set(claims(token)["scope"].split()) == {"nextcloud-mcp:exchange", "notes:read"}
    assert jws.extract_compact(token.encode()).headers()["alg"] == "RS256"


@pytest.mark.requirement("mcp-short-lived", "rfc6750-limited-lifetime", "rfc6750-short-lived")
async def test_access_tokens_are_short_lived(keycloak: Keycloak) -> None:
    """The lifetime is five minutes, which limits the use of a stolen pass-through token after a sign-out."""
    tokens = await sign_in(keycloak, **ALICE, scope="nextcloud-mcp:pass-through")
    token = claims(tokens["access_token"])
    assert token["exp"] - token["iat"] == 300


async def test_refused_consent_is_access_denied(keycloak: Keycloak, someone: Person) -> None:
    """If the user refuses consent, the client gets `access_denied` (RFC 6749 section 4.1.2.1)."""
    browser = Browser(grant=False)
    answer = await authorize(keycloak, browser, **someone, scope="nextcloud-mcp:exchange", **Pkce().parameters)
    assert answer["error"] == "access_denied"
    assert browser.consents == [["It reaches only what is listed here, and only while you are signed in."]]


async def test_consent_page_shows_only_new_scopes(keycloak: Keycloak, someone: Person) -> None:
    """At a step-up, the page shows only the new scope, and no granted one."""
    browser = Browser()
    for scope in ("notes:read", "notes:read", "notes:read notes:write"):
        await sign_in(keycloak, **someone, scope=scope, browser=browser)
    assert browser.consents == [["Notes: read"], ["Notes: change"]]


async def test_demo_users_need_only_name_and_password(keycloak: Keycloak) -> None:
    """The demo's users need not complete a profile or change their password."""
    browser = Browser()
    await sign_in(keycloak, **BOB, scope="openid", browser=browser)


async def test_brute_force_protection_locks_the_account(keycloak: Keycloak, someone: Person) -> None:
    """After several wrong passwords the right one fails as well, and the response does not say why."""
    wrong = Person(username=someone["username"], password="not it")
    for attempt in [*[wrong] * 10, someone]:
        with pytest.raises(BrowserError, match="Invalid username or password"):
            await authorize(keycloak, Browser(), **attempt, scope="openid", **Pkce().parameters)
