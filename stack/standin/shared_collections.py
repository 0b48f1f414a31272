"""Calendars and address books that users share, as in Nextcloud's resource sharing over CalDAV and CardDAV.

The owner posts `o:share` to a collection. The recipients then have it in their own home, as NAME_shared_by_OWNER.
Measured on Nextcloud 32.0.1 and 34.0.1, which behave alike:

- To recipients who may only read, a write gets 404, as if the collection did not exist.
- What a recipient changes with PROPPATCH is changed for that recipient alone.
- DELETE of the collection only ends the share with that recipient.
"""

import json
import re
from collections.abc import Callable, Iterable
from copy import deepcopy
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit
from xml.etree.ElementTree import Element, SubElement, tostring
from xml.sax.saxutils import escape, unescape

from defusedxml.ElementTree import fromstring

from stack.standin.gate import account_of
from stack.standin.sabre import MEDIA_TYPE, error_body, if_match
from stack.standin.tree import Tree

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]
Answer = tuple[int, list[tuple[str, str]], bytes]
Record = dict[str, Any]

_DAV, _OC, _NC = "{DAV:}", "{http://owncloud.org/ns}", "{http://nextcloud.com/ns}"
_PRINCIPAL = "principal:principals/users/"
_HREF = re.compile(rb"(<(?:[\w.-]+:)?href[^>]*>)([^<]*)(?=<)")
_READ = ("write-properties", "read", "read-acl", "read-current-user-privilege-set")
_WRITE = ("write", "write-content", "unlock", "bind", "unbind", "write-acl")
_OWNER_PROPERTIES = {f"{_DAV}owner", f"{_NC}owner-displayname", f"{_OC}read-only"}


class Kind(NamedTuple):
    """What distinguishes calendars and address books.

    Attributes:
        home: The path of all homes.
        noun: How Nextcloud's messages name a collection.
        privileges: The names of privileges that only this kind of collection has.
    """

    home: str
    noun: str
    privileges: tuple[str, ...] = ()


CALENDARS = Kind("/remote.php/dav/calendars", "Calendar", ("{urn:ietf:params:xml:ns:caldav}read-free-busy",))
ADDRESS_BOOKS = Kind("/remote.php/dav/addressbooks/users", "Addressbook")


