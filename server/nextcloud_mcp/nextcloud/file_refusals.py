"""Say why Nextcloud refuses a change of a file: what its owner does not allow, or who has locked it.

Nextcloud answers 403 or 423 without a reason, so this module reads the properties of the file and its folder.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nextcloud_mcp.errors import ForbiddenError, LockedError, NextcloudError, NotFoundError
from nextcloud_mcp.nextcloud import file_access
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.file_access import Access, Permission
from nextcloud_mcp.nextcloud.files import (
    PROPFIND,
    FileInfo,
    display_path,
    file_infos,
    root_of,
    segments,
    stat_with_access,
    url_of,
)
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread


@dataclass(frozen=True)
class Need:
    """A permission that a request needs for a file or folder, which may not exist."""

    path: str
    permission: Permission


def to_write(path: str) -> tuple[Need, ...]:
    """Return what writing a file needs: to change it, or if there is none, to create it in its folder."""
    return Need(path, "change"), Need(folder_of(path), "create")


def folder_of(path: str) -> str:
    """Return the path of the folder in which a file or folder is."""
    return "/".join(segments(path)[:-1])


@asynccontextmanager
async def explained(nextcloud: Nextcloud, *needs: Need) -> AsyncIterator[None]:
    """Replace a refusal of the requests inside by one with its cause, if what they need shows it.

    Raises:
        ForbiddenError: the user may not do this; the message says what they may do, and whom to ask.
        LockedError: the file is locked; the message says by whom, and until when.
    """
    try:
        yield
    except (ForbiddenError, LockedError) as error:
        why = _locked if isinstance(error, LockedError) else _forbidden
        try:
            explanation = await why(nextcloud, needs)
        except NextcloudError:  # the first error is about the caller's request
            explanation = None
        if explanation is None:
            raise
        raise explanation from error


async def _forbidden(nextcloud: Nextcloud, needs: Sequence[Need]) -> ForbiddenError | None:
    for need in needs:
        try:
            _, access = await stat_with_access(nextcloud, need.path)
        except NotFoundError:
            continue
        if access.permissions is None or need.permission in access.permissions:
            continue
        holder = access.shared_by or f"whoever manages the {access.mount or 'share'}"
        return ForbiddenError(
            "You may {allowed} {path}, which {origin}, and this needs the permission to {needed}",
            "ask {holder} for it",
            allowed=_allowed(access.permissions),
            path=display_path(need.path),
            origin=_origin(access),
            needed="create in it" if need.permission == "create" else f"{need.permission} it",
            holder=holder,
        )
    return None


def _origin(access: Access) -> str:
    if access.shared_by:
        return f"{access.shared_by} shared with you"
    return f"is {'' if access.is_mount_root else 'in '}a mounted {access.mount or 'share'}"


def _allowed(permissions: tuple[Permission, ...]) -> str:
    if len(permissions) == 1:
        return f"only {permissions[0]}"
    return f"{', '.join(permissions[:-1])} and {permissions[-1]}"


async def _locked(nextcloud: Nextcloud, needs: Sequence[Need]) -> LockedError | None:
    for need in needs:
        for file in await _with_members(nextcloud, need.path):
            if file.lock is not None:
                return LockedError(
                    "{path} is {lock}",
                    "ask for it to be unlocked, or try again after that",
                    path=file.path,
                    lock=file_access.describe_lock(file.lock),
                )
    return None


async def _with_members(nextcloud: Nextcloud, path: str) -> list[FileInfo]:
    """Return a file, or a folder and what is in it: a lock in a folder refuses its deletion too."""
    try:
        response = await nextcloud.request(
            "PROPFIND",
            await url_of(nextcloud, path),
            about=display_path(path),
            headers={"Depth": "1"},
            content=PROPFIND,
        )
    except NotFoundError:
        return []
    return await run_in_worker_thread(file_infos, response, await root_of(nextcloud))
