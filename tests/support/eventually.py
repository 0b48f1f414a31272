"""Polling for a change that another process makes."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio

T = TypeVar("T")

MAX_SECONDS: Final = 120.0


async def eventually(ask: Callable[[], Awaitable[T | None]]) -> T:
    """Call `ask` until its result is true, and return the result.

    Raises:
        TimeoutError: no result was true within `MAX_SECONDS`.
    """
    with anyio.fail_after(MAX_SECONDS):
        while not (answer := await ask()):  # noqa: ASYNC110 - no event can be set from another process
            await anyio.sleep(0.05)
    return answer
