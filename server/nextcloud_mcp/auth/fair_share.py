"""ASGI middleware: limits on the calls of each user, and on the memory for all request bodies.

MCP requires limits ("Servers MUST rate limit tool invocations"). They apply to a user (issuer and subject), not to a
client. They are checked after the token is verified, and before the body is read or a token is exchanged. Beyond a
user's limits the answer is 429, and without free memory 503, each with `Retry-After`.
"""

import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import anyio
import structlog
from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE, RequestBodyLimitMiddleware
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from nextcloud_mcp.auth.challenge import Challenge
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import OverloadedError, TooManyCallsError
from nextcloud_mcp.memory import ByteBudget

MAX_CONCURRENT_CALLS: Final = 10
"""Calls of one user that run at a time; further calls wait."""

MAX_WAITING_CALLS: Final = 40
"""Calls of one user that wait; further calls are refused immediately."""

WAIT_TIMEOUT: Final = 10.0
"""Seconds for which a call waits for the user's other calls, and then for memory."""

BODY_WEIGHT: Final = 8
"""Bytes of memory for each byte of a body, which is buffered, parsed twice and passed on."""

MAX_BODY_WITHOUT_SCOPE: Final = 64 * 1024
"""Maximum bytes of a body if the token has no scope of a tool."""

MAX_PEOPLE: Final = 10_000
"""Maximum users in memory, before users without a call in the last `MEMORY_SECONDS` are removed."""

IDLE_SECONDS: Final = 60.0
"""Seconds without a call after which a user's allowance is full again, so that the entry is not needed."""

_MAX_DIGITS: Final = 19
"""Maximum digits of a Content-Length that is parsed."""

log = structlog.get_logger()


@dataclass
class _Person:
    """The state of one user: the allowance, when it was updated, and the calls that run or wait."""

    allowance: float
    at: float
    running: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(MAX_CONCURRENT_CALLS))
    calls: int = 0


class FairShare:
    """Limits the calls of each user, and the memory for request bodies."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        challenge: Challenge,
        calls_per_minute: int,
        tool_scopes: frozenset[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._small_bodies = RequestBodyLimitMiddleware(app, MAX_BODY_WITHOUT_SCOPE)
        self._challenge = challenge
        self._calls_per_minute = calls_per_minute
        self._tool_scopes = tool_scopes
        self._clock = clock
        self._people: dict[tuple[str, str], _Person] = {}
        self._memory = ByteBudget()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on if the user's limits and the memory allow it, or refuse it."""
        principal: Principal = scope["state"]["principal"]
        account = (principal.issuer, principal.subject)
        is_scoped = bool(self._tool_scopes & principal.scopes)
        most = DEFAULT_MAX_REQUEST_BODY_SIZE if is_scoped else MAX_BODY_WITHOUT_SCOPE
        size = min(_declared_length(scope, most), most) * BODY_WEIGHT
        admitted = False
        try:
            async with self._call_slot(account), self._memory.call(account, size, max_wait=WAIT_TIMEOUT):
                admitted = True
                await (self._app if is_scoped else self._small_bodies)(scope, receive, send)
        except (TooManyCallsError, OverloadedError) as error:
            if admitted:
                raise
            log.warning("request.limited", code=error.code, client=principal.client_id, subject=principal.subject)
            await self._challenge.limit_exceeded(error)(scope, receive, send)

    @asynccontextmanager
    async def _call_slot(self, account: tuple[str, str]) -> AsyncIterator[None]:
        """Wait until the user may run another call, and run it in the block.

        Raises:
            TooManyCallsError: the user makes too many calls per minute, or at a time.
        """
        person = self._person(account)
        self._take_from_allowance(person)
        if person.calls >= MAX_CONCURRENT_CALLS + MAX_WAITING_CALLS:
            raise TooManyCallsError("You have too many calls under way", "wait for their answers", retry_after=1)
        person.calls += 1
        try:
            try:
                with anyio.fail_after(WAIT_TIMEOUT):
                    await person.running.acquire()
            except TimeoutError:
                raise TooManyCallsError("Your other calls take long", "wait for their answers", retry_after=5) from None
            try:
                yield
            finally:
                person.running.release()
        finally:
            person.calls -= 1

    def _person(self, account: tuple[str, str]) -> _Person:
        now = self._clock()
        if account not in self._people:
            if len(self._people) >= MAX_PEOPLE:
                self._people = {
                    who: each for who, each in self._people.items() if each.calls or now - each.at < IDLE_SECONDS
                }
            self._people[account] = _Person(self._calls_per_minute, now)
        return self._people[account]

    def _take_from_allowance(self, person: _Person) -> None:
        """Take one call from the user's allowance, which refills evenly up to one minute's calls."""
        now, a_second = self._clock(), self._calls_per_minute / 60
        person.allowance = min(self._calls_per_minute, person.allowance + (now - person.at) * a_second)
        person.at = now
        if person.allowance < 1:
            seconds = math.ceil((1 - person.allowance) / a_second)
            raise TooManyCallsError(
                f"You make more than {self._calls_per_minute} calls a minute", "make fewer", retry_after=seconds
            )
        person.allowance -= 1


def _declared_length(scope: Scope, unknown: int) -> int:
    """Return the Content-Length, or `unknown` if it is missing or invalid."""
    value = Headers(scope=scope).get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS else unknown
