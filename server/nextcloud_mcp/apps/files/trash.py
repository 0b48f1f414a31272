"""List and restore deleted files in the trash bin (Nextcloud developer manual, "WebDAV: Trashbin").

Nextcloud keeps them for 30 days, or until it needs the space. An administrator can disable the app of the trash bin.
"""

from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import quote
from xml.etree.ElementTree import Element

import httpx
from pydantic import BaseModel

from nextcloud_mcp.errors import InvalidArgumentError, NextcloudMCPError, NotFoundError, quoted
from nextcloud_mcp.nextcloud import dav
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.files import path_of
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread

_PROPFIND: Final = b"""<?xml version="1.0"?>
<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns"><d:prop>
<d:resourcetype/><oc:size/><oc:fileid/>
<nc:trashbin-filename/><nc:trashbin-original-location/><nc:trashbin-deletion-time/>
</d:prop></d:propfind>"""


class TrashItem(BaseModel):
    """A file or folder in the trash; `path` is where it was, `size` in bytes."""

    trash_id: str
    name: str
    path: str
    is_directory: bool
    size: int
    deleted: datetime


async def list_trash(nextcloud: Nextcloud) -> list[TrashItem]:
    """Return the files and folders in the user's trash bin, sorted by time of deletion, latest first.

    Raises:
        NotFoundError: this Nextcloud has no trash bin.
    """
    root = await _root(nextcloud)
    try:
        response = await nextcloud.request(
            "PROPFIND", f"{root}/trash", about="the trash", headers={"Depth": "1"}, content=_PROPFIND
        )
    except NotFoundError as error:
        await _check_account(nextcloud)
        raise NotFoundError("This Nextcloud has no trash", "what is deleted is gone") from error
    return await run_in_worker_thread(_all_trashed, response)


class Restored(NamedTuple):
    """Where a restored file or folder is, and where it was; None if Nextcloud does not tell."""

    path: str | None
    former_path: str | None


async def restore(nextcloud: Nextcloud, trash_id: str) -> Restored:
    """Restore a file or folder to its former path, and return where it is then.

    If the path is taken, Nextcloud appends " (restored)" to the name. If the parent folder no longer exists, or is in a
    share that may only be read, Nextcloud restores to the root folder. It does not say so, but the file keeps its id.

    Raises:
        NotFoundError: the trash bin has no item with the id.
        InvalidArgumentError: `trash_id` is not a valid id.
    """
    if trash_id in {"", ".", ".."} or "/" in trash_id:
        raise InvalidArgumentError(
            "Invalid trash_id {trash_id}", "use one that nc_webdav_list_trash returned", trash_id=quoted(trash_id)
        )
    root, name = await _root(nextcloud), quote(trash_id, safe="")
    headers = {"Destination": nextcloud.absolute(f"{root}/restore/{name}")}
    about = f"{quoted(trash_id)} in the trash"
    response = await nextcloud.request(
        "PROPFIND", f"{root}/trash/{name}", about=about, headers={"Depth": "0"}, content=_PROPFIND
    )
    found = dav.responses(response)[0]
    item, number = _trashed(found), dav.properties(found).get(f"{dav.OC}fileid")
    await nextcloud.request("MOVE", f"{root}/trash/{name}", about=about, headers=headers)
    try:
        path = await path_of(nextcloud, int(number.text or "")) if number is not None else None
    except (NextcloudMCPError, ValueError):  # it is restored all the same
        path = None
    return Restored(path, item.path)


async def _check_account(nextcloud: Nextcloud) -> None:
    """Raise an error if Nextcloud does not know the user, because a 404 can also mean this."""
    await nextcloud.request(
        "PROPFIND",
        f"/remote.php/dav/principals/users/{quote(await nextcloud.user_id(), safe='')}",
        about="your account",
        headers={"Depth": "0"},
    )


async def _root(nextcloud: Nextcloud) -> str:
    return f"/remote.php/dav/trashbin/{await nextcloud.home_name()}"


def _all_trashed(multistatus: httpx.Response) -> list[TrashItem]:
    """Return the items in a response to PROPFIND, whose first element is the trash bin itself."""
    _, *deleted = [_trashed(element) for element in dav.each_response(multistatus)] or dav.not_webdav()
    return sorted(deleted, key=lambda item: item.deleted, reverse=True)


def _trashed(response: Element) -> TrashItem:
    properties = dav.properties(response)
    text = {tag: element.text or "" for tag, element in properties.items()}
    kind = properties.get(f"{dav.D}resourcetype")
    return TrashItem(
        trash_id=dav.last_part(response),
        name=text.get(f"{dav.NC}trashbin-filename", ""),
        path="/" + text.get(f"{dav.NC}trashbin-original-location", ""),
        is_directory=kind is not None and kind.find(f"{dav.D}collection") is not None,
        size=int(text.get(f"{dav.OC}size") or 0),
        deleted=datetime.fromtimestamp(int(text.get(f"{dav.NC}trashbin-deletion-time") or 0), UTC),
    )
