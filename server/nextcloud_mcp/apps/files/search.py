"""Find files with WebDAV SEARCH (RFC 5323; Nextcloud developer manual, "WebDAV: Search").

Nextcloud searches the names, types, dates and favorite marks of all files below a folder, but not their content. SEARCH
also finds favorites, so this module does not need the REPORT `oc:filter-files`.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from pydantic import BaseModel

from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.files import FileInfo, files_where
from nextcloud_mcp.nextcloud.names import spellings
from nextcloud_mcp.nextcloud.received_shares import name_sharers

_MEDIA_TYPE: Final = re.compile(r"[^/%*]+/([^/%*]+|[%*])")


class FileFilter(BaseModel):
    """Conditions that files must meet; None accepts any file.

    In `name_pattern`, `%` and `*` stand for any characters; a pattern without them matches a part of the name. Case is
    ignored. `mime_type` is a media type such as `image/png`, or all subtypes of a type: `image/%`.
    """

    name_pattern: str | None = None
    mime_type: str | None = None
    modified_after: datetime | None = None
    modified_before: datetime | None = None
    only_favorites: bool = False


class FilePage(NamedTuple):
    """A page of results, and the row at which the next page starts; None for the last page."""

    files: list[FileInfo]
    next_start: int | None


async def search(nextcloud: Nextcloud, folder: str, wanted: FileFilter, *, start: int, limit: int) -> FilePage:
    """Return up to `limit` files and folders, newest first, from row `start` on.

    Nextcloud counts the folder itself as a row, but leaves it out of the response. Therefore this function requests
    `limit` + 1 rows. If it gets all of them, the folder is not among them, and the last one starts the next page. If it
    gets `limit` rows, either the folder was among them or the results end here; a request for the next row decides.

    Raises:
        NotFoundError: the folder does not exist.
        InvalidArgumentError: the path is that of a file, or the media type is not valid.
    """
    conditions = _conditions(await _in_utc(nextcloud, wanted))
    files = await files_where(nextcloud, folder, conditions, start=start, rows=limit + 1)
    await name_sharers(nextcloud, files)
    end = start + limit
    if len(files) > limit:
        return FilePage(files[:limit], end)
    goes_on = len(files) == limit and await files_where(nextcloud, folder, conditions, start=end + 1, rows=1)
    return FilePage(files, end + 1 if goes_on else None)


async def _in_utc(nextcloud: Nextcloud, wanted: FileFilter) -> FileFilter:
    """Return the conditions with times in UTC; a time without an offset is in the user's time zone."""
    given = {"modified_after": wanted.modified_after, "modified_before": wanted.modified_before}
    moved = {name: await moments.in_utc(nextcloud, moment) for name, moment in given.items() if moment is not None}
    return wanted.model_copy(update=moved)


def _conditions(wanted: FileFilter) -> str:
    """Return the content of `d:where`; without conditions, one that all files meet, because it must not be empty."""
    conditions = []
    if wanted.name_pattern is not None:
        # In LIKE, `_` stands for any character; callers mean the character itself.
        pattern = wanted.name_pattern.replace("\\", r"\\").replace("_", r"\_")
        if not {"%", "*"} & set(pattern):
            pattern = f"%{pattern}%"
        conditions.append(_or(_like("displayname", spelling) for spelling in spellings(pattern)))
    if wanted.mime_type is not None:
        conditions.append(_like("getcontenttype", _media_type(wanted.mime_type)))
    if wanted.modified_after:
        conditions.append(_modified_condition("gt", wanted.modified_after))
    if wanted.modified_before:
        conditions.append(_modified_condition("lt", wanted.modified_before))
    if wanted.only_favorites:
        conditions.append("<d:eq><d:prop><oc:favorite/></d:prop><d:literal>1</d:literal></d:eq>")
    return "".join(conditions or [_like("displayname", "%")])


def _media_type(text: str) -> str:
    """Return a media type in lower case, as Nextcloud stores it; Nextcloud answers 500 to other kinds of patterns."""
    if _MEDIA_TYPE.fullmatch(text) is None:
        raise InvalidArgumentError(
            "{text} is no media type", "write mime_type like image/png, or image/% for all", text=quoted(text)
        )
    return text.lower()


def _like(name: str, pattern: str) -> str:
    literal = escape(pattern.replace("*", "%"))
    return f"<d:like><d:prop><d:{name}/></d:prop><d:literal>{literal}</d:literal></d:like>"


def _or(conditions: Iterable[str]) -> str:
    """Return the disjunction of conditions."""
    several = list(conditions)
    return several[0] if len(several) == 1 else f"<d:or>{''.join(several)}</d:or>"


def _modified_condition(comparison: str, moment: datetime) -> str:
    """Return a comparison with a time in UTC; Nextcloud ignores times in another format."""
    return (
        f"<d:{comparison}><d:prop><d:getlastmodified/></d:prop>"
        f"<d:literal>{moment:%Y-%m-%dT%H:%M:%SZ}</d:literal></d:{comparison}>"
    )
