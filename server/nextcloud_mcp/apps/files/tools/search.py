"""The tools that find files."""

from datetime import datetime
from typing import Annotated, Any

from nextcloud_mcp.apps.files import search
from nextcloud_mcp.apps.files.search import FileFilter
from nextcloud_mcp.boundary.call import AsUser
from nextcloud_mcp.boundary.declaration import reads
from nextcloud_mcp.boundary.file_paths import FilePath
from nextcloud_mcp.boundary.paging import DEFAULT_LIMIT, Paged, cursor_at, start_of
from nextcloud_mcp.boundary.schemas import Cursor, described
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.files import FileInfo

Scope = Annotated[FilePath, described("folder to search; empty: all files")]


class FilesFound(Paged):
    """A page of files, newest first; `total_found` counts this page only, as Nextcloud gives no total."""

    results: list[FileInfo]
    total_found: int
    scope: str
    filters_applied: dict[str, Any] | None = None


@reads("Search files", scopes="files:read")
async def nc_webdav_search_files(
    nextcloud: AsUser,
    scope: Scope = "",
    name_pattern: Annotated[str | None, described("% stands for any characters: %report%.pdf")] = None,
    mime_type: Annotated[str | None, described("application/pdf, or image/% for all images")] = None,
    only_favorites: bool = False,
    limit: int | None = None,
    modified_after: datetime | None = None,
    modified_before: datetime | None = None,
    cursor: Cursor = "",
) -> FilesFound:
    """Find files and folders by name, media type, date or star (favorites), newest first.

    It does not search their content.
    """
    wanted = FileFilter(
        name_pattern=name_pattern,
        mime_type=mime_type,
        only_favorites=only_favorites,
        modified_after=modified_after,
        modified_before=modified_before,
    )
    return await _found(nextcloud, scope, wanted, limit, cursor)


@reads("Find files by name", scopes="files:read")
async def nc_webdav_find_by_name(
    pattern: str, nextcloud: AsUser, scope: Scope = "", limit: int | None = None, cursor: Cursor = ""
) -> FilesFound:
    """Find files and folders whose name contains pattern, newest first.

    % stands for any characters; a pattern with it must match the whole name: %.pdf.
    """
    return await _found(nextcloud, scope, FileFilter(name_pattern=pattern), limit, cursor)


@reads("Find files by type", scopes="files:read")
async def nc_webdav_find_by_type(
    mime_type: str, nextcloud: AsUser, scope: Scope = "", limit: int | None = None, cursor: Cursor = ""
) -> FilesFound:
    """Find files by media type, newest first: application/pdf, or image/% for all images."""
    return await _found(nextcloud, scope, FileFilter(mime_type=mime_type), limit, cursor)


@reads("List favourite files", scopes="files:read")
async def nc_webdav_list_favorites(
    nextcloud: AsUser, scope: Scope = "", limit: int | None = None, cursor: Cursor = ""
) -> FilesFound:
    """List the files and folders that the user marked as favorites, newest first."""
    return await _found(nextcloud, scope, FileFilter(only_favorites=True), limit, cursor)


async def _found(nextcloud: Nextcloud, scope: str, wanted: FileFilter, limit: int | None, cursor: str) -> FilesFound:
    limit = DEFAULT_LIMIT if limit is None else limit
    start = start_of(cursor, limit)
    results, next_start = await search.search(nextcloud, scope, wanted, start=start, limit=limit)
    return FilesFound(
        results=results,
        total_found=len(results),
        scope=scope,
        filters_applied=wanted.model_dump(mode="json", exclude_defaults=True) or None,
        next_cursor=cursor_at(next_start) if next_start is not None else None,
    )
