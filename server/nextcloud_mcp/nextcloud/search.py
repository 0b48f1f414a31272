"""Finding files: WebDAV SEARCH (RFC 5323; Nextcloud developer manual, "WebDAV: Search").

Nextcloud searches its index of names, types, dates and stars, below one folder and to any depth; it does not look
into files. Favourites are found the same way; a REPORT of `oc:filter-files`, which could too, is not needed.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

import httpx
from pydantic import BaseModel

from nextcloud_mcp.errors import InvalidArgumentError, NotFoundError, quoted
from nextcloud_mcp.nextcloud import dav, moments
from nextcloud_mcp.nextcloud.aside import aside
from nextcloud_mcp.nextcloud.client import Nextcloud, error_for
from nextcloud_mcp.nextcloud.names import spellings
from nextcloud_mcp.nextcloud.webdav import PROPERTIES, FileInfo, file_infos, shown

# `firstresult` is no part of RFC 5323: it belongs to the library that Nextcloud's search is made of.
_SEARCH: Final = """<?xml version="1.0"?>
<d:searchrequest xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:s="https://github.com/icewind1991/SearchDAV/ns">
<d:basicsearch>
<d:select><d:prop>{properties}</d:prop></d:select>
<d:from><d:scope><d:href>{scope}</d:href><d:depth>infinity</d:depth></d:scope></d:from>
<d:where><d:and>{conditions}</d:and></d:where>
<d:orderby>
<d:order><d:prop><d:getlastmodified/></d:prop><d:descending/></d:order>
<d:order><d:prop><d:displayname/></d:prop><d:ascending/></d:order>
</d:orderby>
<d:limit><d:nresults>{rows}</d:nresults><s:firstresult>{start}</s:firstresult></d:limit>
</d:basicsearch></d:searchrequest>"""


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
    file_id: int | None = None


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
        NotFoundError: there is no such folder.
        InvalidArgumentError: it is a file, or the media type has another form.
    """
    wanted = await _in_utc(nextcloud, wanted)
    files = await _rows(nextcloud, folder, wanted, start, limit + 1)
    end = start + limit
    if len(files) > limit:
        return Found(files[:limit], end)
    goes_on = len(files) == limit and await _rows(nextcloud, folder, wanted, end + 1, 1)
    return Found(files, end + 1 if goes_on else None)


async def path_of(nextcloud: Nextcloud, file_id: int) -> str:
    """Return where the file or folder with this id is among the user's.

    Raises:
        NotFoundError: there is no such file, or the user may not see it.
    """
    found = await _rows(nextcloud, "", Wanted(file_id=file_id), 0, 1)
    if not found:
        raise NotFoundError(f"There is no file or folder with the id {file_id} among what you may see.")
    return found[0].path


async def _in_utc(nextcloud: Nextcloud, wanted: Wanted) -> Wanted:
    """Return what is wanted with times that need no zone; without an offset they are meant in the person's."""
    given = {"modified_after": wanted.modified_after, "modified_before": wanted.modified_before}
    moved = {name: await moments.in_utc(nextcloud, moment) for name, moment in given.items() if moment is not None}
    return wanted.model_copy(update=moved)


async def _rows(nextcloud: Nextcloud, folder: str, wanted: Wanted, start: int, rows: int) -> list[FileInfo]:
    """Return what is in these rows, apart from the folder itself."""
    root = f"/remote.php/dav/files/{quote(await nextcloud.user_id(), safe='')}"  # here a `+` is encoded once
    document = _SEARCH.format(
        properties=PROPERTIES,
        # not percent-encoded, unlike any other
        scope=escape(f"/files/{unquote(await nextcloud.home_name())}{shown(folder)}"),
        conditions=_conditions(wanted),
        rows=rows,
        start=start,
    )
    response = await nextcloud.request(
        "SEARCH",
        "/remote.php/dav/",
        about=shown(folder),
        headers={"Content-Type": "text/xml"},
        content=dav.body(document),
        also_ok={httpx.codes.INTERNAL_SERVER_ERROR},
    )
    if response.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
        if b"only supported on directories" in response.content:
            raise InvalidArgumentError(f"{shown(folder)} is a file, not a folder: search the one it is in.")
        raise error_for(response, shown(folder))
    return await aside(file_infos, response, root)


def _conditions(wanted: Wanted) -> str:
    """Return the conditions of `d:where`; one that all files meet if there are none, for none is an error."""
    conditions = []
    if wanted.name_pattern is not None:
        # In SQL, `_` stands for one character; for people it is just itself.
        pattern = wanted.name_pattern.replace("\\", r"\\").replace("_", r"\_")
        if not {"%", "*"} & set(pattern):
            pattern = f"%{pattern}%"
        conditions.append(_any(_like("displayname", spelling) for spelling in spellings(pattern)))
    if wanted.file_id is not None:
        conditions.append(f"<d:eq><d:prop><oc:fileid/></d:prop><d:literal>{wanted.file_id}</d:literal></d:eq>")
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
            f"{quoted(text)} is no media type: write mime_type like image/png, or image/% for all."
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
