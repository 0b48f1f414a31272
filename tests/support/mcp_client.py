"""The SDK's MCP client with the SDK's OAuth provider, which knows only the server's URL.

A scripted browser signs the user in.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp_types import CallToolResult, TextContent
from pydantic import AnyUrl

from tests.support.browser import Browser
from tests.support.oauth import CLIENT_ID

REDIRECT_URI = "http://localhost:43110/callback"
"""Nothing listens there: the browser stops at the redirect, whose URL has all that the client needs."""


class SignInRefusedError(Exception):
    """Keycloak redirected the browser with an error instead of a code (RFC 6749 section 4.1.2.1)."""


class Tokens:
    """The SDK client's storage for tokens and its registration, which lasts longer than a connection."""

    def __init__(self, client: OAuthClientInformationFull | None = None) -> None:
        self.tokens: OAuthToken | None = None
        self.client = client

    async def get_tokens(self) -> OAuthToken | None:
        """Return the tokens of the last sign-in."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Store the tokens of a sign-in or refresh."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Return the client's registration."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Store the registration."""
        self.client = client_info


class McpUser:
    """A user with a browser and an MCP client.

    Attributes:
        username: the user name.
        browser: the user's browser, which records the consent pages.
        requests: the parameters of each authorization request of the client.
    """

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.browser = Browser()
        self.requests: list[dict[str, str]] = []
        self._password = password
        self._callback = ""

    @property
    def sign_ins(self) -> int:
        """The number of times that the browser was opened."""
        return len(self.requests)

    async def open_browser(self, authorization_url: str) -> None:
        """Sign in and consent on Keycloak's pages."""
        self.requests.append(dict(parse_qsl(urlsplit(authorization_url).query)))
        self._callback = await self.browser.authorize(
            authorization_url, username=self.username, password=self._password
        )

    async def callback(self) -> AuthorizationCodeResult:
        """Return the authorization code from the redirect.

        Raises:
            SignInRefusedError: the redirect has an error.
        """
        query = parse_qs(urlsplit(self._callback).query)
        if "error" in query:
            raise SignInRefusedError(": ".join(query["error"] + query.get("error_description", [])))
        return AuthorizationCodeResult(
            code=query["code"][0], state=query.get("state", [None])[0], iss=query.get("iss", [None])[0]
        )


def text_of(answer: CallToolResult) -> str:
    """Return the text of a tool result."""
    assert isinstance(answer.content[0], TextContent)
    return answer.content[0].text


async def use(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that must succeed, and return its structured content."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    structured: dict[str, Any] = result.structured_content
    return structured


async def misuse(client: Client, tool: str, **arguments: Any) -> str:
    """Call a tool that must fail, and return its sentence."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result
    return text_of(result)


def registered_by_hand() -> Tokens:
    """Return the storage of a client that has only the id of the realm's public client."""
    client = OAuthClientInformationFull(
        client_id=CLIENT_ID, redirect_uris=[AnyUrl(REDIRECT_URI)], token_endpoint_auth_method="none"
    )
    return Tokens(client)


class OtherPort(httpx2.AsyncHTTPTransport):
    """A transport that sends requests for a public URL to another port, like a reverse proxy."""

    def __init__(self, public_url: str, port: int) -> None:
        super().__init__()
        self._public = urlsplit(public_url).netloc
        self._port = port

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request to the real port; its `Host` stays the same."""
        if request.headers["host"] == self._public:
            request.url = request.url.copy_with(port=self._port)
        return await super().handle_async_request(request)


@asynccontextmanager
async def connected(
    url: str,
    person: McpUser,
    storage: Tokens | None = None,
    *,
    mode: str = "auto",
    document: str | None = None,
    redirect_uri: str = REDIRECT_URI,
    port: int | None = None,
) -> AsyncIterator[Client]:
    """Connect an MCP client, signed in as `person`.

    Args:
        url: the server's public URL.
        person: the user who signs in.
        storage: the client's storage; empty by default.
        mode: the SDK's protocol mode.
        document: the URL of the client's metadata document, if it has one.
        redirect_uri: the client's redirect URI.
        port: the server's real port, if it is not the one in `url`.
    """
    provider = OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(
            client_name="An MCP client",
            redirect_uris=[AnyUrl(redirect_uri)],
            grant_types=["authorization_code", "refresh_token"],
            token_endpoint_auth_method="none",
        ),
        storage=storage or Tokens(),
        redirect_handler=person.open_browser,
        callback_handler=person.callback,
        client_metadata_url=document,
    )
    transport = httpx2.AsyncHTTPTransport() if port is None else OtherPort(url, port)
    async with (
        httpx2.AsyncClient(auth=provider, transport=transport, timeout=120) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@asynccontextmanager
async def connected_with_token(url: str, token: str, *, mode: str = "auto") -> AsyncIterator[Client]:
    """Connect an MCP client that has a token and cannot get another one."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=120) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client
