"""Nextcloud Notes, REST API v1 (github.com/nextcloud/notes, docs/api/v1.md).

Errors are those of `refusals.error_for`. An ETag is the value without its quotes, as in the note's own field.
"""

import re
from typing import Final, NamedTuple

import httpx
import stamina
from pydantic import BaseModel, Field

from nextcloud_mcp.apps.notes import files as note_files
from nextcloud_mcp.apps.notes.files import API, LeftShare, NoteFile
from nextcloud_mcp.errors import (
    ConflictError,
    InvalidArgumentError,
    LockedError,
    NextcloudUnavailableError,
    quoted,
)
from nextcloud_mcp.nextcloud import dav
from nextcloud_mcp.nextcloud.answers import parse
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.file_refusals import Need, check_permissions
from nextcloud_mcp.nextcloud.files import PARTIAL_SUFFIX
from nextcloud_mcp.nextcloud.names import composed

SETTINGS = "/index.php/apps/notes/api/v1/settings"
ATTACHMENTS = "/index.php/apps/notes/api/v1.4/attachment"
"""Attachments came with version 1.4 and are not under `v1`."""

_patient: Final = stamina.AsyncRetryingCaller(
    attempts=None, timeout=20.0, wait_initial=0.1, wait_max=1.0, wait_jitter=0.5
)
"""Retries changes that failed because others write to the same note. Eight concurrent writers need seconds; clients
wait half a minute for a call."""

_ENDS_IN_EMPTY_LINE: Final = re.compile(r"\n[ \t]*\r?\n\Z")
"""CommonMark 0.31, "Blank lines"; other programs write `\r\n`."""

_FORBIDDEN_SUFFIXES: Final = (PARTIAL_SUFFIX, ".filepart")
"""Nextcloud allows them in no folder's name (34.0.1)."""

_MAX_FOLDER_NAME: Final = 250
"""Bytes; Nextcloud's limit for all names."""

MAX_ATTACHMENT = 4 * 1024 * 1024
"""Bytes; the same limit as for files, and more than a model can process."""


class Heading(BaseModel):
    """A note without its content; `modified` is in seconds since 1970, `category` a path such as `Work/Plans`."""

    id: int
    title: str
    category: str = ""
    modified: int
    favorite: bool = False
    etag: str
    readonly: bool = False


class Note(Heading):
    """A note."""

    content: str


class Updated(NamedTuple):
    """A note after a change, its file before it, and the share that was left because no other note was in it."""

    note: Note
    file: NoteFile
    left: LeftShare | None


class Deleted(NamedTuple):
    """The file of a deleted note, and the share that was left because no other note was in it."""

    file: NoteFile
    left: LeftShare | None


class Settings(BaseModel):
    """Where and how somebody's notes are kept: the folder below their root, and the files' extension."""

    notes_path: str = Field(alias="notesPath")
    file_suffix: str = Field(alias="fileSuffix")


async def create(nextcloud: Nextcloud, *, title: str, content: str, category: str) -> Note:
    """Create a note; Nextcloud makes the title unique within its category.

    Notes are created one at a time: if two requests create the folder of a category, Notes refuses one of them as
    locked, although it has created the note.
    """
    _check_category(category)
    fields = {"title": composed(title), "content": content, "category": composed(category)}
    try:
        async with nextcloud.change_lock("new note"):
            response = await nextcloud.request("POST", API, about=f"note {quoted(title)}", json=fields)
    except NextcloudUnavailableError as error:  # Notes answers 500 where nothing may be created
        if error.status == httpx.codes.INTERNAL_SERVER_ERROR:
            folder = (await settings(nextcloud)).notes_path
            await check_permissions(nextcloud, Need(f"{folder}/{fields['category']}", "create"))
        raise
    return parse(Note, response)


async def get(nextcloud: Nextcloud, note_id: int) -> Note:
    """Return one note."""
    return parse(Note, await nextcloud.request("GET", f"{API}/{note_id}", about=f"note {note_id}"))


async def list_all(nextcloud: Nextcloud) -> list[Note]:
    """Return all notes of the user, contents included."""
    return parse(list[Note], await nextcloud.request("GET", API, about="the list of notes"))


async def list_headings(nextcloud: Nextcloud) -> list[Heading]:
    """Return all notes of the user, without their contents."""
    response = await nextcloud.request("GET", API, about="the list of notes", params={"exclude": "content"})
    return parse(list[Heading], response)


