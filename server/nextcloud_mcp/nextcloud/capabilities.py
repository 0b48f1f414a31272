"""Find the apps that are enabled for a user (OCS API, `/cloud/capabilities`).

The capabilities depend on the user: an app that is limited to some groups appears only for their members.
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
    """Return the keys of the user's capabilities, one for each app.

    Raises:
        TokenNotAcceptedError: Nextcloud treated the request as anonymous.
    """
    answer, _ = await _ask(nextcloud)
    return frozenset(answer.ocs.data.capabilities)


async def whole(nextcloud: Nextcloud) -> dict[str, Any]:
    """Return the complete capabilities of the user, including the OCS envelope.

    Raises:
        TokenNotAcceptedError: Nextcloud treated the request as anonymous.
    """
    _, response = await _ask(nextcloud)
    return parse(dict[str, Any], response)


async def _ask(nextcloud: Nextcloud) -> tuple[_Answer, httpx.Response]:
    """Return the parsed answer and the response.

    Raises:
        TokenNotAcceptedError: the answer is one for anonymous users, which also has HTTP 200 (measured on 32.0.1).
    """
    response = await nextcloud.request(
        "GET", "/ocs/v2.php/cloud/capabilities", about="your apps", params={"format": "json"}
    )
    answer = parse(_Answer, response)
    if "core" not in answer.ocs.data.capabilities:
        raise nextcloud.not_accepted()
    return answer, response
