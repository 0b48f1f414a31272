"""Run long computations in worker threads, so that the event loop stays free."""

from collections.abc import Callable
from typing import Final, TypeVar

from anyio import CapacityLimiter, to_thread

Result = TypeVar("Result")

_THREADS: Final = CapacityLimiter(2)
"""Python runs one thread at a time: more would slow the event loop down and keep more responses in memory."""


async def run_in_worker_thread(work: Callable[..., Result], *arguments: object) -> Result:
    """Return the result of `work`, which runs in a worker thread."""
    return await to_thread.run_sync(work, *arguments, limiter=_THREADS)