class SharedCollections:
    """The users' own collections, and the collections that others share with them.

    Args:
        inner: The app that serves each owner's collections, mounted at the same path. It answers as the user in
            `standin.as`, if this is in the environment.
        kind: The kind of collection.
        place: The file of the shares; the first share creates it.
        tree: The files, which know all users.
    """

    def __init__(self, inner: WsgiApp, kind: Kind, place: Path, tree: Tree) -> None:
        self._inner = inner
        self._kind = kind
        self._place = place
        self._tree = tree
        self._records: list[Record] = json.loads(place.read_text("utf-8")) if place.exists() else []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer for the collection that the path stands for."""
        path: list[str] = environ["PATH_INFO"].strip("/").split("/")
        user = account_of(environ["asgi.scope"]).user
        body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        shared = self._shared(user, path)
        if environ["REQUEST_METHOD"] == "MOVE" and path[:1] == [user]:
            answer = self._move(environ, user, path, shared)
        elif shared is not None:
            answer = self._answer_shared(environ, body, path, shared)
        else:
            answer = self._answer_own(environ, body, user, path)
        status, headers, content = answer
        headers = [*(pair for pair in headers if pair[0] != "Content-Length"), ("Content-Length", str(len(content)))]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [content]

    def _answer_own(self, environ: Environ, body: bytes, user: str, path: list[str]) -> Answer:
        method = environ["REQUEST_METHOD"]
        is_collection = path[:1] == [user] and len(path) == 2  # noqa: PLR2004 - the user and the name
        if method == "POST" and is_collection and b"http://owncloud.org/ns" in body:
            self._share(user, path[1], fromstring(body))
            return 200, [], b""
        answer = self._ask(environ, body)
        if method == "DELETE" and is_collection and answer[0] == HTTPStatus.NO_CONTENT:
            self._keep([each for each in self._records if (each["owner"], each["name"]) != (user, path[1])])
        if method == "PROPFIND":
            return self._with_shared(environ, body, path, answer)
        return answer

    def _answer_shared(self, environ: Environ, body: bytes, path: list[str], shared: Record) -> Answer:
        method, is_collection = environ["REQUEST_METHOD"], len(path) == 2  # noqa: PLR2004 - the user and the name
        if method in {"MKCOL", "MKCALENDAR"} and is_collection:
            return _refused(405, "The resource you tried to create already exists")
        if method == "DELETE" and is_collection:
            self._keep([each for each in self._records if each is not shared])
            return 204, [], b""
        if method == "PROPPATCH" and is_collection:
            return self._change_properties(environ, body, shared)
        if method == "POST" and shared["writable"]:
            return _refused(403, "")
        if method not in {"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"} and not shared["writable"]:
            return self._refused_write(environ, path, shared)
        old, new = self._address(shared["user"], _seen(shared)), self._address(shared["owner"], shared["name"])
        status, headers, content = self._ask(environ | self._as_owner(shared, path), _with_hrefs(body, old, new))
        if status == HTTPStatus.MULTI_STATUS:
            content = _with_hrefs(content, new, old)
            if method == "PROPFIND":
                document = fromstring(content)
                self._set_properties(document, _names(body))
                content = _xml(document)
        return status, headers, content

    def _refused_write(self, environ: Environ, path: list[str], shared: Record) -> Answer:
        missing = f"{self._kind.noun} with name '{_seen(shared)}' could not be found"
        if environ["REQUEST_METHOD"] == "PUT":
            found, _, _ = self._ask(environ | self._as_owner(shared, path) | {"REQUEST_METHOD": "GET"}, b"")
            missing = f"Node with name '{path[-1]}' could not be found" if found == HTTPStatus.OK else missing
        return _refused(404, missing)

    def _move(self, environ: Environ, user: str, path: list[str], shared: Record | None) -> Answer:
        if shared is not None and len(path) == 2:  # noqa: PLR2004 - the user and the name
            return _refused(405, f"Renaming {self._kind.noun.lower()}s is not yet supported")
        destination = unquote(urlsplit(environ.get("HTTP_DESTINATION", "")).path)
        target = destination.removeprefix(self._kind.home).strip("/").split("/")
        target_shared = self._shared(user, target)
        for each in (shared, target_shared):
            if each is not None and not each["writable"]:
                return _refused(404, f"{self._kind.noun} with name '{_seen(each)}' could not be found")
        if target[0] != user:
            return _refused(404, f"Principal with name {target[0]} not found")
        if shared is not None and shared is target_shared:
            return _refused(403, "Permission denied to rename file")
        if shared is target_shared:  # both are None
            return self._ask(environ, b"")
        source = environ | ({"standin.as": user} if shared is None else self._as_owner(shared, path))
        destined = (
            {"PATH_INFO": "/" + "/".join(target)} if target_shared is None else self._as_owner(target_shared, target)
        )
        return self._transfer(source, environ | {"standin.as": user} | destined)

    def _transfer(self, source: Environ, target: Environ) -> Answer:
        """Move an object between collections of two owners, of which Radicale gives nobody both."""
        status, headers, content = self._ask(source | {"REQUEST_METHOD": "GET"}, b"")
        if status != HTTPStatus.OK:
            return status, headers, content
        found = dict(headers)
        failed = if_match(source["HTTP_IF_MATCH"], found.get("ETag")) if "HTTP_IF_MATCH" in source else None
        if failed:
            return _refused(412, failed)
        put = {"REQUEST_METHOD": "PUT", "CONTENT_TYPE": found["Content-Type"], "HTTP_IF_NONE_MATCH": "*"}
        answer = self._ask({key: value for key, value in (target | put).items() if key != "HTTP_IF_MATCH"}, content)
        if answer[0] != HTTPStatus.CREATED:
            return answer
        self._ask(source | {"REQUEST_METHOD": "DELETE"}, b"")
        return 201, [], b""

    def _with_shared(self, environ: Environ, body: bytes, path: list[str], answer: Answer) -> Answer:
        """Return the answer to PROPFIND with the owners, and with the shared collections in a listing of the home."""
        status, headers, content = answer
        is_listing = len(path) == 1 and environ.get("HTTP_DEPTH", "1") != "0"
        shared = [each for each in self._records if is_listing and each["user"] == path[0]]
        if status != HTTPStatus.MULTI_STATUS or not (shared or _OWNER_PROPERTIES & _names(body)):
            return answer
        document = fromstring(content)
        self._set_properties(document, _names(body))
        for each in shared:
            asked = environ | {"PATH_INFO": f"/{path[0]}/{_seen(each)}/", "HTTP_DEPTH": "0"}
            _, _, found = self._answer_shared(asked, body, [path[0], _seen(each)], each)
            document.extend(fromstring(found).iter(f"{_DAV}response"))
        return status, headers, _xml(document)

    def _set_properties(self, document: Element, names: set[str]) -> None:
        for response in document.iter(f"{_DAV}response"):
            path = unquote(response.findtext(f"{_DAV}href", "")).removeprefix(self._kind.home).strip("/").split("/")
            if len(path) < 2:  # noqa: PLR2004 - a home
                continue
            shared = self._shared(path[0], path)
            own = self._properties(path[0], shared, response) if len(path) == 2 else {}  # noqa: PLR2004
            for name in names & own.keys():
                _set_property(response, own[name])

    def _properties(self, user: str, shared: Record | None, response: Element) -> dict[str, Element]:
        """Return the properties of a collection that Radicale does not have, or has for the owner only."""
        owner = user if shared is None else shared["owner"]
        principal = Element(f"{_DAV}owner")
        SubElement(principal, f"{_DAV}href").text = f"/remote.php/dav/principals/users/{quote(owner, safe='')}/"
        found = [principal, _element(f"{_NC}owner-displayname", self._tree.display_name(owner))]
        if shared is not None:
            privileges = Element(f"{_DAV}current-user-privilege-set")
            granted = [f"{_DAV}{name}" for name in (*(_WRITE if shared["writable"] else ()), *_READ)]
            for name in (*granted, *self._kind.privileges):
                SubElement(SubElement(privileges, f"{_DAV}privilege"), name)
            title = response.findtext(f".//{_DAV}displayname") or ""
            found += [
                _element(f"{_OC}read-only", "" if shared["writable"] else "1"),
                privileges,
                _element(f"{_DAV}displayname", f"{title} ({self._tree.display_name(owner)})"),
                *(fromstring(text) for text in shared["properties"]),
            ]
        return {each.tag: each for each in found}

    def _change_properties(self, environ: Environ, body: bytes, shared: Record) -> Answer:
        kept = {fromstring(text).tag: text for text in shared["properties"]}
        document = Element(f"{_DAV}multistatus")
        response = SubElement(document, f"{_DAV}response")
        SubElement(response, f"{_DAV}href").text = quote(environ["SCRIPT_NAME"] + environ["PATH_INFO"].rstrip("/"))
        for change in fromstring(body):
            is_set = change.tag == f"{_DAV}set"
            for each in change.iterfind(f"{_DAV}prop/*"):
                kept.pop(each.tag, None)
                if is_set:
                    kept[each.tag] = tostring(each, encoding="unicode")
                propstat = SubElement(response, f"{_DAV}propstat")
                SubElement(SubElement(propstat, f"{_DAV}prop"), each.tag)
                SubElement(propstat, f"{_DAV}status").text = f"HTTP/1.1 {'200 OK' if is_set else '204 No Content'}"
        shared["properties"] = list(kept.values())
        self._keep(self._records)
        return 207, [("Content-Type", MEDIA_TYPE)], _xml(document)

    def _share(self, owner: str, name: str, asked: Element) -> None:
        """Share a collection with users, or no longer; users that do not exist are ignored."""
        records = self._records
        for change in (*asked.iter(f"{_OC}set"), *asked.iter(f"{_OC}remove")):
            href = change.findtext(f"{_DAV}href", "")
            user = unquote(href.removeprefix(_PRINCIPAL))
            records = [each for each in records if (each["owner"], each["name"], each["user"]) != (owner, name, user)]
            if change.tag == f"{_OC}set" and href.startswith(_PRINCIPAL) and self._tree.knows(user):
                writable = change.find(f"{_OC}read-write") is not None
                records = [
                    *records,
                    {"owner": owner, "name": name, "user": user, "writable": writable, "properties": []},
                ]
        self._keep(records)

    def _shared(self, user: str, path: list[str]) -> Record | None:
        """Return the share that a path of a user leads to, or None."""
        if len(path) < 2 or path[0] != user:  # noqa: PLR2004 - a home
            return None
        return next((each for each in self._records if (each["user"], _seen(each)) == (user, path[1])), None)

    def _address(self, user: str, name: str) -> str:
        return f"{self._kind.home}/{user}/{name}"

    def _as_owner(self, shared: Record, path: list[str]) -> Environ:
        own = "/".join(("", shared["owner"], shared["name"], *path[2:]))
        return {"standin.as": shared["owner"], "PATH_INFO": own if path[2:] else f"{own}/"}

    def _ask(self, environ: Environ, body: bytes) -> Answer:
        told: list[Any] = []
        asked = environ | {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), "HTTP_ACCEPT_ENCODING": ""}
        content = b"".join(self._inner(asked, lambda *arguments: told.extend(arguments[:2])))
        return int(told[0][:3]), told[1], content

    def _keep(self, records: list[Record]) -> None:
        self._records = records
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self._place.write_text(json.dumps(records), "utf-8")


def _seen(shared: Record) -> str:
    """Return the name of a shared collection in the recipient's home."""
    return f"{shared['name']}_shared_by_{shared['owner']}"


