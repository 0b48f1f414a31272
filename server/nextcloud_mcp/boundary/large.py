"""Limit concurrent reads of large files: a large answer takes about ten times its size in memory until it is sent.

The SDK encodes the text of a tool's result as JSON again, and then as bytes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio

from nextcloud_mcp.errors import NextcloudUnavailableError

READ_TIMEOUT: Final = 60.0
"""Seconds for which a call waits for a slot and reads, so that slow storage can't block the slots forever."""

_READ_SLOTS: Final = anyio.CapacityLimiter(2)
"""The slots for reads of large files: two of them fit into 256 MiB."""


@asynccontextmanager
async def read_slot() -> AsyncIterator[None]:
    """Wait for a slot, and read something large in the block.

    Raises:
        NextcloudUnavailableError: waiting and reading took longer than `READ_TIMEOUT`.
    """
    try:
        with anyio.fail_after(READ_TIMEOUT):
            async with _READ_SLOTS:
                yield
    except TimeoutError:
        raise NextcloudUnavailableError(
            f"Large files take too long to read now, more than {READ_TIMEOUT:g} s", "try again shortly, or ask for less"
        ) from None
