"""Computing that takes long, beside the event loop, which serves others meanwhile."""

from collections.abc import Callable
from typing import Final, TypeVar

from anyio import CapacityLimiter, to_thread

Result = TypeVar("Result")

_THREADS: Final = CapacityLimiter(2)
"""Python runs one at a time: each more would slow the event loop down, and hold one more answer in memory."""


async def run_in_worker_thread(work: Callable[..., Result], *arguments: object) -> Result:
    """Do what takes computing in a thread."""
    return await to_thread.run_sync(work, *arguments, limiter=_THREADS)
