"""Blocking context managers in asynchronous tests, entered and left in a thread so that the loop is not blocked."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypeVar

import anyio.to_thread

T = TypeVar("T")


@asynccontextmanager
async def in_thread(manager: AbstractContextManager[T]) -> AsyncIterator[T]:
    """Enter `manager` in a thread for the block, and yield its value."""
    value = await anyio.to_thread.run_sync(manager.__enter__)
    try:
        yield value
    finally:
        await anyio.to_thread.run_sync(manager.__exit__, None, None, None)
