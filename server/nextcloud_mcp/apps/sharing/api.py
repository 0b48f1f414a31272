"""Shares of files and folders (Nextcloud's OCS Share API, version 1 of `files_sharing`).

Nextcloud's responses contain the hash of a link's password, in two fields. This module drops the hash and only reports
whether the share has a password.

Callers pass the last day on which a share works. Nextcloud 32 ends a share at the start of `expireDate`, and Nextcloud
34 at its end. The time in the response shows which one applies, and whether `expireDate` must be the following day.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import IntFlag
from typing import Any, Final

import httpx
from pydantic import BaseModel, Field, computed_field, field_validator, model_validator

from nextcloud_mcp.errors import (
    ForbiddenError,
    InvalidArgumentError,
    NextcloudError,
    NextcloudMCPError,
    NotFoundError,
    completed,
    quoted,
)
from nextcloud_mcp.nextcloud import moments, reasons
from nextcloud_mcp.nextcloud.answers import parse
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.file_refusals import Need, check_permissions
from nextcloud_mcp.nextcloud.files import display_path, stat_with_access
from nextcloud_mcp.nextcloud.received_shares import describe_shares, shares_inside
from nextcloud_mcp.nextcloud.refusals import Refusal, error_for
from nextcloud_mcp.nextcloud.sharees import GROUP, USER

_PATH: Final = "/ocs/v2.php/apps/files_sharing/api/v1/shares"

_ONE_DAY: Final = timedelta(days=1)

_LAST_DAY: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII | re.IGNORECASE
)
"""Matches a date, alone or with a time, with or without an offset."""

_DAY_BOUNDARIES: Final = {None, "00:00", "23:59"}
"""Times that are accepted with a date, because they are the start or the end of the day."""

LINK: Final = 3
"""The share type of a public link."""

_TEAM: Final = 7
"""The share type of a team. Nextcloud answers HTTP 500 to the id of a missing team (measured on 34.0.1)."""

KINDS: Final[Mapping[int, str]] = {
    USER: "user",
    GROUP: "group",
    LINK: "link",
    4: "email",
    6: "remote",
    _TEAM: "team",
    9: "remote_group",
    10: "room",
    12: "deck",
}
"""Names of the share types, by the numbers of Nextcloud's PHP interface `IShare`."""


class Permission(IntFlag):
    """The permissions of a share, with the names and numbers of Nextcloud's PHP class `Constants`."""

    READ = 1
    UPDATE = 2
    CREATE = 4
    DELETE = 8
    SHARE = 16


