"""HTTP/1.1 at the server's own ports, with limits: uvicorn does not limit the duration of requests and responses.

- A header must be complete within `HEADER_TIMEOUT`. A request whose length a proxy could understand in another way is
  refused, and its connection closed (RFC 9112 sections 6.1 and 11.2).
- A client must send a body, and read a response, at `MIN_BYTES_PER_SECOND` or faster. A body is read when the
  application asks for it, not before.
- At most `max_connections` are open. A further connection replaces an idle one, or one that waits for its client: the
  one that would be closed first. If the server is working for all connections, the further one gets 503.

No limit depends on the address: behind a proxy all connections come from the same one.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from math import inf
from typing import Any, Final

import h11
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from nextcloud_mcp.metrics import ENDED_CONNECTIONS

MAX_CONNECTIONS: Final = 512
"""Below the usual limit of 1,024 file descriptors per process, because calls need some to Nextcloud and Keycloak."""

HEADER_TIMEOUT: Final = 10.0
"""Seconds from the header's first byte, or from the start of the connection, to the header's end."""

STALL_TIMEOUT: Final = 30.0
"""Seconds by which a body or a response may be late at `MIN_BYTES_PER_SECOND`."""

MIN_BYTES_PER_SECOND: Final = 8 * 1024
"""The slowest rate that is accepted: the largest body, of 4 MiB, takes nine minutes."""

MAX_HEADER_BYTES: Final = 16 * 1024
RECEIVE_BUFFER_BYTES: Final = 64 * 1024
"""Size of the kernel's receive buffer (it takes twice that), and so the maximum of one read. Otherwise asyncio reads up
to 256 KiB: 128 MiB for all connections together, before the application has asked for a body."""

MAX_UNREAD_BYTES: Final = 5 * 1024 * 1024
"""Maximum bytes of a body after the response, for clients that send all of it first: more than the largest body."""

MIN_MEAN_CHUNK: Final = 64
"""Minimum average size of a body's chunks in bytes: the parser needs as long for one byte as for a thousand."""

MIN_CHUNKS_TO_CHECK: Final = 1024
"""Number of chunks before `MIN_MEAN_CHUNK` applies."""

_too_many_connections: Final = PlainTextResponse(
    "Too many connections.", 503, {"Retry-After": "5", "Connection": "close"}
)


class _ClientState(StrEnum):
    """What the server is waiting for."""

    HEADER = "header"
    BODY = "body"
    NOTHING = "nothing"
    """The application is working, or the connection is idle, for which uvicorn has a timeout."""


