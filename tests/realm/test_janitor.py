"""The client that deletes unused registrations: what it may do, and that it may do nothing else."""

from typing import Any, Final

import httpx
import pytest
from keycloak import KeycloakAdmin

from stack.chain import Chain
from stack.keycloak import Keycloak
from tests.realm.clients import Register
from tests.support.http import patient_client
from tests.support.mcp_http import HEADERS
from tests.support.oauth import ALICE, basic_auth, claims, sign_in, token_request
from tests.support.run import ServerUrls

JANITOR: Final = basic_auth("client-janitor", "demo-only-client-janitor-secret")
MADE: Final = "made-by-the-janitor"
UMA_TICKET: Final = "urn:ietf:params:oauth:grant-type:uma-ticket"


@pytest.fixture
async def token(keycloak: Keycloak) -> str:
    """The access token of the janitor's service account."""
    answer = await token_request(keycloak, {"grant_type": "client_credentials"}, JANITOR)
    return str(answer.json()["access_token"])


async def call(keycloak: Keycloak, token: str, method: str, path: str, body: Any = None) -> httpx.Response:
    """Send a request to the realm's part of the Admin REST API."""
    async with patient_client() as http:
        url = f"{keycloak.url}/admin/realms/{keycloak.realm}{path}"
        return await http.request(method, url, json=body, headers={"Authorization": f"Bearer {token}"})


def fixed_clients(admin: KeycloakAdmin) -> list[dict[str, Any]]:
    """Return the clients of the realm file and Keycloak's own: all clients that did not register themselves."""
    return [each for each in admin.get_clients() if each["id"] != each["clientId"]]


async def test_token_has_no_audience_scope_or_user_name(token: str) -> None:
    """The token names no server and no user, so no server, and no Nextcloud, has a reason to accept it."""
    assert claims(token).keys().isdisjoint({"aud", "preferred_username", "realm_access", "resource_access"})
    assert claims(token)["scope"] == ""


@pytest.mark.parametrize("mode", ["exchange", "pass-through"])
async def test_server_refuses_its_token(token: str, server_urls: ServerUrls, mode: str) -> None:
    """Both servers answer with 401."""
    async with patient_client() as http:
        headers = HEADERS | {"Authorization": f"Bearer {token}"}
        url = server_urls.exchange if mode == "exchange" else server_urls.pass_through
        answer = await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=headers)
    assert answer.status_code == 401


async def test_nextcloud_refuses_its_token(token: str, chain: Chain) -> None:
    """Nextcloud answers with 401, and creates no account."""
    async with patient_client() as http:
        url = f"{chain.nextcloud.url}/ocs/v2.php/cloud/user?format=json"
        headers = {"Authorization": f"Bearer {token}", "OCS-APIRequest": "true"}
        answer = await http.get(url, headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize("scope", ["client-janitor", "client-janitor nextcloud-mcp:exchange"])
async def test_no_client_registers_for_its_scope(register: Register, scope: str) -> None:
    """The scope that exempts the janitor from the policy cannot be registered for."""
    answer = await register(grant_types=["client_credentials"], scope=scope)
    assert answer.status_code == 403


async def test_sees_only_registered_clients(
    keycloak: Keycloak, admin: KeycloakAdmin, token: str, register: Register
) -> None:
    """The list has the registered client and no client of the realm file, nor Keycloak's own."""
    registered = (await register()).json()["client_id"]
    seen = {each["clientId"] for each in (await call(keycloak, token, "GET", "/clients?max=1000")).json()}
    assert registered in seen
    fixed = {each["clientId"] for each in fixed_clients(admin)}
    assert len(fixed) >= 12
    assert seen.isdisjoint(fixed)


async def test_cannot_touch_the_other_clients(keycloak: Keycloak, admin: KeycloakAdmin, token: str) -> None:
    """It neither reads, changes nor deletes a client of the realm file or of Keycloak, nor reads its secret."""
    fixed = fixed_clients(admin)
    statuses = set()
    for each in fixed:
        path = f"/clients/{each['id']}"
        body = {"clientId": each["clientId"], "description": "changed"}
        for method, part in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/client-secret")):
            answer = await call(keycloak, token, method, path + part, body if method == "PUT" else None)
            statuses.add(answer.status_code)
    assert statuses == {403}
    assert {each["id"] for each in fixed} <= {each["id"] for each in admin.get_clients()}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users"),
        ("POST", "/users"),
        ("PUT", ""),
        ("DELETE", ""),
        ("GET", "/identity-provider/instances"),
        ("PUT", "/client-policies/policies"),
        ("POST", "/components"),
        ("PUT", "/events/config"),
        ("DELETE", "/events"),
        ("POST", "/partial-export?exportClients=true"),
        ("POST", "/logout-all"),
    ],
)
async def test_other_administration_is_refused(keycloak: Keycloak, token: str, method: str, path: str) -> None:
    """It can administer nothing else: no user, scope, policy, event or setting of the realm."""
    answer = await call(keycloak, token, method, path, {} if method in {"POST", "PUT"} else None)
    assert answer.status_code == 403


