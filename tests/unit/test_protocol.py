"""`protocol`: slow or ambiguous requests end their connection.

The tests use a small application and short timeouts; they check that a timeout occurs, not when.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Final

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from nextcloud_mcp import protocol
from tests.support.raw_http import TIMEOUT, Clients, Connection, all_ended, clients_of

HOST: Final = b"Host: here\r\n"
GET: Final = b"GET /at-once HTTP/1.1\r\n" + HOST + b"\r\n"


class Application:
    """What is served; it remembers the bodies that it has read, and what it was about when its client went.

    Attributes:
        bodies: the bodies.
        go_on: what `/waits` waits for.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.go_on = asyncio.Event()
        self._begun = asyncio.Semaphore(0)

    async def until_begun(self, times: int) -> None:
        """Wait until `/waits` has been asked so many times."""
        async with asyncio.timeout(TIMEOUT):
            for _ in range(times):
                await self._begun.acquire()

    async def at_once(self, _: Request) -> Response:
        """Answer without a look at the body."""
        return PlainTextResponse("here")

    async def reads(self, request: Request) -> Response:
        """Answer when the body has come."""
        self.bodies.append(await request.body())
        return PlainTextResponse(str(len(self.bodies[-1])))

    async def waits(self, request: Request) -> Response:
        """Read the body when the test says so."""
        self._begun.release()
        await self.go_on.wait()
        return await self.reads(request)

    async def large(self, _: Request) -> Response:
        """Answer with 64 MiB, more than the kernel keeps for a client."""

        async def parts() -> AsyncIterator[bytes]:
            for _ in range(64):
                yield bytes(2**20)

        return StreamingResponse(parts())


@pytest.fixture
def application() -> Application:
    """What is served."""
    return Application()


@pytest.fixture
async def clients(application: Application) -> AsyncIterator[Clients]:
    """Who connects to where it is served."""
    routes = [
        Route(f"/{name.replace('_', '-')}", getattr(application, name), methods=["GET", "POST"])
        for name in ("at_once", "reads", "waits", "large")
    ]
    listener = socket.create_server(("127.0.0.1", 0))
    async with (
        protocol.serve_on_socket(Starlette(routes=routes), listener),
        clients_of(listener.getsockname()[1]) as clients,
    ):
        yield clients


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each limit come soon."""
    monkeypatch.setattr(protocol, "HEADER_TIMEOUT", 1.0)
    monkeypatch.setattr(protocol, "STALL_TIMEOUT", 1.0)


def post(path: str, length: int) -> bytes:
    """Return the header of a request with a body of that length."""
    return f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Length: {length}\r\n\r\n".encode()


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize("sent", [b"", b"G", GET[:-2], b"\r\n"], ids=["nothing", "a byte", "half", "empty line"])
async def test_incomplete_header_times_out(clients: Clients, sent: bytes) -> None:
    """The header must be complete in time, however much of it has arrived."""
    connection = await clients.connect()
    await connection.send(sent)
    assert (await connection.rest()).startswith(b"HTTP/1.1 4")


@pytest.mark.usefixtures("short_timeouts")
async def test_trickled_header_does_not_extend_timeout(clients: Clients) -> None:
    """Single bytes do not extend the timeout, also for later requests on a connection."""
    connection = await clients.connect()
    await connection.send(GET)
    assert (await connection.answer())[0] == 200
    ended = asyncio.ensure_future(connection.rest())
    while not ended.done():
        await connection.send(b"G")
        await asyncio.wait([ended], timeout=0.05)
    assert b" 408 " in await ended


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize("path", ["/reads", "/at-once"])
async def test_missing_body_times_out(clients: Clients, path: str) -> None:
    """The timeout applies while the application waits for the body and after it has responded."""
    connection = await clients.connect()
    await connection.send(post(path, 100) + b"some")
    answer = await connection.rest()
    assert answer.startswith(b"HTTP/1.1 408 " if path == "/reads" else b"HTTP/1.1 200 ")


async def test_slow_body_is_read_above_minimum_rate(
    clients: Clients, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload may take much longer than the read timeout, but fails below the minimum rate."""
    monkeypatch.setattr(protocol, "STALL_TIMEOUT", 2.0)
    monkeypatch.setattr(protocol, "MIN_BYTES_PER_SECOND", 500)
    honest = await clients.connect()
    await honest.send(post("/reads", 6000))
    started = asyncio.get_running_loop().time()
    for _ in range(60):
        await honest.send(bytes(100))
        await asyncio.sleep(0.06)
    assert await honest.answer() == (200, b"6000")
    assert asyncio.get_running_loop().time() - started > 2.0
    assert application.bodies == [bytes(6000)]

    trickling = await clients.connect()
    await trickling.send(post("/reads", 6000))
    ended = asyncio.ensure_future(trickling.rest())
    while not ended.done():
        await trickling.send(b"x")
        await asyncio.wait([ended], timeout=0.05)
    assert b" 408 " in await ended


