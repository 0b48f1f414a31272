"""Who somebody is in Nextcloud, remembered by issuer, subject and user name; no credential is.

Nextcloud may map names or hash them (user_oidc's `mapping-uid`, `unique-uid`), so the id is asked, not derived.
Whoever gets another user name in Keycloak gets another account, so the id is asked once for each name.
"""

from collections.abc import MutableMapping
from typing import Final

from cachetools import LRUCache

Account = tuple[str, str, str]
"""Issuer, subject, and the user name (`preferred_username`) or nothing."""

Users = MutableMapping[Account, str]
"""Nextcloud user ids by account."""

LIMIT: Final = 10_000
"""How many accounts are remembered; the one not seen for longest goes first."""


def known_users() -> Users:
    """Return a memory that knows nobody yet."""
    return LRUCache(LIMIT)
