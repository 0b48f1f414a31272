"""Search users and groups (Nextcloud's Sharee API, its only search for users)."""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, Field

from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud.answers import parse
from nextcloud_mcp.nextcloud.client import Nextcloud

_PATH: Final = "/ocs/v2.php/apps/files_sharing/api/v1/sharees"

USER: Final = 0
GROUP: Final = 1

_SEARCHED: Final[Mapping[int, str]] = {USER: "user", GROUP: "group"}
"""Kinds of recipients that are looked up, by their numbers in the Share API."""


_CANNOT_SEARCH: Final = frozenset({400, 403, 404, *range(500, 600)})
"""Statuses of Nextcloud when it cannot search."""


class _Recipient(BaseModel):
    share_with: str = Field(alias="shareWith")


class _Sharee(BaseModel):
    label: str
    value: _Recipient


class _Exact(BaseModel):
    users: list[_Sharee] = []
    groups: list[_Sharee] = []


class _Found(BaseModel):
    exact: _Exact


class _Sharees(BaseModel):
    data: _Found


class _OCSSharees(BaseModel):
    ocs: _Sharees


async def find_recipient(nextcloud: Nextcloud, given: str, share_type: int) -> str:
    """Return the id of the user or group that is `given` by id, mail address or display name; else return `given`.

    Nextcloud accepts the mail address of a user, or an id in another case, reports success and shares with nobody
    (measured on 32.0.1 and 34.0.1).

    Raises:
        InvalidArgumentError: more than one user or group matches.
    """
    return only_one(await matching(nextcloud, given, share_type), given, share_type)


async def matching(nextcloud: Nextcloud, given: str, share_type: int) -> dict[str, str]:
    """Return the users or groups that are `given` by id, mail address or display name: their names by id.

    The result omits the caller. It is empty if Nextcloud cannot search: Nextcloud answers 403 or 404 if searching is
    not allowed, 400 to some texts, and 500 to users whose own id has a `+` or an escape, although they can share
    (measured on 34.0.1).
    """
    kind = _SEARCHED[share_type]
    params = {"format": "json", "search": given, "itemType": "file", "shareType": str(share_type), "lookup": "false"}
    response = await nextcloud.request(
        "GET", _PATH, about=f"the {kind} {quoted(given)}", params=params, also_ok=_CANNOT_SEARCH
    )
    if not response.is_success:
        return {}
    exact = parse(_OCSSharees, response).ocs.data.exact
    return {each.value.share_with: each.label for each in (exact.users if share_type == USER else exact.groups)}


def only_one(known: Mapping[str, str], given: str, share_type: int) -> str:
    """Return the only id in `known`; return `given` if it is in `known` or if `known` is empty.

    Raises:
        InvalidArgumentError: more than one user or group matches.
    """
    if given in known or not known:
        return given
    if len(known) > 1:
        ids = ", ".join(f"{share_with} ({label})" for share_with, label in sorted(known.items())[:20])
        raise InvalidArgumentError(
            "More than one {searched} is called {given}",
            "pass one of {ids}",
            searched=_SEARCHED[share_type],
            given=quoted(given),
            ids=ids,
        )
    return next(iter(known))
