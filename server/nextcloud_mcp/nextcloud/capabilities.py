"""Which apps Nextcloud has for somebody (OCS API, `/cloud/capabilities`), remembered for a short while.

Apps announce themselves there, for each user: one that is enabled for some groups alone is announced to those.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel

from nextcloud_mcp.errors import TokenNotAcceptedError
from nextcloud_mcp.nextcloud.client import Nextcloud, parse

REMEMBERED: Final = 300.0
"""Seconds for which an answer is taken for true: so long may a new app stay hidden."""

LIMIT: Final = 10_000
"""For how many accounts; the one asked longest ago goes first."""


class _Data(BaseModel):
    capabilities: dict[str, Any]


class _Content(BaseModel):
    data: _Data


class _Answer(BaseModel):
    ocs: _Content


async def apps(nextcloud: Nextcloud) -> frozenset[str]:
    """Return the apps that Nextcloud announces to the user, by their keys in the capabilities.

    Raises:
        TokenNotAcceptedError: it answered as to a stranger, which it does with 200 (measured on Nextcloud 32.0.1).
    """
    response = await nextcloud.request(
        "GET", "/ocs/v2.php/cloud/capabilities", about="capabilities", params={"format": "json"}
    )
    found = parse(_Answer, response).ocs.data.capabilities
    if "core" not in found:
        raise TokenNotAcceptedError(
            "Nextcloud did not accept the token: the administrator must check that user_oidc trusts this realm."
        )
    return frozenset(found)


class Apps:
    """Apps by account; holds no credential."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[float, frozenset[str]]] = OrderedDict()

    def get(self, account: tuple[str, str]) -> frozenset[str] | None:
        """Return the apps of `account` (issuer, subject), if they were asked a short while ago."""
        asked, known = self._known.get(account, (float("-inf"), None))
        return known if self._clock() - asked < REMEMBERED else None

    def remember(self, account: tuple[str, str], known: frozenset[str]) -> None:
        """Remember the apps of `account`, as asked now."""
        self._known[account] = (self._clock(), known)
        self._known.move_to_end(account)
        if len(self._known) > LIMIT:
            self._known.popitem(last=False)
