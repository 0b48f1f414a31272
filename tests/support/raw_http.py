"""HTTP/1.1 as bytes on sockets, for requests that no HTTP library would send."""

import asyncio
import resource
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

_Handler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]

TIMEOUT: Final = 120
"""Seconds to wait for the server; far more than any of its time limits."""


@dataclass(frozen=True)
class Connection:
    """A connection to a server.

    Attributes:
        reader: the stream from the server.
        writer: the stream to the server.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send bytes; the server may have closed the connection already."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            pass

    async def rest(self) -> bytes:
        """Read until the server closes the connection, and return the bytes."""
        received = b""
        async with asyncio.timeout(TIMEOUT):
            try:
                while part := await self.reader.read(65536):
                    received += part
            except ConnectionError:
                pass
        return received

    async def answer(self) -> tuple[int, bytes]:
        """Read one response with a `Content-Length`, and return its status and body."""
        async with asyncio.timeout(TIMEOUT):
            header = await self.reader.readuntil(b"\r\n\r\n")
            fields = dict(line.lower().split(b": ", 1) for line in header.split(b"\r\n")[1:-2])
            body = await self.reader.readexactly(int(fields.get(b"content-length", b"0")))
        return int(header.split()[1]), body


@dataclass
class Clients:
    """Opens connections to one server, and closes them at the end.

    Attributes:
        port: the server's port.
        host: the server's address.
        trust: the TLS context that verifies the server's certificate; None for plain HTTP.
        name: the host name in the certificate.
    """

    port: int
    host: str = "127.0.0.1"
    trust: ssl.SSLContext | None = None
    name: str | None = None
    _open: list[Connection] = field(default_factory=list)

    async def connect(self) -> Connection:
        """Open a connection."""
        connection = Connection(
            *await asyncio.open_connection(self.host, self.port, ssl=self.trust, server_hostname=self.name)
        )
        self._open.append(connection)
        return connection

    async def crowd(self, number: int, sent: bytes) -> list[Connection]:
        """Open many connections, and send the same bytes on each."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * number)), hard))
        connections = [await self.connect() for _ in range(number)]
        for each in connections:
            each.writer.write(sent)  # the writer buffers what the server does not read
        return connections

    async def close(self) -> None:
        """Close all connections."""
        for each in self._open:
            if not each.writer.transport.is_closing():  # asyncio in Python 3.11 would close a TLS connection twice
                each.writer.transport.abort()
        await asyncio.gather(*(each.writer.wait_closed() for each in self._open), return_exceptions=True)
        self._open.clear()


@asynccontextmanager
async def clients_of(port: int, **options: Any) -> AsyncIterator[Clients]:
    """Yield `Clients` of a server, which are closed at the end of the block; the options are those of `Clients`."""
    clients = Clients(port, **options)
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda loop, context: _pass_on(handler, loop, context))
    try:
        yield clients
    finally:
        await clients.close()
        loop.set_exception_handler(handler)


def _pass_on(handler: _Handler | None, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Pass an error of the event loop to the handler, except for a known bug of asyncio in Python 3.11.

    If the server resets a TLS connection while it is being closed, asyncio closes it twice. The second time, the
    connection has no protocol any more, which raises an AttributeError.
    """
    is_second_end = "_call_connection_lost" in context["message"] and isinstance(
        context.get("exception"), AttributeError
    )
    if not is_second_end and handler is not None:
        handler(loop, context)
    elif not is_second_end:
        loop.default_exception_handler(context)


async def all_ended(connections: list[Connection]) -> list[bytes]:
    """Wait until the server has closed all connections, and return the bytes that it sent on each."""
    return await asyncio.gather(*(each.rest() for each in connections))
