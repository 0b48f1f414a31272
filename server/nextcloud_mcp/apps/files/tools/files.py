"""The tools for files and folders, and the resource for files."""

import base64
import binascii
import codecs
import re
from typing import Annotated, Final
from urllib.parse import quote

from mcp_types import CallToolResult, ResourceLink, TextContent

from nextcloud_mcp.apps.files import webdav
from nextcloud_mcp.apps.files.webdav import Deleted, File, Written
from nextcloud_mcp.boundary import large
from nextcloud_mcp.boundary.call import AsUser
from nextcloud_mcp.boundary.declaration import Content, Resource, Result, reads, writes
from nextcloud_mcp.boundary.file_paths import FilePath
from nextcloud_mcp.boundary.paging import DEFAULT_LIMIT, Paged, page
from nextcloud_mcp.boundary.schemas import Cursor, described
from nextcloud_mcp.boundary.shared import deleted_for_others, left_share_message
from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.files import FileInfo, display_path
from nextcloud_mcp.nextcloud.names import folded
from nextcloud_mcp.nextcloud.received_shares import describe_shares, shares_inside

PIECE: Final = 64 * 1024
"""The default number of bytes to read; with base64, the text of a result stays under 100 kB."""

MAX_PIECE: Final = 1024 * 1024
"""The most bytes that a tool call can read; as a tool result, text can become 13 times as long."""

MAX_RESOURCE: Final = 4 * 1024 * 1024
"""The most bytes of a file that is read as a resource; the server holds it in memory while it sends it."""


class DirectoryListing(Paged):
    """A page of a folder; the counts and `total_size` (bytes, files only) are of the whole folder."""

    path: str
    files: list[FileInfo]
    total_count: int
    directories_count: int
    files_count: int
    total_size: int = 0


class FileRead(Result):
    """A file: text as it is, other content in base64, as `encoding` says; `size` is that of the whole file, in bytes.

    For a part of a file, `offset` is its start and `next_offset` the start of the next part. Only a whole file has an
    `etag`, with which it can be replaced; so a part never replaces the whole.
    """

    path: str
    content: str
    content_type: str
    size: int
    encoding: str | None = None
    etag: str | None = None
    offset: int = 0
    next_offset: int | None = None
    resource: str | None = None


class Changed(Result):
    """The result of a change: the HTTP status of Nextcloud's response, and what it means."""

    status_code: int
    message: str
    etag: str | None = None


@reads("List a folder", scopes="files:read")
async def nc_webdav_list_directory(
    nextcloud: AsUser, path: FilePath = "", limit: int = DEFAULT_LIMIT, cursor: Cursor = ""
) -> DirectoryListing:
    """List the content of a folder, with sizes, types and ETags: folders first, by name.

    Empty path: the root folder.
    """
    everything = sorted(await webdav.list_directory(nextcloud, path), key=_folders_first)
    files, next_cursor = page(everything, limit, cursor)
    directories = sum(file.is_directory for file in everything)
    return DirectoryListing(
        path=path,
        files=files,
        total_count=len(everything),
        directories_count=directories,
        files_count=len(everything) - directories,
        total_size=sum(file.size or 0 for file in everything if not file.is_directory),
        next_cursor=next_cursor,
    )


def _folders_first(file: FileInfo) -> tuple[bool, str, str]:
    return not file.is_directory, file.name.casefold(), file.name


Offset = Annotated[int, described("bytes")]
Length = Annotated[int | None, described("bytes")]
ContentType = Annotated[str | None, described('media type; ending in ";base64" if content is base64')]


@reads("Read a file", scopes="files:read")
async def nc_webdav_read_file(
    path: FilePath, nextcloud: AsUser, offset: Offset = 0, length: Length = None
) -> Annotated[CallToolResult, FileRead]:
    """Read a file: text as text, other content in base64.

    Of a file over 64 KiB, text is returned in pieces (continue at next_offset) and other content as a link to a
    resource, unless offset or length select a piece. Only a whole file is returned with the etag that overwriting
    needs.
    """
    if length is not None and not 1 <= length <= MAX_PIECE:
        raise InvalidArgumentError(
            "Invalid length {length}",
            f"pass a number of bytes from 1 to {MAX_PIECE}, and go on at next_offset for more",
            length=length,
            argument="length",
        )
    if length is None or length <= PIECE:
        return await _read(nextcloud, path, offset, length)
    async with large.read_slot():
        return await _read(nextcloud, path, offset, length)


