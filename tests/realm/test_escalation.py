"""No client gets more scopes, audiences or users by asking for them at registration, refresh or exchange."""

import json
from typing import Any, Final

import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import Keycloak
from tests.realm.clients import Exchange, Register
from tests.support.browser import Browser
from tests.support.oauth import (
    ACCESS_TOKEN,
    ALICE,
    BOB,
    CLIENT_ID,
    REDIRECT_URI,
    Pkce,
    authorize,
    basic_auth,
    claims,
    sign_in,
    token_request,
)
from tests.support.run import ServerUrls

EXCHANGE: Final = "nextcloud-mcp:exchange"
PASS_THROUGH: Final = "nextcloud-mcp:pass-through"


async def refreshed(keycloak: Keycloak, refresh_token: str, **asked: str) -> dict[str, Any]:
    """The answer to a refresh by `mcp-client`."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": CLIENT_ID} | asked
    answer: dict[str, Any] = (await token_request(keycloak, form)).json()
    return answer


@pytest.mark.parametrize(
    "scope",
    [
        f"{EXCHANGE} notes:read notes:write",
        "files:read",
        PASS_THROUGH,
        f"{EXCHANGE} {PASS_THROUGH}",
        "nextcloud",
        "profile",
        "offline_access",
    ],
)
async def test_refresh_gives_no_ungranted_scope(keycloak: Keycloak, server_urls: ServerUrls, scope: str) -> None:
    """A refresh gives only granted scopes (RFC 6749 section 6), and the response lists them (section 5.1).

    Keycloak drops what was not granted, and refuses what the client may not have.
    """
    granted = await sign_in(keycloak, **ALICE, scope=f"{EXCHANGE} notes:read")
    answer = await refreshed(keycloak, granted["refresh_token"], scope=scope)
    if "access_token" not in answer:
        assert answer["error"] in {"invalid_scope", "invalid_request"}
        return
    token = claims(answer["access_token"])
    assert set(token["scope"].split()) == set(scope.split()) & {EXCHANGE, "notes:read"}
    assert set(answer["scope"].split()) == set(token["scope"].split())
    assert token.get("aud") == (server_urls.exchange if EXCHANGE in scope else None)
    assert ("preferred_username" in token) is (EXCHANGE in scope)


async def test_refresh_can_reduce_scopes(keycloak: Keycloak) -> None:
    """A refresh can request fewer scopes; without the server's scope the token has no audience."""
    granted = await sign_in(keycloak, **ALICE, scope=f"{EXCHANGE} notes:read")
    token = claims((await refreshed(keycloak, granted["refresh_token"], scope="notes:read"))["access_token"])
    assert token["scope"] == "notes:read"
    assert "aud" not in token
    assert "preferred_username" not in token


async def test_refresh_token_is_bound_to_its_client(keycloak: Keycloak, register: Register) -> None:
    """Another client cannot use it (RFC 6749 section 6), with or without a secret of its own."""
    granted = await sign_in(keycloak, **ALICE, scope=EXCHANGE)
    form = {"grant_type": "refresh_token", "refresh_token": granted["refresh_token"]}
    public = (await register(token_endpoint_auth_method="none")).json()
    confidential = (await register(token_endpoint_auth_method="client_secret_basic")).json()
    auth = basic_auth(confidential["client_id"], confidential["client_secret"])
    answers = [
        await token_request(keycloak, form | {"client_id": public["client_id"]}),
        await token_request(keycloak, form, auth),
    ]
    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [(400, "invalid_grant")] * 2


