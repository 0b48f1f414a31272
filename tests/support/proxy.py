"""A TCP proxy that a test can cut, to make Keycloak or Nextcloud unreachable for one server.

Keycloak and Nextcloud themselves keep running for the other tests.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from stack.process import LOOPBACK


class Proxy:
    """A TCP proxy to a port on loopback; while it is cut, it closes every connection."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._cut = False
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Close all connections, and every new one at once."""
        self._cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self._cut = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection in both directions until either side ends it."""
        if self._cut:
            writer.transport.abort()
            return
        upstream_reader, upstream_writer = await asyncio.open_connection(LOOPBACK, self._target_port)
        writers = {writer, upstream_writer}
        self._writers |= writers
        try:
            await asyncio.gather(_pump(reader, upstream_writer), _pump(upstream_reader, writer))
        finally:
            self._writers -= writers
            for each in writers:
                each.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


@asynccontextmanager
async def run_proxy(target_port: int) -> AsyncIterator[Proxy]:
    """Run a proxy to `target_port` for as long as the block lasts; its own port is `Proxy.port`."""
    proxy = Proxy(target_port)
    server = await asyncio.start_server(proxy.serve, LOOPBACK, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
