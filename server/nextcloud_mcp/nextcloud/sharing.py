"""Shares of files and folders (Nextcloud's OCS Share API, version 1 of `files_sharing`).

Nextcloud answers with the hash of a link's password, twice; it is read here as "there is one" and goes no further.
"""

from collections.abc import Mapping
from datetime import date
from enum import IntFlag
from typing import Any, Final

import httpx
from pydantic import BaseModel, Field, ValidationError, computed_field, model_validator

from nextcloud_mcp.errors import ForbiddenError, InvalidArgumentError, NextcloudError, NotFoundError
from nextcloud_mcp.nextcloud.client import Nextcloud, error_for, parse
from nextcloud_mcp.nextcloud.webdav import shown

_PATH: Final = "/ocs/v2.php/apps/files_sharing/api/v1/shares"

_SHAREES: Final = "/ocs/v2.php/apps/files_sharing/api/v1/sharees"

USER: Final = 0
GROUP: Final = 1
LINK: Final = 3
"""The share type of a public link."""

KINDS: Final[Mapping[int, str]] = {
    0: "user",
    1: "group",
    LINK: "link",
    4: "email",
    6: "remote",
    7: "team",
    9: "remote_group",
    10: "room",
    12: "deck",
}
"""Share types by their numbers, which are those of Nextcloud's PHP interface `IShare`."""


_SEARCHED: Final[Mapping[int, str]] = {USER: "user", GROUP: "group"}
"""Share types whose recipients are looked up."""


class Permission(IntFlag):
    """What a share allows, by the names and numbers of Nextcloud's PHP class `Constants`."""

    READ = 1
    UPDATE = 2
    CREATE = 4
    DELETE = 8
    SHARE = 16


