"""What people and clients reach of Keycloak through Caddy: its pages, its documents, and the limited registration."""

import json
import re
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from tests.production.deployment import CAROL, KEYCLOAK, MCP, Deployment
from tests.support.http import patient_client
from tests.support.pages import LINES, Reader, authorize_in, foreign_addresses

REALM: Final = f"https://{KEYCLOAK}/realms/nextcloud-mcp"
REGISTRATION: Final = f"{REALM}/clients-registrations/openid-connect"
CLIENT: Final = {"client_name": "Nobody", "redirect_uris": ["http://localhost/callback"]}
BURST: Final = 31
"""One registration, and the burst of `registration.conf`."""

REGISTER_FROM_A_CONTAINER: Final = f"""
import socket, ssl
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
body = {json.dumps(CLIENT).encode()!r}
with context.wrap_socket(socket.create_connection(("caddy", 443)), server_hostname="{KEYCLOAK}") as caddy:
    head = "POST {urlsplit(REGISTRATION).path} HTTP/1.1\\r\\nHost: {KEYCLOAK}\\r\\nContent-Type: application/json\\r\\n"
    caddy.sendall(f"{{head}}Content-Length: {{len(body)}}\\r\\nConnection: close\\r\\n\\r\\n".encode() + body)
    print(caddy.recv(4096).split()[1].decode())
"""


@pytest.mark.parametrize("language", LINES)
async def test_consent_page_is_the_theme_s(deployment: Deployment, language: str) -> None:
    """The pages are in the browser's language, and have no address that is another host's or without TLS."""
    browser = Reader(language=language)
    assert "code" in await authorize_in(deployment.keycloak, browser, CAROL, prompt="login consent")

    assert [lines[0] for lines in browser.consents] == [{"en": "Notes: read", "de": "Notizen: lesen"}[language]]
    assert foreign_addresses(deployment.keycloak, browser.pages) == set()
    assert [page for page in browser.pages if f"http://{KEYCLOAK}" in page] == []


async def test_pages_load_what_their_policy_allows(deployment: Deployment) -> None:
    """The content security policy allows images of Keycloak alone; every style, script and logo of the page loads."""
    browser = Reader()
    await authorize_in(deployment.keycloak, browser, CAROL, prompt="login consent")
    (page,) = [page for page in browser.pages if 'name="accept"' in page]
    parts = set(re.findall(r'"(/resources/[^"]+\.(?:css|js|svg))"', page))
    assert {part.rpartition(".")[2] for part in parts} == {"css", "js", "svg"}
    async with patient_client(base_url=f"https://{KEYCLOAK}") as http:
        answers = {part: (await http.get(part)).status_code for part in parts}
        policy = (await http.get("/realms/nextcloud-mcp/account/", follow_redirects=True)).headers
    assert set(answers.values()) == {200}, answers
    assert "img-src 'self' data:;" in policy["content-security-policy"]


@pytest.mark.parametrize(
    "url",
    [
        f"https://{MCP}/.well-known/oauth-authorization-server",
        f"https://{MCP}/.well-known/oauth-authorization-server/mcp",
        f"https://{MCP}/.well-known/openid-configuration",
        f"https://{MCP}/.well-known/openid-configuration/mcp",
        f"https://{MCP}/mcp/.well-known/openid-configuration",
        f"https://{KEYCLOAK}/.well-known/oauth-authorization-server",
        f"https://{KEYCLOAK}/.well-known/openid-configuration",
        f"https://{KEYCLOAK}/.well-known/oauth-authorization-server/realms/nextcloud-mcp",
        f"{REALM}/.well-known/oauth-authorization-server",
        f"{REALM}/.well-known/openid-configuration",
    ],
)
async def test_metadata_is_found_wherever_clients_look(deployment: Deployment, url: str) -> None:
    """Every address leads to the realm's document, whose endpoints are public and use TLS."""
    assert deployment.address
    async with patient_client(follow_redirects=True) as http:
        document: dict[str, Any] = (await http.get(url)).raise_for_status().json()
    assert (document["issuer"], document["registration_endpoint"]) == (REALM, REGISTRATION)
    assert {urlsplit(value)[:2] for name, value in document.items() if name.endswith("_endpoint")} == {
        ("https", KEYCLOAK)
    }


def test_janitor_works_with_its_secret_from_a_file(deployment: Deployment) -> None:
    """In the service's container the command lists the registered clients."""
    listed = deployment.compose("exec", "-T", "client-janitor", "nextcloud-mcp", "clients", "list", "--json")
    assert json.loads(listed)["maximum"] == 2000


async def test_registration_is_limited_for_each_address(deployment: Deployment) -> None:
    """One address gets 429 after the burst; its other requests, and another address's registrations, still work."""
    try:
        async with patient_client() as http:
            answers = [await http.post(REGISTRATION, json=CLIENT)]
            while answers[-1].status_code == 201 and len(answers) < 3 * BURST:
                answers.append(await http.post(REGISTRATION, json=CLIENT))
            await _check_limit(http, answers)
        other = deployment.compose("exec", "-T", "mcp-exchange", "python", "-c", REGISTER_FROM_A_CONTAINER)
        assert other.strip() == "201"
    finally:
        deployment.compose("restart", "registration")  # forgets what it counted: other tests register too
        deployment.compose("up", "--detach", "--wait", "registration")


async def _check_limit(http: httpx.AsyncClient, answers: list[httpx.Response]) -> None:
    *registered, refused = answers
    assert {answer.status_code for answer in registered} == {201}
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert refused.headers["content-type"] == "application/json"
    assert "mcp-client" in refused.json()["error_description"]
    one = registered[0].json()
    assert one["registration_client_uri"].startswith(REGISTRATION)
    own = await http.get(
        one["registration_client_uri"], headers={"Authorization": f"Bearer {one['registration_access_token']}"}
    )
    assert (own.status_code, own.json()["client_id"]) == (200, one["client_id"])
    assert (await http.get(f"{REALM}/.well-known/openid-configuration")).status_code == 200
