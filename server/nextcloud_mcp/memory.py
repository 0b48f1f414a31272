"""The memory that calls may take together: bodies of requests, answers of Nextcloud, and what is made of both.

A call takes a share before it reads something large and keeps it until it has been answered. What is not free in time
is refused, so that calls which wait for each other end.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Final

import anyio

from nextcloud_mcp.errors import OverloadedError

BUDGET: Final = 128 * 1024 * 1024
"""Bytes for all calls: half of what compose.yaml and the chart give the server."""

Owner = tuple[str, ...]
"""The caller, as issuer and subject; a third part marks what is reserved for answers."""


class ByteBudget:
    """Bytes that are shared out, of which one person has at most half, or a single share that is larger.

    For bodies and for answers that holds separately: calls of one person that have their bodies and wait for answers
    would else wait for each other.
    """

    def __init__(self, total: int = BUDGET) -> None:
        self._free = self._total = total
        self._held: dict[Owner, int] = {}
        self._changed = anyio.Condition()

    @asynccontextmanager
    async def share(self, owner: Owner, size: int, *, max_wait: float, taken: int = 0) -> AsyncIterator[None]:
        """Hold `size` bytes in the block, besides those that the same call has `taken` before.

        Raises:
            OverloadedError: they were not free within `max_wait` seconds.
        """
        most = max(taken + size, self._total // 2)
        try:
            with anyio.fail_after(max_wait):
                async with self._changed:
                    while size > self._free or self._held.get(owner, 0) + size > most:
                        await self._changed.wait()
                    self._free -= size
                    self._held[owner] = self._held.get(owner, 0) + size
        except TimeoutError:
            raise OverloadedError("Too many large requests are under way", "try again shortly") from None
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                async with self._changed:
                    self._free += size
                    self._held[owner] -= size
                    if not self._held[owner]:
                        del self._held[owner]
                    self._changed.notify_all()

    @asynccontextmanager
    async def call(self, owner: Owner, size: int, *, max_wait: float) -> AsyncIterator[None]:
        """Hold `size` bytes in the block, in which `take` takes more for this call.

        Raises:
            OverloadedError: as for `share`.
        """
        async with self.share(owner, size, max_wait=max_wait), AsyncExitStack() as shares:
            token = _current.set(_Call(self, owner, shares))
            try:
                yield
            finally:
                _current.reset(token)


class _Call:
    """What one call has taken for answers: one share, however many answers it reads one after the other."""

    def __init__(self, budget: ByteBudget, owner: Owner, shares: AsyncExitStack) -> None:
        self._budget = budget
        self._owner = (*owner, "answers")
        self._shares = shares
        self._one_at_a_time = anyio.Lock()
        self._taken = 0

    async def take(self, size: int, max_wait: float) -> None:
        async with self._one_at_a_time:
            if size > self._taken:
                more = self._budget.share(self._owner, size - self._taken, max_wait=max_wait, taken=self._taken)
                await self._shares.enter_async_context(more)
                self._taken = size


_current: ContextVar[_Call | None] = ContextVar("call", default=None)


async def take(size: int, *, max_wait: float) -> None:
    """Take `size` bytes for the present call, until it ends; what it has taken before counts.

    Raises:
        OverloadedError: they were not free within `max_wait` seconds.
    """
    call = _current.get()
    if call is not None:
        await call.take(size, max_wait)