class Share(BaseModel):
    """A share; `path` as the one who asks sees it, `expiration` as Nextcloud writes it, `url` of a link alone."""

    id: int
    share_type: int
    path: str
    item_type: str
    permissions: int
    uid_owner: str
    share_with: str | None = None
    share_with_displayname: str | None = None
    url: str | None = None
    has_password: bool = False
    expiration: str | None = None
    note: str = ""
    label: str = ""

    @computed_field  # type: ignore[prop-decorator] # which pydantic itself recommends
    @property
    def kind(self) -> str:
        """Who it is for, in a word."""
        return KINDS.get(self.share_type, "other")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def permission_names(self) -> list[str]:
        """The permissions by Nextcloud's names."""
        return [flag.name.lower() for flag in Permission if flag.name and flag & self.permissions]

    @model_validator(mode="before")
    @classmethod
    def _without_hash(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Drop the hash of the password, which for a link stands in `share_with` as well."""
        nobody = {"share_with": None} if data.get("share_type") == LINK else {}
        return data | nobody | {"has_password": bool(data.get("password"))}


class _Meta(BaseModel):
    message: str | None = None


class _Refusal(BaseModel):
    meta: _Meta


class _OCSRefusal(BaseModel):
    ocs: _Refusal


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


class _One(BaseModel):
    data: Share


class _OCSOne(BaseModel):
    ocs: _One


class _Many(BaseModel):
    data: list[Share]


class _OCSMany(BaseModel):
    ocs: _Many


async def create(
    nextcloud: Nextcloud,
    path: str,
    *,
    share_type: int,
    share_with: str,
    permissions: int,
    password: str | None,
    expires: date | None,
) -> Share:
    """Share a file or folder. What is shared with the same user or group already is returned as it is.

    Nextcloud drops permissions that can't be, such as creating in a file, and lets everybody pass a link on.

    Raises:
        InvalidArgumentError: an argument is impossible; the sentence is Nextcloud's and speaks of it.
        NotFoundError: there is no such file, user or group.
    """
    if share_type == LINK and share_with:
        raise InvalidArgumentError("A public link is for nobody in particular: leave share_with empty, or take a type.")
    body = {"path": shown(path), "shareType": share_type, "shareWith": share_with} | _settings(
        permissions, password, expires.isoformat() if expires else None
    )
    response = await _request(nextcloud, "POST", "", about=f"a share of {shown(path)}", json=body)
    return parse(_OCSOne, response).ocs.data


async def find_recipient(nextcloud: Nextcloud, given: str, share_type: int) -> str:
    """Return the id of the user or group that is `given` by id, mail address or display name; `given`, if none is.

    Nextcloud takes the mail address of a user, and an id in another case, says that it has shared, and shares with
    nobody (measured on 32.0.1 and 34.0.1).

    Raises:
        InvalidArgumentError: there is more than one.
    """
    kind = _SEARCHED[share_type]
    params = {"format": "json", "search": given, "itemType": "file", "shareType": str(share_type), "lookup": "false"}
    response = await nextcloud.request(
        "GET", _SHAREES, about=f"the {kind} {given!r}", params=params, also_ok={400, 403, 404}
    )
    if not response.is_success:  # nobody may be searched for, or not by such a text
        return given
    exact = parse(_OCSSharees, response).ocs.data.exact
    known = {each.value.share_with: each.label for each in (exact.users if share_type == USER else exact.groups)}
    if given in known or not known:
        return given
    if len(known) > 1:
        ids = ", ".join(f"{share_with} ({label})" for share_with, label in sorted(known.items())[:20])
        raise InvalidArgumentError(f"More than one {kind} is called {given!r}: pass one of {ids}.")
    return next(iter(known))


async def get(nextcloud: Nextcloud, share_id: int) -> Share:
    """Return a share of or with the user.

    Raises:
        NotFoundError: there is none of that id.
    """
    response = await _request(nextcloud, "GET", f"/{share_id}", about=f"share {share_id}")
    shares = parse(_OCSMany, response).ocs.data  # a list, of one
    if not shares:
        raise NotFoundError(f"Nextcloud did not find share {share_id}: list the shares.")
    return shares[0]


async def list_all(nextcloud: Nextcloud, *, path: str | None, shared_with_me: bool) -> list[Share]:
    """Return the user's shares, or those with the user; with `path`, those of that file or folder alone.

    Raises:
        NotFoundError: there is no such file.
    """
    params = {"shared_with_me": str(shared_with_me).lower()} | ({"path": shown(path)} if path else {})
    about = f"the shares of {shown(path)}" if path else "your shares"
    return parse(_OCSMany, await _request(nextcloud, "GET", "", about=about, params=params)).ocs.data


async def update(
    nextcloud: Nextcloud, share_id: int, *, permissions: int, password: str | None, expires: str | None
) -> Share:
    """Change a share's permissions, and its password or date of expiry; "" takes those away, None leaves them.

    Raises:
        InvalidArgumentError: the share can't have that; the sentence is Nextcloud's.
        ForbiddenError: it is another's share.
        NotFoundError: there is none of that id.
    """
    body = _settings(permissions, password, expires)
    response = await _request(nextcloud, "PUT", f"/{share_id}", about=f"share {share_id}", json=body)
    return parse(_OCSOne, response).ocs.data


async def delete(nextcloud: Nextcloud, share_id: int) -> None:
    """End a share. The file stays.

    Raises:
        ForbiddenError: it is another's share.
        NotFoundError: there is none of that id.
    """
    await _request(nextcloud, "DELETE", f"/{share_id}", about=f"share {share_id}")


def _settings(permissions: int, password: str | None, expires: str | None) -> dict[str, Any]:
    """Return what creating and changing have in common; Nextcloud leaves alone what is not there."""
    if not 1 <= permissions <= sum(Permission):
        names = ", ".join(f"{flag.value} {flag.name}".lower() for flag in Permission)
        raise InvalidArgumentError(f"permissions is the sum of what is allowed ({names}): {permissions} is none.")
    given = {"permissions": permissions, "password": password, "expireDate": expires}
    return {name: value for name, value in given.items() if value is not None}


_ERRORS: Final[Mapping[int, type[NextcloudError | InvalidArgumentError]]] = {
    400: InvalidArgumentError,
    403: ForbiddenError,
    404: NotFoundError,
}


async def _request(
    nextcloud: Nextcloud,
    method: str,
    path: str,
    *,
    about: str,
    params: Mapping[str, str] | None = None,
    json: Any = None,
) -> httpx.Response:
    """Send a request; raises with Nextcloud's own sentence, in the user's language, where it has one."""
    params = {"format": "json", **(params or {})}
    response = await nextcloud.request(
        method, _PATH + path, about=about, params=params, json=json, also_ok=_ERRORS.keys()
    )
    if response.is_success:
        return response
    try:
        reason = _OCSRefusal.model_validate_json(response.content).ocs.meta.message
    except ValidationError:
        raise error_for(response, about) from None
    raise _ERRORS[response.status_code](f"Nextcloud refused {about}: {reason or 'check the arguments'}")
