"""Build WebDAV request bodies, read multistatus responses and handle ETags (RFC 4918 sections 13 and 15).

Notes and Deck cards use the ETag functions too. ETags are returned without quotes, and from `OC-ETag` if the response
has one: web servers that compress append `-gzip` to `ETag`, and that value matches nothing.
"""

import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Final, NoReturn
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring
from xml.sax.saxutils import unescape

import httpx
from defusedxml import DefusedXmlException
from defusedxml import ElementTree as DefusedET

from nextcloud_mcp.errors import ConflictError, InvalidArgumentError, NextcloudUnavailableError
from nextcloud_mcp.errors import quoted as quoted_text

D: Final = "{DAV:}"
OC: Final = "{http://owncloud.org/ns}"
NC: Final = "{http://nextcloud.org/ns}"

OBJECTS: Final = "events, tasks and contacts"
"""What a person's requests change one at a time, for `Nextcloud.turn`."""

OWNER: Final = (f"{D}owner", "{http://nextcloud.com/ns}owner-displayname")
"""Properties with the owner of a calendar or an address book."""

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document can contain (XML 1.0 section 2.2), not even as a reference."""

_DECLARED_ENCODING: Final = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml\s[^>]*?encoding\s*=\s*["']([^"'>]*)""")

_OPAQUE_TAG: Final = re.compile("[!#-Z^-~]+")
"""An entity-tag between its quotes (RFC 9110 section 8.8.3), without `[`, `]` and `\\`.

For Nextcloud the first `]` in an `If` header ends the ETag, even between quotes, and another condition may follow: with
`x])([])`, one that always holds."""


def body(document: Element | str) -> bytes:
    """Return an XML document as the body of a request.

    Raises:
        InvalidArgumentError: a text in it has a character that XML does not allow.
    """
    text: str = document if isinstance(document, str) else tostring(document, encoding="unicode")
    if found := _NOT_XML.search(text):
        value = text[text.rfind(">", 0, found.start()) + 1 :].partition("<")[0]
        raise InvalidArgumentError(
            "{text} contains a control character that WebDAV does not allow",
            "leave it out",
            text=quoted_text(unescape(value)),
        )
    return text.encode()


def propfind(*names: str) -> bytes:
    """Return the body of a PROPFIND for the properties of these qualified names."""
    document = Element(f"{D}propfind")
    wanted = SubElement(document, f"{D}prop")
    for name in names:
        SubElement(wanted, name)
    return body(document)


def responses(multistatus: httpx.Response) -> list[Element]:
    """Return the `d:response` elements of a PROPFIND response; the first is the requested resource.

    Raises:
        NextcloudUnavailableError: the body is not a multistatus, for example a page from a proxy or a login page.
    """
    return matches(multistatus) or not_webdav()


def matches(multistatus: httpx.Response) -> list[Element]:
    """Return the `d:response` elements of an answer to REPORT or SEARCH, which may have none.

    Raises:
        NextcloudUnavailableError: as for `responses`.
    """
    return document(multistatus, f"{D}multistatus").findall(f"{D}response")


def each_response(multistatus: httpx.Response) -> Iterator[Element]:
    """Yield each `d:response` of an answer while it is parsed, so that a long one never lies in memory as a tree.

    An element is empty as soon as the next one is asked for.

    Raises:
        NextcloudUnavailableError: as for `responses`.
    """
    root: Element | None = None
    try:
        parse = ET.iterparse if _has_no_dtd(multistatus.content) else DefusedET.iterparse
        for event, element in parse(BytesIO(multistatus.content), events=("start", "end")):
            if root is None:
                root = element if element.tag == f"{D}multistatus" else not_webdav()
            elif event == "end" and element.tag == f"{D}response":
                yield element
                root.clear()
    except (ParseError, DefusedXmlException):
        not_webdav()


def document(response: httpx.Response, root: str) -> Element:
    """Return an XML answer whose root element is `root`.

    Raises:
        NextcloudUnavailableError: the body is not XML with this root element.
    """
    try:
        parse = ET.fromstring if _has_no_dtd(response.content) else DefusedET.fromstring
        found = parse(response.content)
    except (ParseError, DefusedXmlException):
        return not_webdav()
    return found if found.tag == root else not_webdav()


