"""HTTP connections to Keycloak and Nextcloud, each used by one request at a time.

httpcore's pool closes idle connections while it handles any request. If the event loop lags for longer than
`keepalive_expiry`, the pool can close a connection that it has just assigned to another request. That request fails
although the server is healthy, and a write may already have been done. Here, each connection is a pool of its own. One
request owns it until the response has been read, so no other request can close it.
"""

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, cast
from urllib.request import getproxies

import anyio
import httpx
from pydantic import ValidationError

LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2.0)
"""An idle connection is closed after 2 s, before the server closes it: Apache, in Nextcloud's official image, does so
after 5 s. A request that is sent at that moment is lost, and a write can't be repeated."""


def no_cookies() -> CookieJar:
    """Return a cookie jar that accepts no cookies."""
    return CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))


def cause_of(error: Exception) -> str:
    """Return the cause of a failed request for the log: `HTTP 404`, or the first exception of the chain."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code}"
    if isinstance(error, ValidationError):  # its own text quotes the response
        return ", ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    cause: BaseException = error
    while found := cause.__cause__ or cause.__context__:
        cause = found.exceptions[0] if isinstance(found, BaseExceptionGroup) else found
    return f"{type(cause).__name__}: {cause}"


class ExclusiveConnections(httpx.AsyncBaseTransport):
    """A transport in which each request has its own connection, configured from the environment as in httpx."""

    def __init__(self, limits: httpx.Limits = LIMITS) -> None:
        """Open no connection yet; all fields of `limits` must be set."""
        self._places = anyio.Semaphore(cast("int", limits.max_connections))
        self._max_idle = cast("int", limits.max_keepalive_connections)
        self._expiry = cast("float", limits.keepalive_expiry)
        self._ssl_context = httpx.create_ssl_context()
        self._idle: deque[tuple[httpx.AsyncBaseTransport, float]] = deque()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request on the idle connection that was used last, or on a new one.

        Raises:
            httpx.PoolTimeout: no connection was free within the pool timeout.
            httpx.TransportError: as in httpx's own transport.
        """
        await self._take_place(request)
        connection: httpx.AsyncBaseTransport | None = None
        try:
            await self._close_idle()
            connection = self._idle.pop()[0] if self._idle else self._connect()
            response = await connection.handle_async_request(request)
        except BaseException:
            self._places.release()
            if connection is not None:
                with anyio.CancelScope(shield=True):
                    await connection.aclose()
            raise
        stream = _Stream(response, lambda: self._give_back(connection))
        return httpx.Response(
            response.status_code, headers=response.headers, stream=stream, extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close the idle connections; the others close with their responses."""
        self._max_idle = 0
        await self._close_idle()

    def _connect(self) -> httpx.AsyncBaseTransport:
        """Return a transport with one connection; each request has its own timeouts."""
        limits = httpx.Limits(max_connections=1, keepalive_expiry=self._expiry)
        if getproxies():
            return _ThroughProxy(
                httpx.AsyncClient(verify=self._ssl_context, cookies=no_cookies(), limits=limits, timeout=None)  # noqa: S113 - each request has its own
            )
        return httpx.AsyncHTTPTransport(verify=self._ssl_context, limits=limits)

    async def _take_place(self, request: httpx.Request) -> None:
        try:
            with anyio.fail_after(request.extensions.get("timeout", {}).get("pool")):
                await self._places.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("All connections are in use.", request=request) from error

    def _give_back(self, connection: httpx.AsyncBaseTransport) -> None:
        self._places.release()
        self._idle.append((connection, time.monotonic()))

    async def _close_idle(self) -> None:
        """Close connections that are idle for too long, and those above the limit, the oldest first."""
        while self._idle and (len(self._idle) > self._max_idle or self._idle[0][1] + self._expiry < time.monotonic()):
            connection, _ = self._idle.popleft()
            await connection.aclose()


class _ThroughProxy(httpx.AsyncBaseTransport):
    """A client as a transport: only httpx's client reads the environment's proxies, and it costs half a millisecond."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, through a proxy if the environment has one for its address."""
        return await self._client.send(request, stream=True)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()


class _Stream(httpx.AsyncByteStream):
    """The body of a response, which returns its connection when it is closed."""

    def __init__(self, response: httpx.Response, give_back: Callable[[], None]) -> None:
        self._response = response
        self._give_back: Callable[[], None] | None = give_back

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_raw():
            yield chunk

    async def aclose(self) -> None:
        """Close the response, once."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            try:
                await self._response.aclose()
            finally:
                give_back()
