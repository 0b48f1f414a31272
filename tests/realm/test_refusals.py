"""What the realm forbids every client, however it was registered (OAuth 2.1, RFC 9700)."""

import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import Keycloak
from tests.support.browser import Browser, BrowserError
from tests.support.oauth import ALICE, CLIENT_ID, REDIRECT_URI, Pkce, authorize, basic_auth, token_request

SCOPE = "nextcloud-mcp:exchange notes:read"


@pytest.mark.requirement("mcp-oauth21")
@pytest.mark.parametrize(
    "proof_key",
    [
        {},
        {"code_challenge": Pkce().verifier, "code_challenge_method": "plain"},
        {"code_challenge": Pkce().verifier},
    ],
    ids=["none", "plain", "plain by default"],
)
async def test_authorization_without_s256_is_refused(keycloak: Keycloak, proof_key: dict[str, str]) -> None:
    """The realm requires PKCE with S256; Keycloak by default accepts `plain`, or no PKCE at all."""
    answer = await authorize(keycloak, Browser(), **ALICE, scope=SCOPE, **proof_key)
    assert "code" not in answer
    assert answer["error"] == "invalid_request"


@pytest.mark.requirement("mcp-oauth21")
async def test_code_without_its_verifier_is_refused(keycloak: Keycloak) -> None:
    """An intercepted code is useless without the verifier (RFC 7636 section 1)."""
    answer = await authorize(keycloak, Browser(), **ALICE, scope=SCOPE, **Pkce().parameters)
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "code_verifier": Pkce().verifier,
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
    }
    response = await token_request(keycloak, form)
    assert response.json()["error"] == "invalid_grant"


@pytest.mark.requirement("mcp-oauth21")
@pytest.mark.parametrize("response_type", ["token", "id_token token", "code token"])
async def test_authorization_endpoint_issues_no_token(keycloak: Keycloak, response_type: str) -> None:
    """The realm refuses the implicit grant and hybrid flows."""
    answer = await authorize(
        keycloak, Browser(), **ALICE, scope=SCOPE, response_type=response_type, nonce="n", **Pkce().parameters
    )
    assert "access_token" not in answer
    assert "error" in answer


@pytest.mark.requirement("mcp-exact-redirects", "mcp-no-open-redirect")
@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://attacker.example/callback",
        "http://localhost.attacker.example/callback",
        "http://localhost@attacker.example/callback",
        "http://localhost/callback/../elsewhere",
        "http://localhost/elsewhere",
        "https://localhost/callback",
        "https://claude.ai/elsewhere",
        "https://vscode.dev/redirect/elsewhere",
        "*",
    ],
)
async def test_redirect_uris_are_compared_exactly(keycloak: Keycloak, redirect_uri: str) -> None:
    """No prefix or pattern matches (RFC 9700 section 2.1): the user sees an error instead of a redirect."""
    with pytest.raises(BrowserError, match="redirect_uri"):
        await authorize(keycloak, Browser(), **ALICE, scope=SCOPE, redirect_uri=redirect_uri, **Pkce().parameters)


@pytest.mark.parametrize("redirect_uri", ["http://localhost:50123/callback", "http://127.0.0.1:50123/callback"])
async def test_loopback_redirects_may_use_any_port(keycloak: Keycloak, redirect_uri: str) -> None:
    """The port of a loopback redirect is the only part that is not compared (RFC 8252 section 7.3)."""
    answer = await authorize(keycloak, Browser(), **ALICE, scope=SCOPE, redirect_uri=redirect_uri, **Pkce().parameters)
    assert "code" in answer


@pytest.mark.requirement("mcp-oauth21")
@pytest.mark.parametrize("grant_type", ["password", "client_credentials"])
async def test_no_client_gets_tokens_without_a_login_page(
    keycloak: Keycloak, admin: KeycloakAdmin, grant_type: str
) -> None:
    """The realm refuses grants without a login page to every client, including Keycloak's own."""
    answers = {}
    for client in admin.get_clients():
        secret = client.get("secret")
        form = {"grant_type": grant_type, "scope": "nextcloud-mcp:exchange", "username": "alice"}
        form["password"] = ALICE["password"]
        auth = basic_auth(client["clientId"], secret) if secret else None
        response = await token_request(keycloak, form if auth else form | {"client_id": client["clientId"]}, auth)
        answers[client["clientId"]] = response.status_code
    assert len(answers) > 4
    assert {status for status in answers.values() if status not in {400, 401}} == set(), answers


async def test_device_grant_is_refused(keycloak: Keycloak) -> None:
    """A code that a user enters for another device is the easiest to phish (RFC 8628 section 5.4)."""
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "any", "client_id": CLIENT_ID}
    assert (await token_request(keycloak, form)).status_code == 400
