"""Which apps Nextcloud has for somebody (OCS API, `/cloud/capabilities`).

Apps announce themselves there, for each user: one that is enabled for some groups alone is announced to those.
"""

from typing import Any

import httpx
from pydantic import BaseModel

from nextcloud_mcp.nextcloud.answers import parse
from nextcloud_mcp.nextcloud.client import Nextcloud


class _Data(BaseModel):
    capabilities: dict[str, Any]


class _Content(BaseModel):
    data: _Data


class _Answer(BaseModel):
    ocs: _Content


async def apps(nextcloud: Nextcloud) -> frozenset[str]:
    """Return the apps that Nextcloud announces to the user, by their keys in the capabilities.

    Raises:
        TokenNotAcceptedError: it answered as to a stranger.
    """
    answer, _ = await _ask(nextcloud)
    return frozenset(answer.ocs.data.capabilities)


async def whole(nextcloud: Nextcloud) -> dict[str, Any]:
    """Return the capabilities as Nextcloud answers them to the user, OCS envelope included.

    Raises:
        TokenNotAcceptedError: it answered as to a stranger.
    """
    _, response = await _ask(nextcloud)
    return parse(dict[str, Any], response)


async def _ask(nextcloud: Nextcloud) -> tuple[_Answer, httpx.Response]:
    """Return the answer, as read and as it came.

    Raises:
        TokenNotAcceptedError: it is one to a stranger, which has 200 too (measured on Nextcloud 32.0.1).
    """
    response = await nextcloud.request(
        "GET", "/ocs/v2.php/cloud/capabilities", about="your apps", params={"format": "json"}
    )
    answer = parse(_Answer, response)
    if "core" not in answer.ocs.data.capabilities:
        raise nextcloud.not_accepted()
    return answer, response
