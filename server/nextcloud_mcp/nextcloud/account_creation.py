"""Send the first request for an account alone, because Nextcloud creates the account during it.

Nextcloud creates an account at the first request with a token and copies the skeleton files, which takes seconds.
Until then every other request for that account fails, in a different way for each API: HTTP 503 and `LockedException`
over WebDAV, HTTP 500 from OCS, an HTML page with HTTP 500 from the apps (measured on 34.0.1). If another replica sent
the first request, OCS `/cloud/user` is retried: it is the only request here, and it changes nothing.
"""

from collections.abc import Awaitable, Callable, Hashable, MutableMapping
from typing import Final, TypeVar

import anyio
import httpx
import stamina
from cachetools import LRUCache

from nextcloud_mcp.errors import NextcloudUnavailableError

SETUP_TIMEOUT: Final = 20.0
"""Seconds that Nextcloud may take to create an account."""


Answer = TypeVar("Answer")


class AccountCreation:
    """The accounts that are known to exist in Nextcloud, and the callers that wait for their creation."""

    def __init__(self, limit: int) -> None:
        """Start empty; remember up to `limit` accounts and drop the least recently used one first."""
        self._known: MutableMapping[Hashable, bool] = LRUCache(limit)
        self._in_progress: dict[Hashable, _Creation] = {}

    def note(self, account: Hashable) -> None:
        """Record that an account exists in Nextcloud."""
        self._known[account] = True

    async def ensure(self, account: Hashable, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Wait until the account exists; return the answer of `ask`, or None if this caller did not send it.

        If several callers arrive at once, one of them asks and the others wait.

        Args:
            account: The account to wait for.
            ask: Requests the user from Nextcloud; raises an error if the request fails.

        Raises:
            NextcloudError: the request failed. Callers that waited get the error only if Nextcloud is unavailable.
                After any other error, such as a refused token, they send the request themselves.
        """
        while account not in self._known:
            creation = self._in_progress.get(account)
            if creation is None:
                return await self._ask(account, ask)
            await creation.ended.wait()
            if creation.failure is not None:
                raise creation.failure.again()
        return None

    async def _ask(self, account: Hashable, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        creation = self._in_progress[account] = _Creation()
        try:
            answer = await _retry(_is_being_created, ask)
        except NextcloudUnavailableError as error:
            creation.failure = error
            raise
        else:
            self.note(account)
            return answer
        finally:
            del self._in_progress[account]
            creation.ended.set()


class _Creation:
    """A request in flight, and its failure for the callers that wait for it."""

    def __init__(self) -> None:
        self.ended = anyio.Event()
        self.failure: NextcloudUnavailableError | None = None


_retry: Final = stamina.AsyncRetryingCaller(
    attempts=None, timeout=SETUP_TIMEOUT, wait_initial=0.3, wait_max=1.0, wait_jitter=0.3
)


def _is_being_created(error: Exception) -> bool:
    return isinstance(error, NextcloudUnavailableError) and error.status == httpx.codes.INTERNAL_SERVER_ERROR
