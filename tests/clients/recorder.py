"""A reverse proxy in front of a server, which notes what a client asks for and what it gets.

What a client did is read from its requests and not from what it prints, which only a person understands.
"""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.process import LOOPBACK
from tests.support.http import patient_client

METHODS: Final = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
_DROPPED: Final = {"content-length", "transfer-encoding", "connection", "date", "server"}


@dataclass(frozen=True)
class Exchange:
    """One request and its response.

    Attributes:
        method: the HTTP method.
        path: the path of the URL.
        is_authorized: whether the request has a token.
        status: the status of the response.
        rpc: the JSON-RPC method; None if the body has none.
        tool: the called tool; None for other requests.
        tools: the number of tools in the response.
        is_error: whether the response is an error of the protocol or of the tool.
    """

    method: str
    path: str
    is_authorized: bool
    status: int
    rpc: str | None
    tool: str | None
    tools: int
    is_error: bool


@dataclass
class Recorder:
    """What passed one proxy.

    Attributes:
        exchanges: all requests, in the order of their responses.
    """

    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def tools(self) -> int:
        """The number of tools in the last list that a client got."""
        return next((each.tools for each in reversed(self.exchanges) if each.rpc == "tools/list" and each.tools), 0)

    @property
    def calls(self) -> list[str]:
        """The tools that were called without an error."""
        return [each.tool for each in self.exchanges if each.tool and each.status == 200 and not each.is_error]

    @property
    def admitted(self) -> bool:
        """Whether a request with a token was answered."""
        return any(each.is_authorized and each.status == 200 and each.rpc for each in self.exchanges)

    @property
    def refused(self) -> bool:
        """Whether a request with a token was refused."""
        return any(each.is_authorized and each.status == 401 for each in self.exchanges)


@contextmanager
def recorded(port: int, target: str) -> Iterator[Recorder]:
    """Listen on a port of loopback, and pass each request on to `target`, for as long as the block lasts."""
    recorder = Recorder()

    async def forward(request: Request) -> Response:
        body = await request.body()
        headers = [(key, value) for key, value in request.headers.raw if key not in {b"accept-encoding", b"connection"}]
        async with patient_client() as http:
            answer = await http.request(
                request.method,
                httpx.URL(target).copy_with(raw_path=request.url.path.encode()),
                content=body,
                headers=[*headers, (b"accept-encoding", b"identity")],
            )
        recorder.exchanges.append(_exchange(request, body, answer))
        response = Response(answer.content, answer.status_code)
        response.raw_headers = [
            *((key, value) for key, value in answer.headers.raw if key.lower().decode() not in _DROPPED),
            (b"content-length", str(len(answer.content)).encode()),
        ]
        return response

    app = Starlette(routes=[Route("/{path:path}", forward, methods=METHODS)])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    listener = socket.create_server((LOOPBACK, port))  # accepts connections even before the server runs
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield recorder
    finally:
        server.should_exit = True
        thread.join()


def _exchange(request: Request, body: bytes, answer: httpx.Response) -> Exchange:
    message = _message(body)
    text = answer.text
    params = message.get("params")
    return Exchange(
        method=request.method,
        path=request.url.path,
        is_authorized="authorization" in request.headers,
        status=answer.status_code,
        rpc=message.get("method"),
        tool=params.get("name") if message.get("method") == "tools/call" and isinstance(params, dict) else None,
        tools=len(re.findall(r'"inputSchema"', text)),
        is_error='"isError":true' in text or '"error":{' in text,
    )


def _message(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
