"""Which apps Nextcloud has for somebody (OCS API, `/cloud/capabilities`), remembered for a short while.

Apps announce themselves there, for each user: one that is enabled for some groups alone is announced to those.
"""

import time
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from cachetools import TTLCache
from pydantic import BaseModel

from nextcloud_mcp.errors import TokenNotAcceptedError
from nextcloud_mcp.nextcloud.client import NOT_ACCEPTED, Nextcloud, parse
from nextcloud_mcp.nextcloud.users import LIMIT, Account

Apps = MutableMapping[Account, frozenset[str]]
"""Apps by account."""

REMEMBERED: Final = 300.0
"""Seconds for which an answer is taken for true: so long may a new app stay hidden."""


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
        "GET", "/ocs/v2.php/cloud/capabilities", about="your apps", params={"format": "json"}
    )
    found = parse(_Answer, response).ocs.data.capabilities
    if "core" not in found:
        raise TokenNotAcceptedError(NOT_ACCEPTED)
    return frozenset(found)


def known_apps(clock: Callable[[], float] = time.monotonic) -> Apps:
    """Return a memory without apps yet; `clock` counts seconds."""
    return TTLCache(LIMIT, REMEMBERED, clock)
