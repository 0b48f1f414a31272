"""A caller of an MCP endpoint that costs little itself: one connection, HTTP/1.1 written by hand."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bench.workloads import Workload
from stack.json_rpc import message_in

VERSION: Final = "2025-06-18"
OK: Final = 200


@dataclass(frozen=True)
class Target:
    """An MCP endpoint on this machine: its port, path, and the host name that it answers to."""

    port: int
    path: str = "/mcp"
    host: str = "localhost"

    def request(self, method: str, params: dict[str, Any], token: str) -> bytes:
        """Return a complete HTTP request with one JSON-RPC request."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {token}\r\n"
            "Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n"
            f"MCP-Protocol-Version: {VERSION}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass
class Outcome:
    """What a number of callers saw: seconds of each call, failed calls, and the seconds of the whole."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    elapsed: float = 0.0
    received: int = 0
    """Bytes of the bodies."""

    @property
    def calls(self) -> int:
        """The number of answered calls."""
        return len(self.seconds)


class Caller:
    """One connection to an endpoint, opened at the first call."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, request: bytes) -> tuple[int, bytes]:
        """Send a request, and return the status and the body."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._target.port, limit=2**20)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        body = await _body(reader, head)
        if b"\r\nconnection: close\r\n" in head:
            await self.close()
        return status, body

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            await self._streams[1].wait_closed()
            self._streams = None


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    _, found, length = head.partition(b"\r\ncontent-length:")
    if found:
        return await reader.readexactly(int(length.partition(b"\r\n")[0]))
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(parts)


def result_in(body: bytes) -> dict[str, Any]:
    """Return the JSON-RPC result of a response, which is JSON or one SSE event."""
    found: dict[str, Any] = message_in(body.decode())["result"]
    return found


async def crowd(
    target: Target, requests: Sequence[bytes], calls: int, check: Workload | None, status: int = OK
) -> Outcome:
    """Let one caller for each request send it again and again, until `calls` are answered in all.

    Args:
        target: the endpoint.
        requests: one for each caller.
        calls: the number of calls, shared by the callers.
        check: what each result must be; None checks only the status.
        status: the expected status.
    """
    outcome = Outcome()
    left = iter(range(calls))
    started = time.perf_counter()
    await asyncio.gather(*(_call_again(target, each, left, (check, status), outcome) for each in requests))
    outcome.elapsed = time.perf_counter() - started
    return outcome


async def _call_again(
    target: Target, request: bytes, left: Iterator[int], expected: tuple[Workload | None, int], outcome: Outcome
) -> None:
    check, status = expected
    caller = Caller(target)
    for _ in left:
        started = time.perf_counter()
        try:
            answered, body = await caller.post(request)
            outcome.seconds.append(time.perf_counter() - started)
            outcome.received += len(body)
            assert answered == status, (answered, body[:300])
            if check is not None:
                check.check(result_in(body))
        except (AssertionError, OSError, asyncio.IncompleteReadError, KeyError) as error:
            outcome.errors.append(f"{type(error).__name__}: {error}"[:400])
            await caller.close()
    await caller.close()
