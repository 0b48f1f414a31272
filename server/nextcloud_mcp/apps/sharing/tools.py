"""The tools for shares."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from nextcloud_mcp.apps.sharing import api
from nextcloud_mcp.apps.sharing.api import Share
from nextcloud_mcp.boundary.arguments import SECRET, NonEmptyText
from nextcloud_mcp.boundary.call import AsUser, Call
from nextcloud_mcp.boundary.declaration import Result, reads, writes
from nextcloud_mcp.boundary.file_paths import FilePath
from nextcloud_mcp.boundary.lookup import Translated
from nextcloud_mcp.boundary.paging import Paged, page
from nextcloud_mcp.boundary.schemas import Cursor, described
from nextcloud_mcp.boundary.shared import left_share_message
from nextcloud_mcp.nextcloud import sharees

_LIMIT: Final = 50
"""The default number of shares in a page; each appears twice, as fields and as text for clients of the seed project."""


class ShareResult(Result):
    """A share; `result` is the same as JSON text, for clients of the seed project."""

    result: str
    share: Share

    @classmethod
    def of(cls, share: Share) -> "ShareResult":
        """Return the result for a share."""
        return cls(result=share.model_dump_json(exclude_none=True), share=share)


class SharesListed(Paged):
    """A page of shares; `result` is the same as JSON text."""

    result: str
    shares: list[Share]
    total_count: int


class ShareDeleted(Result):
    """A deleted share; `result` is the same as JSON text."""

    result: str
    share_id: int


async def _recipient(call: Call, given: str, arguments: Mapping[str, Any]) -> str:
    share_type = arguments.get("share_type", sharees.USER)
    if not given or share_type not in {sharees.USER, sharees.GROUP}:
        return given
    return await sharees.find_recipient(call.nextcloud(), given, share_type)


Recipient = Annotated[str, Translated(_recipient)]
"""The id, mail address or display name of a user or group; the tool gets the id."""


Permissions = Annotated[
    int, described("sum of 1 read, 2 update, 4 create, 8 delete, 16 share; for a file without 4 and 8")
]

_READ_ONLY: Final = 1
"""The permission to read only, as a number of Nextcloud's Share API."""


def _scopes_for_write_permissions(arguments: Mapping[str, Any]) -> frozenset[str]:
    """Return the additional scope `files:write` for a share that allows others more than reading.

    Only the integer 1 counts as reading only, because pydantic also converts "31" and 31.0 to 31. Without a value,
    `nc_share_create` uses its default, which is 1, and `nc_share_update` fails.
    """
    permissions = arguments.get("permissions")
    is_default = permissions is None or permissions == ""
    reads_alone = is_default or (type(permissions) is int and permissions == _READ_ONLY)
    return frozenset() if reads_alone else frozenset({"files:write"})


@writes(
    "Share a file or folder",
    scopes="files:read sharing:write",
    more_scopes=_scopes_for_write_permissions,
    destructive=False,
    idempotent=False,
)
async def nc_share_create(
    path: FilePath,
    share_with: Annotated[Recipient, described("user, group or mail address; empty for a link")],
    nextcloud: AsUser,
    share_type: Annotated[int, described("0 user, 1 group, 3 link, 4 mail address")] = 0,
    permissions: Permissions = 1,
    password: Annotated[str | None, SECRET] = None,
    expires: Annotated[NonEmptyText, described("last day, YYYY-MM-DD")] = None,
) -> ShareResult:
    """Share a file or folder. The result of sharing by link has its url.

    An existing share with the same user or group is returned unchanged.
    """
    share = await api.create(
        nextcloud,
        path,
        share_type=share_type,
        share_with=share_with,
        permissions=permissions,
        password=password,
        expires=expires,
    )
    return ShareResult.of(share)


@writes("End a share", scopes="files:read sharing:write", destructive=True, idempotent=True)
async def nc_share_delete(share_id: int, nextcloud: AsUser) -> ShareDeleted:
    """End a share: the recipients lose access, and the file stays. Of a received share, only the user loses access."""
    left = await api.delete(nextcloud, share_id)
    message = (
        left_share_message(left.path, left.uid_file_owner or left.uid_owner) if left else f"Share {share_id} deleted"
    )
    text = json.dumps({"success": True, "message": message})
    return ShareDeleted(result=text, share_id=share_id)


@reads("Read a share", scopes="files:read sharing:write")
async def nc_share_get(share_id: int, nextcloud: AsUser) -> ShareResult:
    """Read a share: recipient, permissions, expiry and, for a link, its url."""
    return ShareResult.of(await api.get(nextcloud, share_id))


@reads("List shares", scopes="files:read sharing:write")
async def nc_share_list(
    nextcloud: AsUser,
    path: FilePath | None = None,
    shared_with_me: bool = False,
    limit: int = _LIMIT,
    cursor: Cursor = "",
) -> SharesListed:
    """List the user's shares, or those of the file or folder at path.

    With shared_with_me, list what others share with the user.
    """
    everything = await api.list_all(nextcloud, path=path, shared_with_me=shared_with_me)
    shares, next_cursor = page(everything, limit, cursor)
    text = json.dumps([share.model_dump(exclude_none=True) for share in shares])
    return SharesListed(result=text, shares=shares, total_count=len(everything), next_cursor=next_cursor)


@writes(
    "Change a share",
    scopes="files:read sharing:write",
    more_scopes=_scopes_for_write_permissions,
    destructive=True,
    idempotent=True,
)
async def nc_share_update(
    share_id: int,
    permissions: Permissions,
    nextcloud: AsUser,
    password: Annotated[str | None, SECRET, described('"" removes it')] = None,
    expires: Annotated[str | None, described('last day, YYYY-MM-DD; "" removes it')] = None,
) -> ShareResult:
    """Change a share's permissions, password or expiry."""
    share = await api.update(nextcloud, share_id, permissions=permissions, password=password, expires=expires)
    return ShareResult.of(share)
