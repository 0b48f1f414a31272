"""Caddy with the shipped limits, under requests that never end: it survives and serves other callers."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import anyio.to_thread
import httpx
import pytest

from tests.production.deployment import KEYCLOAK, MCP
from tests.production.replicas import (
    URL,
    address_of,
    authority,
    caddy,
    docker,
    gateway,
    images,
    neighbors,
    replica,
    until_healthy,
)
from tests.support.mcp_http import HEADERS, result, tool_request
from tests.support.neighbors import Neighbors
from tests.support.raw_http import all_ended, clients_of

__all__ = ["gateway", "images", "neighbors"]  # fixtures

BODY: Final = 4 * 2**20
TIME_LIMIT: Final = 30.0 + 120
"""Seconds: the longest limit in the Caddyfile, and what a busy machine adds."""


@dataclass(frozen=True)
class Caddy:
    """Caddy in front of one replica.

    Attributes:
        container: Caddy's.
        address: where it listens; not its published port, which on loopback Docker serves by a process of its own that
            ends when it has too many connections.
        trust: what its certificates are checked with.
        token: a token for the server.
    """

    container: str
    address: str
    trust: ssl.SSLContext
    token: str

    async def answers(self) -> httpx.Response:
        """Call a tool, and see that it is answered."""
        request = tool_request("nc_notes_get_note", {"note_id": 1}, token=self.token, Host=MCP)
        async with httpx.AsyncClient(verify=self.trust, trust_env=False, timeout=TIME_LIMIT) as http:
            url = f"https://{self.address}/mcp"
            response = await http.post(url, **request, extensions={"sni_hostname": MCP})
        assert not result(response).get("isError"), response.text
        return response

    async def lives(self) -> None:
        """See that it has neither ended nor been killed."""
        state = await anyio.to_thread.run_sync(
            docker, "inspect", "-f", "{{.State.Running}} {{.State.OOMKilled}}", self.container
        )
        assert state == "true false"


@pytest.fixture
async def front(images: dict[str, str], neighbors: Neighbors) -> AsyncIterator[Caddy]:
    """Caddy and a replica."""
    with ExitStack() as running:
        server = running.enter_context(replica(1, images, neighbors))
        proxy = running.enter_context(caddy(images))
        await until_healthy(server)
        trust = await authority(proxy)
        yield Caddy(proxy, address_of(proxy), trust, neighbors.token(URL))


def header(host: str, path: str, **fields: str) -> bytes:
    """Return the header of a request with a large body."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": host, "Content-Length": BODY} | fields).items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode()


TOKEN_ENDPOINT: Final = "/realms/nextcloud-mcp/protocol/openid-connect/token"


@pytest.mark.parametrize(
    ("host", "sent"),
    [
        pytest.param(MCP, header(MCP, "/mcp", **HEADERS) + bytes(BODY - 1), id="the server"),
        pytest.param(KEYCLOAK, header(KEYCLOAK, TOKEN_ENDPOINT) + bytes(BODY - 1), id="a part that is away"),
        pytest.param(MCP, b"POST /mcp HTTP/1.1\r\nHost: ", id="half a header"),
    ],
)
async def test_unfinished_requests_do_not_stop_caddy(front: Caddy, host: str, sent: bytes) -> None:
    """Hundreds of unfinished requests without a token do not fill memory or block other callers, and are closed."""
    async with clients_of(443, host=front.address, trust=front.trust, name=host) as clients:
        connections = await clients.crowd(400, b"")
        await asyncio.gather(*(each.send(sent) for each in connections))
        await front.answers()
        await front.lives()
        async with asyncio.timeout(TIME_LIMIT):
            await all_ended(connections)
        await front.answers()
        await front.lives()


async def test_caddy_survives_more_connections_than_descriptors(front: Caddy) -> None:
    """File descriptors run out before memory does; afterwards Caddy serves all requests again."""
    async with clients_of(443, host=front.address) as clients:
        connections = await clients.crowd(4000, b"")
        await front.lives()
        async with asyncio.timeout(TIME_LIMIT):
            await all_ended(connections)
        await front.answers()
        await front.lives()


async def test_responses_have_strict_transport_security(front: Caddy) -> None:
    """The server's responses and Caddy's own have the HSTS header (RFC 6797)."""
    response = await front.answers()
    assert response.headers["Strict-Transport-Security"] == "max-age=15552000"
