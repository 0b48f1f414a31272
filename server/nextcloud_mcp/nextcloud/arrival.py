"""The first request for an account, while which Nextcloud takes no other.

Nextcloud makes an account at the first request with a token, and copies its start files, which takes seconds. Every
other request for that account fails until then, each API in its own way: HTTP 503 and `LockedException` over WebDAV,
HTTP 500 from OCS, a page and HTTP 500 from the apps (measured on 34.0.1). So the first request is sent alone. Only
OCS `/cloud/user` is repeated, which changes nothing: another replica may have been first.
"""

from collections.abc import Awaitable, Callable, Hashable, MutableMapping
from typing import Final, TypeVar

import anyio
import httpx
import stamina
from cachetools import LRUCache

from nextcloud_mcp.errors import NextcloudUnavailableError

SETUP_TIMEOUT: Final = 20.0
"""Seconds for which an account may take to be made."""


Answer = TypeVar("Answer")


class Arrivals:
    """Which accounts are known to be made, and who waits for one."""

    def __init__(self, limit: int) -> None:
        """Know no account yet, and `limit` at most: the one not seen for longest is asked about again."""
        self._made: MutableMapping[Hashable, bool] = LRUCache(limit)
        self._in_flight: dict[Hashable, _Flight] = {}

    def note(self, account: Hashable) -> None:
        """Know that an account is made."""
        self._made[account] = True

    async def ensure(self, account: Hashable, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Wait until the account is made, and return the answer to this caller, None if this caller did not ask.

        Of several callers at once, one asks and the others wait.

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
                return await self._ask(account, ask)
            await flight.landed.wait()
            if flight.failure is not None:
                raise flight.failure.again()
        return None

    async def _ask(self, account: Hashable, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        flight = self._in_flight[account] = _Flight()
        try:
            answer = await _repeated(_is_being_made, ask)
        except NextcloudUnavailableError as error:
            flight.failure = error
            raise
        else:
            self.note(account)
            return answer
        finally:
            del self._in_flight[account]
            flight.landed.set()


class _Flight:
    """One caller who asks, for whom others wait."""

    def __init__(self) -> None:
        self.landed = anyio.Event()
        self.failure: NextcloudUnavailableError | None = None


_repeated: Final = stamina.AsyncRetryingCaller(
    attempts=None, timeout=SETUP_TIMEOUT, wait_initial=0.3, wait_max=1.0, wait_jitter=0.3
)


def _is_being_made(error: Exception) -> bool:
    return isinstance(error, NextcloudUnavailableError) and error.status == httpx.codes.INTERNAL_SERVER_ERROR