async def _read(nextcloud: Nextcloud, path: str, offset: int, length: int | None) -> CallToolResult:
    file = await webdav.read_file(nextcloud, path, offset=offset, length=length or PIECE)
    text = _text(file)
    if text is None and not file.is_whole and length is None and not offset:
        return _linked(path, file)
    taken = len(file.content if text is None else text.encode())
    return _result(
        FileRead(
            path=path,
            content=base64.b64encode(file.content).decode() if text is None else text,
            content_type=file.content_type,
            size=file.size,
            encoding="base64" if text is None else None,
            etag=file.etag if file.is_whole else None,
            offset=offset,
            next_offset=offset + taken if offset + taken < file.size else None,
        )
    )


def _text(file: File) -> str | None:
    """Return the content if it is UTF-8 text, whatever its media type, without an incomplete last character."""
    ends = file.offset + len(file.content) >= file.size
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(file.content, final=ends)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text or (file.content and not text) else text


def _linked(path: str, file: File) -> CallToolResult:
    """Return a link to a file, which a client reads if it needs the content (MCP, "Resource Links")."""
    uri = f"nc://Files/{quote(display_path(path).lstrip('/'))}"
    read = FileRead(path=path, content="", content_type=file.content_type, size=file.size, resource=uri)
    name = path.rstrip("/").rpartition("/")[2]
    link = ResourceLink(type="resource_link", uri=uri, name=name, mime_type=file.content_type, size=file.size)
    return _result(read, link)


def _result(read: FileRead, *links: ResourceLink) -> CallToolResult:
    text = TextContent(type="text", text=read.model_dump_json())
    return CallToolResult(content=[text, *links], structured_content=read.model_dump(mode="json"))


async def file_content(path: str, nextcloud: AsUser) -> Content:
    """Read a whole file, of up to 4 MiB."""
    async with large.read_slot():
        file = await webdav.read_file(nextcloud, path, length=MAX_RESOURCE, whole=True)
    text = _text(file)
    return Content(file.content if text is None else text, file.content_type)


async def file_paths(value: str, nextcloud: AsUser) -> list[str]:
    """Complete a path: return the members of its folder whose names start with its last segment."""
    folder, slash, typed = value.rpartition("/")
    files = sorted(await webdav.list_directory(nextcloud, folder), key=_folders_first)
    named = [file for file in files if folded(file.name).startswith(folded(typed))]
    return [folder + slash + file.name + "/" * file.is_directory for file in named]


@writes("Write a file", scopes="files:write", destructive=True, idempotent=True)
async def nc_webdav_write_file(
    path: FilePath, content: str, nextcloud: AsUser, content_type: ContentType = None, etag: str | None = None
) -> Changed:
    """Create a file, or replace one if the etag from reading it is passed. The folder must exist."""
    media_type, is_base64 = _media_type(content_type)
    written = await webdav.write_file(
        nextcloud,
        path,
        decode_base64(content, _OR_TEXT) if is_base64 else content.encode(),
        content_type=media_type,
        etag=etag,
    )
    return _changed(written, f"{path} is {'replaced' if written.status_code == 204 else 'created'}.")  # noqa: PLR2004


_MEDIA_TYPE: Final = re.compile(r"""{0}/{0}(?:; {0}=(?:{0}|"[ !#-\[\]-~]*"))*""".format("[A-Za-z0-9!#$%&'*+.^_`|~-]+"))
"""Matches a media type (RFC 9110 section 8.3.1) with one blank before each parameter."""


