"""Windows of one MCP client, which refresh its tokens (RFC 6749 section 6)."""

import time
from dataclasses import dataclass
from typing import Any

import anyio

from stack.keycloak import Keycloak
from tests.realm.clients import Exchange
from tests.support.browser import Browser
from tests.support.oauth import CLIENT_ID, Person, claims, sign_in, token_request

SCOPE = "nextcloud-mcp:exchange notes:read"


@dataclass
class Window:
    """A window of a client, with its own copy of the client's tokens.

    Attributes:
        keycloak: the Keycloak that issued the tokens.
        refresh_token: the refresh token that the window uses next.
        access_token: the access token that the window uses now.
    """

    keycloak: Keycloak
    refresh_token: str
    access_token: str

    def copy(self) -> "Window":
        """Return another window with the same tokens."""
        return Window(self.keycloak, self.refresh_token, self.access_token)

    async def refresh(self) -> str:
        """Refresh, and keep the new tokens; return "" or the description of the error."""
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token, "client_id": CLIENT_ID}
        response = await token_request(self.keycloak, form)
        answer: dict[str, Any] = response.json()
        if response.status_code != 200:
            assert answer["error"] == "invalid_grant"
            return str(answer["error_description"])
        self.refresh_token, self.access_token = answer["refresh_token"], answer["access_token"]
        return ""

    def issued_at(self) -> int:
        """Return when the refresh token was issued, in seconds since the epoch."""
        return int(claims(self.refresh_token)["iat"])

    def expires_at(self) -> int:
        """Return when the refresh token expires, in seconds since the epoch."""
        return int(claims(self.refresh_token)["exp"])

    async def next_second(self) -> None:
        """Wait for the second after the one in which the tokens were issued: Keycloak compares whole seconds."""
        await self.lasts(1)

    async def lasts(self, seconds: float) -> None:
        """Wait until the refresh token was issued this many seconds ago."""
        await anyio.sleep(max(0.0, self.issued_at() + seconds - time.time()))

    async def expires(self) -> None:
        """Wait until the refresh token has expired."""
        await anyio.sleep(max(0.0, self.expires_at() + 1.1 - time.time()))


async def window(keycloak: Keycloak, person: Person, scope: str = SCOPE, browser: Browser | None = None) -> Window:
    """Sign in, and return the client's first window."""
    tokens = await sign_in(keycloak, **person, scope=scope, browser=browser)
    return Window(keycloak, tokens["refresh_token"], tokens["access_token"])


async def is_exchanged(as_exchange_server: Exchange, client: Window) -> bool:
    """Return whether the exchange server can exchange the window's access token."""
    return (await as_exchange_server(client.access_token, audience="nextcloud")).status_code == 200
