"""Waiting for what another process does."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio

T = TypeVar("T")

MAX_SECONDS: Final = 120.0


async def eventually(ask: Callable[[], Awaitable[T | None]]) -> T:
    """Ask until there is an answer.

    Raises:
        TimeoutError: there is none after `MAX_SECONDS`.
    """
    with anyio.fail_after(MAX_SECONDS):
        while not (answer := await ask()):  # noqa: ASYNC110 - no event can be set from another process
            await anyio.sleep(0.05)
    return answer