async def update(
    nextcloud: Nextcloud,
    note_id: int,
    *,
    etag: str,
    title: str | None = None,
    content: str | None = None,
    category: str | None = None,
) -> Updated:
    """Change the fields that are not None, if the note is still the one with this ETag.

    A blank title, which Notes would replace by "New note", counts as None; an empty category removes the category.

    Raises:
        ConflictError: the note has changed since; nothing was written.
        ForbiddenError: the user may not do this with the note, or not create one in the category.
        InvalidArgumentError: the ETag is invalid, for example empty; or a part of the category is too long.
        LockedError: somebody has locked the file.
    """
    _check_category(category or "")
    condition = dav.parse_etag(etag)
    changes = {
        "title": composed(title) if title and title.strip() else None,
        "content": content,
        "category": None if category is None else composed(category),
    }
    file = await note_files.find(nextcloud, note_id)
    await note_files.check_change(nextcloud, file, category=changes["category"])
    share = await note_files.shared_folder_of(nextcloud, file) if file.moves_to(changes["category"]) else None
    given = {name: value for name, value in changes.items() if value is not None}
    note = await _put(nextcloud, note_id, condition, given)
    return Updated(note=note, file=file, left=share if await note_files.is_left(nextcloud, share) else None)


async def _put(nextcloud: Nextcloud, note_id: int, etag: str, changes: dict[str, str]) -> Note:
    response = await nextcloud.request(
        "PUT",
        f"{API}/{note_id}",
        about=f"note {note_id}",
        headers={"If-Match": f'"{etag}"'},
        json=changes,
        also_ok={412},
    )
    if response.status_code == httpx.codes.PRECONDITION_FAILED:  # the body is the current note
        raise dav.etag_mismatch_error(f"Note {note_id}")
    return parse(Note, response)


def _check_category(category: str) -> None:
    """Refuse a category whose folder Nextcloud cannot create; Notes answers it with HTTP 500 and no reason."""
    if forbidden := [name for name in category.split("/") if name.lower().endswith(_FORBIDDEN_SUFFIXES)]:
        raise InvalidArgumentError(
            "Nextcloud does not allow the ending of {name} in names of folders",
            "choose another category",
            argument="category",
            name=quoted(forbidden[0]),
        )
    if any(len(name.encode()) > _MAX_FOLDER_NAME for name in category.split("/")):
        raise InvalidArgumentError(
            f"A part of category has more than {_MAX_FOLDER_NAME} bytes, too many for the name of a folder",
            "choose a shorter one",
            argument="category",
        )


async def append(nextcloud: Nextcloud, note_id: int, content: str) -> Note:
    """Append text to a note, below a horizontal rule; keep concurrent changes of others.

    Raises:
        InvalidArgumentError: the text is blank.
        ConflictError: the note changed at every attempt.
        ForbiddenError: the user may not change the note.
        LockedError: somebody has locked the file, or the note was locked at every attempt.
    """
    if not content.strip():
        raise InvalidArgumentError(
            "content is empty, and nothing was added", "pass the text to add to the note", argument="content"
        )
    file = await note_files.find(nextcloud, note_id)
    await note_files.check_change(nextcloud, file, category=None)
    async with nextcloud.change_lock("note", note_id):
        return await _patient((ConflictError, LockedError), _append_once, nextcloud, note_id, content)


async def _append_once(nextcloud: Nextcloud, note_id: int, content: str) -> Note:
    note = await get(nextcloud, note_id)
    return await _put(nextcloud, note_id, note.etag, {"content": _joined(note.content, content)})


def _joined(before: str, added: str) -> str:
    """Join two texts with a horizontal rule. Right below a paragraph, `---` would make its last line a heading."""
    if not before:
        return added
    missing = "\n\n" if not before.endswith("\n") else "" if _ENDS_IN_EMPTY_LINE.search(before) else "\n"
    return f"{before}{missing}---\n\n{added}"


async def delete(nextcloud: Nextcloud, note_id: int) -> Deleted:
    """Delete a note; Nextcloud keeps its file in the trash for a while.

    Raises:
        ForbiddenError: the note is in a share without the permission to delete.
        LockedError: somebody has locked the file.
    """
    file = await note_files.find(nextcloud, note_id)
    await note_files.check_deletion(nextcloud, file)
    folder = await note_files.shared_folder_of(nextcloud, file)
    await nextcloud.request("DELETE", f"{API}/{note_id}", about=f"note {note_id}")
    return Deleted(file=file, left=folder if await note_files.is_left(nextcloud, folder) else None)


async def attachment(nextcloud: Nextcloud, note_id: int, filename: str) -> tuple[bytes, str]:
    """Return an attachment's content and media type; `filename` is as the note's text links to it.

    Raises:
        NextcloudError: the attachment has more than `MAX_ATTACHMENT` bytes. It cannot be read in parts, because Notes
            does not support `Range`.
    """
    path = filename if "/" in filename else f".attachments.{note_id}/{filename}"
    response = await nextcloud.request(
        "GET",
        f"{ATTACHMENTS}/{note_id}",
        about=f"attachment {quoted(filename)} of note {note_id}",
        params={"path": path},
        max_bytes=MAX_ATTACHMENT,
    )
    return response.content, response.headers.get("content-type", "application/octet-stream")


async def settings(nextcloud: Nextcloud) -> Settings:
    """Return the user's settings of Notes."""
    return parse(Settings, await nextcloud.request("GET", SETTINGS, about="the settings of Notes"))
