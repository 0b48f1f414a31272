"""The whole server in this process, with raw HTTP requests, a fake Keycloak and a fake Nextcloud."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY

from nextcloud_mcp.app import create_app
from nextcloud_mcp.auth.credentials import PassThrough
from nextcloud_mcp.boundary.call import Services
from nextcloud_mcp.nextcloud.account_cache import AccountCache
from nextcloud_mcp.nextcloud.client import http_client
from nextcloud_mcp.settings import load_settings
from tests.support.declared import OFFER
from tests.support.issuer import DISCOVERY_URL, SERVER_URL, FakeIssuer
from tests.support.nextcloud import URL as NEXTCLOUD_URL
from tests.support.nextcloud import FakeNextcloud

LEGACY: Final = "2025-06-18"
"""A protocol version whose requests have the method and tool name only in the body."""

MODERN: Final = "2026-07-28"
"""The protocol version whose requests also have the method and tool name in headers."""

EVERYTHING: Final = " ".join(OFFER.scopes())
"""All scopes that a token can have."""

PASS_THROUGH: Final[Mapping[str, str]] = {
    "NEXTCLOUD_HOST": NEXTCLOUD_URL,
    "NEXTCLOUD_MCP_SERVER_URL": SERVER_URL,
    "OIDC_DISCOVERY_URL": DISCOVERY_URL,
}
"""The minimal environment, which selects pass-through mode."""

EXCHANGE: Final[Mapping[str, str]] = {**PASS_THROUGH, "ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_SECRET": "s3cret"}
"""The minimal environment for exchange mode."""

_PARAMETER: Final = re.compile(r'([a-z_]+)="([ -!#-\[\]-~]*)"')
_CHALLENGE: Final = re.compile(rf"Bearer {_PARAMETER.pattern}(?:, {_PARAMETER.pattern})*")


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        http: A client of the server, with httpx's default headers only.
        keycloak: The realm that the server trusts.
        nextcloud: The Nextcloud behind the server.
    """

    http: httpx.AsyncClient
    keycloak: FakeIssuer
    nextcloud: FakeNextcloud

    async def post(
        self, body: bytes | str, *, token: str | None = None, version: str = LEGACY, **headers: str
    ) -> httpx.Response:
        """Send a body to the MCP endpoint; underscores in the names of `headers` stand for hyphens."""
        sent = {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": version,
            **({"Authorization": f"Bearer {token}"} if token is not None else {}),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return await self.http.post("/mcp", content=body, headers=sent)

    async def request(
        self, method: str, params: Mapping[str, Any] | None = None, *, token: str | None, version: str = LEGACY
    ) -> httpx.Response:
        """Send one well-formed JSON-RPC request."""
        params = dict(params or {})
        headers = {}
        if version == MODERN:
            params["_meta"] = meta()
            headers["Mcp_Method"] = method
            if named := params.get("name") or params.get("uri"):
                headers["Mcp_Name"] = named
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return await self.post(body, token=token, version=version, **headers)

    async def call(
        self, tool: str, arguments: Mapping[str, Any] | None = None, *, token: str | None, version: str = LEGACY
    ) -> httpx.Response:
        """Call a tool."""
        params = {"name": tool, "arguments": dict(arguments or {})}
        return await self.request("tools/call", params, token=token, version=version)

    async def use(
        self, tool: str, arguments: Mapping[str, Any] | None = None, *, scope: str | None = None
    ) -> dict[str, Any]:
        """Call a tool as alice, with these scopes or all, and return its structured content."""
        token = self.keycloak.mint(scope=scope or EVERYTHING)
        result = answered(await self.call(tool, arguments, token=token))["result"]
        assert not result.get("isError"), result
        structured: dict[str, Any] = result["structuredContent"]
        return structured

    async def read(self, uri: str, *, scope: str = "", version: str = LEGACY) -> httpx.Response:
        """Read a resource as alice, with these scopes or all."""
        token = self.keycloak.mint(scope=scope or EVERYTHING)
        return await self.request("resources/read", {"uri": uri}, token=token, version=version)

    async def contents(self, uri: str) -> dict[str, Any]:
        """Read a resource as alice, and return its only content."""
        (content,) = answered(await self.read(uri))["result"]["contents"]
        found: dict[str, Any] = content
        return found

    async def completions(self, template: str, variable: str, value: str, **known: str) -> list[str]:
        """Request the completion of a resource template's variable as alice, and return the proposed values."""
        params = {
            "ref": {"type": "ref/resource", "uri": template},
            "argument": {"name": variable, "value": value},
            "context": {"arguments": known},
        }
        token = self.keycloak.mint(scope=EVERYTHING)
        response = await self.request("completion/complete", params, token=token)
        values: list[str] = answered(response)["result"]["completion"]["values"]
        return values

    async def misuse(self, tool: str, arguments: Mapping[str, Any] | None = None) -> str:
        """Call a tool as alice, with all scopes, and return its error message."""
        token = self.keycloak.mint(scope=EVERYTHING)
        return refusal(await self.call(tool, arguments, token=token))


def meta() -> dict[str, Any]:
    """Return the `_meta` of a request of `MODERN`, which describes the client."""
    return {
        PROTOCOL_VERSION_META_KEY: MODERN,
        CLIENT_CAPABILITIES_META_KEY: {},
        CLIENT_INFO_META_KEY: {"name": "unit-test", "version": "1"},
    }


def answered(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON-RPC message of a response, which may be JSON or one SSE event."""
    if response.headers["Content-Type"].startswith("text/event-stream"):
        (data,) = [line for line in response.text.splitlines() if line.startswith("data: ")]
        message: dict[str, Any] = json.loads(data.removeprefix("data: "))
    else:
        message = response.json()
    return message


def refusal(response: httpx.Response) -> str:
    """Return the error message of a tool call that failed."""
    assert response.status_code == 200
    result = answered(response)["result"]
    assert result["isError"] is True
    (content,) = result["content"]
    text: str = content["text"]
    return text


def challenge(response: httpx.Response) -> dict[str, str]:
    """Return the parameters of the only bearer challenge, and check its syntax (RFC 6750 section 3)."""
    (header,) = response.headers.get_list("WWW-Authenticate")
    assert _CHALLENGE.fullmatch(header), header
    parameters = _PARAMETER.findall(header)
    assert len(dict(parameters)) == len(parameters), "a parameter stands there twice"
    return dict(parameters)


def services(nextcloud: FakeNextcloud) -> Services:
    """Return the services that tools need, for a test that assembles a server itself."""
    http = http_client(NEXTCLOUD_URL, transport=nextcloud.transport)
    return Services(http, AccountCache(), PassThrough(), "pass-through", OFFER)


@asynccontextmanager
async def serving(environ: Mapping[str, str] = EXCHANGE) -> AsyncIterator[Server]:
    """Run the server with these settings for as long as the block lasts."""
    keycloak, nextcloud = FakeIssuer(), FakeNextcloud()
    app = create_app(
        load_settings(environ), keycloak_transport=keycloak.transport, nextcloud_transport=nextcloud.transport
    )
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8000") as http,
    ):
        yield Server(http, keycloak, nextcloud)
