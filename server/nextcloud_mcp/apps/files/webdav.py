"""Read, write, move, copy and delete files over WebDAV (RFC 4918; Nextcloud developer manual, "WebDAV: Basic APIs").

Paths are relative to the user's root folder, `/`.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx
from pydantic import BaseModel

from nextcloud_mcp.errors import (
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    LockedError,
    NextcloudError,
    NotFoundError,
)
from nextcloud_mcp.nextcloud import dav
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.file_access import Access, Permission
from nextcloud_mcp.nextcloud.file_refusals import Need, check_permissions, explained, folder_of, to_write
from nextcloud_mcp.nextcloud.files import (
    PARTIAL_SUFFIX,
    PROPFIND,
    FileInfo,
    check_new_name,
    display_path,
    exists,
    file_infos,
    root_of,
    segments,
    stat,
    stat_with_access,
    url_of,
)
from nextcloud_mcp.nextcloud.received_shares import ReceivedShare, describe_shares, name_sharers, shares_inside
from nextcloud_mcp.nextcloud.refusals import Refusal, error_for
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread

_DEFAULT_MEDIA_TYPE: Final = "application/octet-stream"
"""The media type of a file without one (RFC 9110 section 8.3)."""


class File(BaseModel):
    """A file or a part of it: `content` starts at byte `offset` of `size` bytes."""

    content: bytes
    content_type: str
    etag: str | None
    size: int
    offset: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether `content` is the whole file."""
        return len(self.content) == self.size


class Deleted(BaseModel):
    """The result of a deletion.

    Attributes:
        status_code: The HTTP status.
        shared_by: The owner, if it is shared with the user.
        mount: What it was in, other than a share: a team folder or an external storage.
        is_only_left: Whether the user has only left the share, and nothing is in the trash bin.
        left: The shares of others that were in the folder. The user has left them.
        in_spite_of_lock: Whether Nextcloud reported a lock on a file in the folder, and moved the folder all the same.
    """

    status_code: int
    shared_by: str | None = None
    mount: str | None = None
    is_only_left: bool = False
    left: list[ReceivedShare] = []
    in_spite_of_lock: bool = False


class Written(BaseModel):
    """The result of a write: the HTTP status is 201 for a new resource and 204 for a replaced one."""

    status_code: int
    etag: str | None = None


async def list_directory(nextcloud: Nextcloud, path: str) -> list[FileInfo]:
    """Return the contents of a folder, without the folder itself.

    Raises:
        NotFoundError: the folder does not exist.
        InvalidArgumentError: the path is that of a file.
    """
    response = await nextcloud.request(
        "PROPFIND", await url_of(nextcloud, path), about=display_path(path), headers={"Depth": "1"}, content=PROPFIND
    )
    root = await root_of(nextcloud)
    itself, *members = await run_in_worker_thread(file_infos, response, root) or dav.not_webdav()
    if not itself.is_directory:
        raise InvalidArgumentError(
            "{path} is a file, not a folder", "read it, or list its folder", path=display_path(path)
        )
    await name_sharers(nextcloud, members)
    return members


async def read_file(nextcloud: Nextcloud, path: str, *, offset: int = 0, length: int, whole: bool = False) -> File:
    """Return up to `length` bytes of a file from `offset` (RFC 9110 section 14.2); `whole` requires all of it.

    Raises:
        NotFoundError: the file does not exist.
        InvalidArgumentError: the path is that of a folder; the file ends before `offset`; or `whole` is true and the
            file is longer than `length`.
    """
    info = await stat(nextcloud, path)
    size = info.size or 0
    if info.is_directory:
        raise InvalidArgumentError("{path} is a folder, not a file", "list it", path=display_path(path))
    if whole and size > length:
        raise InvalidArgumentError(
            "{path} has {size} bytes, and at most {length} can be read at once",
            "read it in pieces, or open it in Nextcloud",
            path=display_path(path),
            size=size,
            length=length,
        )
    if not 0 <= offset <= size:
        raise InvalidArgumentError(
            "Invalid offset {offset}",
            "pass a number from 0 to {size}, the size of {path} in bytes",
            offset=offset,
            argument="offset",
            size=size,
            path=display_path(path),
        )
    file = File(
        content=b"", content_type=info.content_type or _DEFAULT_MEDIA_TYPE, etag=info.etag, size=size, offset=offset
    )
    if offset == size:
        return file  # Nextcloud rejects every range that starts at the end
    headers = {"Range": f"bytes={offset}-{offset + length - 1}"} if offset or length < size else {}
    response = await nextcloud.request("GET", await url_of(nextcloud, path), about=display_path(path), headers=headers)
    if response.status_code != httpx.codes.PARTIAL_CONTENT:  # the response has the whole file, in its present version
        file.size = len(response.content)
        file.content = response.content[offset : offset + length]
    else:
        file.content = response.content
    file.etag = dav.etag(response.headers) or info.etag
    return file


