"""`drain`: stopping the server loses no call.

The server runs in its own process on real sockets; Keycloak and Nextcloud are fakes.
"""

import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import httpx
import pytest
import yaml
from anyio.abc import ByteReceiveStream, ByteStream, Process
from anyio.streams.text import TextReceiveStream

from nextcloud_mcp.drain import MAX_DRAIN_SECONDS, ignore_new_connections
from stack.process import LOOPBACK, free_port
from tests.support.http import patient_client
from tests.support.listening import listening
from tests.support.mcp_http import result, tool_request
from tests.support.neighbors import Neighbors
from tests.support.server import LEGACY, MODERN

ROOT: Final = Path(__file__).parents[2]
LEFT_OVER_SECONDS: Final = 5
"""What is added to the drain for calls that it did not end."""


class Running:
    """A server that runs, and what it logs."""

    def __init__(self, process: Process, url: str, token: str, neighbors: Neighbors) -> None:
        self._process = process
        self.url = url
        self.token = token
        self.neighbors = neighbors
        self.events: list[dict[str, Any]] = []

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait until it has ended, and return its status."""
        return await self._process.wait()

    async def logged(self, event: str) -> dict[str, Any]:
        """Wait until it has logged an event, and return that."""
        while not (found := [each for each in self.events if each["event"] == event]):  # noqa: ASYNC110 - of a process
            await anyio.sleep(0.02)
        return found[0]

    async def keep_log(self, stream: ByteReceiveStream) -> None:
        """Read what it logs until it ends."""
        text = ""
        async for part in TextReceiveStream(stream):
            *lines, text = (text + part).split("\n")
            self.events += [json.loads(line) for line in lines]

    async def call(self, http: httpx.AsyncClient, version: str, tool: str, **arguments: Any) -> httpx.Response:
        """Call a tool, and see that it has done what was asked."""
        request = tool_request(tool, arguments, token=self.token, version=version)
        response = await http.post(self.url, **request)
        assert not result(response).get("isError"), response.text
        return response


@asynccontextmanager
async def running(*patches: str) -> AsyncIterator[Running]:
    """Run the server in pass-through mode for as long as the block lasts; `patches` are its first statements."""
    neighbors, port = Neighbors(), free_port()
    program = "\n".join(["import sys", *patches, "from nextcloud_mcp.cli import main", "sys.exit(main())"])
    url = f"http://{LOOPBACK}:{port}/mcp"
    async with listening(neighbors.app) as neighbors.url:
        environment = {
            **os.environ,
            "NEXTCLOUD_HOST": neighbors.url,
            "NEXTCLOUD_MCP_SERVER_URL": url,
            "OIDC_DISCOVERY_URL": f"{neighbors.url}/.well-known/openid-configuration",
            "MCP_PORT": str(port),
        }
        token = neighbors.token(url)
        async with (
            await anyio.open_process([sys.executable, "-c", program, "serve"], env=environment) as process,
            anyio.create_task_group() as group,
        ):
            assert process.stderr is not None
            server = Running(process, url, token, neighbors)
            group.start_soon(server.keep_log, process.stderr)
            try:
                with anyio.fail_after(120):
                    await until_ready(f"http://{LOOPBACK}:{port}")
                    yield server
            finally:
                if process.returncode is None:
                    process.kill()


async def until_ready(origin: str) -> None:
    """Wait until a server is ready."""
    async with patient_client(base_url=origin) as http:
        while True:
            try:
                if (await http.get("/health/ready", headers={"Connection": "close"})).status_code == 200:
                    return
            except httpx.ConnectError:
                await anyio.sleep(0.1)


@dataclass
class Caller:
    """Calls one tool after the other until the server takes no new connection.

    Attributes:
        keeps: whether connections are used again.
        answers: how often a call was answered.
        last: the last answer.
        refused: whether a connection was refused in the end.
    """

    server: Running
    version: str
    keeps: bool
    answers: int = 0
    last: httpx.Response | None = None
    refused: bool = False

    async def work(self, tool: str, **arguments: Any) -> None:
        """Call until no connection can be made; what else fails is a call that was lost, and fails the test."""
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=int(self.keeps))
        async with patient_client(limits=limits) as http:
            while not self.refused:
                try:
                    self.last = await self.server.call(http, self.version, tool, **arguments)
                    self.answers += 1
                except httpx.ConnectError:
                    self.refused = True


@pytest.mark.parametrize("version", [LEGACY, MODERN], ids=["stream", "JSON"])
async def test_no_call_is_lost(version: str) -> None:
    """SIGTERM under load: each call that was sent is answered, as stream or JSON, reading or writing, short or long.

    Kept connections get `Connection: close`, and new connections are refused. The process exits after the last call.
    """
    async with running() as server:
        short = [Caller(server, version, keeps=number < 8) for number in range(12)]
        long = [Caller(server, version, keeps=number < 2) for number in range(4)]
        async with anyio.create_task_group() as group:
            for number, caller in enumerate(short):
                title = f"by {number}"
                group.start_soon(
                    partial(caller.work, "nc_notes_create_note", title=title, content="", category="")
                    if number % 2
                    else partial(caller.work, "nc_notes_get_note", note_id=1)
                )
            group.start_soon(partial(long[0].work, "nc_notes_get_note", note_id=2))
            group.start_soon(partial(long[1].work, "nc_notes_create_note", title="slow a", content="", category=""))
            group.start_soon(partial(long[2].work, "nc_notes_get_note", note_id=2))
            group.start_soon(partial(long[3].work, "nc_notes_create_note", title="slow b", content="", category=""))
            while server.neighbors.slow < 4 or min(caller.answers for caller in short) < 3:  # noqa: ASYNC110
                await anyio.sleep(0.02)
            server.signal(signal.SIGTERM)
        status = await server.ended()

    assert status in {0, -signal.SIGTERM}
    assert all(caller.refused for caller in (*short, *long))
    assert [caller.answers for caller in long] >= [1] * 4
    writers = [*short[1::2], long[1], long[3]]
    assert len(server.neighbors.written) == sum(caller.answers for caller in writers)
    assert [caller.last.headers["Connection"] for caller in short if caller.keeps and caller.last] == ["close"] * 8
    stopped = await server.logged("server.stopped")
    assert stopped["cut_off"] == 0
    assert stopped["seconds"] < MAX_DRAIN_SECONDS


async def test_idle_connection_is_served_once_while_stopping() -> None:
    """A request on an idle connection while the server stops is answered with `Connection: close`."""
    async with running() as server:
        host, port = LOOPBACK, httpx.URL(server.url).port or 0
        unused = await anyio.connect_tcp(host, port)  # as proxies open some in advance
        used = await anyio.connect_tcp(host, port)
        request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert b"connection: close" not in await answered(used, request)
        server.signal(signal.SIGTERM)
        await server.logged("server.stopping")
        for connection in (unused, used):
            answer = await answered(connection, request)
            assert answer.startswith(b"http/1.1 200")
            assert b"\r\nconnection: close\r\n" in answer
            with pytest.raises(anyio.EndOfStream):
                await connection.receive()
            await connection.aclose()
        assert await server.ended() in {0, -signal.SIGTERM}


async def answered(connection: ByteStream, request: bytes) -> bytes:
    """Send a request about the server's health, and return the whole answer, which may come in parts."""
    await connection.send(request)
    answer = b""
    while not answer.endswith(b'{"status":"ok"}'):
        answer += (await connection.receive()).lower()
    return answer


