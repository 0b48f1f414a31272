"""A reverse proxy in front of a real server that a test can let fail, hang, or change requests and responses."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import anyio
import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.support.http import patient_client
from tests.support.listening import listening

NOT_PASSED_ON = frozenset({b"connection", b"transfer-encoding", b"content-length"})
"""Headers that apply to one connection (RFC 9110 section 7.6.1), or that are set again."""


@dataclass(frozen=True)
class Fault:
    """A response that replaces the real one."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Alter = Callable[[str, Response], Response]
"""A function that gets the path and the real response, and returns the response to send."""


@dataclass(frozen=True)
class Held:
    """A request that gets no response.

    Attributes:
        arrived: set when the request has arrived.
        gone: set when the client has closed the connection.
        released: set when the block ends and the request goes on.
    """

    arrived: anyio.Event = field(default_factory=anyio.Event)
    gone: anyio.Event = field(default_factory=anyio.Event)
    released: anyio.Event = field(default_factory=anyio.Event)


class FaultProxy:
    """An ASGI application in front of a real server.

    Attributes:
        url: the URL at which it listens.
        requests: all requests, as `METHOD /path`.
    """

    def __init__(self, target: str, http: httpx.AsyncClient) -> None:
        self.url = ""
        self.requests: list[str] = []
        self._target = httpx.URL(target)
        self._http = http
        self._fault = Fault(500)
        self._times = 0
        self._held: Held | None = None
        self._held_path = ""
        self._alter: Alter = _leave
        self._dropped: frozenset[bytes] = frozenset()
        self._running = AsyncExitStack()

    async def up(self) -> None:
        """Listen, on the same port as before if there was one."""
        self.url = await self._running.enter_async_context(listening(self, port=urlsplit(self.url).port or 0))

    async def down(self) -> None:
        """Close all connections and refuse new ones."""
        await self._running.aclose()

    @contextmanager
    def failing(self, fault: Fault, *, times: int = sys.maxsize) -> Iterator[None]:
        """Answer the first `times` requests of the block with `fault`, by default all."""
        self._fault, self._times = fault, times
        try:
            yield
        finally:
            self._times = 0

    @contextmanager
    def altering(self, alter: Alter) -> Iterator[None]:
        """Pass all responses through `meddle` for as long as the block lasts."""
        self._alter = alter
        try:
            yield
        finally:
            self._alter = _leave

    @contextmanager
    def dropping(self, *headers: str) -> Iterator[None]:
        """Remove headers from requests for as long as the block lasts."""
        self._dropped = frozenset(header.lower().encode() for header in headers)
        try:
            yield
        finally:
            self._dropped = frozenset()

    @contextmanager
    def holding(self, path: str = "") -> Iterator[Held]:
        """Hold requests whose path contains `path` until the block ends."""
        self._held = held = Held()
        self._held_path = path
        try:
            yield held
        finally:
            self._held = None
            held.released.set()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Refuse connections for as long as the block lasts."""
        await self.down()
        try:
            yield
        finally:
            await self.up()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        self.requests.append(f"{request.method} {request.url.path}")
        body = await request.body()
        if self._held is not None and self._held_path in request.url.path:
            await _hold(self._held, receive)
        if self._times > 0:
            self._times -= 1
            response = Response(self._fault.body, self._fault.status, dict(self._fault.headers))
        else:
            response = await self._passed_on(scope, body)
        await response(scope, receive, send)

    async def _passed_on(self, scope: Scope, body: bytes) -> Response:
        raw_path = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        kept_back = NOT_PASSED_ON | {b"accept-encoding"} | self._dropped
        asked = [(name, value) for name, value in scope["headers"] if name not in kept_back]
        real = await self._http.request(
            scope["method"], self._target.copy_with(raw_path=raw_path), headers=asked, content=body
        )
        response = Response(real.content, real.status_code)
        response.raw_headers += [(name, value) for name, value in real.headers.raw if name.lower() not in NOT_PASSED_ON]
        return self._alter(scope["path"], response)


def _leave(_: str, response: Response) -> Response:
    return response


async def _hold(held: Held, receive: Receive) -> None:
    """Wait until the test releases the request, or the client closes the connection."""
    held.arrived.set()
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            held.gone.set()
            group.cancel_scope.cancel()

        group.start_soon(watch)
        await held.released.wait()
        group.cancel_scope.cancel()


@asynccontextmanager
async def run_fault_proxy(target: str) -> AsyncIterator[FaultProxy]:
    """Run a proxy of `target` for as long as the block lasts."""
    async with patient_client(headers={"accept-encoding": "identity"}) as http:
        proxy = FaultProxy(target, http)
        await proxy.up()
        try:
            yield proxy
        finally:
            await proxy.down()
