"""Who somebody is in Nextcloud, remembered by issuer, subject and user name; no credential is.

Nextcloud may map names or hash them (user_oidc's `mapping-uid`, `unique-uid`), so the id is asked, not derived.
Whoever gets another user name in Keycloak gets another account, so the id is asked for each name. And it is asked again
after some minutes: for a disabled account Nextcloud refuses to answer, but lets WebDAV go on (measured on 34.0.1 with
user_oidc 8.10.1).
"""

import time
from collections.abc import Callable, MutableMapping
from typing import Final

from cachetools import TTLCache

Account = tuple[str, str, str]
"""Issuer, subject, and the user name (`preferred_username`) or nothing."""

Users = MutableMapping[Account, str]
"""Nextcloud user ids by account."""

LIMIT: Final = 10_000
"""How many accounts are remembered; the one not seen for longest goes first."""


REMEMBERED: Final = 300.0
"""Seconds for which an id is used without asking: so long may a disabled account go on."""


def known_users(clock: Callable[[], float] = time.monotonic) -> Users:
    """Return a memory that knows nobody yet; `clock` counts seconds."""
    return TTLCache(LIMIT, REMEMBERED, clock)
