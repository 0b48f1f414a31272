"""Accept URLs, as a browser or a WebDAV client shows them, in place of file paths."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from nextcloud_mcp.boundary.addresses import below
from nextcloud_mcp.boundary.call import Call
from nextcloud_mcp.boundary.lookup import Translated
from nextcloud_mcp.errors import InvalidArgumentError, NotFoundError, quoted
from nextcloud_mcp.nextcloud import files

_ADDRESS: Final = re.compile("https?://", re.IGNORECASE)

_BY_ID: Final = re.compile(r"(?:/index\.php)?/(?:f|apps/files/files)/([0-9]{1,18})/?")
"""URLs of a file or folder by its id: the internal link, and the web page, which also has `dir`."""

_PAGE: Final = re.compile(r"(?:/index\.php)?/apps/files(?:/files)?/?")
"""The web page of a folder; `dir` is the path of the folder."""

_DAV: Final = re.compile(r"/remote\.php/(?:dav/files/([^/]+)|webdav)(/.*)?")
"""The WebDAV URL of a file or folder."""


_INTERNAL: Final = re.compile("/f/[0-9]{1,18}/?")
"""An internal link without its host, which may also be the path of a file."""

_WITHOUT_HOST: Final = re.compile(
    r"/index\.php/(?:f|apps/files)/.*|/apps/files/(?:files/?)?(?:[0-9]+/?)?\?.*|/remote\.php/(?:dav/files|webdav)/.*"
    rf"|{_INTERNAL.pattern}",
    re.DOTALL,
)
"""A URL without scheme and host."""


async def _path_from_url(call: Call, given: str, _: Mapping[str, Any]) -> str:
    """Return the path of a file, if `given` is a URL of this Nextcloud, or else `given`.

    Raises:
        InvalidArgumentError: the URL is another server's, or is not that of a file of the user.
        NotFoundError: the URL has the id of a file that the user does not see.
    """
    if not _ADDRESS.match(given.strip()) and not _WITHOUT_HOST.fullmatch(given):
        return given
    if _INTERNAL.fullmatch(given) and await files.exists(call.nextcloud(), given):
        return given
    address, path = _split(given.strip(), call.services.addresses)
    if found := _DAV.fullmatch(path):
        owner = unquote(found[1]) if found[1] is not None else None
        if owner is not None and owner != await call.nextcloud().user_id():
            raise InvalidArgumentError(
                "{given} is in somebody else's files", "pass a path of your own", given=quoted(given)
            )
        return unquote(found[2] or "/")
    query = parse_qs(address.query)
    folder = query.get("dir", [""])[0]
    if file_id := _id_in(path, query):
        return await _path_by_id(call, file_id, folder)
    if _PAGE.fullmatch(path):
        return folder or "/"
    raise InvalidArgumentError("{given} is not the address of a file or folder", "pass its path", given=quoted(given))


FilePath = Annotated[str, Translated(_path_from_url)]
"""A path below the user's root folder, or its URL in this Nextcloud."""


async def _path_by_id(call: Call, file_id: int, folder: str) -> str:
    """Return the path of the file or folder with this id; `folder` is checked too, as search omits the root folder."""
    try:
        return await files.path_of(call.nextcloud(), file_id)
    except NotFoundError:
        if folder and await files.has_id(call.nextcloud(), folder, file_id):
            return folder
        raise


def _id_in(path: str, query: Mapping[str, list[str]]) -> int | None:
    """Return the id of the file that a URL opens, from the query or the path of the web page, or None."""
    opened = query.get("openfile", [""])[0]
    if _PAGE.fullmatch(path) and re.fullmatch("[0-9]{1,18}", opened):
        return int(opened)
    found = _BY_ID.fullmatch(path)
    return int(found[1]) if found else None


def _split(given: str, roots: tuple[str, ...]) -> tuple[SplitResult, str]:
    """Return the parts of a URL, and its path below the root of this Nextcloud.

    Raises:
        InvalidArgumentError: the URL is another server's.
    """
    try:
        address = urlsplit(given)
    except ValueError:  # not a valid host
        address = urlsplit("https:")
    path = below(address, roots) if address.scheme else address.path
    if path is None:
        raise InvalidArgumentError(
            "{given} is not an address of this Nextcloud",
            "pass the path, as nc_webdav_list_directory shows it",
            given=quoted(given),
        )
    return address, path