async def test_idle_connection_does_not_delay_the_stop() -> None:
    """A connection without a request is closed after the usual idle time."""
    async with running() as server:
        idle = await anyio.connect_tcp(LOOPBACK, httpx.URL(server.url).port or 0)
        server.signal(signal.SIGTERM)
        assert await server.ended() in {0, -signal.SIGTERM}
        stopped = await server.logged("server.stopped")
        await idle.aclose()
    assert stopped["seconds"] < MAX_DRAIN_SECONDS / 2


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_second_signal_stops_at_once(second: signal.Signals) -> None:
    """A second signal stops the server without waiting for calls."""
    async with running() as server, anyio.create_task_group() as group:
        server.neighbors.held = True
        group.start_soon(call_in_vain, server)
        while not server.neighbors.slow:  # noqa: ASYNC110 - no event can be set from another process
            await anyio.sleep(0.02)
        server.signal(signal.SIGTERM)
        await server.logged("server.stopping")
        server.signal(second)
        with anyio.fail_after(30):  # it would wait for longer than that
            assert await server.ended() == 128 + second


async def test_unfinished_call_is_aborted_after_limit() -> None:
    """A stop takes at most `MAX_DRAIN_SECONDS`, shortened here; the log has the number of aborted calls."""
    async with running("from nextcloud_mcp import drain", "drain.MAX_DRAIN_SECONDS = 1") as server:
        server.neighbors.held = True
        async with anyio.create_task_group() as group:
            group.start_soon(call_in_vain, server)
            while not server.neighbors.slow:  # noqa: ASYNC110 - no event can be set from another process
                await anyio.sleep(0.02)
            server.signal(signal.SIGTERM)
            assert await server.ended() in {0, -signal.SIGTERM}
        assert (await server.logged("server.stopped"))["cut_off"] == 1


async def call_in_vain(server: Running) -> None:
    """Make a call that gets no answer."""
    async with patient_client() as http:
        with pytest.raises(httpx.TransportError):
            await server.call(http, LEGACY, "nc_notes_get_note", note_id=2)


def test_stop_grace_periods_exceed_drain_limit() -> None:
    """Compose and the chart kill a server only after the longest time that its stop takes."""
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    longest = MAX_DRAIN_SECONDS + LEFT_OVER_SECONDS
    for name in ("mcp-exchange", "mcp-pass-through"):
        assert int(compose["services"][name]["stop_grace_period"].removesuffix("s")) > longest
    chart = (ROOT / "deploy/helm/nextcloud-mcp/templates/deployment.yaml").read_text()
    (before,) = re.findall(r"preStop:\s+sleep: \{ seconds: (\d+) \}", chart)
    (grace,) = re.findall(r"terminationGracePeriodSeconds: (\d+)", chart)
    assert int(grace) > int(before) + longest


@pytest.mark.skipif(sys.platform != "linux", reason="sockets have filters on Linux alone")
def test_pending_tcp_handshake_is_accepted() -> None:
    """A client that considers its connection established is served; a later one gets no answer."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        # the kernel ends the handshake when the client sends something, and not before (tcp(7))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 10)
        listener.settimeout(10)
        with socket.create_connection(listener.getsockname()) as begun, socket.socket() as late:
            ignore_new_connections([listener])
            late.settimeout(0.5)
            with pytest.raises(TimeoutError):
                late.connect(listener.getsockname())
            begun.sendall(b"request")
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                assert connection.recv(7) == b"request"
                begun.sendall(b"more")
                assert connection.recv(4) == b"more"
