"""Keycloak's account console and its API: people see and end what they granted, and change nothing else."""

import re
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from keycloak import KeycloakAdmin

from stack.keycloak import Keycloak
from tests.support.browser import Browser, BrowserError
from tests.support.http import patient_client
from tests.support.oauth import CLIENT_ID, Person, Pkce, authorize, claims, sign_in, token_request

CONSOLE = "account-console"


@dataclass
class ConsoleBrowser(Browser):
    """A browser that stops at the console's own address: the console is a page of Keycloak's."""

    code: str = ""

    async def _send(
        self, http: httpx.AsyncClient, method: str, url: str, data: dict[str, str] | None = None
    ) -> httpx.Response:
        if found := re.search(r"/account/\?.*\bcode=([^&]+)", url):
            self.code = found[1]
            raise BrowserError("signed in")
        return await super()._send(http, method, url, data)


async def console_token(keycloak: Keycloak, person: Person) -> str:
    """Sign in to the account console as its page does, and return its access token."""
    browser, pkce = ConsoleBrowser(), Pkce()
    client = {"client_id": CONSOLE, "redirect_uri": f"{keycloak.issuer}/account/"}
    with pytest.raises(BrowserError, match="signed in"):
        await authorize(keycloak, browser, **person, scope="openid", **client, **pkce.parameters)
    form = {"grant_type": "authorization_code", "code": browser.code, "code_verifier": pkce.verifier, **client}
    answer = await token_request(keycloak, form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def account(keycloak: Keycloak, token: str, method: str, path: str, **request: Any) -> httpx.Response:
    """Send a request to the account API."""
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    async with patient_client() as http:
        return await http.request(method, f"{keycloak.issuer}/account/{path}", headers=headers, **request)


async def test_people_end_what_they_granted(keycloak: Keycloak, admin: KeycloakAdmin, someone: Person) -> None:
    """The console lists a consent in plain words; after its removal the client's refresh token is refused."""
    tokens = await sign_in(keycloak, **someone, scope="nextcloud-mcp:exchange notes:read")
    token = await console_token(keycloak, someone)

    applications = (await account(keycloak, token, "GET", "applications")).json()
    (granted,) = [each["consent"] for each in applications if each["clientId"] == CLIENT_ID]
    assert "Read your notes" in str(granted)
    assert (await account(keycloak, token, "DELETE", f"applications/{CLIENT_ID}/consent")).status_code == 204

    assert admin.user_consents(str(admin.get_user_id(someone["username"]))) == []
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": CLIENT_ID}
    assert (await token_request(keycloak, form)).json()["error"] == "invalid_grant"


async def test_people_see_and_end_their_sessions(keycloak: Keycloak, someone: Person) -> None:
    """The console lists the sessions with their clients, and ends the others."""
    tokens = await sign_in(keycloak, **someone, scope="nextcloud-mcp:exchange")
    token = await console_token(keycloak, someone)

    devices = (await account(keycloak, token, "GET", "sessions/devices")).json()
    assert CLIENT_ID in {client["clientId"] for each in devices for s in each["sessions"] for client in s["clients"]}
    assert (await account(keycloak, token, "DELETE", "sessions")).status_code == 204

    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": CLIENT_ID}
    assert (await token_request(keycloak, form)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("field", ["email", "firstName", "username"])
async def test_people_cannot_change_what_nextcloud_takes_over(
    keycloak: Keycloak, admin: KeycloakAdmin, someone: Person, field: str
) -> None:
    """User name, name and e-mail address reach Nextcloud, so only administrators change them."""
    token = await console_token(keycloak, someone)
    profile = (await account(keycloak, token, "GET", "")).json()
    await account(keycloak, token, "POST", "", json=profile | {field: "boss@example.org"})

    user = admin.get_user(str(admin.get_user_id(someone["username"])))
    assert user[field] != "boss@example.org"


async def test_only_the_console_s_token_opens_the_account_api(keycloak: Keycloak, someone: Person) -> None:
    """A client's token does not open the account API, and the console's token names neither a server nor Nextcloud."""
    foreign = (await sign_in(keycloak, **someone, scope="nextcloud-mcp:exchange"))["access_token"]
    console = claims(await console_token(keycloak, someone))

    assert (await account(keycloak, foreign, "GET", "applications")).status_code in {401, 403}
    assert console["aud"] == "account"
    assert "preferred_username" not in console
    assert console["resource_access"] == {"account": {"roles": ["manage-account"]}}
