"""Keep exchanged tokens in memory for some seconds, if `TOKEN_EXCHANGE_CACHE_SECONDS` says so (ADR 16).

The caller's token is verified at each call all the same: issuer, audience, time and scopes. What is left out is
Keycloak's judgement, so a sign-out takes effect after these seconds.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import anyio
from cachetools import TLRUCache

from nextcloud_mcp.auth.credentials import TokenExchange, expiry_of
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import NextcloudMCPError

MAX_TOKENS: Final = 10_000
"""Maximum cached tokens, about 2 KB each; the least recently used one is dropped first."""

SPARE_SECONDS: Final = 10
"""Seconds before its expiry from which a token is not used any more, because Nextcloud checks it during the call."""


@dataclass(frozen=True)
class _Cached:
    token: str = field(repr=False)
    until: float
    """In seconds of the monotonic clock, which nobody can set back."""


@dataclass
class _Pending:
    """One exchange under way, and its outcome; None if its caller was cancelled."""

    done: anyio.Event = field(default_factory=anyio.Event)
    outcome: str | NextcloudMCPError | None = field(default=None, repr=False)


class ExchangeCache:
    """Exchanges a token, unless the same token was exchanged a few seconds ago; callers of the same token wait."""

    def __init__(
        self,
        exchange: TokenExchange,
        *,
        seconds: int,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._exchange = exchange
        self._seconds = seconds
        self._clock = clock
        self._now = now
        self._cached: TLRUCache[Hashable, _Cached] = TLRUCache(MAX_TOKENS, ttu=_until, timer=clock)
        self._pending: dict[Hashable, _Pending] = {}

    async def for_nextcloud(self, principal: Principal) -> str:
        """Return the token for Nextcloud; raises as `TokenExchange.for_nextcloud` does. Errors are not cached."""
        key = sha256(principal.token.encode()).digest()  # so that the caller's token is not in memory
        while True:
            cached = self._cached.get(key)
            if cached is not None:
                return cached.token
            pending = self._pending.get(key)
            if pending is None:
                return await self._fetch(key, principal)
            await pending.done.wait()
            if isinstance(pending.outcome, NextcloudMCPError):
                raise pending.outcome.with_traceback(None)  # else each caller's frames are added to one error
            if pending.outcome is not None:
                return pending.outcome

    async def check(self) -> None:
        """Check this server's client, as `TokenExchange.check` does."""
        await self._exchange.check()

    async def _fetch(self, key: Hashable, principal: Principal) -> str:
        pending = self._pending[key] = _Pending()
        started, now = self._clock(), self._now()  # Keycloak may judge at the start of an exchange that takes long
        try:
            pending.outcome = token = await self._exchange.for_nextcloud(principal)
        except NextcloudMCPError as error:
            pending.outcome = error
            raise
        finally:
            del self._pending[key]
            pending.done.set()
        left = min(principal.expires_at, expiry_of(token)) - SPARE_SECONDS - now
        self._cached[key] = _Cached(
            token, started + min(self._seconds, left)
        )  # TLRUCache stores nothing whose time is over
        return token


def _until(_: Hashable, cached: _Cached, __: float) -> float:
    return cached.until
