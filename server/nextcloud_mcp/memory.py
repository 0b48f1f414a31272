"""The memory that all calls share: for bodies of requests, responses of Nextcloud, and the data made from both.

A call reserves memory before it reads something large, and keeps it until it is answered. If the memory is not free in
time, the call is refused, so calls that wait for each other end.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Final

import anyio

from nextcloud_mcp.errors import OverloadedError

BUDGET: Final = 128 * 1024 * 1024
"""Bytes for all calls: half of the server's memory in compose.yaml and the chart."""

Owner = tuple[str, ...]
"""The caller, as issuer and subject; a third part marks what is reserved for responses."""


class ByteBudget:
    """A number of bytes, of which one user can reserve at most half, or one reservation that is larger.

    That limit applies to bodies and responses separately. Otherwise, calls of one user that hold memory for their
    bodies would wait for each other's memory for responses.
    """

    def __init__(self, total: int = BUDGET) -> None:
        self._free = self._total = total
        self._held: dict[Owner, int] = {}
        self._changed = anyio.Condition()

    @asynccontextmanager
    async def share(self, owner: Owner, size: int, *, max_wait: float, taken: int = 0) -> AsyncIterator[None]:
        """Reserve `size` bytes in the block, besides the `taken` bytes that the same call has reserved before.

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
        """Reserve `size` bytes in the block, in which `take` reserves more for this call.

        Raises:
            OverloadedError: see `share`.
        """
        async with self.share(owner, size, max_wait=max_wait), AsyncExitStack() as shares:
            token = _current.set(_ResponseReservation(self, owner, shares))
            try:
                yield
            finally:
                _current.reset(token)


class _ResponseReservation:
    """The memory that one call has reserved for responses: as much as the largest of them needs."""

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


_current: ContextVar[_ResponseReservation | None] = ContextVar("call", default=None)


async def take(size: int, *, max_wait: float) -> None:
    """Reserve `size` bytes for responses of the current call, until it ends; earlier reservations count.

    Raises:
        OverloadedError: they were not free within `max_wait` seconds.
    """
    call = _current.get()
    if call is not None:
        await call.take(size, max_wait)
