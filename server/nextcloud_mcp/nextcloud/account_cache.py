"""Cache the user ids and the apps of accounts; store no credentials.

Nextcloud may map or hash user names (user_oidc's `mapping-uid`, `unique-uid`), so the id is requested, not derived.
A cached id becomes wrong if the user gets another name in Keycloak or an administrator changes the mapping. So an entry
is valid for one user name only, and `Nextcloud` compares it with its responses. Entries expire after some minutes: for
a disabled account Nextcloud refuses to return the id, but still allows WebDAV (measured on 34.0.1 with user_oidc
8.10.1).
"""

import time
from collections.abc import Callable, MutableMapping
from typing import Final, TypeVar

from cachetools import TTLCache

from nextcloud_mcp.nextcloud.account_creation import AccountCreation
from nextcloud_mcp.nextcloud.locks import KeyedLocks

LIMIT: Final = 10_000
"""Maximum number of cached accounts; the least recently used one is dropped first."""

REMEMBERED: Final = 300.0
"""Seconds for which an entry is valid. A disabled account may go on, or a new app stay hidden, for as long."""

Value = TypeVar("Value")


Account = tuple[str, str, str]
"""Issuer, subject, and the user name (`preferred_username`), which may change, or nothing."""


class AccountCache:
    """Nextcloud user ids and apps, by issuer and subject; each holds for the user name with which it was learnt.

    Attributes:
        creation: Tracks which accounts exist in Nextcloud.
        locks: The locks for changes that an account must make one request at a time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Know nobody yet; `clock` counts seconds."""
        self.creation = AccountCreation(LIMIT)
        self.locks = KeyedLocks()
        self._user_ids: _Memory[str] = TTLCache(LIMIT, REMEMBERED, clock)
        self._apps: _Memory[frozenset[str]] = TTLCache(LIMIT, REMEMBERED, clock)

    def user_id(self, account: Account) -> str | None:
        """Return the user id of an account in Nextcloud, or None if it is not cached."""
        return _recall(self._user_ids, account)

    def apps(self, account: Account) -> frozenset[str] | None:
        """Return the apps that are enabled for an account, or None if they are not cached."""
        return _recall(self._apps, account)

    def remember_user_id(self, account: Account, user_id: str) -> None:
        """Remember a user id; if it differs from the previous one, forget everything else about the account."""
        if self.user_id(account) not in {None, user_id}:
            self.forget(account)
        self._user_ids[_key(account)] = (account[2], user_id)

    def remember_apps(self, account: Account, apps: frozenset[str]) -> None:
        """Remember the apps that are enabled for an account."""
        self._apps[_key(account)] = (account[2], apps)

    def forget(self, account: Account) -> None:
        """Forget everything about an account."""
        self._user_ids.pop(_key(account), None)
        self._apps.pop(_key(account), None)


_Memory = MutableMapping[tuple[str, str], tuple[str, Value]]
"""By issuer and subject: a user name, and what was learnt with it."""


def _key(account: Account) -> tuple[str, str]:
    issuer, subject, _ = account
    return (issuer, subject)


def _recall(memory: _Memory[Value], account: Account) -> Value | None:
    """Return what is remembered, unless the account has another user name now; a token without a name has no other."""
    username, value = memory.get(_key(account), ("", None))
    return value if account[2] in {"", username} else None