async def test_rights_that_keycloak_cannot_withhold(keycloak: Keycloak, admin: KeycloakAdmin, token: str) -> None:
    """Who may manage clients may also create them, and client scopes and initial access tokens: keycloak/README.md."""
    bodies = {
        "/clients": {"clientId": MADE},
        "/client-scopes": {"name": MADE, "protocol": "openid-connect"},
        "/clients-initial-access": {"count": 1, "expiration": 60},  # seconds; Keycloak deletes it after that
    }
    try:
        statuses = {
            path: (await call(keycloak, token, "POST", path, body)).status_code for path, body in bodies.items()
        }
    finally:
        _delete_made(admin)
    assert statuses == dict.fromkeys(bodies, 201)


def _delete_made(admin: KeycloakAdmin) -> None:
    """Delete the client and the client scope, as far as they were made."""
    for each in admin.get_clients():
        if each["clientId"] == MADE:
            admin.delete_client(each["id"])
    if scope := admin.get_client_scope_by_name(MADE):
        admin.delete_client_scope(scope["id"])


@pytest.mark.parametrize("scope", [None, "openid nextcloud-mcp:exchange"])
async def test_permissions_give_nothing_to_people(
    keycloak: Keycloak, admin: KeycloakAdmin, register: Register, scope: str | None
) -> None:
    """The permissions exclude the janitor from clients without admitting anybody else.

    Without a role, a person's token neither reads nor changes a client, even with its id, and gets no permission of the
    client admin-permissions, whose resources would list the ids (UMA 2.0 grant).
    """
    token = str((await sign_in(keycloak, **ALICE, scope=scope))["access_token"])
    registered = (await register()).json()["client_id"]
    statuses = set()
    for key in [registered, *(each["id"] for each in fixed_clients(admin))]:
        each = admin.get_client(key)
        path = f"/clients/{key}"
        body = {"clientId": each["clientId"], "description": "changed"}
        for method, part in (("GET", ""), ("GET", "/client-secret"), ("PUT", ""), ("DELETE", "")):
            answer = await call(keycloak, token, method, path + part, body if method == "PUT" else None)
            statuses.add(answer.status_code)
    assert statuses == {403}

    form = {"grant_type": UMA_TICKET, "audience": "admin-permissions", "response_mode": "permissions"}
    async with patient_client() as http:
        url, headers = f"{keycloak.issuer}/protocol/openid-connect/token", {"Authorization": f"Bearer {token}"}
        for permission in ("#view", "#manage", "#view,manage", "Clients#view"):
            refused = await http.post(url, data=form | {"permission": permission}, headers=headers)
            assert (refused.status_code, refused.json()["error_description"]) == (403, "not_authorized")


async def test_gets_tokens_by_no_other_grant(keycloak: Keycloak) -> None:
    """It can't exchange tokens, sign in a person, or use a password."""
    for form in (
        {"grant_type": "password", "username": "alice", "password": "alice-demo-password"},
        {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": "x"},
        {"grant_type": "authorization_code", "code": "x", "redirect_uri": "http://localhost/callback"},
    ):
        answer = await token_request(keycloak, form, JANITOR)
        assert answer.status_code >= 400, form["grant_type"]
        assert "access_token" not in answer.json()
