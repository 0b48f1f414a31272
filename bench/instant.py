"""A Nextcloud and a Keycloak that answer at once: `python -m bench.instant FILE PORT`.

FILE has the responses by method and path, as JSON. Each is written without any work, so that a benchmark measures the
servers in front of this process. An unknown request gets 404.
"""

import asyncio
import json
import sys
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Final

NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def response(body: bytes, *, status: str = "200 OK", media_type: str = "application/json") -> bytes:
    """Return a complete HTTP response."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Answerer(asyncio.Protocol):
    """Answers each request of one connection."""

    def __init__(self, responses: Mapping[bytes, bytes]) -> None:
        """Answer with `responses`, by method and path without the query, such as `GET /status.php`."""
        self._responses = responses
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request whose body is complete."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n") + 4) > 3:  # noqa: PLR2004 - 3 is "not found"
            end += _body_length(self._received[:end])
            if len(self._received) < end:
                return
            method, target, _ = self._received.split(b" ", 2)
            self._received = self._received[end:]
            self._transport.write(self._responses.get(method + b" " + target.partition(b"?")[0], NOT_FOUND))


def _body_length(header: bytes) -> int:
    name = b"\r\ncontent-length:"
    start = header.lower().find(name)
    return int(header[start + len(name) :].partition(b"\r\n")[0]) if start >= 0 else 0


async def main(text: str, port: int) -> None:
    """Answer until the process is ended."""
    responses = {key.encode(): b64decode(value) for key, value in json.loads(text).items()}
    server = await asyncio.get_running_loop().create_server(lambda: Answerer(responses), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_text(), int(sys.argv[2])))