ASKED: Final = {
    "audience": {"audience": "nextcloud"},
    "resource": {"resource": "http://localhost:8080"},
    "claims": {
        "claims": json.dumps(
            {"access_token": {"aud": {"value": "nextcloud"}}, "id_token": {"preferred_username": None}}
        )
    },
    "a scope with the code": {"scope": f"{EXCHANGE} {PASS_THROUGH} nextcloud"},
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED.keys())
async def test_no_parameter_adds_an_audience(
    keycloak: Keycloak, server_urls: ServerUrls, asked: dict[str, str]
) -> None:
    """Audiences come only from granted scopes, not from parameters of RFC 8707, RFC 8693 or OpenID Connect Core 5.5."""
    pkce = Pkce()
    request = asked if "scope" not in asked else {}
    answer = await authorize(
        keycloak, Browser(), **ALICE, **({"scope": f"openid {EXCHANGE}"} | request), **pkce.parameters
    )
    form = {"grant_type": "authorization_code", "code": answer["code"], "code_verifier": pkce.verifier}
    client = {"client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI}
    granted = (await token_request(keycloak, form | client | asked)).json()
    later = await refreshed(keycloak, granted["refresh_token"], **{k: v for k, v in asked.items() if k != "scope"})
    for tokens in (granted, later):
        assert claims(tokens["access_token"])["aud"] == server_urls.exchange
        assert claims(tokens["access_token"])["scope"].split() == ["openid", EXCHANGE]
        assert claims(tokens["id_token"])["aud"] == CLIENT_ID
        assert claims(tokens["id_token"]).keys().isdisjoint({"preferred_username", "email"})


CLAIMED: Final[dict[str, Any]] = {
    "fullScopeAllowed": True,
    "consentRequired": False,
    "require_consent": False,
    "defaultClientScopes": ["nextcloud"],
    "default_scope": "nextcloud",
    "protocolMappers": [
        {
            "name": "audience",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-audience-mapper",
            "config": {"included.client.audience": "nextcloud", "access.token.claim": "true"},
        }
    ],
    "attributes": {"standard.token.exchange.enabled": "true", "access.token.lifespan": "99999"},
    "audience": "nextcloud",
}


@pytest.mark.parametrize(("name", "value"), CLAIMED.items(), ids=CLAIMED.keys())
async def test_registration_refuses_keycloak_settings(register: Register, name: str, value: object) -> None:
    """Fields beyond RFC 7591 could give privileges, so they create no client."""
    answer = await register(token_endpoint_auth_method="none", **{name: value})
    assert answer.status_code == 400
    assert name in answer.json()["error"]


async def test_registered_client_has_minimal_privileges(admin: KeycloakAdmin, register: Register) -> None:
    """It needs consent, has only the default scope with `sub`, no mapper, and no roles in its tokens."""
    client_id = (await register(token_endpoint_auth_method="none")).json()["client_id"]
    client = admin.get_client(str(admin.get_client_id(client_id)))
    assert (client["consentRequired"], client["fullScopeAllowed"]) == (True, False)
    assert client["defaultClientScopes"] == ["basic"]
    assert client.get("protocolMappers", []) == []


@pytest.mark.parametrize("parameter", ["requested_subject", "requested_issuer"])
async def test_exchange_cannot_impersonate_another_user(
    keycloak: Keycloak, as_exchange_server: Exchange, admin: KeycloakAdmin, parameter: str
) -> None:
    """The exchange server cannot become Bob with Alice's token: Keycloak's legacy impersonation is refused."""
    subject_token = (await sign_in(keycloak, **ALICE, scope=EXCHANGE))["access_token"]
    asked = {parameter: str(admin.get_user_id("bob"))}
    answer = await as_exchange_server(subject_token, audience="nextcloud", **asked)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_exchange_ignores_an_actor_token(keycloak: Keycloak, as_exchange_server: Exchange) -> None:
    """Keycloak ignores an actor token (RFC 8693 section 2.1): the result is for the subject and names no actor."""
    alices = (await sign_in(keycloak, **ALICE, scope=EXCHANGE))["access_token"]
    bobs = (await sign_in(keycloak, **BOB, scope=EXCHANGE))["access_token"]
    asked = {"audience": "nextcloud", "actor_token": bobs, "actor_token_type": ACCESS_TOKEN}
    token = claims((await as_exchange_server(alices, **asked)).json()["access_token"])
    assert (token["sub"], token["preferred_username"]) == (claims(alices)["sub"], "alice")
    assert "act" not in token