def _media_type(content_type: str | None) -> tuple[str | None, bool]:
    """Split `image/png;base64` into the media type and whether the content is in base64.

    Raises:
        InvalidArgumentError: the value is not a media type.
    """
    parts = [part for each in (content_type or "").split(";") if (part := each.strip())]
    kept = [part for part in parts if part.lower() != "base64"]
    media_type = "; ".join(kept)
    if media_type and not _MEDIA_TYPE.fullmatch(media_type):
        raise InvalidArgumentError(
            "Invalid content_type {content_type}",
            "pass a media type such as text/plain, or for base64 image/png;base64",
            argument="content_type",
            content_type=quoted(content_type or ""),
        )
    return media_type or None, len(kept) < len(parts)


_OR_TEXT: Final = "encode it, or if it is text, leave ';base64' out of content_type"


def decode_base64(content: str, remedy: str) -> bytes:
    """Decode the argument `content`; `remedy` is the end of the error's sentence, which says what to pass.

    Raises:
        InvalidArgumentError: `content` is not valid base64.
    """
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidArgumentError("content is not base64", remedy, argument="content") from error


@writes("Create a folder", scopes="files:write", destructive=False, idempotent=True)
async def nc_webdav_create_directory(path: FilePath, nextcloud: AsUser) -> Changed:
    """Create a folder. status_code 405 means that it already existed."""
    written = await webdav.create_directory(nextcloud, path)
    exists = written.status_code == 405  # noqa: PLR2004
    return _changed(written, f"{path} existed already." if exists else f"{path} is created.")


@writes("Delete a file or folder", scopes="files:write", destructive=True, idempotent=True)
async def nc_webdav_delete_resource(path: FilePath, nextcloud: AsUser) -> Changed:
    """Move a file, or a folder with all its content, to the trash.

    An item that somebody else shared is not deleted: the user only leaves the share.
    """
    deleted = await webdav.delete(nextcloud, path)
    return Changed(status_code=deleted.status_code, message=_deleted_message(path, deleted))


def _deleted_message(path: str, deleted: Deleted) -> str:
    if deleted.shared_by and deleted.is_only_left:
        return left_share_message(path, deleted.shared_by)
    also = deleted_for_others(deleted.shared_by, deleted.mount)
    left = "".join(f" {left_share_message(share.path, share.owner)}" for share in deleted.left)
    if deleted.in_spite_of_lock:
        back = "nc_webdav_restore_from_trash brings it back."
        return f"{path} is deleted{also}, although a file in it is locked. {back}{left}"
    return f"{path} is deleted{also}.{left}"


@writes("Move or rename", scopes="files:read files:write", destructive=True, idempotent=False)
async def nc_webdav_move_resource(
    source_path: FilePath, destination_path: FilePath, nextcloud: AsUser, overwrite: bool = False
) -> Changed:
    """Move or rename a file or folder. destination_path is the full new path, and its folder must exist.

    With overwrite, what is there goes to the trash.
    """
    written = await webdav.move(nextcloud, source_path, destination_path, overwrite=overwrite)
    return _changed(written, f"{source_path} is now {destination_path}.")


@writes("Copy", scopes="files:read files:write", destructive=True, idempotent=False)
async def nc_webdav_copy_resource(
    source_path: FilePath, destination_path: FilePath, nextcloud: AsUser, overwrite: bool = False
) -> Changed:
    """Copy a file or folder within Nextcloud. destination_path is the full new path, and its folder must exist.

    With overwrite, what is there goes to the trash.
    """
    inside = await shares_inside(nextcloud, source_path)
    written = await webdav.copy(nextcloud, source_path, destination_path, overwrite=overwrite)
    missing = await webdav.missing_shares(nextcloud, source_path, destination_path, inside)
    without = f", without {describe_shares(missing)}" if missing else ""
    return _changed(written, f"{source_path} is copied to {destination_path}{without}.")


def _changed(written: Written, message: str) -> Changed:
    return Changed(status_code=written.status_code, message=message, etag=written.etag)


RESOURCES = (
    Resource(
        "nc://Files/{+path}",
        file_content,
        "A file",
        scopes="files:read",
        mime_type="application/octet-stream",
        complete={"path": file_paths},
    ),
)
