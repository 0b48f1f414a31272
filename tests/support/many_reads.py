"""Lets many users read something large at once, and prints the peak memory of the process in bytes.

It is a separate program, because the peak of a process covers its whole life. The process has the server from its ASGI
interface on, and clients that discard the responses. Its arguments are a JSON-RPC method, the method's parameters as
JSON, and the value of the bytes in the file that is read.
"""

import json
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import httpx
from anyio.lowlevel import checkpoint
from starlette.types import ASGIApp, Message

from nextcloud_mcp.app import create_app
from nextcloud_mcp.settings import load_settings
from tests.support.issuer import FakeIssuer, answer
from tests.support.nextcloud import FILES, FakeNextcloud, dav_file, multistatus
from tests.support.server import EVERYTHING, LEGACY, PASS_THROUGH

MANY: Final = 16
SIZE: Final = 4 * 1024 * 1024
"""Bytes in the file that is read."""

CHUNK: Final = 64 * 1024


class _Body(httpx.AsyncByteStream):
    """A response body in chunks, each a new object, as from the network."""

    def __init__(self, byte: int, size: int) -> None:
        self._byte, self._size = byte, size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, self._size, CHUNK):
            await checkpoint()
            yield bytes([self._byte]) * min(CHUNK, self._size - start)


def _content(byte: int, request: httpx.Request) -> httpx.Response:
    asked = request.headers.get("Range")
    first, last = asked.removeprefix("bytes=").split("-") if asked else (0, SIZE - 1)
    return httpx.Response(206 if asked else 200, stream=_Body(byte, int(last) - int(first) + 1))


async def _ask(app: ASGIApp, body: bytes, token: str) -> None:
    """Send a request and discard the response, which httpx's ASGITransport would keep in memory."""
    requests: list[Message] = [{"type": "http.request", "body": body}]

    async def receive() -> Message:
        if not requests:
            await anyio.sleep_forever()
        return requests.pop()

    async def send(message: Message) -> None:
        await checkpoint()
        assert message.get("status", 200) == 200, message
        assert b'"isError":true' not in message.get("body", b"")[:1000]
        assert b'"error":{' not in message.get("body", b"")[:1000]

    headers = {
        "accept": "application/json, text/event-stream",
        "authorization": f"Bearer {token}",
        "content-length": str(len(body)),
        "content-type": "application/json",
        "host": "localhost:8000",
        "mcp-protocol-version": LEGACY,
    }
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/mcp",
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)


async def _read(method: str, params: str, byte: str) -> None:
    """Run the server, and let many users read at once."""
    keycloak, nextcloud = FakeIssuer(), FakeNextcloud()
    file = dav_file(f"{FILES}/a", size=SIZE)
    nextcloud.on("PROPFIND", f"{FILES}/a", answer(207, content=multistatus(file)))
    for path in (f"{FILES}/a", "/index.php/apps/notes/api/v1.4/attachment/7"):
        nextcloud.on("GET", path, partial(_content, int(byte)))
    app = create_app(
        load_settings(PASS_THROUGH), keycloak_transport=keycloak.transport, nextcloud_transport=nextcloud.transport
    )
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": json.loads(params)}).encode()
    async with app.router.lifespan_context(app), anyio.create_task_group() as people:
        for number in range(MANY):
            people.start_soon(_ask, app, body, keycloak.mint(scope=EVERYTHING, sub=f"person-{number}"))


def _peak() -> int:
    """Return this process's peak resident memory in bytes (proc(5), `VmHWM`)."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    anyio.run(partial(_read, *sys.argv[1:]))
    sys.stdout.write(f"{_peak()}\n")