class LimitedProtocol(H11Protocol):
    """uvicorn's protocol on h11, which closes connections that take too long."""

    max_connections = MAX_CONNECTIONS

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Accept the arguments that uvicorn passes to each protocol."""
        super().__init__(config, server_state, app_state, _loop)
        self.conn = _StrictConnection(h11.SERVER, MAX_HEADER_BYTES)
        self._wait = _ClientState.NOTHING
        self._waiting_since = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None
        self._stall_seconds = STALL_TIMEOUT
        self._unread_bytes = 0
        self._answer_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for a request, and close another connection if there are too many."""
        super().connection_made(transport)
        self.flow = _ObservedFlow(transport, self._update_timeout)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        transport.set_write_buffer_limits(high=0)  # so that `pause_writing` is called as soon as a byte is unsent
        if len(self.connections) > self.max_connections:
            self._evict_connection()
        self._update_timeout()

    def data_received(self, data: bytes) -> None:
        """Pass on the received bytes."""
        if self._wait is _ClientState.BODY:
            self._count_stall(len(data))
            if not self._has_request:
                self._unread_bytes += len(data)
        super().data_received(data)
        if self._unread_bytes > MAX_UNREAD_BYTES:
            self.transport.close()
        self._update_timeout()

    def handle_events(self) -> None:
        """Start the request if its header is complete; read its body only when the application asks for it."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stall_seconds, self._unread_bytes = STALL_TIMEOUT, 0
            if self.conn.their_state is h11.SEND_BODY:
                self.flow.pause_reading()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the unread rest of the body."""
        self.cycle.body = bytearray()
        self._waiting_since = self.loop.time()
        super().on_response_complete()
        self._update_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all timers."""
        super().connection_lost(exc)
        self._set_timeout(_ClientState.NOTHING)
        self._unset_answer_timer()

    def pause_writing(self) -> None:
        """Start to check whether the client reads its response."""
        super().pause_writing()
        self._watch_answer(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Stop the check, because the client has read everything."""
        super().resume_writing()
        self._unset_answer_timer()

    def send_400_response(self, msg: str) -> None:
        """Refuse an invalid request, also during its body while the application is working."""
        ENDED_CONNECTIONS.labels("invalid").inc()
        self._refuse(400, msg)

    @property
    def _has_request(self) -> bool:
        cycle = self._last_cycle
        return cycle is not None and not cycle.response_complete

    @property
    def _last_cycle(self) -> RequestResponseCycle | None:
        return self.cycle  # None before the first request, which uvicorn's type omits

    def _update_timeout(self) -> None:
        """Start the timeout for what the client must send now, unless it is running."""
        wait = self._awaited_from_client()
        if wait is not self._wait:
            self._set_timeout(wait)

    def _awaited_from_client(self) -> _ClientState:
        if self.transport.is_closing():
            return _ClientState.NOTHING
        if self.conn.their_state is h11.SEND_BODY:
            return _ClientState.NOTHING if self.flow.read_paused else _ClientState.BODY
        if self.conn.their_state is h11.IDLE and (self._last_cycle is None or self.conn.trailing_data[0]):
            return _ClientState.HEADER
        return _ClientState.NOTHING

    def _set_timeout(self, wait: _ClientState) -> None:
        if self._wait is _ClientState.BODY:
            self._count_stall(0)
        if self._deadline is not None:
            self._deadline.cancel()
        self._wait = wait
        if wait is not _ClientState.NOTHING:
            self._waiting_since = self.loop.time()
            seconds = HEADER_TIMEOUT if wait is _ClientState.HEADER else self._stall_seconds
            self._deadline = self.loop.call_later(seconds, self._time_out)

    def _count_stall(self, received: int) -> None:
        """Subtract the seconds since the last bytes from the remaining stall time, and add those for the new bytes."""
        now = self.loop.time()
        left = self._stall_seconds - (now - self._waiting_since)
        self._stall_seconds = min(STALL_TIMEOUT, left + received / MIN_BYTES_PER_SECOND)
        self._waiting_since = now

    def _time_out(self) -> None:
        """Close a connection whose request has not arrived in time (RFC 9110 section 15.5.9)."""
        if self._wait is _ClientState.BODY:
            self._count_stall(0)
            if self._stall_seconds > 0:  # bytes have arrived since
                self._deadline = self.loop.call_later(self._stall_seconds, self._time_out)
                return
        ENDED_CONNECTIONS.labels(self._wait.value).inc()
        self._refuse(408, "The request did not arrive in time.")

    def _refuse(self, status: int, reason: str) -> None:
        """Respond if that is still possible, send the application a disconnect, and close the connection."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = [("content-type", "text/plain"), ("content-length", str(len(reason))), ("connection", "close")]
            answer = (
                h11.Response(status_code=status, headers=headers),
                h11.Data(data=reason.encode()),
                h11.EndOfMessage(),
            )
            self.transport.write(b"".join(self.conn.send(part) or b"" for part in answer))
        if self._has_request:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
        self._update_timeout()

    def _watch_answer(self, unsent: int) -> None:
        """Check after `STALL_TIMEOUT` whether the client has read enough of these bytes."""
        self._unset_answer_timer()
        self._answer_timer = self.loop.call_later(STALL_TIMEOUT, self._check_answer, unsent)

    def _check_answer(self, unsent_before: int) -> None:
        unsent = self.transport.get_write_buffer_size()
        if unsent_before - unsent >= STALL_TIMEOUT * MIN_BYTES_PER_SECOND:
            self._watch_answer(unsent)
            return
        ENDED_CONNECTIONS.labels("answer").inc()
        self.transport.abort()  # `close` would wait for the client

    def _unset_answer_timer(self) -> None:
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    @property
    def closes_at(self) -> float | None:
        """The loop time when the server closes the connection if its client does nothing; None while it is working."""
        if self.transport.is_closing():
            return self._waiting_since
        if self._answer_timer is not None:
            return self._answer_timer.when()
        if self._wait is _ClientState.BODY:
            return self._waiting_since + self._stall_seconds
        if self._wait is _ClientState.HEADER:
            return self._waiting_since + HEADER_TIMEOUT
        return None if self._has_request else self._waiting_since + self.timeout_keep_alive

    def _evict_connection(self) -> None:
        """Close the connection that would be closed first, or answer this one's requests with 503."""
        others = (each for each in self.connections if isinstance(each, LimitedProtocol) and each is not self)
        first = min(others, key=lambda each: inf if each.closes_at is None else each.closes_at, default=None)
        if first is None or first.closes_at is None:
            self.app = _too_many_connections
            return
        ENDED_CONNECTIONS.labels("crowded").inc()
        self.connections.discard(first)  # asyncio reports its end later, after further connections
        first.transport.abort()


class _MetricsProtocol(LimitedProtocol):
    """The same with fewer connections, for the port of the metrics."""

    max_connections = 16


@asynccontextmanager
async def serve_on_socket(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an application without a lifespan on this socket while the block runs."""
    config = Config(app, lifespan="off", log_config=None, access_log=False, server_header=False, proxy_headers=False)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _MetricsProtocol(config, state, {}), sock=listener)
    try:
        yield
    finally:
        server.close()
        for connection in tuple(state.connections):
            connection.transport.abort()


class _ObservedFlow(FlowControl):
    """Reports when the server stops and resumes reading, because a client can only be late while the server reads."""

    def __init__(self, transport: asyncio.Transport, observe: Callable[[], None]) -> None:
        super().__init__(transport)
        self._update_timeout = observe

    def pause_reading(self) -> None:
        super().pause_reading()
        self._update_timeout()

    def resume_reading(self) -> None:
        super().resume_reading()
        self._update_timeout()


class _StrictConnection(h11.Connection):
    """h11's parser, which also refuses requests that are ambiguous or costly."""

    _chunks = 0
    _body_bytes = 0

    def next_event(self) -> Any:
        """Return the next event.

        Raises:
            h11.RemoteProtocolError: the request is invalid or refused.
        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunks = self._body_bytes = 0
            _check_header(event)
        elif isinstance(event, h11.Data):
            self._chunks += event.chunk_start
            self._body_bytes += len(event.data)
            if self._chunks > MIN_CHUNKS_TO_CHECK and self._body_bytes < self._chunks * MIN_MEAN_CHUNK:
                raise h11.RemoteProtocolError("chunks are too small")
        return event


def _check_header(request: h11.Request) -> None:
    """Refuse a large header that arrived at once, which h11 accepts, and a message with two lengths.

    h11 itself refuses lengths that differ and transfer codings other than `chunked`.
    """
    headers = request.headers.raw_items()
    if len(request.target) + sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEADER_BYTES:
        raise h11.RemoteProtocolError("header is too large", error_status_hint=431)
    names = {name.lower() for name, _ in headers}
    if b"transfer-encoding" in names and (b"content-length" in names or request.http_version != b"1.1"):
        raise h11.RemoteProtocolError("transfer-encoding is not allowed here")
