"""The tools for shares."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from nextcloud_mcp.boundary.arguments import SECRET, NonEmptyText
from nextcloud_mcp.boundary.call import AsUser, Call
from nextcloud_mcp.boundary.declaration import Result, reads, writes
from nextcloud_mcp.boundary.lookup import Translated
from nextcloud_mcp.nextcloud import sharing
from nextcloud_mcp.nextcloud.sharing import Share
from nextcloud_mcp.tools.file_paths import FilePath
from nextcloud_mcp.tools.paging import Paged, page

APP: Final = "files_sharing"

_LIMIT: Final = 50
"""Shares of a page, by default: each comes twice, as fields and as the text that clients of the seed project read."""


class ShareResult(Result):
    """A share; `result` is the same as JSON text, in which clients of the seed project look."""

    result: str
    share: Share

    @classmethod
    def of(cls, share: Share) -> "ShareResult":
        """Show a share."""
        return cls(result=share.model_dump_json(exclude_none=True), share=share)


class SharesListed(Paged):
    """A page of shares; `result` likewise."""

    result: str
    shares: list[Share]
    total_count: int


class ShareDeleted(Result):
    """A share that is no more; `result` likewise."""

    result: str
    share_id: int


async def _recipient(call: Call, given: str, arguments: Mapping[str, Any]) -> str:
    share_type = arguments.get("share_type", sharing.USER)
    if not given or share_type not in {sharing.USER, sharing.GROUP}:
        return given
    return await sharing.find_recipient(call.nextcloud(), given, share_type)


Recipient = Annotated[str, Translated(_recipient)]
"""A user or group by id, also written as mail address or display name."""


async def nc_share_create(
    path: FilePath,
    share_with: Recipient,
    nextcloud: AsUser,
    share_type: int = 0,
    permissions: int = 1,
    password: Annotated[str | None, SECRET] = None,
    expires: NonEmptyText = None,
) -> ShareResult:
    """Share a file or folder with a user (share_type 0), a group (1), an email address (4) or, with share_with "",
    whoever has the link (3: result has its url). permissions: sum of 1 read, 2 update, 4 create, 8 delete, 16 share.
    expires: the last day, YYYY-MM-DD. A share with the same user or group is returned as it was.
    """  # noqa: D205 - a description for a model, not a summary with details
    share = await sharing.create(
        nextcloud,
        path,
        share_type=share_type,
        share_with=share_with,
        permissions=permissions,
        password=password,
        expires=expires,
    )
    return ShareResult.of(share)


async def nc_share_delete(share_id: int, nextcloud: AsUser) -> ShareDeleted:
    """End a share: others lose access, the file stays."""
    await sharing.delete(nextcloud, share_id)
    text = json.dumps({"success": True, "message": f"Share {share_id} deleted"})
    return ShareDeleted(result=text, share_id=share_id)


async def nc_share_get(share_id: int, nextcloud: AsUser) -> ShareResult:
    """Read a share: with whom, what is allowed, until when; of a link, its url."""
    return ShareResult.of(await sharing.get(nextcloud, share_id))


async def nc_share_list(
    nextcloud: AsUser, path: FilePath | None = None, shared_with_me: bool = False, limit: int = _LIMIT, cursor: str = ""
) -> SharesListed:
    """List what the user shares, of one file or folder if path is given; or what others share with the user."""
    everything = await sharing.list_all(nextcloud, path=path, shared_with_me=shared_with_me)
    shares, next_cursor = page(everything, limit, cursor)
    text = json.dumps([share.model_dump(exclude_none=True) for share in shares])
    return SharesListed(result=text, shares=shares, total_count=len(everything), next_cursor=next_cursor)


async def nc_share_update(
    share_id: int,
    permissions: int,
    nextcloud: AsUser,
    password: Annotated[str | None, SECRET] = None,
    expires: str | None = None,
) -> ShareResult:
    """Change what a share allows (see nc_share_create; a file has no 4 and 8), and its password or its last day, as
    YYYY-MM-DD; "" takes these away.
    """  # noqa: D205 - a description for a model, not a summary with details
    share = await sharing.update(nextcloud, share_id, permissions=permissions, password=password, expires=expires)
    return ShareResult.of(share)


TOOLS = (
    writes(nc_share_create, "Share a file or folder", destructive=False, idempotent=False),
    writes(nc_share_delete, "End a share", destructive=True, idempotent=True),
    reads(nc_share_get, "Read a share"),
    reads(nc_share_list, "List shares"),
    writes(nc_share_update, "Change a share", destructive=True, idempotent=True),
)
