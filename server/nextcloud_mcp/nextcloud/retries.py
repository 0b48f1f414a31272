"""Retry requests that cannot take effect twice.

These are requests with a safe method, if the connection broke or Nextcloud asks for a short pause; requests that were
refused because of a lock; requests for which no connection was made; and conditional ones that ended in HTTP 500. After
longer pauses the caller has to retry; the error says when.
"""

import re
from collections.abc import Callable, Collection
from typing import Final

import httpx
import stamina

MAX_PAUSE: Final = 2
"""Seconds for which a call waits by itself when Nextcloud asks for a pause."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "PROPFIND", "REPORT", "SEARCH"})
"""They change nothing (RFC 9110 section 9.2.1, RFC 4918 section 9.1, RFC 3253 section 3.6, RFC 5323 section 2)."""

TEMPORARY_STATUSES: Final = frozenset(
    {httpx.codes.LOCKED, httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}
)
"""Statuses of temporary failures."""

_RETRIED_WHEN_LOCKED: Final = SAFE_METHODS | {"PUT", "POST"}
"""A lock of Nextcloud's own lasts as long as somebody else's write, often milliseconds, and what is refused for it was
not done: Notes takes a new note back then. COPY, MOVE and DELETE of a folder may have done a part."""

retrying: Final = stamina.AsyncRetryingCaller(attempts=3, timeout=5.0, wait_initial=0.2, wait_jitter=0.2)
"""Retries up to twice, within about a second if Nextcloud names no pause."""


def is_conditional(method: str, headers: Collection[str]) -> bool:
    """Return whether a request changes nothing the second time, if it did the first time.

    Such a request is worth repeating after HTTP 500: parallel changes end in it if the database refuses one of them, as
    SQLite does with "database is locked" and PostgreSQL with a deadlock, and takes that change back.
    """
    return method in {"PUT", "DELETE"} and bool({"If-Match", "If-None-Match"} & set(headers))


def retry_policy(method: str, *, conditional: bool = False) -> Callable[[Exception], bool | float]:
    """Return a function that says whether to retry after an error, or after how many seconds."""

    def should_retry(error: Exception) -> bool | float:
        if isinstance(error, httpx.ConnectError):
            return True  # nothing was sent
        status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None
        if status == httpx.codes.LOCKED:
            return method in _RETRIED_WHEN_LOCKED
        if status == httpx.codes.INTERNAL_SERVER_ERROR:
            return conditional
        if method not in SAFE_METHODS:
            return False  # the request may have taken effect
        if isinstance(error, httpx.HTTPStatusError):
            return _short_pause(error.response)
        return isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)

    return should_retry


def _short_pause(response: httpx.Response) -> bool | float:
    """Return the pause that Nextcloud asks for, False if it is long; without one, an overload may pass soon."""
    if "retry-after" not in response.headers:
        return response.status_code == httpx.codes.SERVICE_UNAVAILABLE
    seconds = retry_after(response)
    return float(seconds) if seconds is not None and seconds <= MAX_PAUSE else False


def retry_after(response: httpx.Response) -> int | None:
    """Return the seconds of `Retry-After` (RFC 9110 section 10.2.3); Nextcloud writes no dates there."""
    value = response.headers.get("retry-after", "")
    return int(value) if re.fullmatch("[0-9]{1,6}", value) else None
