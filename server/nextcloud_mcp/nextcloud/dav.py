"""What files, calendars and contacts share: multistatus answers and ETags (RFC 4918 sections 13 and 15).

Notes and cards have ETags too, though no WebDAV. They are given without their quotes, from `OC-ETag` where it is there:
web servers that compress append `-gzip` to `ETag`, which then matches nothing.
"""

from collections.abc import Mapping
from typing import Final, NoReturn
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

import httpx
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from nextcloud_mcp.errors import ConflictError, NextcloudUnavailableError

D: Final = "{DAV:}"
OC: Final = "{http://owncloud.org/ns}"
NC: Final = "{http://nextcloud.org/ns}"


def propfind(*names: str) -> bytes:
    """Return the body of a PROPFIND for the properties of these qualified names."""
    document = Element(f"{D}propfind")
    wanted = SubElement(document, f"{D}prop")
    for name in names:
        SubElement(wanted, name)
    body: bytes = tostring(document)
    return body


def responses(multistatus: httpx.Response) -> list[Element]:
    """Return the `d:response` elements of an answer to PROPFIND, one at least: that of what was asked for.

    Raises:
        NextcloudUnavailableError: it is no such answer, as proxies' and login pages are none.
    """
    return matches(multistatus) or _not_webdav()


def matches(multistatus: httpx.Response) -> list[Element]:
    """Return the `d:response` elements of an answer to REPORT or SEARCH, which may have none.

    Raises:
        NextcloudUnavailableError: as for `responses`.
    """
    return document(multistatus, f"{D}multistatus").findall(f"{D}response")


def document(response: httpx.Response, root: str) -> Element:
    """Return an XML answer whose root element is `root`.

    Raises:
        NextcloudUnavailableError: it is something else.
    """
    try:
        found = fromstring(response.content)
    except (ParseError, DefusedXmlException):
        return _not_webdav()
    return found if found.tag == root else _not_webdav()


def _not_webdav() -> NoReturn:
    raise NextcloudUnavailableError(
        "Nextcloud's answer is not WebDAV: the administrator must check NEXTCLOUD_HOST and what stands in front."
    )


def properties(response: Element) -> dict[str, Element]:
    """Return the properties that a `d:response` has, by qualified name: those with status 200."""
    return {
        element.tag: element
        for propstat in response.iter(f"{D}propstat")
        if " 200 " in propstat.findtext(f"{D}status", "")
        for element in propstat.iterfind(f"{D}prop/*")
    }


def last_part(response: Element) -> str:
    """Return the name that the address of a `d:response` ends in."""
    return unquote(urlsplit(response.findtext(f"{D}href", "")).path.rstrip("/").rpartition("/")[2])


def etag(headers: Mapping[str, str]) -> str | None:
    """Return the ETag of what was read or written, unquoted."""
    return unquoted(headers.get("oc-etag") or headers.get("etag"))


def unquoted(value: str | None) -> str | None:
    """Return an ETag as we hand it out and take it: without quotes, weakness and what proxies append."""
    return value.removeprefix("W/").strip('"').removesuffix("-gzip") if value else None


def quoted(value: str | None) -> str:
    """Return an ETag as HTTP has it (RFC 9110 section 8.8.3), whichever way it was handed to us."""
    return f'"{unquoted(value) or ""}"'


def changed(what: str, present: str | None) -> ConflictError:
    """Return the error for what is not as the caller has read it, with the ETag that it has now."""
    return ConflictError(
        f"{what} has changed since you read it, and nothing was written: read it again, then pass its present ETag "
        f"{present}."
    )
