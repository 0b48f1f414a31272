"""Check what the user may do with the file of a note, which the Notes API neither says nor heeds.

Notes asks only for the permission to update. It moves a note out of a share, or deletes it there, without the
permission to delete; it changes notes that somebody has locked; it deletes the locked file of a note for good, instead
of moving it to the trash; and with the last note in a category, it deletes the category, even one that is a share
(measured on Notes 5.0.2 and 6.0.2). So this module reads the properties of the file before each change.
"""

from typing import NamedTuple

from pydantic import BaseModel, Field

from nextcloud_mcp.errors import ForbiddenError, NotFoundError, quoted
from nextcloud_mcp.nextcloud.answers import parse
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.file_access import Access
from nextcloud_mcp.nextcloud.file_refusals import Need, check_lock, check_permissions, folder_of
from nextcloud_mcp.nextcloud.files import exists, stat_with_access

API = "/index.php/apps/notes/api/v1/notes"


class _Heading(BaseModel):
    title: str
    category: str = ""
    internal_path: str = Field(alias="internalPath")


class NoteFile(NamedTuple):
    """The file of a note.

    Attributes:
        note_id: The id of the note, which is that of the file.
        title: The title of the note.
        category: Its category.
        path: The path of the file, from the user's root.
        access: How the user may access it.
    """

    note_id: int
    title: str
    category: str
    path: str
    access: Access

    @property
    def described(self) -> str:
        """The note, as the object of a sentence."""
        return f"note {self.note_id} ({quoted(self.title)})"

    def moves_to(self, category: str | None) -> bool:
        """Return whether it is moved if this becomes its category; None keeps the category."""
        return category is not None and category.strip("/") != self.category.strip("/")


class LeftShare(NamedTuple):
    """A shared folder that the user has left, and its owner."""

    path: str
    owner: str


async def find(nextcloud: Nextcloud, note_id: int) -> NoteFile:
    """Return the file of a note.

    Raises:
        NotFoundError: there is no such note.
    """
    response = await nextcloud.request(
        "GET", f"{API}/{note_id}", about=f"note {note_id}", params={"exclude": "content"}
    )
    heading = parse(_Heading, response)
    try:
        _, access = await stat_with_access(nextcloud, heading.internal_path)
    except NotFoundError:  # somebody has moved it since
        access = Access()
    return NoteFile(note_id, heading.title, heading.category, heading.internal_path, access)


async def check_change(nextcloud: Nextcloud, file: NoteFile, *, category: str | None) -> None:
    """Check that the user may change a note, and move it if `category` is another one.

    Raises:
        ForbiddenError: the user may not do this.
        LockedError: somebody has locked the file.
    """
    if not file.access.allows_everything:
        await check_permissions(nextcloud, Need(file.path, "change"))
    if file.moves_to(category):
        notes_folder = folder_of(file.path).removesuffix(file.category.strip("/"))
        target = Need(f"{notes_folder}/{category}", "create")
        await check_permissions(nextcloud, Need(file.path, "delete", moves=True), target)
    await check_lock(nextcloud, file.path, file.access)


async def check_deletion(nextcloud: Nextcloud, file: NoteFile) -> None:
    """Check that the user may delete a note.

    Raises:
        ForbiddenError: the user may not do this, or the note itself was shared, and Notes does not leave a share.
        LockedError: somebody has locked the file.
    """
    if file.access.is_mount_root and file.access.shared_by:
        raise ForbiddenError(
            "The file {path} of {note} belongs to {owner}, who shared it with you, and Notes does not leave a share",
            "leave it with nc_webdav_delete_resource or nc_share_delete",
            note=file.described,
            path=file.path,
            owner=file.access.shared_by,
        )
    if not file.access.allows_everything:
        await check_permissions(nextcloud, Need(file.path, "delete"))
    await check_lock(nextcloud, file.path, file.access)


async def shared_folder_of(nextcloud: Nextcloud, file: NoteFile) -> LeftShare | None:
    """Return the shared folder in which a note is, or None."""
    if file.access.shared_by is None or file.access.is_mount_root:
        return None
    folder = folder_of(file.path)
    while folder:
        _, access = await stat_with_access(nextcloud, folder)
        if access.is_mount_root:
            return LeftShare(f"/{folder}", access.shared_by or file.access.shared_by)
        folder = folder_of(folder)
    return None


async def is_left(nextcloud: Nextcloud, share: LeftShare | None) -> bool:
    """Return whether Notes has deleted the shared folder for the user, because no note was left in it."""
    return share is not None and not await exists(nextcloud, share.path)
