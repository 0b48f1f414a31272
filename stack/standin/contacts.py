"""Contacts (CardDAV, RFC 6352): where Nextcloud 32.0.1, whose DAV server is sabre/dav, differs from Radicale.

Errors have sabre/dav's status and format. A card is stored byte for byte as it was sent; Radicale would rewrite it and
lose parts of vCard 4. PROPFIND returns the whole card, REPORT only the properties that it requests. Conversion between
vCard versions and cards in Nextcloud's generated address books are not implemented.
"""

import re
from collections.abc import Callable, Iterable
from hashlib import sha256
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element, SubElement, tostring

from defusedxml.ElementTree import fromstring

from stack.standin.calendars import Environ, WsgiApp, create_address_books_app
from stack.standin.reserved import Refusal, refused_address_book, refused_book_write
from stack.standin.sabre import MEDIA_TYPE, error_body

_DAV, _CARD = "{DAV:}", "{urn:ietf:params:xml:ns:carddav}"
_ALWAYS = {"BEGIN", "END", "VERSION", "UID", "FN"}
_PHRASES = {
    201: "Created",
    204: "No Content",
    207: "Multi-Status",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    412: "Precondition Failed",
    415: "Unsupported Media Type",
}
_LINE = re.compile(rb"""[\w.-]++(?:;[\w-]*+(?:=(?:"[^"]*+"|[^";:,]*+)(?:,(?:"[^"]*+"|[^";:,]*+))*+)?+)*+:""")
_TAKEN = "VCard object with uid already exists in this addressbook collection."


def create_contacts_app(folder: Path) -> WsgiApp:
    """Return the WSGI app to mount at `calendars.ADDRESS_BOOKS`."""
    return _LikeNextcloud(create_address_books_app(folder), folder / "as-sent")


class _LikeNextcloud:
    def __init__(self, radicale: WsgiApp, cards: Path) -> None:
        self._radicale = radicale
        self._cards = cards
        cards.mkdir(parents=True, exist_ok=True)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["SCRIPT_NAME"] + environ["PATH_INFO"]
        sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        refusal = _refusal(method, environ["PATH_INFO"].strip("/").split("/"))
        if refusal:
            return _refuse(start_response, refusal)
        status, headers, body = _ask(
            self._radicale, _as_radicale_takes_it(environ, sent) | {"HTTP_ACCEPT_ENCODING": ""}
        )
        status = _status(method, status, body)
        if status >= 400:  # noqa: PLR2004
            body = error_body(status, _TAKEN if b"no-uid-conflict" in body else _PHRASES.get(status, "Refused"))
            headers = {"Content-Type": MEDIA_TYPE}
        elif method == "PUT":
            self._file(path, headers["ETag"]).write_bytes(sent)
        elif method == "DELETE":
            body = b""
        elif method in {"PROPFIND", "REPORT"} and b"address-data" in sent:
            body = self._with_cards(body, fromstring(sent))
        headers["Content-Length"] = str(len(body))
        start_response(f"{status} {_PHRASES.get(status, 'OK')}", list(headers.items()))
        return [body]

    def _with_cards(self, multistatus: bytes, asked: Element) -> bytes:
        wanted = {each.get("name", "").upper() for each in asked.iter(f"{_CARD}prop")}
        document = fromstring(multistatus)
        for response in document.iter(f"{_DAV}response"):
            path, etag = response.findtext(f"{_DAV}href", ""), response.findtext(f".//{_DAV}getetag")
            file = self._file(unquote(path), etag or "")
            if not file.is_file():
                continue
            good, *missing = response.iterfind(f"{_DAV}propstat")
            for propstat in missing:
                response.remove(propstat)
            properties = good.find(f"{_DAV}prop")
            assert properties is not None  # noqa: S101 - the ETag was in it
            data = properties.find(f"{_CARD}address-data")
            data = SubElement(properties, f"{_CARD}address-data") if data is None else data
            data.text = _with_properties(file.read_bytes().decode(), wanted)
        # an XML parser would turn CRLF into LF, so CR is sent as a character reference
        return tostring(document).replace(b"\r", b"&#13;")

    def _file(self, path: str, etag: str) -> Path:
        return self._cards / sha256(f"{path}\0{etag}".encode()).hexdigest()


def _refusal(method: str, path: list[str]) -> Refusal | None:
    if method == "MKCOL":
        return refused_address_book(path[-1])
    return refused_book_write(method, path[1]) if method in {"PUT", "DELETE"} and len(path) > 1 else None


def _refuse(start_response: Callable[..., Any], refusal: Refusal) -> Iterable[bytes]:
    body = error_body(refusal.status, refusal.message, exception=refusal.exception)
    headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body)))]
    start_response(f"{refusal.status} {HTTPStatus(refusal.status).phrase}", headers)
    return [body]


def _as_radicale_takes_it(environ: Environ, sent: bytes) -> Environ:
    """Return the request without invalid vCard lines: Nextcloud keeps them, but Radicale's parser hangs on them."""
    if environ["REQUEST_METHOD"] == "PUT":
        unfolded = re.sub(rb"\r?\n[ \t]", b"", sent)
        sent = b"".join(line + b"\r\n" for line in re.split(rb"\r?\n", unfolded) if _LINE.match(line))
    return environ | {"wsgi.input": BytesIO(sent), "CONTENT_LENGTH": str(len(sent))}


def _ask(app: WsgiApp, environ: Environ) -> tuple[int, dict[str, str], bytes]:
    told: list[Any] = []
    body = b"".join(app(environ, lambda *arguments: told.extend(arguments[:2])))
    return int(told[0][:3]), dict(told[1]), body


def _status(method: str, status: int, body: bytes) -> int:
    """Return sabre/dav's status for a status of Radicale's."""
    if (method, status) == ("PUT", 409):
        return 400 if b"no-uid-conflict" in body else 404
    return {("DELETE", 200): 204, ("PUT", 400): 415}.get((method, status), status)


def _with_properties(card: str, names: set[str]) -> str:
    """Return the card with the named properties and those that sabre/dav always returns; without names, all of it."""
    lines = re.split(r"(?<=\n)(?![ \t])", card)
    return "".join(line for line in lines if not names or _name(line) in names | _ALWAYS)


def _name(line: str) -> str:
    return re.split("[;:]", line, maxsplit=1)[0].rpartition(".")[2].strip().upper()
