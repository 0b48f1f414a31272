"""`connections`: the HTTP transport on real sockets, against a server in an event loop of its own."""

import asyncio
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx
import pytest
from pydantic import ValidationError

from nextcloud_mcp.auth.issuer import IssuerMetadata
from nextcloud_mcp.connections import ExclusiveConnections, cause_of
from stack.process import LOOPBACK
from tests.support.certificates import self_signed

MANY = 300  # answers in which the lag shows what it does to a connection pool


@dataclass
class OtherSide:
    """An HTTP server that answers everything alike, and `/held` never.

    Attributes:
        url: where it is.
        opened: how many connections were made.
        closed: how many of them have ended.
        most_open: how many there were at a time.
        requests: the first line of each request.
    """

    url: str = ""
    opened: int = 0
    closed: int = 0
    most_open: int = 0
    requests: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection until it ends."""
        self.opened += 1
        self.most_open = max(self.most_open, self.opened - self.closed)
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(request.partition(b"\r\n")[0].decode())
                if b"/held" in request:
                    await reader.read()
                    return
                writer.write(b"HTTP/1.1 200 OK\r\nX-Name: J\xc3\xbcrgen\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed += 1
            writer.close()


@contextmanager
def running() -> Iterator[OtherSide]:
    """Run the other side for as long as the block lasts, in a thread."""
    side, address, end = OtherSide(), Future[str](), Future[None]()

    async def serve() -> None:
        async with await asyncio.start_server(side.serve, LOOPBACK, 0) as server:
            address.set_result(f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}")
            await asyncio.wrap_future(end)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    side.url = address.result()
    try:
        yield side
    finally:
        end.set_result(None)
        thread.join()


@pytest.fixture
def side() -> Iterator[OtherSide]:
    """The other side."""
    with running() as started:
        yield started


@pytest.fixture
async def http(side: OtherSide) -> AsyncIterator[httpx.AsyncClient]:
    """A client with two connections, one of which it keeps for a minute."""
    limits = httpx.Limits(max_connections=2, max_keepalive_connections=1, keepalive_expiry=60)
    async with httpx.AsyncClient(base_url=side.url, transport=ExclusiveConnections(limits), timeout=30) as client:
        yield client


async def test_event_loop_lag_loses_no_request(side: OtherSide) -> None:
    """No request fails if sixty tasks share twenty connections and the event loop lags longer than keep-alive.

    httpx's own transport fails about two in a hundred requests here, most of which the server has received.
    """
    limits = httpx.Limits(max_connections=20, max_keepalive_connections=20, keepalive_expiry=0.3)
    transport = ExclusiveConnections(limits)
    answers: list[str] = []

    async with httpx.AsyncClient(base_url=side.url, transport=transport, timeout=60) as http:

        async def call() -> None:
            while len(answers) < MANY:
                answers.append((await http.post("/")).text)
                await anyio.sleep(0.05)

        async def lag() -> None:
            while len(answers) < MANY:
                await anyio.sleep(0.1)
                time.sleep(0.4)  # noqa: ASYNC251 - this is the lag

        async with anyio.create_task_group() as group:
            group.start_soon(lag)
            for _ in range(60):
                group.start_soon(call)

    assert set(answers) == {"ok"}
    assert len(side.requests) == len(answers)
    assert side.opened < len(answers), "no connection was used again"


async def test_connection_is_reused(side: OtherSide, http: httpx.AsyncClient) -> None:
    """Consecutive requests use one connection."""
    for _ in range(5):
        await http.get("/")
    assert side.opened == 1


async def test_connections_are_limited(side: OtherSide, http: httpx.AsyncClient) -> None:
    """Any number of concurrent requests use two connections; the others wait."""
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(http.get, "/")
    assert len(side.requests) == 20
    # one is closed when two idle, and made again; its end may be seen after the next has begun
    assert side.most_open <= 3


async def test_pool_timeout_is_raised(http: httpx.AsyncClient) -> None:
    """While all connections are in use, a request fails after its pool timeout, and was not sent."""
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(http.get, "/held")
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(httpx.PoolTimeout):
            await http.get("/", timeout=httpx.Timeout(30, pool=0.1))
        group.cancel_scope.cancel()


async def test_cancelled_request_closes_its_connection(side: OtherSide, http: httpx.AsyncClient) -> None:
    """A cancelled request closes its connection and frees its place for the next."""
    for _ in range(4):  # more than there are places
        before = len(side.requests)
        async with anyio.create_task_group() as group:
            group.start_soon(http.get, "/held")
            with anyio.fail_after(30):
                while len(side.requests) == before:  # noqa: ASYNC110 - the other side is a thread
                    await anyio.sleep(0.01)
            group.cancel_scope.cancel()
    assert (await http.get("/")).text == "ok"
    assert side.opened == 5


async def test_timeout_and_refused_connection_differ(http: httpx.AsyncClient) -> None:
    """The httpx exceptions say whether a request was sent."""
    with pytest.raises(httpx.ReadTimeout):
        await http.get("/held", timeout=httpx.Timeout(30, read=0.2))
    with pytest.raises(httpx.ConnectError):
        await http.get(f"http://{LOOPBACK}:1/")


async def test_unread_response_closes_its_connection(side: OtherSide, http: httpx.AsyncClient) -> None:
    """If a response is closed before its end, the next request does not receive the rest."""
    async with http.stream("GET", "/"):
        pass
    assert (await http.get("/")).text == "ok"
    assert side.opened == 2


async def test_idle_connection_is_closed_by_client(side: OtherSide) -> None:
    """It is closed before the next request, so that no request meets the server's close."""
    limits = httpx.Limits(max_connections=4, max_keepalive_connections=4, keepalive_expiry=0.05)
    async with httpx.AsyncClient(base_url=side.url, transport=ExclusiveConnections(limits)) as http:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(http.get, "/")
        opened = side.opened
        await anyio.sleep(0.1)
        await http.get("/")
        with anyio.fail_after(30):
            while side.closed < opened:  # noqa: ASYNC110 - the other side is a thread
                await anyio.sleep(0.01)
        assert side.opened == opened + 1