async def test_body_is_read_on_demand(
    clients: Clients, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the application does not read, no body is held in memory and the timeout does not run."""
    monkeypatch.setattr(protocol, "STALL_TIMEOUT", 2.0)
    connection = await clients.connect()
    await connection.send(post("/waits", 2**25))
    await application.until_begun(1)
    sending = asyncio.ensure_future(connection.send(bytes(2**25)))
    await asyncio.wait([sending], timeout=3)
    assert not sending.done()
    application.go_on.set()
    await sending
    assert await connection.answer() == (200, str(2**25).encode())


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
async def test_unread_response_times_out(clients: Clients, monkeypatch: pytest.MonkeyPatch, close: bytes) -> None:
    """A client that does not read is disconnected, with and without keep-alive."""
    monkeypatch.setattr(protocol, "MIN_BYTES_PER_SECOND", 2**22)
    connection = await clients.connect()
    connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await connection.send(b"GET /large HTTP/1.1\r\n" + HOST + close + b"\r\n")
    await until_only(clients.port, 0)
    connection.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert len(await connection.rest()) < 2**26


async def until_only(port: int, number: int) -> None:
    """Wait until the kernel has that many connections at a port, as the server sees it."""
    local = f":{port:04X}"
    async with asyncio.timeout(60):
        while True:
            with open("/proc/net/tcp") as table:  # noqa: ASYNC230, PTH123 - the kernel answers at once
                lines = [line.split() for line in table]
            if sum(line[1].endswith(local) and line[3] in {"01", "08"} for line in lines) == number:
                return
            await asyncio.sleep(0.05)


TWO_MEANINGS: Final = {
    "length and coding": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding and length": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
    "two lengths in one": b"Content-Length: 4, 5\r\n\r\nabcd",
    "a signed length": b"Content-Length: +4\r\n\r\nabcd",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a hexadecimal length": b"Content-Length: 0x4\r\n\r\nabcd",
    "another coding": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity": b"Transfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nabcd",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a control character": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "two hosts": b"Host: there\r\nContent-Length: 4\r\n\r\nabcd",
    "a signed chunk": b"Transfer-Encoding: chunked\r\n\r\n+4\r\nabcd\r\n0\r\n\r\n",
    "a chunk that is longer than it says": b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcdXY0\r\n\r\n",
}


@pytest.mark.requirement("rfc9112-length-or-coding", "rfc9112-bad-length")
@pytest.mark.parametrize("rest", TWO_MEANINGS.values(), ids=TWO_MEANINGS)
async def test_ambiguous_length_closes_connection(clients: Clients, application: Application, rest: bytes) -> None:
    """A request that a proxy may read as two is refused, and no further request is read."""
    connection = await clients.connect()
    await connection.send(b"POST /reads HTTP/1.1\r\n" + HOST + rest + GET)
    answer = await connection.rest()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert application.bodies == []


@pytest.mark.requirement("rfc9112-length-or-coding")
async def test_transfer_coding_in_http_1_0_is_refused(clients: Clients) -> None:
    """HTTP/1.0 has no transfer codings (RFC 9112 section 6.1)."""
    connection = await clients.connect()
    await connection.send(b"POST /reads HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET)
    assert (await connection.rest()).count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /at-once HTTP/1.1\r\n" + HOST + b"X: " + bytes(b"a" * 20_000) + b"\r\n\r\n",
        b"GET /at-once HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 5000 + b"\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    ],
    ids=["a long line", "many lines", "a long path"],
)
async def test_large_header_is_refused(clients: Clients, request_: bytes) -> None:
    """This holds even if it arrives at once."""
    connection = await clients.connect()
    await connection.send(request_)
    assert (await connection.rest()).startswith(b"HTTP/1.1 400 ")


async def test_tiny_chunks_are_refused(clients: Clients, application: Application) -> None:
    """Parsing very small chunks is a thousand times slower; a few are accepted, many are refused."""
    chunked = b"POST /reads HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    few = await clients.connect()
    await few.send(chunked + b"1\r\nx\r\n" * 500 + b"0\r\n\r\n")
    assert await few.answer() == (200, b"500")
    many = await clients.connect()
    await many.send(chunked + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n")
    assert (await many.rest()).startswith(b"HTTP/1.1 400 ")
    assert [len(body) for body in application.bodies] == [500]


async def test_endless_unread_body_closes_connection(clients: Clients) -> None:
    """A body that the application does not read is not received forever."""
    connection = await clients.connect()
    await connection.send(post("/at-once", 2**40))
    ended = asyncio.ensure_future(connection.rest())
    while not ended.done():
        await connection.send(bytes(2**16))
        await asyncio.sleep(0)
    assert (await ended).startswith(b"HTTP/1.1 200 ")


async def test_short_unread_body_keeps_connection(clients: Clients) -> None:
    """A client that got an early response can finish its body and send the next request."""
    connection = await clients.connect()
    await connection.send(post("/at-once", 2**22))
    assert await connection.answer() == (200, b"here")
    await connection.send(bytes(2**22) + GET)
    assert await connection.answer() == (200, b"here")


async def test_pipelined_requests_are_answered_in_order(clients: Clients) -> None:
    """They are answered in order, bodies included."""
    connection = await clients.connect()
    await connection.send((post("/reads", 3) + b"abc" + GET) * 200)
    answers = [await connection.answer() for _ in range(400)]
    assert answers == [(200, b"3"), (200, b"here")] * 200


async def test_idle_connection_is_closed_for_new_one(clients: Clients) -> None:
    """Connections without a request don't keep new ones out, however many they are."""
    idle = [await clients.connect() for _ in range(40)]
    newcomer = await clients.connect()
    await newcomer.send(GET)
    assert await newcomer.answer() == (200, b"here")
    assert await all_ended(idle[:24]) == [b""] * 24
    await idle[-1].send(GET)
    assert await idle[-1].answer() == (200, b"here")


async def test_stalled_body_is_closed_for_new_connection(clients: Clients, application: Application) -> None:
    """Stalled uploads don't keep new connections out; the application sees a disconnect."""
    stalled = await clients.crowd(16, post("/reads", 100) + b"some")
    newcomer = await clients.connect()
    await newcomer.send(GET)
    assert await newcomer.answer() == (200, b"here")
    endings = [asyncio.ensure_future(each.rest()) for each in stalled[:-1]]
    await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
    assert [ending.cancel() for ending in endings].count(False) == 1  # what has ended can't be cancelled
    await stalled[-1].send(bytes(96))
    assert await stalled[-1].answer() == (200, b"100")
    assert len(application.bodies) == 1


async def test_request_over_connection_limit_is_503(clients: Clients, application: Application) -> None:
    """If every connection has an active request, those are finished, and a further one gets 503."""
    busy: list[Connection] = []
    for _ in range(16):
        busy.append(await clients.connect())
        await busy[-1].send(b"GET /waits HTTP/1.1\r\n" + HOST + b"\r\n")
    await application.until_begun(16)
    newcomer = await clients.connect()
    await newcomer.send(GET)
    refusal = await newcomer.rest()
    assert refusal.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in refusal
    application.go_on.set()
    assert [await each.answer() for each in busy] == [(200, b"0")] * 16


async def test_broken_body_is_a_disconnect(
    clients: Clients, application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    """The application sees a disconnect; neither side raises an exception."""
    connection = await clients.connect()
    await connection.send(b"POST /waits HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n")
    await application.until_begun(1)
    application.go_on.set()
    await connection.send(b"no chunk\r\n")
    assert (await connection.rest()).count(b"HTTP/1.1 ") <= 1
    assert application.bodies == []
    assert "LocalProtocolError" not in caplog.text
