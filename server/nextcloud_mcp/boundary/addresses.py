"""Accept URLs of this Nextcloud, as a browser or a DAV client shows them, in place of ids and names.

BoardId = Annotated[int, accepts_url("/apps/deck/board/([0-9]+)"), Named("board", list_boards, scope="deck:read")]
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from nextcloud_mcp.boundary.call import Call
from nextcloud_mcp.boundary.lookup import Translated
from nextcloud_mcp.nextcloud import dav

_SCHEMES: Final = frozenset({"http", "https"})
_PORTS: Final = {"http": 80, "https": 443}


def accepts_url(pattern: str) -> Translated:
    """Return the marker of an argument that may be a URL; the pattern's last group is the id or name.

    Other texts stay unchanged, and so does a URL whose group `owner` is another user.

    Args:
        pattern: a regular expression of the path below Nextcloud's root, with the fragment: `/apps/x/#/y/([0-9]+)`.
    """
    compiled = re.compile(rf"(?:/index\.php)?(?:{pattern})")

    async def translate(call: Call, given: str, _: Mapping[str, Any]) -> str:
        found = compiled.fullmatch(_url_path(given.strip(), call.services.addresses) or "")
        if found is None:
            return given
        owner = found.groupdict().get("owner")
        if owner is not None and unquote(owner) != await call.nextcloud().user_id():
            return given
        return unquote(found[compiled.groups])

    return Translated(translate)


def accepts_collection(pattern: str) -> Translated:
    """Return the marker of an argument that may be a URL, as in `accepts_url`, or a name with a slash at its end.

    DAV clients write the names of calendars and address books with it, because these are collections (RFC 4918 section
    5.2).
    """
    url = accepts_url(pattern)

    async def translate(call: Call, given: str, arguments: Mapping[str, Any]) -> str:
        text = given.strip()
        name = text.removesuffix("/")
        return name if name != text and dav.is_segment(name) else await url.translate(call, given, arguments)

    return Translated(translate)


def _url_path(given: str, roots: tuple[str, ...]) -> str | None:
    """Return the path and fragment of a URL of this Nextcloud, with or without its host; None for other texts."""
    try:
        address = urlsplit(given)
    except ValueError:  # not a valid host
        return None
    if address.scheme.lower() in _SCHEMES:
        path = below(address, roots)
    else:
        path = _below_root(given.partition("#")[0].partition("?")[0], roots) if given.startswith("/") else None
    if path is None:
        return None
    return f"{path}#{address.fragment}" if address.fragment else path


def below(address: SplitResult, roots: tuple[str, ...]) -> str | None:
    """Return the path of a URL below this Nextcloud's root; None if the URL is another server's."""
    found = (_without_root(address.path, root) for root in map(urlsplit, roots) if _host(root) == _host(address))
    return next((path for path in found if path is not None), None)


def _below_root(path: str, roots: tuple[str, ...]) -> str:
    """Return a path without that of this Nextcloud's root, with which hrefs in Nextcloud's responses begin."""
    found = (_without_root(path, root) for root in map(urlsplit, roots) if root.path.strip("/"))
    return next((each for each in found if each is not None), path)


def _without_root(path: str, root: SplitResult) -> str | None:
    """Return a path without that of the root; None if it is not below the root."""
    base = root.path.rstrip("/")
    return path[len(base) :] or "/" if f"{path}/".startswith(f"{base}/") else None


def _host(address: SplitResult) -> tuple[str | None, int | None]:
    try:
        port = address.port
    except ValueError:  # not a number
        return None, None
    return address.hostname, port or _PORTS.get(address.scheme.lower())
