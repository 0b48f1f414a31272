"""A proxy on loopback that adds a token to requests, because the suite's server scenarios have no authorization.

It forwards bytes unchanged, including malformed headers and streams. It changes only the head of a request: it adds the
bearer token, replaces its own address by the server's (other names stay, for scenarios that send them), and ends the
connection after one request.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from urllib.parse import urlsplit

from stack.process import LOOPBACK

END_OF_HEAD = b"\r\n\r\n"


@asynccontextmanager
async def signed_in(url: str, token: str) -> AsyncIterator[str]:
    """Run the proxy for as long as the block lasts; returns the address at which `url` is signed in with `token`."""
    parts = urlsplit(url)
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = f"localhost:{writer.get_extra_info('sockname')[1]}"
        with suppress(OSError, asyncio.IncompleteReadError), closing(writer):
            head = await reader.readuntil(END_OF_HEAD)
            server_reader, server_writer = await asyncio.open_connection(LOOPBACK, parts.port)
            with closing(server_writer):
                server_writer.write(_rewritten(head.replace(own.encode(), parts.netloc.encode()), token))
                await asyncio.gather(_pump(reader, server_writer), _pump(server_reader, writer))

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, LOOPBACK, 0)
    try:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}{parts.path}"
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


def _rewritten(head: bytes, token: str) -> bytes:
    lines = [
        line for line in head.removesuffix(END_OF_HEAD).split(b"\r\n") if not line.lower().startswith(b"connection:")
    ]
    return b"\r\n".join([*lines, b"Connection: close", b"Authorization: Bearer " + token.encode()]) + END_OF_HEAD


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # whichever side ends first
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
