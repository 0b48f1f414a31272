"""ASGI applications that listen on a port, in the event loop of the test."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from stack.process import LOOPBACK


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to pytest."""
        yield


@asynccontextmanager
async def listening(
    app: ASGIApp, *, host: str = LOOPBACK, port: int = 0, lifespan: Literal["on", "off"] = "off"
) -> AsyncIterator[str]:
    """Serve `app` on loopback or another address of this machine for as long as the block lasts; yield its URL.

    Port 0 stands for any free port.
    """
    config = uvicorn.Config(
        app,
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # a proxy passes on the real server's Date, if there is one
        timeout_graceful_shutdown=1,
    )
    listener = socket.create_server((host, port))  # accepts connections even before the server runs
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://{'localhost' if host == LOOPBACK else host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