_MISSING_PARENT_ERRORS: Final[Mapping[int, Refusal]] = {
    404: Refusal(NotFoundError, "The parent folder of {resource} does not exist", "create it first"),
}
"""The error for a missing parent folder of a PUT. RFC 4918 section 9.7.1 requires 409, as for MKCOL, MOVE and COPY."""

_PARENT_IS_FILE: Final = re.compile(rb"(?:not a|children of) collection")
_PARENT_IS_MISSING: Final = re.compile(rb"Parent node does not exist|destination node is not found")
"""Match sabre/dav's messages about the parent folder of a new file or folder (`Server.php`)."""


async def write_file(
    nextcloud: Nextcloud, path: str, content: bytes, *, content_type: str | None, etag: str | None
) -> Written:
    """Create a file; with `etag`, replace the file with this ETag. Nothing else is ever overwritten.

    Raises:
        InvalidArgumentError: Nextcloud does not allow the name.
        ConflictError: the file exists and `etag` is None, or the file has another ETag, or the parent is a file.
        NotFoundError: the parent folder does not exist.
    """
    check_new_name(path)
    headers = {"If-Match": dav.quoted(etag)} if etag else {"If-None-Match": "*"}
    if content_type:
        headers["Content-Type"] = content_type
    async with explained(nextcloud, *to_write(path)):
        response = await nextcloud.request(
            "PUT",
            await url_of(nextcloud, path),
            about=display_path(path),
            headers=headers,
            content=content,
            errors=_MISSING_PARENT_ERRORS,
            also_ok=CONFLICT_STATUSES,
        )
    if response.status_code in CONFLICT_STATUSES:
        raise await conflict(nextcloud, path, etag, response)
    return Written(status_code=response.status_code, etag=dav.etag(response.headers))


CONFLICT_STATUSES: Final = frozenset({409, 412})
"""Statuses of a write for which `conflict` returns the error."""


async def conflict(nextcloud: Nextcloud, path: str, etag: str | None, response: httpx.Response) -> NextcloudError:
    """Return the error for a write to a path that is taken, or that is not in a folder.

    The error omits the present ETag, so that a caller reads the file before a change.

    Raises:
        NotFoundError: the file to replace no longer exists.
    """
    try:
        info = await stat(nextcloud, path)
    except NotFoundError:
        if response.status_code == httpx.codes.CONFLICT:
            return parent_error(path, response)
        raise
    if info.is_directory:
        return ConflictError("{path} is a folder", "choose another name", path=display_path(path))
    if _is_reserved_name(info):
        return _reserved(path)
    if etag:
        return dav.etag_mismatch_error(display_path(path))
    return ConflictError(
        "{path} exists already, and nothing was written",
        "to replace it, read it and pass the ETag from reading",
        path=display_path(path),
    )


def parent_error(path: str, response: httpx.Response) -> ConflictError:
    """Return the error for a path whose parent is missing or a file; it says which of both, if the response does."""
    parent = display_path(folder_of(path))
    if _PARENT_IS_FILE.search(response.content):
        return ConflictError(
            "{parent} is a file, so it can't contain {path}, and nothing was written",
            "choose another folder",
            parent=parent,
            path=display_path(path),
        )
    if _PARENT_IS_MISSING.search(response.content):
        return ConflictError(
            "The parent folder of {path} does not exist, and nothing was written",
            "create it first",
            path=display_path(path),
        )
    return ConflictError(
        "The parent folder of {path} does not exist or is a file, and nothing was written",
        "create the folder first, or choose another",
        path=display_path(path),
    )


def _is_reserved_name(info: FileInfo) -> bool:
    """Return whether a name is reserved: Nextcloud 32 to 34 report a missing `x.part` as a file without an ETag."""
    return not info.is_directory and not info.etag


def _reserved(path: str) -> NextcloudError:
    return NextcloudError(
        "Nextcloud does not allow the name of {path} (it is for uploads that are not complete)",
        "choose another name",
        path=display_path(path),
    )


