"""Browser-based clients such as the MCP Inspector: which requests their page may send and which responses it may read.

A page cannot read a response that does not allow its origin, and cannot send headers that a preflight did not allow
(Fetch standard, "CORS protocol"). Without the challenge header, it cannot know what a 401 asks for.
"""

import json
from typing import Any

import httpx
import pytest

from stack.keycloak import Keycloak
from tests.e2e.servers import Server, TokenFor
from tests.support.browser import Browser
from tests.support.http import patient_client
from tests.support.mcp_http import HEADERS, message, result
from tests.support.oauth import ALICE, CLIENT_ID, Pkce, authorize, metadata

INSPECTOR = "http://localhost:6274"
CALLBACK = f"{INSPECTOR}/oauth/callback"
SIMPLE_TYPE = "application/x-www-form-urlencoded"
MCP_HEADERS = HEADERS | {"Mcp-Method": "tools/list", "Mcp-Session-Id": "none", "Last-Event-ID": "0"}
VERSION = {"MCP-Protocol-Version": "2025-11-25"}


class Page:
    """A page of some origin, which sends as a browser would: with a preflight where one is due."""

    def __init__(self, origin: str = INSPECTOR) -> None:
        self._origin = origin

    async def fetch(self, method: str, url: str, *, headers: dict[str, str], body: str | None = None) -> httpx.Response:
        """Send a request, and return the answer if the page may see it."""
        async with patient_client() as http:
            guarded = _guarded(headers)
            if guarded:
                await self._preflight(http, method, url, guarded)
            answer = await http.request(method, url, headers=headers | {"Origin": self._origin}, content=body)
        self._must_admit(answer)
        return answer

    async def _preflight(self, http: httpx.AsyncClient, method: str, url: str, guarded: set[str]) -> None:
        """Ask whether the request may be sent with its headers."""
        asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": ",".join(sorted(guarded))}
        answer = await http.options(url, headers={"Origin": self._origin} | asked)
        assert answer.is_success
        self._must_admit(answer)
        assert method in {"GET", "HEAD", "POST"} | _listed(answer, "Access-Control-Allow-Methods")
        allowed = {name.lower() for name in _listed(answer, "Access-Control-Allow-Headers")}
        assert guarded <= allowed, f"the browser would not send {guarded - allowed}"

    def _must_admit(self, answer: httpx.Response) -> None:
        assert answer.headers.get("Access-Control-Allow-Origin") in {"*", self._origin}, answer.headers


def _guarded(headers: dict[str, str]) -> set[str]:
    """Return the names of headers that need a preflight (Fetch standard, "CORS-safelisted request-header")."""
    simple = {"accept"} | ({"content-type"} if headers.get("Content-Type") == SIMPLE_TYPE else set())
    return {name.lower() for name in headers} - simple


def _listed(answer: httpx.Response, header: str) -> set[str]:
    return {item.strip() for item in answer.headers.get(header, "").split(",")}


def form(**fields: str) -> dict[str, Any]:
    """Return a form as `fetch` takes it."""
    return {"headers": {"Content-Type": SIMPLE_TYPE}, "body": str(httpx.QueryParams(fields))}


async def test_page_reads_challenge_and_metadata(server: Server) -> None:
    """A page can read `WWW-Authenticate` of a 401, and the metadata at the URL in it."""
    page = Page()
    refused = await page.fetch("POST", server.url, headers=MCP_HEADERS, body=json.dumps(message("tools/list")))
    described = await page.fetch("GET", f"{server.origin}/.well-known/oauth-protected-resource/mcp", headers=VERSION)

    assert refused.status_code == 401
    assert "WWW-Authenticate" in _listed(refused, "Access-Control-Expose-Headers")
    assert described.json()["resource"] == server.url


async def test_page_calls_tools_with_a_token(server: Server, token_of: TokenFor) -> None:
    """A page with a token can call tools, and can read the 403 for a missing scope."""
    page, headers = Page(), HEADERS | {"Authorization": f"Bearer {await token_of(scope='notes:read')}"}
    call = message("tools/call", name="nc_whoami", arguments={})
    who = await page.fetch("POST", server.url, headers=headers, body=json.dumps(call))
    call = message("tools/call", name="nc_notes_delete_note", arguments={"note_id": 1})
    refused = await page.fetch("POST", server.url, headers=headers, body=json.dumps(call))

    assert result(who)["structuredContent"]["user_id"] == "alice"
    assert refused.status_code == 403
    assert "WWW-Authenticate" in _listed(refused, "Access-Control-Expose-Headers")


@pytest.mark.parametrize("origin", [INSPECTOR, "https://chat.example.org"])
@pytest.mark.parametrize(
    "path", ["/realms/{}/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/realms/{}"]
)
async def test_page_reads_the_realms_metadata(keycloak: Keycloak, path: str, origin: str) -> None:
    """Any page can read both metadata documents of the realm, with the header that MCP clients always send."""
    answer = await Page(origin).fetch("GET", keycloak.url + path.format(keycloak.realm), headers=VERSION)

    assert answer.json()["issuer"] == keycloak.issuer


@pytest.mark.parametrize("way", ["by hand", "by registration"])
async def test_page_signs_in(keycloak: Keycloak, server: Server, way: str) -> None:
    """A page can send the whole flow of the MCP Inspector: registration, code, tokens and refresh."""
    page, endpoints, pkce = Page(), await metadata(keycloak), Pkce()
    client_id = CLIENT_ID if way == "by hand" else await _registered(page, endpoints["registration_endpoint"])
    client = {"client_id": client_id, "redirect_uri": CALLBACK}
    scope = f"{server.scope} notes:read"
    answer = await authorize(keycloak, Browser(), **ALICE, **client, scope=scope, **pkce.parameters)
    code = {"grant_type": "authorization_code", "code": answer["code"], "code_verifier": pkce.verifier}
    tokens = await page.fetch("POST", endpoints["token_endpoint"], **form(**client, **code))
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens.json()["refresh_token"], "client_id": client_id}
    refreshed = await page.fetch("POST", endpoints["token_endpoint"], **form(**refresh))
    stale = code | {"code": "used"}
    again = await page.fetch("POST", endpoints["token_endpoint"], **form(**client, **stale))

    assert refreshed.json()["access_token"]
    assert again.json()["error"] == "invalid_grant", "a page has to be able to read why it must sign in again"


async def _registered(page: Page, endpoint: str) -> str:
    client = {"client_name": "MCP Inspector", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
    headers = {"Content-Type": "application/json"}
    answer = await page.fetch("POST", endpoint, headers=headers, body=json.dumps(client))
    assert answer.status_code == 201
    return str(answer.json()["client_id"])


async def test_page_of_another_origin_cannot_sign_in(keycloak: Keycloak) -> None:
    """A page of another origin can neither register a client nor get a token with the realm's own client."""
    endpoints = await metadata(keycloak)
    headers = {"Origin": "https://attacker.example"}
    client = {"client_name": "A page", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
    exchange = {"grant_type": "authorization_code", "code": "none", "client_id": CLIENT_ID, "redirect_uri": CALLBACK}
    async with patient_client() as http:
        registration = await http.post(endpoints["registration_endpoint"], json=client, headers=headers)
        tokens = await http.post(endpoints["token_endpoint"], data=exchange, headers=headers)

    for refused in (registration, tokens):
        assert refused.status_code == 403
        assert "Access-Control-Allow-Origin" not in refused.headers
