"""Say why Nextcloud refuses a change of a file: what its owner does not allow, or who has locked it.

Nextcloud answers 403 or 423 without a reason, so this module reads the properties of the file and its folder.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from nextcloud_mcp.errors import ForbiddenError, InvalidArgumentError, LockedError, NextcloudError, NotFoundError
from nextcloud_mcp.nextcloud import file_access
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.file_access import Access, Lock, Permission
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
from nextcloud_mcp.nextcloud.permissions import missing_permission_error
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread


@dataclass(frozen=True)
class Need:
    """A permission that a request needs for a file or folder, which may not exist.

    Attributes:
        path: The file or folder.
        permission: What it needs to allow.
        moves: Whether the request moves or deletes it. Whoever received a share may do so with its root.
    """

    path: str
    permission: Permission
    moves: bool = False


def to_write(path: str) -> tuple[Need, ...]:
    """Return what writing a file needs: to change it, or to create it in its folder if it does not exist."""
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
        explanation: NextcloudError | None = await _missing_permission(nextcloud, *needs)
        if explanation is None and isinstance(error, LockedError):
            explanation = await _lock_on(nextcloud, *needs)
        if explanation is None:
            raise
        raise explanation from error


async def check_permissions(nextcloud: Nextcloud, *needs: Need) -> None:
    """Check that the user's permissions meet the needs, as far as Nextcloud tells.

    Raises:
        ForbiddenError: they do not meet one of them.
    """
    forbidden = await _missing_permission(nextcloud, *needs)
    if forbidden is not None:
        raise forbidden


async def check_lock(nextcloud: Nextcloud, path: str, access: Access) -> None:
    """Check that nobody else has locked a file; for requests that Nextcloud does in spite of a lock.

    Raises:
        LockedError: somebody else has, or a program or an app.
    """
    lock = access.lock
    if lock is not None and not (lock.kind == "person" and lock.user_id == await nextcloud.user_id()):
        raise await _locked_error(nextcloud, path, lock)


async def _missing_permission(nextcloud: Nextcloud, *needs: Need) -> ForbiddenError | None:
    """Return the error for the first need that the user's permissions do not meet, if there is one."""
    try:
        return await _forbidden(nextcloud, needs)
    except (NextcloudError, InvalidArgumentError):  # the caller has an error, about the request that was refused
        return None


async def _lock_on(nextcloud: Nextcloud, *needs: Need) -> LockedError | None:
    """Return the error for the first of these files and folders that somebody has locked, if there is one."""
    try:
        return await _locked(nextcloud, needs)
    except NextcloudError:
        return None


async def _forbidden(nextcloud: Nextcloud, needs: Sequence[Need]) -> ForbiddenError | None:
    for need in needs:
        path, access = await _nearest(nextcloud, need)
        if need.moves and access.is_mount_root:
            if access.mount is None:
                continue
            return ForbiddenError(
                "{path} is a mounted {mount}, which can be neither moved nor deleted",
                "move or delete what is in it",
                path=display_path(path),
                mount=access.mount,
            )
        if access.permissions is None or need.permission in access.permissions:
            continue
        mount = access.mount or "share"
        return missing_permission_error(
            display_path(path),
            allowed=access.permissions,
            needed=_IN_WORDS.get(need.permission, f"{need.permission} it"),
            owner=access.shared_by or "",
            origin=f"is {'' if access.is_mount_root else 'in '}a mounted {mount}",
            manager=f"whoever manages the {mount}",
        )
    return None


async def _nearest(nextcloud: Nextcloud, need: Need) -> tuple[str, Access]:
    """Return the path of a need and the access to it; for a folder that is missing, those of the folder above."""
    try:
        return need.path, (await stat_with_access(nextcloud, need.path))[1]
    except NotFoundError:
        if need.permission != "create" or not segments(need.path):
            return need.path, Access()
        return await _nearest(nextcloud, Need(folder_of(need.path), need.permission))


_IN_WORDS: Final = {"create": "create in it", "share": "share it with others"}


_UNLOCK: Final = "ask for it to be unlocked, or try again after that"


async def _locked(nextcloud: Nextcloud, needs: Sequence[Need]) -> LockedError | None:
    for need in needs:
        for file in await _with_members(nextcloud, need.path):
            if file.lock is not None:
                return await _locked_error(nextcloud, file.path, file.lock)
    return None


async def _locked_error(nextcloud: Nextcloud, path: str, lock: Lock) -> LockedError:
    is_own = lock.user_id == await nextcloud.user_id()
    return LockedError(
        "{path} is {lock}",
        "unlock it in Nextcloud, or close it in the program" if is_own else _UNLOCK,
        path=display_path(path),
        lock=file_access.describe_lock(lock),
    )


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