async def create_directory(nextcloud: Nextcloud, path: str) -> Written:
    """Create a folder; `status_code` is 405 if it exists.

    Raises:
        InvalidArgumentError: Nextcloud does not allow the name.
        ConflictError: the parent folder does not exist or is a file, or a file has the name.
    """
    check_new_name(path)
    async with explained(nextcloud, Need(folder_of(path), "create")):
        response = await nextcloud.request(
            "MKCOL",
            await url_of(nextcloud, path),
            about=display_path(path),
            also_ok={405, 409},
            errors=_MISSING_PARENT_ERRORS,
        )
    if response.status_code == httpx.codes.CONFLICT:
        raise parent_error(path, response)
    if response.status_code == httpx.codes.METHOD_NOT_ALLOWED:
        await _check_is_folder(nextcloud, path)
    return Written(status_code=response.status_code)


async def _check_is_folder(nextcloud: Nextcloud, path: str) -> None:
    """Raise an error if the path is not that of a folder."""
    there = await stat(nextcloud, path)
    if _is_reserved_name(there):
        raise _reserved(path)
    if not there.is_directory:
        raise ConflictError(
            "{path} is a file, and no folder was created", "choose another name", path=display_path(path)
        )


async def delete(nextcloud: Nextcloud, path: str) -> Deleted:
    """Move a file, or a folder with its content, to the trash bin.

    If somebody shared it with the user, DELETE only removes the user from the share, and nothing goes to the trash bin.

    Raises:
        NotFoundError: the file or folder does not exist.
    """
    if not segments(path):
        raise InvalidArgumentError("The root folder can't be deleted", "name what is in it")
    there, access = await stat_with_access(nextcloud, path)
    # Nextcloud 32 to 34 answer 204 to DELETE of a missing file with this suffix
    if path.endswith(PARTIAL_SUFFIX) and _is_reserved_name(there):
        raise NotFoundError("Nextcloud did not find {resource}", "list its folder", resource=display_path(path))
    inside = await shares_inside(nextcloud, path) if there.is_directory and not access.is_mount_root else []
    try:
        async with explained(nextcloud, Need(path, "delete", moves=True)):
            response = await nextcloud.request("DELETE", await url_of(nextcloud, path), about=display_path(path))
    except LockedError:
        if not there.is_directory or await exists(nextcloud, path):
            raise
        return Deleted(status_code=httpx.codes.LOCKED, shared_by=access.shared_by, left=inside, in_spite_of_lock=True)
    return Deleted(
        status_code=response.status_code,
        shared_by=access.shared_by,
        mount=access.mount,
        is_only_left=access.is_mount_root,
        left=inside,
    )


async def move(nextcloud: Nextcloud, source: str, destination: str, *, overwrite: bool) -> Written:
    """Move or rename a file or folder.

    Raises:
        NotFoundError: the source does not exist.
        ConflictError: the destination is a folder, or is a file and `overwrite` is false, or has no parent folder.
    """
    return await _transfer(nextcloud, "MOVE", source, destination, overwrite=overwrite)


async def copy(nextcloud: Nextcloud, source: str, destination: str, *, overwrite: bool) -> Written:
    """Copy a file or folder, within Nextcloud.

    Raises:
        NotFoundError: the source does not exist.
        ConflictError: the destination is a folder, or is a file and `overwrite` is false, or has no parent folder.
    """
    return await _transfer(nextcloud, "COPY", source, destination, overwrite=overwrite)


async def missing_shares(
    nextcloud: Nextcloud, source: str, destination: str, shares: list[ReceivedShare]
) -> list[ReceivedShare]:
    """Return those shares in a copied folder that are not in the copy; Nextcloud 34 copies none."""
    start = display_path(source)
    copies = {share.path: display_path(destination) + share.path.removeprefix(start) for share in shares}
    return [share for share in shares if not await exists(nextcloud, copies[share.path])]