class Share(BaseModel):
    """A share; `path` is the caller's view of it, and only links have a `url`.

    `uid_owner` is who shared it, and `uid_file_owner` to whom it belongs, if that is somebody else.

    `expiration` is the last second of the last day, also of Nextcloud 32, which writes the midnight that follows it: so
    giving it back means the same day as `expires`.
    """

    id: int
    share_type: int
    path: str
    item_type: str
    permissions: int
    uid_owner: str
    uid_file_owner: str | None = Field(default=None, exclude_if=lambda value: value is None)
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
        """The kind of recipient: a key word such as `user` or `link`."""
        return KINDS.get(self.share_type, "other")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def expires(self) -> date | None:
        """The last day on which it works, in the owner's time zone."""
        try:
            return datetime.fromisoformat(self.expiration or "").date()
        except ValueError:
            return None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def permission_names(self) -> list[str]:
        """The permissions by Nextcloud's names."""
        return [flag.name.lower() for flag in Permission if flag.name and flag & self.permissions]

    @model_validator(mode="before")
    @classmethod
    def _without_hash(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Drop the hash of the password, which a link also has in `share_with`."""
        nobody = {"share_with": None} if data.get("share_type") == LINK else {}
        is_owner = data.get("uid_file_owner") == data.get("uid_owner")
        owner = {"uid_file_owner": None} if is_owner else {}
        return data | nobody | owner | {"has_password": bool(data.get("password"))}

    @field_validator("expiration")
    @classmethod
    def _with_last_second(cls, ends: str | None) -> str | None:
        try:
            moment = datetime.fromisoformat(ends or "")
        except ValueError:
            return ends
        is_midnight = moment.time() == time()
        return str(moment - timedelta(seconds=1)) if is_midnight else ends


class _Stored(BaseModel):
    expiration: str | None = None

    @property
    def ends_at_midnight(self) -> bool:
        """Whether this Nextcloud ends a share at the start of `expireDate`."""
        return (self.expiration or "").endswith(" 00:00:00")


class _ExpirationData(BaseModel):
    data: _Stored


class _OCSExpiration(BaseModel):
    ocs: _ExpirationData


class _ShareData(BaseModel):
    data: Share


class _OCSShare(BaseModel):
    ocs: _ShareData


class _SharesData(BaseModel):
    data: list[Share]


class _OCSMany(BaseModel):
    ocs: _SharesData


async def create(
    nextcloud: Nextcloud,
    path: str,
    *,
    share_type: int,
    share_with: str,
    permissions: int,
    password: str | None,
    expires: str | None,
) -> Share:
    """Share a file or folder. If a share with the same user or group exists, return it unchanged.

    Nextcloud drops impossible permissions, such as CREATE for a file, and adds SHARE to a link.

    Raises:
        InvalidArgumentError: an argument is invalid; the error contains Nextcloud's reason.
        NotFoundError: the file, user or group does not exist.
        ForbiddenError: somebody shared the file with the user, without the permission to share it with others.
    """
    if share_type == LINK and share_with:
        raise InvalidArgumentError(
            "A public link has no recipient", "leave share_with empty, or pass share_type 0 for a user or 1 for a group"
        )
    if share_type not in KINDS:
        raise InvalidArgumentError(
            "Invalid share_type {share_type}",
            (
                "pass 0 for a user, 1 for a group, 3 for a public link, 4 for an email address, 6 for somebody on "
                "another Nextcloud, 7 for a team or 10 for a conversation"
            ),
            argument="share_type",
            share_type=share_type,
        )
    day = _parse_last_day(expires)
    body = {"path": display_path(path), "shareType": share_type, "shareWith": share_with} | _share_fields(
        permissions, password
    )
    try:
        return await _send(nextcloud, "POST", "", about=f"a share of {display_path(path)}", body=body, last_day=day)
    except (NotFoundError, ForbiddenError) as error:  # Nextcloud answers 404 as well to who may not share the file
        if error.method != "POST":
            raise
        await check_permissions(nextcloud, Need(path, "share"))
        await _check_shareable(nextcloud, path, share_with if share_type == USER else "")
        raise
    except NextcloudError as error:
        if share_type == _TEAM and error.status == httpx.codes.INTERNAL_SERVER_ERROR:
            raise NotFoundError(
                "Nextcloud found no team {share_with}", "pass the id of a team", share_with=quoted(share_with)
            ) from error
        raise


async def _check_shareable(nextcloud: Nextcloud, path: str, recipient: str) -> None:
    """Check what Nextcloud refuses with a reason in the user's language.

    Raises:
        ForbiddenError: the recipient has the file already, or the folder contains shares of others.
    """
    what = display_path(path)
    if recipient and recipient == await nextcloud.user_id():
        raise ForbiddenError("{recipient} is yourself", "name another person", recipient=quoted(recipient))
    try:
        _, access = await stat_with_access(nextcloud, path)
    except NextcloudError:  # the caller has the error of the share
        return
    if recipient and recipient == access.owner_id:
        raise ForbiddenError(
            "{what} belongs to {owner}, who needs no share of it",
            "name another person",
            what=what,
            owner=access.shared_by,
        )
    if inside := await shares_inside(nextcloud, path):
        raise ForbiddenError(
            "{what} contains {shares}, and Nextcloud shares no folder with what others have shared with you",
            "move that out of it first, or share the other files in it",
            what=what,
            shares=describe_shares(inside),
        )


async def get(nextcloud: Nextcloud, share_id: int) -> Share:
    """Return a share of or with the user.

    Raises:
        NotFoundError: the share does not exist.
    """
    response = await _request(nextcloud, "GET", f"/{share_id}", about=f"share {share_id}")
    shares = parse(_OCSMany, response).ocs.data  # Nextcloud returns a list with one share
    if not shares:
        raise NotFoundError("Nextcloud did not find share {share_id}", "list the shares", share_id=share_id)
    return shares[0]


async def list_all(nextcloud: Nextcloud, *, path: str | None, shared_with_me: bool) -> list[Share]:
    """Return the shares of the user, or with the user; with `path`, only those of that file or folder.

    Raises:
        NotFoundError: the file does not exist.
    """
    params = {"shared_with_me": str(shared_with_me).lower()} | ({"path": display_path(path)} if path else {})
    about = f"the shares of {display_path(path)}" if path else "your shares"
    return parse(_OCSMany, await _request(nextcloud, "GET", "", about=about, params=params)).ocs.data


async def update(
    nextcloud: Nextcloud, share_id: int, *, permissions: int, password: str | None, expires: str | None
) -> Share:
    """Change a share's permissions, and its password or last day; "" removes a password or last day, None keeps it.

    Raises:
        InvalidArgumentError: the share does not allow the change; the error contains Nextcloud's reason.
        ForbiddenError: the share belongs to another user.
        NotFoundError: the share does not exist.
    """
    day = _parse_last_day(expires)
    body = _share_fields(permissions, password) | ({"expireDate": ""} if expires is not None and day is None else {})
    return await _send(nextcloud, "PUT", f"/{share_id}", about=f"share {share_id}", body=body, last_day=day)


async def _send(
    nextcloud: Nextcloud, method: str, path: str, *, about: str, body: dict[str, Any], last_day: date | None
) -> Share:
    """Create or change a share so that it ends at the end of `last_day`."""
    if last_day is None:
        return parse(_OCSShare, await _request(nextcloud, method, path, about=about, json=body)).ocs.data
    is_today = last_day == await _check_not_past(nextcloud, last_day)
    try:
        response = await _send_with_expire_date(nextcloud, method, path, last_day, about=about, body=body)
    except NotFoundError:
        if not is_today:
            raise
        # for Nextcloud 32, a share that ends today has already ended
        response = await _send_with_expire_date(nextcloud, method, path, last_day + _ONE_DAY, about=about, body=body)
    share = parse(_OCSShare, response).ocs.data
    if not parse(_OCSExpiration, response).ocs.data.ends_at_midnight or share.expires != last_day - _ONE_DAY:
        return share
    try:
        response = await _send_with_expire_date(
            nextcloud, "PUT", f"/{share.id}", last_day + _ONE_DAY, about=about, body={}
        )
    except NextcloudMCPError as error:  # for example because of a maximum set by the administrator
        day = f"{share.expires} and not {last_day}"
        if method == "PUT":
            raise error.after("{resource} is changed, but its last day is {day}", resource=about, day=day) from None
        with completed(
            "{resource} exists, but its last day is {day}, and deleting it failed",
            "change or delete it",
            resource=f"share {share.id}",
            day=day,
        ):
            await _delete(nextcloud, share.id)
        raise
    return parse(_OCSShare, response).ocs.data


async def _send_with_expire_date(
    nextcloud: Nextcloud, method: str, path: str, day: date, *, about: str, body: dict[str, Any]
) -> httpx.Response:
    """Send a share with `day` as its `expireDate`."""
    return await _request(nextcloud, method, path, about=about, json=body | {"expireDate": day.isoformat()})


async def _check_not_past(nextcloud: Nextcloud, last_day: date) -> date:
    """Return the present date of the user; request the user's time zone only if it matters.

    Raises:
        InvalidArgumentError: `last_day` is in the past.
    """
    now = datetime.now(UTC)
    if abs(last_day - now.date()) <= _ONE_DAY:
        now = now.astimezone(await moments.zone_for(nextcloud) or UTC)
    if last_day < now.date():
        raise InvalidArgumentError(
            "expires {last_day} is in the past",
            "write the last day on which the share works, today at the earliest",
            argument="expires",
            last_day=quoted(last_day.isoformat()),
        )
    return now.date()


def _parse_last_day(expires: str | None) -> date | None:
    """Parse a share's last day: a date, or the time of its start or end. An offset does not change the date.

    Raises:
        InvalidArgumentError: the value has another format, which Nextcloud itself would interpret in its own way.
    """
    text = (expires or "").strip()
    if not text:
        return None
    found = _LAST_DAY.fullmatch(text)
    try:
        day = date.fromisoformat(found[1]) if found else None
    except ValueError:
        day = None
    if day is None or found is None or day == date.max:
        raise InvalidArgumentError(
            "Invalid expires {expires}",
            "write the last day as YYYY-MM-DD",
            argument="expires",
            expires=quoted(str(expires)),
        )
    if found[2] not in _DAY_BOUNDARIES:
        raise InvalidArgumentError(
            "Invalid expires {expires}",
            "a share ends with a day and not at a time, so write the last day as YYYY-MM-DD",
            argument="expires",
            expires=quoted(str(expires)),
        )
    return day


async def delete(nextcloud: Nextcloud, share_id: int) -> Share | None:
    """Delete a share; return the share if it was with the user, who has only left it. The file stays.

    Raises:
        ForbiddenError: the share is between other users.
        NotFoundError: the share does not exist.
    """
    share = await get(nextcloud, share_id)
    await _delete(nextcloud, share_id)
    return None if share.uid_owner == await nextcloud.user_id() else share


async def _delete(nextcloud: Nextcloud, share_id: int) -> None:
    await _request(nextcloud, "DELETE", f"/{share_id}", about=f"share {share_id}")


def _share_fields(permissions: int, password: str | None) -> dict[str, Any]:
    """Return the fields that both POST and PUT have; Nextcloud does not change fields that are missing."""
    if not 1 <= permissions <= sum(Permission):
        names = ", ".join(f"{flag.value} {flag.name}".lower() for flag in Permission)
        raise InvalidArgumentError(
            "Invalid permissions {permissions}",
            "pass the sum of what is allowed ({names})",
            argument="permissions",
            permissions=permissions,
            names=names,
        )
    given = {"permissions": permissions, "password": password}
    return {name: value for name, value in given.items() if value is not None}


_EXPLAINED: Final[Mapping[int, Refusal]] = {
    status: Refusal(error, "Nextcloud refused {resource}{why}", "correct what it names")
    for status, error in ((400, InvalidArgumentError), (403, ForbiddenError), (404, NotFoundError))
}
"""Errors for answers in which Nextcloud gives a reason, in the user's language."""


async def _request(
    nextcloud: Nextcloud,
    method: str,
    path: str,
    *,
    about: str,
    params: Mapping[str, str] | None = None,
    json: Any = None,
) -> httpx.Response:
    """Send a request; an error contains Nextcloud's reason, in the user's language, if the response has one."""
    params = {"format": "json", **(params or {})}
    response = await nextcloud.request(
        method, _PATH + path, about=about, params=params, json=json, also_ok=_EXPLAINED.keys()
    )
    if response.is_success:
        return response
    raise error_for(response, about, errors=_EXPLAINED if reasons.reason(response) else {})
