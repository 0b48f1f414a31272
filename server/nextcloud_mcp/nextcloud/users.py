"""Who somebody is in Nextcloud, remembered by issuer and subject.

Nextcloud may map names or hash them (user_oidc's `mapping-uid`, `unique-uid`), so the id is asked, not derived.
It never changes for an account, so it is asked once.
"""

from collections import OrderedDict
from typing import Final

LIMIT: Final = 10_000
"""How many accounts are remembered; the one not seen for longest goes first."""


class Users:
    """Nextcloud user ids by account; holds no credential."""

    def __init__(self) -> None:
        self._ids: OrderedDict[tuple[str, str], str] = OrderedDict()

    def get(self, account: tuple[str, str]) -> str | None:
        """Return the id of `account` (issuer, subject), if it was asked before."""
        if account in self._ids:
            self._ids.move_to_end(account)
        return self._ids.get(account)

    def remember(self, account: tuple[str, str], user_id: str) -> None:
        """Remember the id of `account`."""
        self._ids[account] = user_id
        if len(self._ids) > LIMIT:
            self._ids.popitem(last=False)
