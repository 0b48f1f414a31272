"""Find what others share with the user (OCS Share API): where it is mounted, who owns it, and who shared it.

WebDAV names only the owner of a file. If somebody shares a file on that belongs to another person, only the share says
so. And a folder does not say whether it contains a share of somebody else's.
"""

from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from nextcloud_mcp.errors import NextcloudError
from nextcloud_mcp.nextcloud import dav
from nextcloud_mcp.nextcloud.answers import parse
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.files import FileInfo, display_path

SHARES = "/ocs/v2.php/apps/files_sharing/api/v1/shares"


class ReceivedShare(BaseModel):
    """A share with the user, with the names of Nextcloud's fields; `path` is where the user has it."""

    path: str
    uid_owner: str
    displayname_owner: str = ""
    uid_file_owner: str = ""
    displayname_file_owner: str = ""

    @property
    def sharer(self) -> str:
        """Who shared it with the user."""
        return dav.format_person(self.uid_owner, self.displayname_owner)

    @property
    def owner(self) -> str:
        """The owner."""
        if not self.uid_file_owner:
            return self.sharer
        return dav.format_person(self.uid_file_owner, self.displayname_file_owner)


class _Data(BaseModel):
    data: list[ReceivedShare]


class _OCSShares(BaseModel):
    ocs: _Data


async def received_shares(nextcloud: Nextcloud) -> list[ReceivedShare]:
    """Return what users and groups share with the user; empty if Nextcloud does not answer that.

    Every caller only adds to what it says, so a failure here does not make it fail.
    """
    params = {"format": "json", "shared_with_me": "true"}
    try:
        response = await nextcloud.request("GET", SHARES, about="what others share with you", params=params)
        return parse(_OCSShares, response).ocs.data
    except NextcloudError:
        return []


async def shares_inside(nextcloud: Nextcloud, folder: str) -> list[ReceivedShare]:
    """Return the shares that are mounted somewhere in a folder, one for each path."""
    inside = display_path(folder).rstrip("/") + "/"
    found = {each.path: each for each in await received_shares(nextcloud) if each.path.startswith(inside)}
    return list(found.values())


def describe_shares(shares: Sequence[ReceivedShare]) -> str:
    """Return shares with their owners, for a sentence."""
    return " and ".join(f"{each.path}, which belongs to {each.owner}" for each in shares)


async def name_sharers(nextcloud: Nextcloud, files: Iterable[FileInfo]) -> None:
    """Set `owner`, and `shared_by` to who shared a file, where that is not the owner."""
    shared = [file for file in files if file.shared_by]
    for share in await received_shares(nextcloud) if shared else ():
        if share.sharer == share.owner:
            continue
        for file in shared:
            if file.path == share.path or file.path.startswith(f"{share.path}/"):
                file.owner, file.shared_by = share.owner, share.sharer
