"""Dynamic client registration (RFC 7591): every client may register, with minimal privileges."""

from typing import Any

import pytest

from stack.keycloak import Keycloak
from tests.realm.clients import Register
from tests.support.browser import Browser, BrowserError
from tests.support.http import patient_client
from tests.support.oauth import (
    ALICE,
    LOOPBACK_CALLBACK,
    Pkce,
    authorize,
    basic_auth,
    claims,
    exchange,
    metadata,
    post,
    sign_in,
    token_request,
)
from tests.support.run import ServerUrls

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
EVERYTHING = {
    "grant_types": [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "password",
        "implicit",
        TOKEN_EXCHANGE,
        DEVICE_CODE,
        JWT_BEARER,
    ],
    "token_endpoint_auth_method": "client_secret_basic",
}

# What these clients register as, read in their sources.
KNOWN_CLIENTS = {
    "the MCP SDK": {
        "redirect_uris": [LOOPBACK_CALLBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "nextcloud-mcp:exchange notes:read",
    },
    "MCP Inspector": {
        "client_uri": "https://github.com/modelcontextprotocol/inspector",
        "redirect_uris": ["http://localhost:6274/oauth/callback", "http://localhost:6274/oauth/callback/debug"],
        "token_endpoint_auth_method": "none",
        "scope": "",
    },
    "mcp-remote": {
        "client_name": "MCP CLI Client",
        "client_uri": "https://github.com/modelcontextprotocol/mcp-cli",
        "redirect_uris": ["http://localhost:3334/oauth/callback"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
        "software_version": "0.1.38",
    },
    "VS Code": {
        "client_uri": "https://code.visualstudio.com",
        "redirect_uris": [
            "https://insiders.vscode.dev/redirect",
            "https://vscode.dev/redirect",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
        ],
        "grant_types": ["authorization_code", "refresh_token", DEVICE_CODE],
        "token_endpoint_auth_method": "none",
    },
    "Claude": {
        "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
        "token_endpoint_auth_method": "none",
    },
    "opencode": {
        "client_name": "OpenCode",
        "client_uri": "https://opencode.ai",
        "redirect_uris": ["http://127.0.0.1:19876/mcp/oauth/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    },
    "Cursor": {
        "redirect_uris": [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ],
        "token_endpoint_auth_method": "none",
    },
    "a client that asks who the user is": {
        "redirect_uris": [LOOPBACK_CALLBACK],
        "scope": "openid profile email nextcloud-mcp:exchange notes:read",
        "token_endpoint_auth_method": "none",
    },
}


@pytest.mark.parametrize("client", KNOWN_CLIENTS.values(), ids=KNOWN_CLIENTS.keys())
async def test_known_clients_can_register(register: Register, client: dict[str, Any]) -> None:
    """The registrations of common clients pass the policies unchanged."""
    answer = await register(**client)
    assert answer.status_code == 201, answer.text


@pytest.mark.requirement("mcp-consent-per-client")
async def test_registered_client_needs_consent(keycloak: Keycloak, server_urls: ServerUrls, register: Register) -> None:
    """A registered client gets a token only after the user's consent, whose page describes the scopes in words."""
    client = (await register(token_endpoint_auth_method="none")).json()
    browser = Browser()
    tokens = await sign_in(
        keycloak,
        **ALICE,
        scope="nextcloud-mcp:exchange notes:read",
        client_id=client["client_id"],
        redirect_uri=LOOPBACK_CALLBACK,
        browser=browser,
    )
    assert browser.consents == [
        ["Notes: read", "It reaches only what is listed here, and only while you are signed in."]
    ]
    assert claims(tokens["access_token"])["aud"] == server_urls.exchange
    assert claims(tokens["access_token"])["preferred_username"] == "alice"


@pytest.mark.requirement("mcp-oauth21")
async def test_registered_client_needs_pkce(keycloak: Keycloak, register: Register) -> None:
    """The realm requires PKCE, whatever the client registers."""
    client = (await register(token_endpoint_auth_method="none")).json()
    answer = await authorize(
        keycloak,
        Browser(),
        **ALICE,
        client_id=client["client_id"],
        redirect_uri=LOOPBACK_CALLBACK,
        scope="notes:read",
    )
    assert answer["error"] == "invalid_request"


@pytest.mark.requirement("mcp-redirects-localhost-or-https")
@pytest.mark.parametrize(
    "client",
    [
        {"redirect_uris": ["https://attacker.example/callback"]},
        {"redirect_uris": [LOOPBACK_CALLBACK, "https://attacker.example/callback"]},
        {"redirect_uris": ["http://localhost.attacker.example/callback"]},
        {"redirect_uris": ["http://localhost:8000@attacker.example/callback"]},
        {"redirect_uris": ["http://localhost/*"]},
        {"redirect_uris": ["https://claude.ai/*"]},
        {"redirect_uris": ["https://github.com/attacker"]},
        {"redirect_uris": ["https://vscode.dev/redirect?url=https://attacker.example"]},
        {"redirect_uris": ["*"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["cursor://attacker.example/oauth/callback"]},
        {"redirect_uris": ["https://wwwxcursor.com/agents/mcp/oauth/callback"]},
        {"redirect_uris": ["https://chatgpt.com/connector/oauth/abc"]},
        {"redirect_uris": ["myapp://oauth/callback"]},
        {"jwks_uri": "http://localhost:9200/keys", "token_endpoint_auth_method": "private_key_jwt"},
        {"backchannel_logout_uri": "http://localhost:9200/logout"},
        {"scope": "nextcloud notes:read"},
        {"scope": "offline_access notes:read"},
        {"scope": "no-such-scope"},
    ],
    ids=lambda client: next(f"{name}={value}" for name, value in client.items()),
)
async def test_registration_with_forbidden_metadata_is_refused(register: Register, client: dict[str, Any]) -> None:
    """Foreign redirects, wildcards, URLs that Keycloak would call, and forbidden scopes create no client."""
    answer = await register(**client)
    assert answer.status_code in {400, 403}, answer.text


@pytest.mark.parametrize(
    "change",
    [{"redirect_uris": ["https://attacker.example/callback"]}, {"scope": "nextcloud"}],
    ids=["redirect_uris", "scope"],
)
async def test_registration_update_is_checked_like_a_registration(register: Register, change: dict[str, Any]) -> None:
    """An update cannot have what a registration cannot have (RFC 7592 section 2.2)."""
    client = (await register(token_endpoint_auth_method="none")).json()
    kept = {name: client[name] for name in ("client_id", "client_name", "redirect_uris", "scope")}
    async with patient_client() as http:
        answer = await http.put(
            client["registration_client_uri"],
            json=kept | change,
            headers={"authorization": f"Bearer {client['registration_access_token']}"},
        )
    assert answer.status_code in {400, 403}, answer.text


async def test_registered_client_cannot_choose_its_id(
    keycloak: Keycloak, register: Register, server_urls: ServerUrls
) -> None:
    """An audience as client id would let the client exchange the tokens for that audience."""
    answer = await register(client_id=server_urls.pass_through)
    assert answer.status_code == 400 or answer.json()["client_id"] != server_urls.pass_through
    other = f"{keycloak.issuer}/clients-registrations/default"
    async with patient_client() as http:
        response = await http.post(other, json={"clientId": "mine", "redirectUris": [LOOPBACK_CALLBACK]})
    assert response.status_code == 404


@pytest.mark.requirement("rfc9068-subject-not-chosen")
@pytest.mark.parametrize("grant_type", ["client_credentials", "password"])
async def test_registered_client_gets_no_token_without_a_login_page(
    keycloak: Keycloak, register: Register, grant_type: str
) -> None:
    """It may register for any grant, but only the one with a login page works.

    A service account's token would have the servers' audiences, and Nextcloud would make it a user.
    """
    client = (await register(**EVERYTHING)).json()
    form = {"grant_type": grant_type, "scope": "nextcloud-mcp:pass-through", "username": "alice"}
    form["password"] = ALICE["password"]
    response = await token_request(keycloak, form, basic_auth(client["client_id"], client["client_secret"]))
    assert response.status_code in {400, 401, 403}
    assert "access_token" not in response.json()


async def test_registered_client_cannot_use_the_device_grant(keycloak: Keycloak, register: Register) -> None:
    """The client gets no token even if a user enters the code and consents."""
    client = (await register(**EVERYTHING)).json()
    auth = basic_auth(client["client_id"], client["client_secret"])
    endpoint = (await metadata(keycloak))["device_authorization_endpoint"]
    pkce = Pkce()
    device = await post(endpoint, {"scope": "nextcloud-mcp:pass-through", **pkce.parameters}, auth)
    with pytest.raises(BrowserError, match="go back to your device"):
        await Browser().authorize(device.json()["verification_uri_complete"], **ALICE)
    form = {
        "grant_type": DEVICE_CODE,
        "device_code": device.json()["device_code"],
        "code_verifier": pkce.verifier,
    }
    response = await token_request(keycloak, form, auth)
    assert (response.status_code, response.json()["error_description"]) == (400, "Request not allowed")


@pytest.mark.requirement("rfc8693-client-authentication")
@pytest.mark.parametrize("audience", [{}, {"audience": "nextcloud"}], ids=["none", "nextcloud"])
@pytest.mark.parametrize("whose", ["its own", "another's"])
async def test_registered_client_cannot_exchange(
    keycloak: Keycloak, register: Register, whose: str, audience: dict[str, str]
) -> None:
    """It can exchange neither its own token nor one that it received from others."""
    client = (await register(**EVERYTHING)).json()
    secret = client["client_secret"]
    own = {"client_id": client["client_id"], "client_secret": secret, "redirect_uri": LOOPBACK_CALLBACK}
    signed_in = await sign_in(keycloak, **ALICE, scope="nextcloud-mcp:exchange", **(own if whose == "its own" else {}))
    response = await exchange(
        keycloak,
        signed_in["access_token"],
        client_id=client["client_id"],
        client_secret=secret,
        **audience,
    )
    assert response.status_code in {400, 403}, response.text
    assert "access_token" not in response.json()
