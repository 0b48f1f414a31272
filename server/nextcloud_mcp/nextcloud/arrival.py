"""The first request for an account, while which Nextcloud takes no other.

Nextcloud makes an account at the first request with a token, and copies its start files, which takes seconds. Every
other request for that account fails until then, each API in its own way: HTTP 503 and `LockedException` over WebDAV,
HTTP 500 from OCS, a page and HTTP 500 from the apps (measured on 34.0.1). So the first request is sent alone. Only
OCS `/cloud/user` is repeated, which changes nothing: another replica may have been first.
"""

from collections.abc import Awaitable, Callable, Hashable, MutableMapping
from typing import Final

import anyio
import httpx
import stamina
from cachetools import LRUCache

from nextcloud_mcp.errors import NextcloudUnavailableError

LIMIT: Final = 10_000
"""Accounts that are known to be made; the one not seen for longest goes first, and is asked about again."""

SETUP_TIMEOUT: Final = 20.0
"""Seconds for which an account may take to be made."""


class Arrivals:
    """Which accounts are known to be made, and who waits for one."""

    def __init__(self) -> None:
        """Know no account yet."""
        self._made: MutableMapping[Hashable, bool] = LRUCache(LIMIT)
        self._in_flight: dict[Hashable, _Flight] = {}

    def note(self, account: Hashable) -> None:
        """Know that an account is made."""
        self._made[account] = True

    async def ensure(self, account: Hashable, ask: Callable[[], Awaitable[object]]) -> None:
        """Return when the account is made; of several callers at once, one asks and the others wait.

        Args:
            account: Who it is.
            ask: Asks Nextcloud for the user, and raises where it does not answer.

        Raises:
            NextcloudError: Nextcloud did not answer whoever asked. What only has to do with the token of another
                caller is not told to those who waited: they ask themselves.
        """
        while account not in self._made:
            flight = self._in_flight.get(account)
            if flight is None:
                await self._ask(account, ask)
                return
            await flight.landed.wait()
            if flight.failure is not None:
                raise NextcloudUnavailableError(str(flight.failure), reason=flight.failure.reason)

    async def _ask(self, account: Hashable, ask: Callable[[], Awaitable[object]]) -> None:
        flight = self._in_flight[account] = _Flight()
        try:
            await _repeated(ask)
            self.note(account)
        except NextcloudUnavailableError as error:
            flight.failure = error
            raise
        finally:
            del self._in_flight[account]
            flight.landed.set()


class _Flight:
    """One caller who asks, for whom others wait."""

    def __init__(self) -> None:
        self.landed = anyio.Event()
        self.failure: NextcloudUnavailableError | None = None


async def _repeated(ask: Callable[[], Awaitable[object]]) -> None:
    async for attempt in stamina.retry_context(
        on=_is_being_made, attempts=None, timeout=SETUP_TIMEOUT, wait_initial=0.3, wait_max=1.0, wait_jitter=0.3
    ):
        with attempt:
            await ask()


def _is_being_made(error: Exception) -> bool:
    return isinstance(error, NextcloudUnavailableError) and error.status == httpx.codes.INTERNAL_SERVER_ERROR