def _has_no_dtd(content: bytes) -> bool:
    """Return whether a document certainly has no document type declaration, and so declares no entity.

    Then Python's own parser, which is five times as fast, is as safe as defusedxml's, which decides in all other cases.
    In UTF-8 the declaration begins with these bytes, and nothing else does (XML 1.0 section 2.8). In UTF-16 and UTF-32
    every `<` has a NUL.
    """
    if b"<!DOCTYPE" in content or b"\0" in content:
        return False
    encoding = _DECLARED_ENCODING.match(content)
    return encoding is None or encoding[1].lower() == b"utf-8"


def not_webdav() -> NoReturn:
    """Raise the error for a response that is not WebDAV."""
    raise NextcloudUnavailableError(
        "Nextcloud's answer is not WebDAV", "the administrator must check NEXTCLOUD_HOST and what stands in front"
    )


def properties(response: Element) -> dict[str, Element]:
    """Return the properties that a `d:response` has, by qualified name: those with status 200."""
    return {
        element.tag: element
        for propstat in response.iter(f"{D}propstat")
        if " 200 " in propstat.findtext(f"{D}status", "")
        for element in propstat.iterfind(f"{D}prop/*")
    }


def shared_by(response: Element) -> str | None:
    """Return who shared a calendar or address book, as "Bob Example (bob)"; None if it belongs to whose home it is in.

    It takes the properties `OWNER` (RFC 3744 section 5.1).
    """
    owner = response.findtext(f".//{OWNER[0]}/{D}href", "")
    _, is_person, encoded = _path(owner).rpartition("/principals/users/")
    user = unquote(encoded)  # before it is compared: some characters are encoded in one of the two addresses only
    if not is_person or user == unquote(_path(response.findtext(f"{D}href", "")).rpartition("/")[0].rpartition("/")[2]):
        return None
    return format_person(user, response.findtext(f".//{OWNER[1]}"))


def format_person(user_id: str, display_name: str | None) -> str:
    """Return a person as sentences and lists name them: by both names, where they have two."""
    return f"{display_name} ({user_id})" if display_name and display_name != user_id else user_id


def _path(href: str) -> str:
    return urlsplit(href).path.rstrip("/")


def is_segment(name: str) -> bool:
    """Return whether a name can be one part of a path: it is not empty, leads nowhere else, and can be sent."""
    return name not in {"", ".", ".."} and re.search(r"[/\x00-\x1f\x7f]", name) is None


def last_part(response: Element) -> str:
    """Return the name that the address of a `d:response` ends in."""
    return unquote(urlsplit(response.findtext(f"{D}href", "")).path.rstrip("/").rpartition("/")[2])


def etag(headers: Mapping[str, str]) -> str | None:
    """Return the ETag of what was read or written, unquoted."""
    return unquoted(headers.get("oc-etag") or headers.get("etag"))


def unquoted(value: str | None) -> str | None:
    """Return an ETag without its quotes, its weakness prefix `W/` and the suffix `-gzip`."""
    return value.removeprefix("W/").strip('"').removesuffix("-gzip") if value else None


def parse_etag(etag: str) -> str:
    """Return an ETag that a caller hands in, without its quotes, in whichever form they have it.

    Raises:
        InvalidArgumentError: the value is not an ETag, or is the wildcard `*`.
    """
    tag = unquoted(etag) or ""
    if tag == "*" or not _OPAQUE_TAG.fullmatch(tag):
        raise InvalidArgumentError(
            "Invalid etag {etag!r}", "pass the ETag as you were given it", argument="etag", etag=etag[:100]
        )
    return tag


def quoted(value: str | None) -> str:
    """Return an ETag as HTTP headers have it (RFC 9110 section 8.8.3); without one, a tag that matches nothing.

    Raises:
        InvalidArgumentError: as for `parse_etag`.
    """
    return f'"{parse_etag(value)}"' if value else '""'


def etag_mismatch_error(what: str) -> ConflictError:
    """Return the error for a resource that has changed since the caller read it.

    The error omits the current ETag: with it the caller could overwrite a version that it has not read.
    """
    return ConflictError(
        "{resource} has changed since you read it, and nothing was written",
        "read it again, then repeat the change with the ETag from reading",
        resource=what,
    )
