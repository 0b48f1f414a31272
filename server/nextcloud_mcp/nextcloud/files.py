"""Find a user's files and read their properties over WebDAV.

RFC 4918, and SEARCH of RFC 5323; Nextcloud developer manual, "WebDAV: Basic APIs" and "WebDAV: Search".
Paths are relative to the user's root folder, `/`.
"""

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

import httpx
from pydantic import BaseModel, Field

from nextcloud_mcp.errors import InvalidArgumentError, NotFoundError, quoted
from nextcloud_mcp.nextcloud import dav, file_access
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.file_access import Access, Lock
from nextcloud_mcp.nextcloud.names import composed
from nextcloud_mcp.nextcloud.refusals import error_for
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread

_PROPERTIES: Final = (
    *(
        f"{dav.D}{name}"
        for name in ("resourcetype", "getcontentlength", "getcontenttype", "getlastmodified", "getetag")
    ),
    *(f"{dav.OC}{name}" for name in ("size", "fileid", "favorite")),
    *file_access.PROPERTIES,
)
"""The properties that `file_info` reads."""

PROPFIND: Final = dav.propfind(*_PROPERTIES)
"""A request for these properties."""

_SELECTED: Final = "".join(re.sub("{(.*)}(.*)", r'<\2 xmlns="\1"/>', name) for name in _PROPERTIES)
"""The same properties, as a SEARCH names them."""

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

PARTIAL_SUFFIX: Final = ".part"
"""Suffix that Nextcloud keeps for incomplete uploads, and allows in no name (32 to 34)."""

CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x1f]")
"""Characters that Nextcloud allows in no name (`FilenameValidator`, 34.0.1)."""

_WITH_ID: Final = "<d:eq><d:prop><oc:fileid/></d:prop><d:literal>{}</d:literal></d:eq>"


def _is_absent(value: object) -> bool:
    return value is None


class FileInfo(BaseModel):
    """A file or folder; `size` in bytes, of a folder with all that is in it; `last_modified` as in HTTP.

    The last five fields are present only where they say something: `shared_by` for what somebody shared with the user,
    `owner` if it belongs to another person than who shared it, `mount` for a team folder or an external storage,
    `permissions` if the user may not do everything with it.
    """

    name: str
    path: str
    is_directory: bool
    size: int | None = None
    content_type: str | None = None
    last_modified: str | None = None
    etag: str | None = None
    file_id: int | None = None
    is_favorite: bool | None = None
    shared_by: str | None = Field(default=None, exclude_if=_is_absent)
    owner: str | None = Field(default=None, exclude_if=_is_absent)
    mount: str | None = Field(default=None, exclude_if=_is_absent)
    permissions: str | None = Field(default=None, exclude_if=_is_absent)
    lock: Lock | None = Field(default=None, exclude_if=_is_absent)


async def root_of(nextcloud: Nextcloud) -> str:
    """Return the path of the user's root folder on the server, percent-encoded."""
    return f"/remote.php/dav/files/{await nextcloud.home_name()}"


async def url_of(nextcloud: Nextcloud, path: str) -> str:
    """Return the path of a file on the server, percent-encoded."""
    return "/".join([await root_of(nextcloud), *(quote(segment, safe="") for segment in segments(path))])


def segments(path: str) -> list[str]:
    """Split a path; no segment may climb out of the user's root or hide a part of the name."""
    names = [composed(name) for name in path.split("/") if name]
    if any("\0" in name for name in names):
        raise InvalidArgumentError(
            "Invalid path {path}", "write it without NUL characters", argument="path", path=quoted(path)
        )
    if any(name in {".", ".."} for name in names):
        raise InvalidArgumentError(
            "Invalid path {path}", "write it without '.' and '..'", argument="path", path=quoted(path)
        )
    return names


def check_new_name(path: str) -> None:
    """Refuse a name with control characters for what is to be made; what others have made may have one.

    Nextcloud refuses it too, but says of a line break that something was not found (PUT, MKCOL; 34.0.1).

    Raises:
        InvalidArgumentError: the last name of the path has one.
    """
    name = (segments(path) or [""])[-1]
    if CONTROL_CHARACTERS.search(name):
        raise InvalidArgumentError(
            "Nextcloud does not allow line breaks and other control characters in names, as in {name}",
            "choose another name",
            name=quoted(name),
        )


def display_path(path: str) -> str:
    """Return a path as the user sees it: from their root, without doubled slashes."""
    return "/" + "/".join(segments(path))


async def stat(nextcloud: Nextcloud, path: str) -> FileInfo:
    """Return what is known of one file or folder."""
    return (await stat_with_access(nextcloud, path))[0]


