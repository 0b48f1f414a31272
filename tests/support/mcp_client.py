"""A real MCP client that knows nothing but the server's URL: the SDK's, with the SDK's own OAuth provider.

The one thing it is given is a browser, because somebody has to type the password.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp_types import CallToolResult, TextContent
from pydantic import AnyUrl

from tests.support.browser import Browser

REDIRECT_URI = "http://localhost:43110/callback"
"""Nothing listens there: the browser stops at the redirect, as it carries all that the client needs."""


class Tokens:
    """What the SDK's client remembers between connections."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """Return the tokens of the last sign-in."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep the tokens of a sign-in or refresh."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Return how the client is registered."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep the registration."""
        self.client = client_info


class Somebody:
    """Somebody at a browser with an MCP client beside it."""

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.browser = Browser()
        self.sign_ins = 0
        self._password = password
        self._callback = ""

    async def open_browser(self, authorization_url: str) -> None:
        """Sign in and consent on Keycloak's own pages."""
        self.sign_ins += 1
        self._callback = await self.browser.authorize(
            authorization_url, username=self.username, password=self._password
        )

    async def callback(self) -> AuthorizationCodeResult:
        """Return what the redirect brought."""
        query = parse_qs(urlsplit(self._callback).query)
        return AuthorizationCodeResult(
            code=query["code"][0], state=query.get("state", [None])[0], iss=query.get("iss", [None])[0]
        )


def text_of(answer: CallToolResult) -> str:
    """Return what a tool said, as a model reads it."""
    assert isinstance(answer.content[0], TextContent)
    return answer.content[0].text


@asynccontextmanager
async def connected(
    url: str, person: Somebody, storage: Tokens | None = None, *, mode: str = "auto"
) -> AsyncIterator[Client]:
    """Connect an MCP client to `url`, signed in as `person`; `mode` is the SDK's protocol choice."""
    provider = OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(
            client_name="An MCP client",
            redirect_uris=[AnyUrl(REDIRECT_URI)],
            grant_types=["authorization_code", "refresh_token"],
            token_endpoint_auth_method="none",
        ),
        storage=storage or Tokens(),
        redirect_handler=person.open_browser,
        callback_handler=person.callback,
    )
    async with (
        httpx2.AsyncClient(auth=provider, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client
