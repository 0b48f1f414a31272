"""Finding files: WebDAV SEARCH (RFC 5323; Nextcloud developer manual, "WebDAV: Search").

Nextcloud searches its index of names, types, dates and stars, below one folder and to any depth; it does not look
into files. Favourites are found the same way; a REPORT of `oc:filter-files`, which could too, is not needed.
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

_MEDIA_TYPE: Final = re.compile(r"[^/%*]+/([^/%*]+|[%*])")


class Wanted(BaseModel):
    """What a file must be to be found; what is None does not matter.

    In `name_pattern`, `%` or `*` stands for any characters, and case does not matter; without them it is a part of the
    name. `mime_type` is a media type
    such as `image/png`, or all of a kind: `image/%`.
    """

    name_pattern: str | None = None
    mime_type: str | None = None
    modified_after: datetime | None = None
    modified_before: datetime | None = None
    only_favorites: bool = False


class Found(NamedTuple):
    """A page of what was found, and the row at which the next one starts; None at the end."""

    files: list[FileInfo]
    next_start: int | None


async def search(nextcloud: Nextcloud, folder: str, wanted: Wanted, *, start: int, limit: int) -> Found:
    """Return up to `limit` files and folders, newest first, from row `start` on.

    Nextcloud counts the folder itself as a row, then drops it, and does not say where. So pages are counted in rows, of
    which one more than `limit` is asked for. If all of them come, the folder is not among them, and the last begins the
    next page. If `limit` come, either the folder is among them, or it is the end; and the next row tells.

    Raises:
        NotFoundError: the folder does not exist.
        InvalidArgumentError: the path is that of a file, or the media type has another form.
    """
    conditions = _conditions(await _in_utc(nextcloud, wanted))
    files = await files_where(nextcloud, folder, conditions, start=start, rows=limit + 1)
    end = start + limit
    if len(files) > limit:
        return Found(files[:limit], end)
    goes_on = len(files) == limit and await files_where(nextcloud, folder, conditions, start=end + 1, rows=1)
    return Found(files, end + 1 if goes_on else None)


async def _in_utc(nextcloud: Nextcloud, wanted: Wanted) -> Wanted:
    """Return what is wanted with times that need no zone; without an offset they are meant in the person's."""
    given = {"modified_after": wanted.modified_after, "modified_before": wanted.modified_before}
    moved = {name: await moments.in_utc(nextcloud, moment) for name, moment in given.items() if moment is not None}
    return wanted.model_copy(update=moved)


def _conditions(wanted: Wanted) -> str:
    """Return the conditions of `d:where`; one that all files meet if there are none, for none is an error."""
    conditions = []
    if wanted.name_pattern is not None:
        # In SQL, `_` stands for one character; for people it is just itself.
        pattern = wanted.name_pattern.replace("\\", r"\\").replace("_", r"\_")
        if not {"%", "*"} & set(pattern):
            pattern = f"%{pattern}%"
        conditions.append(_any(_like("displayname", spelling) for spelling in spellings(pattern)))
    if wanted.mime_type is not None:
        conditions.append(_like("getcontenttype", _media_type(wanted.mime_type)))
    if wanted.modified_after:
        conditions.append(_modified("gt", wanted.modified_after))
    if wanted.modified_before:
        conditions.append(_modified("lt", wanted.modified_before))
    if wanted.only_favorites:
        conditions.append("<d:eq><d:prop><oc:favorite/></d:prop><d:literal>1</d:literal></d:eq>")
    return "".join(conditions or [_like("displayname", "%")])


def _media_type(text: str) -> str:
    """Return a media type as Nextcloud takes it: it answers 500 to other patterns, and knows them in lower case."""
    if _MEDIA_TYPE.fullmatch(text) is None:
        raise InvalidArgumentError(
            "{text} is no media type", "write mime_type like image/png, or image/% for all", text=quoted(text)
        )
    return text.lower()


def _like(name: str, pattern: str) -> str:
    literal = escape(pattern.replace("*", "%"))
    return f"<d:like><d:prop><d:{name}/></d:prop><d:literal>{literal}</d:literal></d:like>"


def _any(conditions: Iterable[str]) -> str:
    """Return what is met where one of the conditions is."""
    several = list(conditions)
    return several[0] if len(several) == 1 else f"<d:or>{''.join(several)}</d:or>"


def _modified(comparison: str, moment: datetime) -> str:
    """Return a comparison with a date in UTC; Nextcloud ignores dates of any other form."""
    return (
        f"<d:{comparison}><d:prop><d:getlastmodified/></d:prop>"
        f"<d:literal>{moment:%Y-%m-%dT%H:%M:%SZ}</d:literal></d:{comparison}>"
    )