async def _transfer(nextcloud: Nextcloud, method: str, source: str, destination: str, *, overwrite: bool) -> Written:
    _refuse_nested(source, destination)
    check_new_name(destination)
    replaced = await _file_at(nextcloud, source, destination) if overwrite else None
    if replaced is not None and (replaced.shared_by or replaced.mount):
        await _check_may_replace(nextcloud, destination, replaced)
    headers = {
        "Destination": nextcloud.absolute(await url_of(nextcloud, destination)),
        "Overwrite": "F" if replaced is None else "T",
    }
    async with _mounts_explained(nextcloud, source), explained(nextcloud, *_needs(method, source, destination)):
        response = await nextcloud.request(
            method,
            await url_of(nextcloud, source),
            about=display_path(source),
            headers=headers,
            also_ok={400, 409, 412, 415, 500},
        )
    if response.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.INTERNAL_SERVER_ERROR}:  # mostly a bad name
        # Nextcloud 34 answers 500 to a rename in a share without the permission to change, but with all others
        await check_permissions(nextcloud, *_needs(method, source, destination))
        raise error_for(response, display_path(destination))
    if response.status_code in {httpx.codes.CONFLICT, httpx.codes.UNSUPPORTED_MEDIA_TYPE}:
        raise parent_error(destination, response)
    if response.status_code == httpx.codes.PRECONDITION_FAILED:
        await _file_at(nextcloud, source, destination)  # raises for a folder
        raise ConflictError(
            "{destination} exists already, and nothing was done",
            "pass overwrite=true to replace it, or take another name",
            destination=display_path(destination),
        )
    return Written(status_code=response.status_code, etag=dav.etag(response.headers))


@asynccontextmanager
async def _mounts_explained(nextcloud: Nextcloud, source: str) -> AsyncIterator[None]:
    """Replace a refusal of the requests inside by one that names shares in the folder, if there are any.

    Nextcloud moves no share of somebody else into a share.
    """
    try:
        yield
    except ForbiddenError as error:
        shares = await shares_inside(nextcloud, source)
        if not shares:
            raise
        raise ForbiddenError(
            "{source} contains {shares}, and Nextcloud moves no share of others into a share",
            "move that elsewhere first, or copy the folder",
            source=display_path(source),
            shares=describe_shares(shares),
        ) from error


async def _check_may_replace(nextcloud: Nextcloud, path: str, access: Access) -> None:
    """Check that the user may replace a file: Nextcloud 34 deletes it first, and answers 403 if it cannot create it.

    Raises:
        ForbiddenError: the user may not change or delete the file, or not create one in its folder.
        ConflictError: the file itself was shared, so that replacing it would only leave the share.
    """
    if access.is_mount_root:
        raise ConflictError(
            "{path} is a file of {owner} that is shared with you, and what replaces it would not be: nothing was done",
            "write the new content into it, with the ETag from reading",
            path=display_path(path),
            owner=access.shared_by,
        )
    needs = (Need(path, "change"), Need(path, "delete"), Need(folder_of(path), "create"))
    await check_permissions(nextcloud, *needs)


def _needs(method: str, source: str, destination: str) -> list[Need]:
    """Return what moving or copying needs. A file that is replaced has to be changed, and be created anew."""
    renames = folder_of(source) == folder_of(destination)
    permissions: list[Permission] = ["change", "delete"] if renames else ["delete"]  # 32 deletes what it renames
    moved = [Need(source, permission, moves=True) for permission in permissions]
    return [*moved, *to_write(destination)] if method == "MOVE" else list(to_write(destination))


def _refuse_nested(source: str, destination: str) -> None:
    """Raise an error if a path is the root or one contains the other: replacing a folder above deletes the source."""
    origin, target = segments(source), segments(destination)
    if not origin or not target:
        raise InvalidArgumentError("The root folder can be neither source nor destination", "name a file or folder")
    if origin == target:
        raise InvalidArgumentError(
            "{source} is both source and destination", "name another destination", source=display_path(source)
        )
    if origin[: len(target)] == target or target[: len(origin)] == origin:
        raise InvalidArgumentError(
            "{source} and {destination} are nested",
            "pass the full new path as destination",
            source=display_path(source),
            destination=display_path(destination),
        )


async def _file_at(nextcloud: Nextcloud, source: str, destination: str) -> Access | None:
    """Return the access to the file at the destination, or None if no file is there.

    Raises:
        ConflictError: the destination is a folder. It is never replaced, because that would delete its content
            (RFC 4918 sections 9.8.4 and 9.9.3).
    """
    try:
        there, access = await stat_with_access(nextcloud, destination)
    except NotFoundError:
        return None
    if there.is_directory:
        inside = f"{display_path(destination)}/{segments(source)[-1]}"
        raise ConflictError(
            "{destination} is a folder, and nothing was done",
            "to put it in there, name the full new path {inside}",
            destination=display_path(destination),
            inside=inside,
        )
    if _is_reserved_name(there):
        raise _reserved(destination)
    return access
