"""The tools for the trash bin, with which an assistant can restore what it has deleted."""

from typing import Annotated

from nextcloud_mcp.apps.files import trash
from nextcloud_mcp.apps.files.trash import TrashItem
from nextcloud_mcp.boundary.call import AsUser
from nextcloud_mcp.boundary.declaration import Result, reads, writes
from nextcloud_mcp.boundary.paging import DEFAULT_LIMIT, Paged, page
from nextcloud_mcp.boundary.schemas import Cursor, described


class TrashListed(Paged):
    """A page of the trash, latest deletion first; the count is of the whole trash."""

    items: list[TrashItem]
    total_count: int


class Restored(Result):
    """A restored file or folder; `path` is where it is now."""

    trash_id: str
    path: str | None = None
    message: str


@reads("List the trash", scopes="files:read")
async def nc_webdav_list_trash(nextcloud: AsUser, limit: int = DEFAULT_LIMIT, cursor: Cursor = "") -> TrashListed:
    """List deleted files and folders that can be restored, with their former paths, the latest first."""
    everything = await trash.list_trash(nextcloud)
    items, next_cursor = page(everything, limit, cursor)
    return TrashListed(items=items, total_count=len(everything), next_cursor=next_cursor)


@writes("Restore from the trash", scopes="files:write", destructive=False, idempotent=False)
async def nc_webdav_restore_from_trash(
    trash_id: Annotated[str, described("from nc_webdav_list_trash")], nextcloud: AsUser
) -> Restored:
    """Restore a deleted file or folder to its former place. It overwrites nothing."""
    restored = await trash.restore(nextcloud, trash_id)
    return Restored(trash_id=trash_id, path=restored.path, message=_restored_message(restored))


def _restored_message(restored: trash.Restored) -> str:
    path, former_path = restored
    if path is None:
        return "It is restored, and Nextcloud does not say where: look in its former folder and in the root."
    if path == former_path:
        return f"It is back at {path}."
    was = former_path or ""
    if path.rpartition("/")[0] == was.rpartition("/")[0]:
        return f"It is back as {path}, because {was} is taken."
    return f"It is at {path}, because its former folder {was.rpartition('/')[0] or '/'} is gone or may only be read."
