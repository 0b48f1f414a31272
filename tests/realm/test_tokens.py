"""The tokens which a person's MCP client gets, and for how long."""

import pytest
from joserfc import jws

from stack.keycloak import Keycloak
from tests.support.browser import Browser, BrowserError
from tests.support.oauth import ALICE, BOB, CLIENT_ID, Person, Pkce, authorize, claims, sign_in, token_request
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
async def test_a_token_for_the_exchange_server_is_for_it_alone(
    keycloak: Keycloak, server_urls: ServerUrls, person: Person
) -> None:
    """Its only audience is the server; Nextcloud would refuse it."""
    tokens = await sign_in(keycloak, **person, scope="nextcloud-mcp:exchange notes:read")
    token = claims(tokens["access_token"])
    assert audience(tokens["access_token"]) == {server_urls.exchange}
    assert set(token["scope"].split()) == {"nextcloud-mcp:exchange", "notes:read"}
    assert token["preferred_username"] == person["username"]
    assert token["iss"] == keycloak.issuer
    assert token["azp"] == CLIENT_ID
    assert token["sub"] != person["username"]


async def test_a_token_for_the_pass_through_server_opens_nextcloud_as_well(
    keycloak: Keycloak, server_urls: ServerUrls
) -> None:
    """Pass-through needs both audiences, and has no other."""
    tokens = await sign_in(keycloak, **ALICE, scope="nextcloud-mcp:pass-through notes:read")
    assert audience(tokens["access_token"]) == {server_urls.pass_through, "nextcloud"}
    assert claims(tokens["access_token"])["preferred_username"] == "alice"


@pytest.mark.requirement("rfc9068-default-audience")
@pytest.mark.parametrize("scope", ["notes:read", "openid", "files:read files:write"])
async def test_without_a_servers_scope_a_token_is_for_nobody(keycloak: Keycloak, scope: str) -> None:
    """An app's scope alone opens no server: no audience, no user name."""
    tokens = await sign_in(keycloak, **ALICE, scope=scope)
    assert audience(tokens["access_token"]) == set()
    assert "preferred_username" not in claims(tokens["access_token"])


@pytest.mark.requirement("rfc9068-no-ambiguity")
async def test_one_token_never_opens_both_servers(keycloak: Keycloak) -> None:
    """Asked for both servers, Keycloak refuses: the one could use such a token at the other."""
    answer = await authorize(
        keycloak,
        Browser(),
        **ALICE,
        scope="nextcloud-mcp:exchange nextcloud-mcp:pass-through",
        **Pkce().parameters,
    )
    assert "code" not in answer
    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize("scope", ["nextcloud", "profile", "email", "offline_access"])
async def test_scopes_that_are_not_an_mcp_clients_are_refused(keycloak: Keycloak, scope: str) -> None:
    """A client that asks for a scope which it does not have gets no code (RFC 6749 4.1.2.1)."""
    answer = await authorize(keycloak, Browser(), **ALICE, scope=scope, **Pkce().parameters)
    assert answer["error"] == "invalid_scope"


@pytest.mark.requirement(
    "rfc6750-scoped", "rfc9068-claims", "rfc9068-signed", "rfc9068-asymmetric", "rfc9068-scope-claim"
)
async def test_a_token_says_what_a_resource_server_needs(keycloak: Keycloak) -> None:
    """The claims of RFC 9068 2.2, with `azp` for `client_id`, signed with a private key."""
    token = (await sign_in(keycloak, **ALICE, scope="nextcloud-mcp:exchange notes:read"))["access_token"]
    assert claims(token).keys() >= {"iss", "exp", "aud", "sub", "azp", "iat", "jti"}
    assert claims(token)["azp"] == CLIENT_ID
    assert set(claims(token)["scope"].split()) == {"nextcloud-mcp:exchange", "notes:read"}
    assert jws.extract_compact(token.encode()).headers()["alg"] == "RS256"


@pytest.mark.requirement("mcp-short-lived", "rfc6750-limited-lifetime", "rfc6750-short-lived")
async def test_tokens_are_short_lived(keycloak: Keycloak) -> None:
    """Five minutes: what a stolen pass-through token is worth after a sign-out."""
    tokens = await sign_in(keycloak, **ALICE, scope="nextcloud-mcp:pass-through")
    token = claims(tokens["access_token"])
    assert token["exp"] - token["iat"] == 300


@pytest.mark.requirement("mcp-rotate-refresh-tokens")
async def test_a_refresh_token_works_once(keycloak: Keycloak) -> None:
    """Rotation (RFC 9700 4.14.2): a used refresh token that comes again is refused, and takes the new one along."""
    tokens = await sign_in(keycloak, **ALICE, scope="nextcloud-mcp:exchange")

    async def refresh(refresh_token: str) -> tuple[int, dict[str, str]]:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": CLIENT_ID}
        answer = await token_request(keycloak, form)
        return answer.status_code, answer.json()

    status, second = await refresh(tokens["refresh_token"])
    assert status == 200
    assert audience(second["access_token"]) == audience(tokens["access_token"])
    assert (await refresh(tokens["refresh_token"]))[1]["error"] == "invalid_grant"
    assert (await refresh(second["refresh_token"]))[1]["error"] == "invalid_grant"


async def test_a_person_who_refuses_consent_gives_nothing(keycloak: Keycloak, someone: Person) -> None:
    """No on the consent page ends in `access_denied` (RFC 6749 4.1.2.1)."""
    browser = Browser(grant=False)
    answer = await authorize(keycloak, browser, **someone, scope="nextcloud-mcp:exchange", **Pkce().parameters)
    assert answer["error"] == "access_denied"
    assert browser.consents == [["Use Nextcloud for you through the MCP server (token exchange)"]]


async def test_consent_is_asked_for_what_is_new(keycloak: Keycloak, someone: Person) -> None:
    """Stepping up shows the new scope alone; what was granted is not asked again."""
    browser = Browser()
    for scope in ("notes:read", "notes:read", "notes:read notes:write"):
        await sign_in(keycloak, **someone, scope=scope, browser=browser)
    assert browser.consents == [["Read your notes"], ["Create, change and delete your notes"]]


async def test_nobody_is_asked_for_more_than_name_and_password(keycloak: Keycloak) -> None:
    """The demo's people sign in at once: no profile to complete, no password to change."""
    browser = Browser()
    await sign_in(keycloak, **BOB, scope="openid", browser=browser)


async def test_passwords_cannot_be_guessed_at_will(keycloak: Keycloak, someone: Person) -> None:
    """After a row of wrong passwords the right one does not help either, and the answer does not say why."""
    wrong = Person(username=someone["username"], password="not it")
    for attempt in [*[wrong] * 10, someone]:
        with pytest.raises(BrowserError, match="Invalid username or password"):
            await authorize(keycloak, Browser(), **attempt, scope="openid", **Pkce().parameters)
