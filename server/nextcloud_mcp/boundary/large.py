"""Large answers, and their turn: each lies in memory some ten times over until it is sent, and a container has an end.

What is text in JSON is written into JSON once more for a tool's result, and encoded for the way, all by the SDK.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio

from nextcloud_mcp.errors import NextcloudUnavailableError

READ_TIMEOUT: Final = 60.0
"""Seconds for which a call waits for its turn and reads, so that a slow storage can't keep the places for good."""

_AT_ONCE: Final = anyio.CapacityLimiter(2)
"""Whoever is about to read a large file takes a place here, and others wait: two of them fit into 256 MiB."""


@asynccontextmanager
async def read_slot() -> AsyncIterator[None]:
    """Read something large in the block.

    Raises:
        NextcloudUnavailableError: it is not there in time, or others take all of that.
    """
    try:
        with anyio.fail_after(READ_TIMEOUT):
            async with _AT_ONCE:
                yield
    except TimeoutError:
        raise NextcloudUnavailableError(
            f"Large files take too long to read now, more than {READ_TIMEOUT:g} s", "try again shortly, or ask for less"
        ) from None