async def stat_with_access(nextcloud: Nextcloud, path: str) -> tuple[FileInfo, Access]:
    """Return what is known of one file or folder, and how the user may access it."""
    response = await nextcloud.request(
        "PROPFIND", await url_of(nextcloud, path), about=display_path(path), headers={"Depth": "0"}, content=PROPFIND
    )
    return _read(dav.responses(response)[0], await root_of(nextcloud))


async def exists(nextcloud: Nextcloud, path: str) -> bool:
    """Return whether there is a file or folder."""
    try:
        await stat(nextcloud, path)
    except NotFoundError:
        return False
    return True


async def has_id(nextcloud: Nextcloud, path: str, file_id: int) -> bool:
    """Return whether the file or folder at a path exists and has this id."""
    try:
        return (await stat(nextcloud, path)).file_id == file_id
    except NotFoundError:
        return False


async def path_of(nextcloud: Nextcloud, file_id: int) -> str:
    """Return where the file or folder with this id is among the user's.

    Raises:
        NotFoundError: the file does not exist, or the user may not see it.
    """
    found = await files_where(nextcloud, "", _WITH_ID.format(file_id), start=0, rows=1)
    if not found:
        raise NotFoundError(
            "There is no file or folder with the id {file_id} among what you may see",
            "list a folder for its file_id",
            file_id=file_id,
        )
    return found[0].path


async def files_where(nextcloud: Nextcloud, folder: str, conditions: str, *, start: int, rows: int) -> list[FileInfo]:
    """Return what below a folder meets conditions, newest first: these rows of it, apart from the folder itself.

    Args:
        nextcloud: the conversation.
        folder: as the person sees it.
        conditions: what `d:where` holds, at least one.
        start: the first row.
        rows: how many.

    Raises:
        NotFoundError: the folder does not exist.
        InvalidArgumentError: the path is that of a file.
    """
    root = f"/remote.php/dav/files/{quote(await nextcloud.user_id(), safe='')}"  # here a `+` is encoded once
    document = _SEARCH.format(
        properties=_SELECTED,
        # not percent-encoded, unlike any other
        scope=escape(f"/files/{unquote(await nextcloud.home_name())}{display_path(folder)}"),
        conditions=conditions,
        rows=rows,
        start=start,
    )
    response = await nextcloud.request(
        "SEARCH",
        "/remote.php/dav/",
        about=display_path(folder),
        headers={"Content-Type": "text/xml"},
        content=dav.body(document),
        also_ok={httpx.codes.INTERNAL_SERVER_ERROR},
    )
    if response.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
        if b"only supported on directories" in response.content:
            raise InvalidArgumentError(
                "{folder} is a file, not a folder", "search the one it is in", folder=display_path(folder)
            )
        raise error_for(response, display_path(folder))
    return await run_in_worker_thread(file_infos, response, root)


def file_infos(multistatus: httpx.Response, root: str) -> list[FileInfo]:
    """Read an answer to PROPFIND or SEARCH; thousands of files take seconds."""
    return [file_info(element, root) for element in dav.each_response(multistatus)]


def file_info(response: Element, root: str) -> FileInfo:
    """Read one `d:response`; a folder has no length of its own, but `oc:size`."""
    return _read(response, root)[0]


def _read(response: Element, root: str) -> tuple[FileInfo, Access]:
    path = _after(unquote(root), unquote(urlsplit(response.findtext(f"{dav.D}href", "")).path))
    properties = dav.properties(response)
    text = {tag: element.text for tag, element in properties.items() if element.text}
    is_directory = f"{dav.D}resourcetype" in properties and (
        properties[f"{dav.D}resourcetype"].find(f"{dav.D}collection") is not None
    )
    access = file_access.read_access(text, is_directory=is_directory)
    info = FileInfo(
        name=path.rsplit("/", 1)[-1],
        path=path,
        is_directory=is_directory,
        size=_int(text.get(f"{dav.D}getcontentlength") or text.get(f"{dav.OC}size")),
        content_type=text.get(f"{dav.D}getcontenttype"),
        last_modified=text.get(f"{dav.D}getlastmodified"),
        etag=dav.unquoted(text.get(f"{dav.D}getetag")),
        file_id=_int(text.get(f"{dav.OC}fileid")),
        is_favorite=text.get(f"{dav.OC}favorite") == "1",
        shared_by=access.shared_by,
        mount=access.mount,
        permissions=file_access.describe_permissions(access.permissions) if access.permissions else None,
        lock=access.lock,
    )
    return info, access


def _after(root: str, path: str) -> str:
    """Return the user's path of an absolute one; Nextcloud may live below a path of its own."""
    return "/" + path.partition(root)[2].strip("/")


def _int(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch("[0-9]{1,18}", text) else None
