"""The server and the stand-in in this process, with the requests between them for each tool and resource."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from nextcloud_mcp.app import create_app
from nextcloud_mcp.settings import load_settings
from stack.standin import app as standin
from tests.support.issuer import DISCOVERY_URL, SERVER_URL, FakeIssuer
from tests.support.old_client import NextcloudOf, OldClient
from tests.support.recipe_page import known_page
from tests.support.server import EVERYTHING, PASS_THROUGH


class Recorder(httpx.AsyncBaseTransport):
    """A transport between the server and Nextcloud that records requests.

    Attributes:
        requests: The requests, as `METHOD path` with the decoded path.
        targets: The raw paths of the requests, without the query.
    """

    def __init__(self, nextcloud: httpx.AsyncBaseTransport) -> None:
        self.requests: list[str] = []
        self.targets: list[str] = []
        self._nextcloud = nextcloud

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Record a request and pass it on."""
        self.targets.append(request.url.raw_path.decode().partition("?")[0])
        self.requests.append(f"{request.method} {request.url.path}")
        return await self._nextcloud.handle_async_request(request)


class RecordedClient(OldClient):
    """An old client that records the server's requests to Nextcloud.

    Attributes:
        sent: The requests to Nextcloud, by tool name or resource URI.
    """

    def __init__(self, client: Client, recorder: Recorder, *, unique: str, nextcloud_of: NextcloudOf) -> None:
        super().__init__(client, unique=unique, nextcloud_of=nextcloud_of, recipe_page=known_page)
        self.sent: defaultdict[str, list[str]] = defaultdict(list)
        self._recorder = recorder

    async def call(self, tool: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call a tool of the contract, as in `OldClient.call`."""
        before = len(self._recorder.requests)
        result = await super().call(tool, arguments)
        self.sent[tool] += self._recorder.requests[before:]
        return result

    async def use(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool that is not in the contract, or with arguments that are not in it."""
        before = len(self._recorder.requests)
        result = await super().use(tool, arguments)
        self.sent[tool] += self._recorder.requests[before:]
        return result

    async def attempt(self, tool: str, arguments: dict[str, Any]) -> list[str]:
        """Call a tool, which may fail, and return the raw paths of the requests to Nextcloud."""
        before = len(self._recorder.targets)
        await self._client.call_tool(tool, arguments)
        return self._recorder.targets[before:]

    async def read_new(self, uri: str) -> None:
        """Read a resource that is not in the contract."""
        before = len(self._recorder.requests)
        await self._client.read_resource(uri)
        self.sent[uri] += self._recorder.requests[before:]

    async def resource(self, uri: str) -> Any:
        """Read a resource of the contract."""
        before = len(self._recorder.requests)
        content = await super().resource(uri)
        self.sent[uri] += self._recorder.requests[before:]
        return content


@asynccontextmanager
async def recorded(data: Path) -> AsyncIterator[RecordedClient]:
    """Connect an old client as alice, with all scopes."""
    keycloak = FakeIssuer()
    nextcloud = standin.create_app(standin.Options(data, DISCOVERY_URL, realm_transport=keycloak.transport))
    recorder = Recorder(httpx.ASGITransport(nextcloud))
    server = create_app(
        load_settings(PASS_THROUGH), keycloak_transport=keycloak.transport, nextcloud_transport=recorder
    )
    token = keycloak.mint(scope=EVERYTHING)
    async with (
        nextcloud.router.lifespan_context(nextcloud),
        server.router.lifespan_context(server),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(server), headers={"Authorization": f"Bearer {token}"}
        ) as http,
        Client(streamable_http_client(SERVER_URL, http_client=http), mode="legacy") as client,
    ):
        yield RecordedClient(client, recorder, unique="recorded", nextcloud_of=_past_the_server(nextcloud, keycloak))


def _past_the_server(
    nextcloud: Any, keycloak: FakeIssuer
) -> Callable[[str], AbstractAsyncContextManager[httpx.AsyncClient]]:
    @asynccontextmanager
    async def nextcloud_of(username: str) -> AsyncIterator[httpx.AsyncClient]:
        token = keycloak.mint(sub=username, preferred_username=username)
        headers = {"Authorization": f"Bearer {token}", "OCS-APIRequest": "true"}
        transport = httpx.ASGITransport(nextcloud)
        async with httpx.AsyncClient(transport=transport, base_url="http://nextcloud", headers=headers) as http:
            yield http

    return nextcloud_of