def _refused(status: int, message: str) -> Answer:
    return status, [("Content-Type", MEDIA_TYPE)], error_body(status, message)


def _names(body: bytes) -> set[str]:
    """Return the properties that a PROPFIND requests by name."""
    return {each.tag for prop in fromstring(body).iter(f"{_DAV}prop") for each in prop} if body else set()


def _with_hrefs(body: bytes, old: str, new: str) -> bytes:
    """Return an XML document whose addresses below `old` are below `new`."""

    def moved(found: re.Match[bytes]) -> bytes:
        path = unquote(urlsplit(unescape(found[2].decode())).path)
        if not f"{path}/".startswith(f"{old}/"):
            return found[0]
        return found[1] + escape(quote(new + path.removeprefix(old))).encode()

    return _HREF.sub(moved, body)


def _element(name: str, text: str) -> Element:
    element = Element(name)
    element.text = text
    return element


def _set_property(response: Element, value: Element) -> None:
    """Set a property of a `d:response`, which it may have with another value or not at all."""
    for propstat in response.findall(f"{_DAV}propstat"):
        properties = propstat.find(f"{_DAV}prop")
        for each in propstat.findall(f"{_DAV}prop/{value.tag}"):
            assert properties is not None  # noqa: S101 - it has the property
            properties.remove(each)
        if properties is None or len(properties) == 0:
            response.remove(propstat)
    for propstat in response.iter(f"{_DAV}propstat"):
        properties = propstat.find(f"{_DAV}prop")
        if " 200 " in propstat.findtext(f"{_DAV}status", "") and properties is not None:
            properties.append(deepcopy(value))
            return
    propstat = SubElement(response, f"{_DAV}propstat")
    SubElement(propstat, f"{_DAV}prop").append(deepcopy(value))
    SubElement(propstat, f"{_DAV}status").text = "HTTP/1.1 200 OK"


def _xml(document: Element) -> bytes:
    # an XML parser would turn CRLF into LF, so CR is sent as a character reference
    text: bytes = tostring(document, encoding="utf-8", xml_declaration=True)
    return text.replace(b"\r", b"&#13;")
