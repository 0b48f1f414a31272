"""The clients of the servers' pages, `journey` and `connections`: what they get, and that they get nothing else."""

from typing import Any, Final

import httpx
import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import Keycloak
from tests.support.browser import Browser, BrowserError
from tests.support.http import patient_client
from tests.support.mcp_http import HEADERS
from tests.support.oauth import ALICE, CLIENT_ID, Person, authorize, claims, sign_in, token_request
from tests.support.run import ServerUrls

PAGES: Final = ["journey", "connections"]
LIST: Final = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


def callback(urls: ServerUrls, page: str) -> str:
    """Return the address to which the page of the exchange server is sent back."""
    return f"{urls.exchange}/{page}/callback"


async def tokens(keycloak: Keycloak, urls: ServerUrls, page: str, person: Person, scope: str | None) -> dict[str, Any]:
    """Sign in as the page does."""
    return await sign_in(
        keycloak, **person, scope=scope, client_id=page, redirect_uri=callback(urls, page), browser=Browser()
    )


async def account(
    keycloak: Keycloak, token: str, method: str, path: str, *, body: Any = None, **headers: str
) -> httpx.Response:
    """Send a request to the account API."""
    bearer = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    async with patient_client() as http:
        return await http.request(method, f"{keycloak.issuer}/account/{path}", headers=bearer | headers, json=body)


async def test_journey_gets_the_token_of_an_assistant(keycloak: Keycloak, server_urls: ServerUrls) -> None:
    """Its token has one server as audience, and the role; there is no refresh token."""
    answer = await tokens(keycloak, server_urls, "journey", ALICE, "nextcloud-mcp:exchange notes:read")
    got = claims(answer["access_token"])
    assert (got["aud"], got["azp"], got["roles"]) == (server_urls.exchange, "journey", ["journey"])
    assert "refresh_token" not in answer


async def test_role_is_given_by_the_administrator(keycloak: Keycloak, server_urls: ServerUrls, someone: Person) -> None:
    """A new person does not have the role, so their token does not list it, nor any other role."""
    answer = await tokens(keycloak, server_urls, "journey", someone, "nextcloud-mcp:exchange")
    assert claims(answer["access_token"]).get("roles", []) == []


async def test_connections_token_is_only_for_the_account_api(keycloak: Keycloak, server_urls: ServerUrls) -> None:
    """Its token names neither a server nor Nextcloud nor the user name, and both servers and Nextcloud refuse it."""
    answer = await tokens(keycloak, server_urls, "connections", ALICE, None)
    got = claims(answer["access_token"])
    roles = set(got["resource_access"].pop("account")["roles"])
    assert (got["aud"], got["resource_access"]) == ("account", {})
    assert roles == {"view-applications", "view-profile"}
    assert got.keys().isdisjoint({"preferred_username", "realm_access", "roles", "email"})
    assert "refresh_token" not in answer

    bearer = {"Authorization": f"Bearer {answer['access_token']}", "OCS-APIRequest": "true"}
    async with patient_client() as http:
        statuses = [
            (await http.post(server_urls.exchange, json=LIST, headers=HEADERS | bearer)).status_code,
            (await http.post(server_urls.pass_through, json=LIST, headers=HEADERS | bearer)).status_code,
            (await http.get(f"{server_urls.nextcloud}/ocs/v2.php/cloud/user", headers=bearer)).status_code,
        ]
    assert statuses == [401, 401, 401]


async def test_connections_token_lists_a_consent(keycloak: Keycloak, server_urls: ServerUrls, someone: Person) -> None:
    """It lists a client's consent with its scopes in words and its date, and the last use of the client's session."""
    await sign_in(keycloak, **someone, scope="nextcloud-mcp:exchange notes:read")
    token = (await tokens(keycloak, server_urls, "connections", someone, None))["access_token"]

    listed = await account(keycloak, token, "GET", "applications")
    assert listed.status_code == 200
    (consent,) = [each["consent"] for each in listed.json() if each["clientId"] == CLIENT_ID]
    assert {each["name"] for each in consent["grantedScopes"]} == {
        "${consent-server-exchange}",
        "${consent-notes-read}",
    }
    assert "Read your notes" in {each["displayText"] for each in consent["grantedScopes"]}
    assert consent["createdDate"] > 0
    sessions = (await account(keycloak, token, "GET", "sessions")).json()
    assert [each["lastAccess"] > 0 for each in sessions if CLIENT_ID in {c["clientId"] for c in each["clients"]}] == [
        True
    ]


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
async def test_connections_token_neither_grants_nor_ends_a_consent(
    keycloak: Keycloak, server_urls: ServerUrls, admin: KeycloakAdmin, someone: Person, method: str
) -> None:
    """A program that gets the token without a question cannot grant itself access, nor change what others have."""
    granted = await sign_in(keycloak, **someone, scope="nextcloud-mcp:exchange notes:read")
    user_id = str(admin.get_user_id(someone["username"]))
    before = admin.user_consents(user_id)
    scopes = {each["name"]: each["id"] for each in admin.get_client_scopes()}
    more = {"grantedScopes": [{"id": scopes["notes:write"], "name": "notes:write"}]}
    token = (await tokens(keycloak, server_urls, "connections", someone, None))["access_token"]

    body = None if method == "DELETE" else more
    for client_id in (CLIENT_ID, "journey"):
        answer = await account(keycloak, token, method, f"applications/{client_id}/consent", body=body)
        assert answer.status_code == 403
    assert admin.user_consents(user_id) == before
    form = {"grant_type": "refresh_token", "refresh_token": granted["refresh_token"], "client_id": CLIENT_ID}
    assert (await token_request(keycloak, form)).status_code == 200


