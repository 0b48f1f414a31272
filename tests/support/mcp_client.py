"""A real MCP client that knows nothing but the server's URL: the SDK's, with the SDK's own OAuth provider.

The one thing it is given is a browser, because somebody has to type the password.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
"""Nothing listens there: the browser stops at the redirect, as it carries all that the client needs."""


class SignInRefusedError(Exception):
    """Keycloak sent the browser back with an error in place of a code (RFC 6749 section 4.1.2.1)."""


class Tokens:
    """What the SDK's client remembers between connections."""

    def __init__(self, client: OAuthClientInformationFull | None = None) -> None:
        self.tokens: OAuthToken | None = None
        self.client = client

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
    """Somebody at a browser with an MCP client beside it.

    Attributes:
        browser: whose pages show what was asked for.
        requests: the parameters of each authorization request that the client made.
    """

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.browser = Browser()
        self.requests: list[dict[str, str]] = []
        self._password = password
        self._callback = ""

    @property
    def sign_ins(self) -> int:
        """How often the browser was opened."""
        return len(self.requests)

    async def open_browser(self, authorization_url: str) -> None:
        """Sign in and consent on Keycloak's own pages."""
        self.requests.append(dict(parse_qsl(urlsplit(authorization_url).query)))
        self._callback = await self.browser.authorize(
            authorization_url, username=self.username, password=self._password
        )

    async def callback(self) -> AuthorizationCodeResult:
        """Return what the redirect brought."""
        query = parse_qs(urlsplit(self._callback).query)
        if "error" in query:
            raise SignInRefusedError(": ".join(query["error"] + query.get("error_description", [])))
        return AuthorizationCodeResult(
            code=query["code"][0], state=query.get("state", [None])[0], iss=query.get("iss", [None])[0]
        )


def text_of(answer: CallToolResult) -> str:
    """Return what a tool said, as a model reads it."""
    assert isinstance(answer.content[0], TextContent)
    return answer.content[0].text


def registered_by_hand() -> Tokens:
    """Return the memory of a client that was given the id of the realm's public client, and no more."""
    client = OAuthClientInformationFull(
        client_id=CLIENT_ID, redirect_uris=[AnyUrl(REDIRECT_URI)], token_endpoint_auth_method="none"
    )
    return Tokens(client)


class Elsewhere(httpx2.AsyncHTTPTransport):
    """The network, but what goes to a public address is answered at another port: as behind a reverse proxy."""

    def __init__(self, public_url: str, port: int) -> None:
        super().__init__()
        self._public = urlsplit(public_url).netloc
        self._port = port

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request where it is answered; its `Host` stays as it is."""
        if request.headers["host"] == self._public:
            request.url = request.url.copy_with(port=self._port)
        return await super().handle_async_request(request)


@asynccontextmanager
async def connected(
    url: str,
    person: Somebody,
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
        person: who signs in when the client asks.
        storage: what the client remembers from before; nothing by default.
        mode: the SDK's protocol choice.
        document: the URL of the client's metadata document, if it has one.
        redirect_uri: where its browser comes back to.
        port: where the server at `url` is found in truth, if not there.
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
    transport = httpx2.AsyncHTTPTransport() if port is None else Elsewhere(url, port)
    async with (
        httpx2.AsyncClient(auth=provider, transport=transport, timeout=120) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@asynccontextmanager
async def holding(url: str, token: str, *, mode: str = "auto") -> AsyncIterator[Client]:
    """Connect an MCP client that holds a token and knows of no way to another."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=120) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client
