"""WebDAV SEARCH (RFC 5323) on `/remote.php/dav/`, as far as file clients use it.

https://docs.nextcloud.com/server/latest/developer_manual/client_apis/WebDAV/search.html
Recorded from Nextcloud 32: the scope is not percent-encoded; the searched folder counts towards the limit, but is not
returned; a missing condition, or a media type in another form than `image/png` or `image/%`, gets 500.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, ParseError, SubElement, register_namespace, tostring

from defusedxml.ElementTree import fromstring
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from wsgidav.dav_error import DAVError  # type: ignore[import-untyped]

from stack.standin.files import File, FilesProvider
from stack.standin.gate import account_of
from stack.standin.sabre import MEDIA_TYPE, error_body
from stack.standin.storage import Storage

PATH = "/remote.php/dav/"
_D = "{DAV:}"
_OC = "{http://owncloud.org/ns}"
_FIRST = "{https://github.com/icewind1991/SearchDAV/ns}firstresult"
_FOLDER = "httpd/unix-directory"
_Condition = Callable[[Any], bool]

register_namespace("d", "DAV:")
register_namespace("oc", "http://owncloud.org/ns")


class _RefusedError(Exception):
    """An error response of Nextcloud."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def routes(storage: Storage) -> list[Route]:
    """Return the route of SEARCH."""
    provider = FilesProvider(storage)
    provider.set_share_path("/")

    async def search(request: Request) -> Response:
        try:
            document = fromstring(await request.body())
            body = _answer(provider, account_of(request.scope).user, document)
        except ParseError as error:
            return Response(f"Parse error: {error}", 400, media_type="text/html")
        except _RefusedError as refusal:
            return Response(error_body(refusal.status, str(refusal)), refusal.status, media_type=MEDIA_TYPE)
        return Response(body, 207, media_type=MEDIA_TYPE)

    return [Route(PATH, search, methods=["SEARCH"])]


def _answer(provider: FilesProvider, user: str, document: Element) -> bytes:
    search = document.find(f"{_D}basicsearch")
    where = search.find(f"{_D}where") if search is not None else None
    if search is None or where is None or len(where) != 1:
        raise _RefusedError(500, "A type error occurred.")
    folder = _folder(provider, user, search.findtext(f"{_D}from/{_D}scope/{_D}href", ""))
    meets = _condition(where[0])
    everything = folder.get_descendants(depth="infinity", add_self=True)
    rows = [row for row in everything if meets(row)]
    for order in reversed(search.findall(f"{_D}orderby/{_D}order")):
        rows.sort(key=_sort_key(order), reverse=order.find(f"{_D}descending") is not None)
    start = int(search.findtext(f"{_D}limit/{_FIRST}", "0"))
    count = int(search.findtext(f"{_D}limit/{_D}nresults", "0")) or len(rows)
    wanted = [element.tag for element in search.iterfind(f"{_D}select/{_D}prop/*")]
    multistatus = Element(f"{_D}multistatus")
    for row in rows[start : start + count]:
        if row.path != folder.path:
            _append(multistatus, row, wanted)
    body: bytes = tostring(multistatus, xml_declaration=True, encoding="utf-8")
    return body


def _folder(provider: FilesProvider, user: str, href: str) -> Any:
    """Return the folder at a path below `/files/UID`, which is not percent-encoded."""
    _, kind, owner, *names = href.rstrip("/").split("/")
    environ = {"wsgidav.provider": provider, "wsgidav.config": {}}
    folder = provider.get_resource_inst("/".join(("", user, *names)), environ)
    if (kind, owner) != ("files", user) or isinstance(folder, File):
        raise _RefusedError(500, "Search is only supported on directories")
    if folder is None:
        raise _RefusedError(404, f"File with name //{'/'.join(names)} could not be located")
    return folder


def _condition(element: Element) -> _Condition:
    """Return a function that evaluates a search condition for a file or folder."""
    kind = element.tag.removeprefix(_D)
    if kind in {"and", "or"}:
        parts, holds = [_condition(part) for part in element], all if kind == "and" else any
        return lambda row: holds(part(row) for part in parts)
    name, literal = element.find(f"{_D}prop")[0].tag, element.findtext(f"{_D}literal", "")  # type: ignore[index]
    if (kind, name) == ("like", f"{_D}displayname"):
        return lambda row: _pattern(literal).fullmatch(_name(row)) is not None
    if (kind, name) == ("like", f"{_D}getcontenttype"):
        return _media_type(literal)
    if kind == "eq" and name in {f"{_OC}fileid", f"{_OC}favorite"}:
        return lambda row: bool(str(row.get_property_value(name)) == literal)
    if name == f"{_D}getlastmodified":
        moment = datetime.fromisoformat(literal).timestamp()
        return (lambda row: _modified(row) > moment) if kind == "gt" else (lambda row: _modified(row) < moment)
    raise _RefusedError(400, "requested property is not searchable")


def _pattern(literal: str) -> re.Pattern[str]:
    """Convert a pattern of SQL's LIKE to a regular expression: `%`, `_`, and backslash escapes; case is ignored."""
    parts = re.findall(r"\\.|.", literal, re.DOTALL)
    known = {"%": ".*", "_": "."}
    return re.compile("".join(known.get(part, re.escape(part[-1])) for part in parts), re.IGNORECASE | re.DOTALL)


def _media_type(literal: str) -> _Condition:
    kind, slash, rest = literal.partition("/")
    if "%" in literal and (not slash or not kind or rest != "%"):
        raise _RefusedError(500, f"Unsupported query value for mimetype: {literal}")

    def meets(row: Any) -> bool:
        found = _FOLDER if row.is_collection else str(row.get_content_type())
        return found.partition("/")[0] == kind if rest == "%" else found == literal

    return meets


def _name(row: Any) -> str:
    return str(row.path).rstrip("/").rpartition("/")[2]


def _modified(row: Any) -> float:
    return float(row.get_last_modified())


def _sort_key(order: Element) -> Callable[[Any], Any]:
    name = order.find(f"{_D}prop")[0].tag  # type: ignore[index]
    if name == f"{_D}getlastmodified":
        return _modified
    if name == f"{_D}displayname":
        return _name
    raise _RefusedError(400, "requested order by property is not sortable")


def _append(multistatus: Element, row: Any, wanted: list[str]) -> None:
    """Add a `d:response`, with status 200 for the properties that the row has, and 404 for the others."""
    response = SubElement(multistatus, f"{_D}response")
    slash = "/" if row.is_collection else ""
    SubElement(response, f"{_D}href").text = quote(f"{PATH}files{row.path}") + slash
    found: dict[int, list[Element]] = {200: [], 404: []}
    for name in wanted:
        element = Element(name)
        try:
            value = row.get_property_value(name)
        except DAVError:
            found[404].append(element)
            continue
        if isinstance(value, Element):
            element.extend(value)
        else:
            element.text = value
        found[200].append(element)
    for status, elements in found.items():
        if elements:
            propstat = SubElement(response, f"{_D}propstat")
            SubElement(propstat, f"{_D}prop").extend(elements)
            SubElement(propstat, f"{_D}status").text = f"HTTP/1.1 {status} {'OK' if status == 200 else 'Not Found'}"  # noqa: PLR2004
