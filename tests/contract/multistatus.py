"""A minimal parser for WebDAV multistatus responses (RFC 4918 section 13)."""

from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree.ElementTree import Element

import httpx
from defusedxml.ElementTree import fromstring

PROPFIND = """<?xml version="1.0"?>
<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop>
<d:getcontentlength/><d:getcontenttype/><d:getlastmodified/><d:getetag/><d:resourcetype/>
<oc:fileid/><oc:favorite/><oc:size/><oc:permissions/>
</d:prop></d:propfind>"""

_SPACES = {"DAV:": "d", "http://owncloud.org/ns": "oc", "http://sabredav.org/ns": "s"}


@dataclass(frozen=True)
class Entry:
    """One file or folder.

    Attributes:
        href: As sent.
        values: The text of each property that it has, by prefixed name; a folder has `d:collection`.
    """

    href: str
    values: dict[str, str]

    @property
    def path(self) -> str:
        """The href, unquoted and without the slash that ends a folder's."""
        return unquote(self.href).rstrip("/")

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return "d:collection" in self.values


async def propfind(http: httpx.AsyncClient, path: str, *, depth: str = "1") -> list[Entry]:
    """The properties at a path, and of what is in it with depth 1."""
    answer = await http.request("PROPFIND", path, content=PROPFIND, headers={"Depth": depth})
    assert answer.status_code == 207, answer.text
    return [_entry(response) for response in fromstring(answer.content).iter("{DAV:}response")]


async def properties(http: httpx.AsyncClient, path: str) -> dict[str, str]:
    """The properties of one file or folder."""
    (entry,) = await propfind(http, path, depth="0")
    return entry.values


def exception(answer: httpx.Response) -> str:
    """The last part of the exception's name in a refusal."""
    name: str = fromstring(answer.content).findtext("{http://sabredav.org/ns}exception", "")
    return name.rpartition("\\")[2]


def _entry(response: Element) -> Entry:
    values: dict[str, str] = {}
    for propstat in response.iter("{DAV:}propstat"):
        if " 200 " in (propstat.findtext("{DAV:}status") or ""):
            values |= {_prefixed(each.tag): each.text or "" for prop in propstat for each in prop.iter()}
    return Entry(response.findtext("{DAV:}href") or "", values)


def _prefixed(tag: str) -> str:
    space, _, name = tag.removeprefix("{").partition("}")
    return f"{_SPACES.get(space, space)}:{name}"
