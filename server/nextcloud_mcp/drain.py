"""Graceful shutdown: what the server does between SIGTERM and the end of the process.

1. It refuses new connections, so that a proxy uses another replica.
2. It keeps answering on open connections. Each response has `Connection: close` (RFC 9112 section 9.6), so that no
   client reuses its connection.
3. It ends when all connections are closed, or when no request has come for the keep-alive timeout, because an earlier
   end could lose a request that is on its way. It waits for at most `MAX_DRAIN_SECONDS`.

A second signal ends the process immediately.
"""

import ctypes
import os
import select
import socket
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from types import FrameType
from typing import Any, Final

import anyio
import structlog
import uvicorn
from anyio.lowlevel import checkpoint
from sse_starlette.sse import AppStatus
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_DRAIN_SECONDS: Final = 75
"""Longer than a call takes: 60 s for a large file (`boundary/large.py`), 30 s for one response of Nextcloud.

`_CANCEL_SECONDS` are added. The process must not be killed earlier, so these are longer: `stop_grace_period` in
compose.yaml, and `terminationGracePeriodSeconds` in the chart, which includes its `preStop`.
"""

_CANCEL_SECONDS: Final = 5
"""How long uvicorn then waits for unfinished calls before it cancels them."""

_ACCEPT_SECONDS: Final = 1
"""How long the server tries to accept pending connections; it can't without a free file descriptor."""

_POLL_SECONDS: Final = 0.1

_SO_ATTACH_FILTER: Final = 26
"""From asm-generic/socket.h of Linux; Python has no constant for it."""

_IGNORE_SYN: Final = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # BPF_LD | BPF_B | BPF_ABS: the flags of the TCP header (RFC 9293 section 3.1)
        (0x45, 0, 1, 0x02),  # BPF_JMP | BPF_JSET | BPF_K: is SYN set?
        (0x06, 0, 0, 0),  # BPF_RET | BPF_K: if so, drop the packet
        (0x06, 0, 0, 0xFFFFFFFF),  # else keep all of it
    )
)
"""A classic BPF program, as an array of Linux's `struct sock_filter`."""

log = structlog.get_logger()


class DrainingServer(uvicorn.Server):
    """uvicorn's server, with a longer shutdown."""

    def __init__(self, app: ASGIApp, **options: Any) -> None:
        """Serve `app`; the options are those of `uvicorn.Config`."""
        self._requests = _RequestCounter(app)
        super().__init__(uvicorn.Config(self._requests, timeout_graceful_shutdown=_CANCEL_SECONDS, **options))
        # otherwise sse-starlette, with which the SDK streams responses, ends them when uvicorn gets a signal
        AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start the shutdown at the first signal, and end the process at the second."""
        if self.should_exit:
            os._exit(128 + sig)
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then let uvicorn close the remaining connections."""
        started = time.monotonic()
        log.info("server.stopping", connections=len(self.server_state.connections), requests=self._requests.active)
        self._requests.end_connections()
        await self._stop_listening()
        with anyio.move_on_after(MAX_DRAIN_SECONDS):
            while self._is_busy():  # noqa: ASYNC110 - uvicorn has no event for this
                await anyio.sleep(_POLL_SECONDS)
        log.info("server.stopped", seconds=round(time.monotonic() - started, 1), cut_off=self._requests.active)
        await super().shutdown(sockets)

    async def _stop_listening(self) -> None:
        """Close the listening sockets after all pending connections are accepted, as the kernel resets the others."""
        listeners = [each for server in self.servers for each in server.sockets]
        ignore_new_connections(listeners)
        await anyio.sleep(_POLL_SECONDS)  # pending handshakes complete
        with anyio.move_on_after(_ACCEPT_SECONDS):
            while select.select(listeners, [], [], 0)[0]:
                await checkpoint()  # lets the loop accept it
        await anyio.sleep(
            _POLL_SECONDS
        )  # asyncio starts an accepted connection later, and only if the listener is open
        for server in self.servers:
            server.close()

    def _is_busy(self) -> bool:
        """Return whether a request is active, or an open connection may still send one."""
        may_bring_one = self._requests.idle_seconds < self.config.timeout_keep_alive
        return self._requests.active > 0 or (bool(self.server_state.connections) and may_bring_one)


def ignore_new_connections(listeners: Iterable[socket.socket]) -> None:
    """Make the kernel drop new handshakes for these sockets, if it can: Linux does (socket(7), SO_ATTACH_FILTER).

    Otherwise, a connection that arrives between the last check of the queue and the close of the socket is reset, and
    its client cannot know whether the request was done. A client whose SYN is dropped sends it again after a second,
    and is then refused. A handshake that has begun continues, because its client may already use the connection.
    """
    instructions = ctypes.create_string_buffer(_IGNORE_SYN, len(_IGNORE_SYN))
    program = struct.pack("HL", len(_IGNORE_SYN) // struct.calcsize("HBBI"), ctypes.addressof(instructions))
    for listener in listeners:
        with suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)  # the kernel copies it


class _RequestCounter:
    """ASGI middleware: counts the active requests, and can add `Connection: close` to their responses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._closing = False
        self._quiet_since = time.monotonic()
        self.active = 0

    def end_connections(self) -> None:
        """From now on, add `Connection: close` to each response."""
        self._closing = True
        self._quiet_since = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """Seconds without a request since `end_connections`; 0 while a request is active."""
        return 0 if self.active else time.monotonic() - self._quiet_since

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and change the header of its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start" and self._closing:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        self.active += 1
        try:
            await self._app(scope, receive, marked)
        finally:
            self.active -= 1
            self._quiet_since = time.monotonic()
