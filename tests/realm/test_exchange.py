"""Standard token exchange (RFC 8693) by the MCP server in exchange mode, and by no other client."""

import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import Keycloak
from tests.realm.clients import EXCHANGE_SECRET, Exchange
from tests.support.oauth import ALICE, CLIENT_ID, Person, claims, exchange, sign_in
from tests.support.run import ServerUrls

SCOPE = "nextcloud-mcp:exchange notes:read"
NEXTCLOUD_SECRET = "demo-only-nextcloud-client-secret"


@pytest.mark.requirement("rfc8693-response", "rfc8693-expires-in")
async def test_exchange_gives_a_short_token_for_nextcloud_only(
    keycloak: Keycloak, server_urls: ServerUrls, as_exchange_server: Exchange
) -> None:
    """The token has the same user, another audience and a lifetime of a minute; no refresh token, no scope."""
    subject_token = (await sign_in(keycloak, **ALICE, scope=SCOPE))["access_token"]
    response = await as_exchange_server(subject_token, audience="nextcloud")
    assert response.status_code == 200, response.text
    answer = response.json()
    token = claims(answer["access_token"])
    assert token["aud"] in ("nextcloud", ["nextcloud"])
    assert token["azp"] == server_urls.exchange
    assert token["sub"] == claims(subject_token)["sub"]
    assert token["preferred_username"] == "alice"
    assert token["exp"] - token["iat"] <= 60
    assert token["scope"] == ""
    assert answer["expires_in"] <= 60
    assert answer["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert "refresh_token" not in answer


@pytest.mark.requirement("rfc8693-minimal-data", "rfc8693-scope-if-different")
async def test_exchanged_token_has_only_what_an_account_needs(keycloak: Keycloak, as_exchange_server: Exchange) -> None:
    """User name, name and e-mail address are the only personal claims, and the response has the token's scope."""
    subject_token = (await sign_in(keycloak, **ALICE, scope=SCOPE))["access_token"]
    answer = (await as_exchange_server(subject_token, audience="nextcloud")).json()
    token = claims(answer["access_token"])
    assert token.keys() - {"auth_time", "acr", "session_state"} == {
        *("exp", "iat", "jti", "iss", "aud", "sub", "typ", "azp", "sid", "scope"),
        *("preferred_username", "name", "email", "email_verified"),
    }
    assert (token["name"], token["email"], token["email_verified"]) == ("Alice Demo", "alice@example.org", True)
    assert answer["scope"] == token["scope"]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"audience": "nextcloud", "scope": "openid"},
        {"audience": "nextcloud", "resource": "http://localhost/nextcloud"},
    ],
    ids=["nothing", "scope=openid", "resource"],
)
async def test_exchange_parameters_add_no_access(
    keycloak: Keycloak, as_exchange_server: Exchange, asked: dict[str, str]
) -> None:
    """Whatever the exchange requests, the token opens only Nextcloud."""
    subject_token = (await sign_in(keycloak, **ALICE, scope=SCOPE))["access_token"]
    response = await as_exchange_server(subject_token, **asked)
    assert claims(response.json()["access_token"])["aud"] in ("nextcloud", ["nextcloud"])
    assert "notes:read" not in claims(response.json()["access_token"])["scope"]


@pytest.mark.requirement("rfc8693-error-invalid-request", "rfc8693-error-invalid-target")
@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"audience": CLIENT_ID}, "invalid_request"),
        ({"audience": "realm-management"}, "invalid_request"),
        ({"audience": "no-such-client"}, "invalid_client"),
        ({"audience": "nextcloud", "scope": "notes:read"}, "invalid_scope"),
        ({"audience": "nextcloud", "scope": "offline_access"}, "invalid_scope"),
        ({"audience": "nextcloud", "scope": "nextcloud-mcp:pass-through"}, "invalid_scope"),
        (
            {"audience": "nextcloud", "requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
            "invalid_request",
        ),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
)
async def test_exchange_for_more_is_refused(
    keycloak: Keycloak, as_exchange_server: Exchange, asked: dict[str, str], error: str
) -> None:
    """Another audience, a scope that the client does not have and a refresh token are refused."""
    subject_token = (await sign_in(keycloak, **ALICE, scope=SCOPE))["access_token"]
    response = await as_exchange_server(subject_token, **asked)
    assert response.status_code in {400, 401, 403}
    assert response.json()["error"] == error