async def test_header_bytes_are_unchanged(http: httpx.AsyncClient) -> None:
    """A non-ASCII header, as Nextcloud sends some, arrives byte for byte."""
    response = await http.get("/")
    assert (b"X-Name", "Jürgen".encode()) in response.headers.raw


async def test_environment_proxy_is_used(side: OtherSide, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the environment names a proxy, requests use it, as with any httpx client."""
    monkeypatch.setenv("HTTP_PROXY", side.url)
    monkeypatch.setenv("NO_PROXY", "")
    async with httpx.AsyncClient(transport=ExclusiveConnections()) as http:
        assert (await http.get("http://cloud.test/index.php")).text == "ok"
    assert side.requests == ["GET http://cloud.test/index.php HTTP/1.1"]


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        pytest.param(f"http://{LOOPBACK}:1/", "Connect call failed", id="closed port"),
        pytest.param("http://nowhere.invalid/", "gaierror: ", id="DNS"),
        pytest.param("https://localhost:{port}/", "CERTIFICATE_VERIFY_FAILED", id="unknown CA"),
    ],
)
async def test_connect_error_has_os_message(tmp_path: Path, url: str, cause: str) -> None:
    """The cause is the operating system's first message, which an administrator can look up."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*self_signed(tmp_path))
    async with (
        await asyncio.start_server(lambda *_: None, LOOPBACK, 0, ssl=context) as server,
        httpx.AsyncClient(transport=ExclusiveConnections()) as http,
    ):
        with pytest.raises(httpx.ConnectError) as caught:
            await http.get(url.format(port=server.sockets[0].getsockname()[1]))
    assert cause in cause_of(caught.value)


async def test_error_does_not_quote_response() -> None:
    """The error for an invalid response says what is wrong without quoting it."""
    response = httpx.Response(404, text="a page", request=httpx.Request("GET", "http://cloud.test/"))
    with pytest.raises(httpx.HTTPStatusError) as status:
        response.raise_for_status()
    assert cause_of(status.value) == "HTTP 404"
    with pytest.raises(ValidationError) as document:
        IssuerMetadata.model_validate({"issuer": 7, "token_endpoint": "s3cret"})
    assert cause_of(document.value) == "issuer: Input should be a valid string, jwks_uri: Field required"
