"""Requests that never end, responses that are never read, and more connections than memory or threads allow.

These attacks need no token, or one without scopes. Meanwhile the server answers tool calls, health checks and metrics,
and it closes each attacking connection within the shipped time-outs.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import httpx
import pytest

from nextcloud_mcp.protocol import HEADER_TIMEOUT, STALL_TIMEOUT
from stack.chain import Chain
from stack.process import free_port
from tests.abuse.limited_server import LimitedServer, run_limited
from tests.support.mcp_http import HEADERS, call_tool, message, result
from tests.support.oauth import sign_in
from tests.support.raw_http import Connection, all_ended, clients_of
from tests.support.run import PEOPLE

CROWD: Final = 1500
SLACK: Final = 60.0
"""Seconds that a busy machine may add."""

MAX_PIDS: Final = 64
"""`pids_limit` in compose.yaml."""


@dataclass(frozen=True)
class Target:
    """A server under the shipped memory limit, and what an honest caller needs.

    Attributes:
        server: the server.
        metrics_port: where its metrics are.
        token: the attacker's token.
        honest_token: another person's token.
    """

    server: LimitedServer
    metrics_port: int
    token: str
    honest_token: str

    async def answers(self) -> None:
        """See that a tool, health and metrics answer."""
        async with asyncio.timeout(SLACK):
            called = await call_tool(self.server.url, "nc_whoami", token=self.honest_token, host=self.server.host)
            assert result(called)["structuredContent"]["user_id"] == "bob"
            async with httpx.AsyncClient(trust_env=False, timeout=SLACK) as http:
                health = await http.get(f"http://127.0.0.1:{self.server.port}/health/live")
                metrics = await http.get(f"http://127.0.0.1:{self.metrics_port}/metrics")
            assert (health.status_code, metrics.status_code) == (200, 200)
        assert self.threads < MAX_PIDS

    @property
    def threads(self) -> int:
        """How many threads the server has, each of which counts for `pids_limit`."""
        return len(list(Path(f"/proc/{self.server.pid}/task").iterdir()))

    def request(self, length: int, *, token: str | None) -> bytes:
        """Return the header of a call with a body of that length."""
        fields = HEADERS | {"Host": self.server.host, "Content-Length": str(length)}
        if token:
            fields["Authorization"] = f"Bearer {token}"
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"POST /mcp HTTP/1.1\r\n{lines}\r\n".encode()


@pytest.fixture
async def target(chain: Chain) -> AsyncIterator[Target]:
    """A server with metrics, alice who attacks it, and bob; it must survive what is done to it."""
    metrics_port = free_port()
    with run_limited(chain, mode="exchange", settings={"MCP_METRICS_PORT": str(metrics_port)}) as server:
        alice, bob = [
            await sign_in(chain.keycloak, **PEOPLE[name], scope=f"{server.scope} files:read")
            for name in ("alice", "bob")
        ]
        yield Target(server, metrics_port, alice["access_token"], bob["access_token"])
        assert server.is_running
        assert server.peak_bytes <= server.limit_bytes


@asynccontextmanager
async def attack(port: int, number: int, sent: bytes) -> AsyncIterator[list[Connection]]:
    """Send the same on many connections, and keep them open for as long as the block lasts."""
    async with clients_of(port) as clients:
        yield await clients.crowd(number, sent)


async def ended(connections: list[Connection], limit: float) -> list[bytes]:
    """Wait until the server has closed all of them, which takes no longer than the limit and what the machine adds."""
    async with asyncio.timeout(limit + SLACK):
        return await all_ended(connections)


@pytest.mark.parametrize("sent", [b"", b"POST /mcp HTTP/1.1\r\nHost: "], ids=["nothing", "half a header"])
async def test_unfinished_headers_are_closed(target: Target, sent: bytes) -> None:
    """1,500 connections with unfinished headers block no other caller, and are closed."""
    async with attack(target.server.port, CROWD, sent) as connections:
        await target.answers()
        await ended(connections, HEADER_TIMEOUT)
        await target.answers()


@pytest.mark.parametrize(
    ("has_token", "number", "sent_bytes"),
    [
        pytest.param(False, 600, 300_000, id="no token"),  # more connections than places, more bytes than are read
        pytest.param(True, CROWD, 60_000, id="a token"),
    ],
)
async def test_unfinished_bodies_are_closed(target: Target, *, has_token: bool, number: int, sent_bytes: int) -> None:
    """Unfinished bodies block no other caller and are closed, with or without a valid token."""
    sent = target.request(4_000_000, token=target.token if has_token else None) + bytes(sent_bytes)
    async with attack(target.server.port, number, sent) as connections:
        await target.answers()
        await ended(connections, STALL_TIMEOUT)
        await target.answers()


async def test_unfinished_metrics_requests_use_no_thread(target: Target) -> None:
    """A connection to the metrics port uses no thread, and 90 of them block no other caller."""
    async with attack(target.metrics_port, 90, b"GET /metrics HTTP/1.1\r\n") as connections:
        await target.answers()
        await ended(connections, HEADER_TIMEOUT)
        await target.answers()


async def test_slowly_sent_bodies_are_cut_off(target: Target) -> None:
    """A body that arrives just within the pause limit blocks no other caller, and is cut off."""
    async with attack(target.server.port, CROWD, target.request(4_000_000, token=target.token)) as connections:
        trickle = asyncio.ensure_future(trickled(connections))
        await target.answers()
        await ended(connections, STALL_TIMEOUT)
        trickle.cancel()
        await target.answers()


async def trickled(connections: list[Connection]) -> NoReturn:
    """Send a byte on each connection every second, to the end."""
    while True:
        await asyncio.gather(*(each.send(b" ") for each in connections))
        await asyncio.sleep(1)


async def test_clients_that_read_no_response_are_cut_off(target: Target) -> None:
    """The server disconnects clients that send many requests and read no responses."""
    request = f"GET /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\nHost: {target.server.host}\r\n\r\n".encode()
    async with clients_of(target.server.port) as clients:
        connections = await clients.crowd(20, b"")
        for each in connections:
            each.writer.transport.pause_reading()  # type: ignore[attr-defined]
        floods = [asyncio.ensure_future(flood(each, request * 1000)) for each in connections]
        await target.answers()
        async with asyncio.timeout(STALL_TIMEOUT + 4 * SLACK):
            await asyncio.gather(*floods)
        await target.answers()


async def flood(connection: Connection, sent: bytes) -> None:
    """Send until the server closes the connection."""
    while not connection.writer.transport.is_closing():
        await connection.send(sent)
        await asyncio.sleep(0)


async def test_tiny_chunks_do_not_block_the_event_loop(target: Target) -> None:
    """A body in chunks of one byte does not block the event loop."""
    header = target.request(0, token=target.token).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    async with attack(target.server.port, 50, header + b"1\r\nx\r\n" * 50_000) as connections:
        await target.answers()
        await ended(connections, STALL_TIMEOUT)


@pytest.mark.requirement("rfc9112-length-or-coding")
async def test_smuggled_request_is_not_answered(target: Target) -> None:
    """Bytes after a request with both `Content-Length` and `Transfer-Encoding` are not read as a request."""
    body = json.dumps(message("ping")).encode()
    header = target.request(len(body), token=target.token).removesuffix(b"\r\n") + b"Transfer-Encoding: chunked\r\n\r\n"
    smuggled = target.request(len(body), token=target.token) + body
    async with clients_of(target.server.port) as clients:
        connection = await clients.connect()
        await connection.send(header + b"0\r\n\r\n" + smuggled)
        assert (await connection.rest()).count(b"HTTP/1.1 ") == 1


async def test_slow_upload_succeeds(target: Target) -> None:
    """A slow upload succeeds, although it takes longer than the longest permitted pause."""
    body = json.dumps(message("ping")).encode().ljust(int(STALL_TIMEOUT) * 16 * 1024)
    async with clients_of(target.server.port) as clients:
        connection = await clients.connect()
        await connection.send(target.request(len(body), token=target.token))
        await send_slowly(connection, body, seconds=STALL_TIMEOUT * 1.2)
        assert (await connection.reader.readline()).startswith(b"HTTP/1.1 200 ")


async def send_slowly(connection: Connection, body: bytes, *, seconds: float) -> None:
    """Spread a body over a time."""
    parts = 60
    size = -(-len(body) // parts)
    for start in range(0, len(body), size):
        await connection.send(body[start : start + size])
        await asyncio.sleep(seconds / parts)