@pytest.mark.requirement("rfc8693-subject-token-validated", "rfc8693-error-invalid-request")
@pytest.mark.parametrize("scope", ["nextcloud-mcp:pass-through notes:read", "notes:read"])
async def test_exchange_requires_the_requester_as_audience(
    keycloak: Keycloak, as_exchange_server: Exchange, scope: str
) -> None:
    """Keycloak checks that the subject token's audience has the requester, so there is no confused deputy."""
    subject_token = (await sign_in(keycloak, **ALICE, scope=scope))["access_token"]
    response = await as_exchange_server(subject_token, audience="nextcloud")
    assert response.status_code == 403
    assert response.json()["error"] == "access_denied"


async def test_exchanged_token_cannot_be_exchanged_by_nextcloud(
    keycloak: Keycloak, as_exchange_server: Exchange
) -> None:
    """Nextcloud, which sees the token, cannot extend it: Keycloak lets only the requester do so."""
    subject_token = (await sign_in(keycloak, **ALICE, scope=SCOPE))["access_token"]
    result = (await as_exchange_server(subject_token, audience="nextcloud")).json()["access_token"]
    response = await exchange(keycloak, result, client_id="nextcloud", client_secret=NEXTCLOUD_SECRET)
    assert response.status_code in {400, 403}
    assert "access_token" not in response.json()


@pytest.mark.requirement("rfc8693-client-authentication")
@pytest.mark.parametrize(
    ("client_id", "client_secret"),
    [(CLIENT_ID, None), ("nextcloud", NEXTCLOUD_SECRET), ("admin-cli", None), ("exchange", "a wrong secret")],
    ids=["the public client", "nextcloud", "admin-cli", "a wrong secret"],
)
@pytest.mark.parametrize("scope", [SCOPE, "nextcloud-mcp:pass-through"])
async def test_only_the_exchange_server_can_exchange(
    keycloak: Keycloak, server_urls: ServerUrls, scope: str, client_id: str, client_secret: str | None
) -> None:
    """A public client, another client in the audience and a client without the secret cannot exchange."""
    requester = server_urls.exchange if client_id == "exchange" else client_id
    subject_token = (await sign_in(keycloak, **ALICE, scope=scope))["access_token"]
    response = await exchange(
        keycloak, subject_token, client_id=requester, client_secret=client_secret, audience="nextcloud"
    )
    assert response.status_code in {400, 401, 403}
    assert "access_token" not in response.json()


@pytest.mark.requirement("rfc8693-subject-token-validated", "rfc8693-error-invalid-request")
async def test_exchange_stops_when_the_user_signs_out_everywhere(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person, as_exchange_server: Exchange
) -> None:
    """The next call fails, although the subject token has not expired, because its session has ended."""
    subject_token = (await sign_in(keycloak, **someone, scope=SCOPE))["access_token"]
    assert (await as_exchange_server(subject_token, audience="nextcloud")).status_code == 200
    admin.user_logout(claims(subject_token)["sub"])
    response = await as_exchange_server(subject_token, audience="nextcloud")
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.requirement("rfc8693-subject-token-validated", "rfc8693-error-invalid-request")
async def test_exchange_stops_when_the_account_is_disabled(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person, as_exchange_server: Exchange
) -> None:
    """With a disabled account, the next call fails."""
    subject_token = (await sign_in(keycloak, **someone, scope=SCOPE))["access_token"]
    user_id = claims(subject_token)["sub"]
    admin.update_user(user_id, admin.get_user(user_id) | {"enabled": False})
    response = await as_exchange_server(subject_token, audience="nextcloud")
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


async def test_exchange_stops_when_the_client_is_disabled(
    keycloak: Keycloak, admin: KeycloakAdmin, server_urls: ServerUrls, as_exchange_server: Exchange
) -> None:
    """An administrator can cut the MCP server off from Nextcloud by disabling its client."""
    subject_token = (await sign_in(keycloak, **ALICE, scope=SCOPE))["access_token"]
    server = str(admin.get_client_id(server_urls.exchange))
    admin.update_client(server, {"enabled": False})
    try:
        response = await exchange(
            keycloak,
            subject_token,
            client_id=server_urls.exchange,
            client_secret=EXCHANGE_SECRET,
            audience="nextcloud",
        )
    finally:
        admin.update_client(server, {"enabled": True})
    assert response.status_code in {400, 401, 403}
    assert (await as_exchange_server(subject_token, audience="nextcloud")).status_code == 200