async def test_nobody_has_the_role_that_changes_consents(admin: KeycloakAdmin) -> None:
    """The realm gives people no role `manage-consent`, which also grants consents."""
    (role,) = [each for each in admin.get_realm_roles() if each["name"].startswith("default-roles-")]
    roles = {each["name"] for each in admin.get_role_composites_by_id(role["id"])}
    assert "view-applications" in roles
    assert "manage-consent" not in roles


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "sessions"), ("DELETE", "sessions?current=true"), ("DELETE", "credentials/x"), ("POST", "")],
)
async def test_connections_token_changes_nothing_else(
    keycloak: Keycloak, server_urls: ServerUrls, someone: Person, method: str, path: str
) -> None:
    """It ends no session, deletes no method of sign-in, and changes no profile."""
    token = (await tokens(keycloak, server_urls, "connections", someone, None))["access_token"]
    assert (await account(keycloak, token, method, path)).status_code == 403


async def test_connections_token_works_only_from_the_servers_pages(
    keycloak: Keycloak, server_urls: ServerUrls, someone: Person
) -> None:
    """The account API accepts the token from pages of the two servers' origins, and refuses it from all others."""
    token = (await tokens(keycloak, server_urls, "connections", someone, None))["access_token"]
    origins = [server_urls.exchange, server_urls.pass_through, "https://attacker.example"]
    answers = [
        await account(keycloak, token, "GET", "applications", Origin=origin.removesuffix("/mcp")) for origin in origins
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 403]


@pytest.mark.parametrize("page", PAGES)
async def test_no_other_page_can_redeem_a_code(keycloak: Keycloak, page: str) -> None:
    """The token endpoint lets pages of no other origin read its answers."""
    async with patient_client() as http:
        answer = await http.post(
            f"{keycloak.issuer}/protocol/openid-connect/token",
            data={"grant_type": "authorization_code", "client_id": page, "code": "x"},
            headers={"Origin": "https://attacker.example"},
        )
    assert answer.headers.get("access-control-allow-origin") != "https://attacker.example"


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "redirect",
    ["http://localhost/callback", "{exchange}/journey/callback/more", "{exchange}/other", "https://attacker.example/"],
)
async def test_codes_go_only_to_the_pages(
    keycloak: Keycloak, server_urls: ServerUrls, page: str, redirect: str
) -> None:
    """Keycloak sends codes to the callback pages alone."""
    with pytest.raises(BrowserError):
        await authorize(
            keycloak, Browser(), **ALICE, client_id=page, redirect_uri=redirect.format(exchange=server_urls.exchange)
        )


@pytest.mark.parametrize("page", PAGES)
async def test_pkce_is_required(keycloak: Keycloak, server_urls: ServerUrls, page: str) -> None:
    """A request without a challenge is refused (RFC 9700 section 2.1.1)."""
    answer = await authorize(keycloak, Browser(), **ALICE, client_id=page, redirect_uri=callback(server_urls, page))
    assert (answer["error"], "code" in answer) == ("invalid_request", False)


@pytest.mark.parametrize(
    ("page", "scope"), [("journey", "nextcloud"), ("journey", "files:write"), ("connections", "nextcloud-mcp:exchange")]
)
async def test_further_scopes_are_refused(keycloak: Keycloak, server_urls: ServerUrls, page: str, scope: str) -> None:
    """The journey gets no writing scope, and the connections no server's."""
    answer = await authorize(
        keycloak, Browser(), **ALICE, client_id=page, redirect_uri=callback(server_urls, page), scope=scope
    )
    assert answer["error"] == "invalid_scope"
