"""What callers ask for, what the instant Nextcloud and Keycloak answer, and how a complete result is recognized."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bench.instant import response
from tests.support.minting import Minter

CLIENT_SECRET: Final = "bench"  # noqa: S105 - of a server that only this machine reaches
DAV: Final = "/remote.php/dav"
TOKEN_PATH: Final = "/token"  # noqa: S105 - a path
FOLDERS: Final = {"few": 20, "many": 1000}
EVENTS: Final = 60
PIECE: Final = 1024 * 1024
BIG_FILE: Final = "big.bin"

_FILE: Final = (
    "<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:resourcetype/><d:getcontentlength>4711"
    "</d:getcontentlength><d:getcontenttype>text/markdown</d:getcontenttype><d:getlastmodified>Thu, 26 Nov 2026"
    " 10:00:00 GMT</d:getlastmodified><d:getetag>&quot;6bf1c5a1{number}&quot;</d:getetag><oc:size>4711</oc:size>"
    "<oc:fileid>{number}</oc:fileid><oc:favorite>0</oc:favorite><oc:permissions>RGDNVW</oc:permissions><oc:owner-id>alice</oc:owner-id>"
    "<nc:mount-type></nc:mount-type></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
)
_FOLDER: Final = (
    "<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:resourcetype><d:collection/></d:resourcetype>"
    "<d:getetag>&quot;6bf1&quot;</d:getetag></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
)
_EVENT: Final = (
    "<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:getetag>&quot;e{number}&quot;</d:getetag>"
    "<cal:calendar-data>BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:VEVENT\r\nUID:event-{number}\r\n"
    "DTSTAMP:20261101T000000Z\r\nDTSTART:202611{day:02}T{hour:02}0000Z\r\nDTEND:202611{day:02}T{hour:02}3000Z\r\n"
    "SUMMARY:Meeting {number}\r\nLOCATION:Room {day}\r\nDESCRIPTION:What to talk about\r\nEND:VEVENT\r\n"
    "END:VCALENDAR\r\n</cal:calendar-data></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
)


@dataclass(frozen=True)
class Workload:
    """One kind of request, and how many rows its result must have."""

    title: str
    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    rows: int = 1
    counted: Callable[[dict[str, Any]], int] = lambda structured: int("content" in structured)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of its `tools/call`."""
        return {"name": self.tool, "arguments": dict(self.arguments)}

    def check(self, result: dict[str, Any]) -> None:
        """Raise AssertionError if a result is an error or lacks rows."""
        assert not result.get("isError"), result["content"]
        found = self.counted(result["structuredContent"])
        assert found == self.rows, (self.title, found)


CALLS: Final[Mapping[str, Workload]] = {
    "few": Workload(
        "listing of 20 files",
        "nc_webdav_list_directory",
        {"path": "/few", "limit": 20},
        FOLDERS["few"],
        lambda structured: len(structured["files"]),
    ),
    "many": Workload(
        "listing of 1,000 files",
        "nc_webdav_list_directory",
        {"path": "/many", "limit": 1000},
        FOLDERS["many"],
        lambda structured: len(structured["files"]),
    ),
    "note": Workload("a note", "nc_notes_get_note", {"note_id": 7}),
    "month": Workload(
        "a month of 60 events",
        "nc_calendar_list_events",
        {"calendar_name": "personal", "start_date": "2026-11-01", "end_date": "2026-11-30", "limit": 100},
        EVENTS,
        lambda structured: len(structured["events"]),
    ),
}

RAW: Final[Mapping[str, tuple[str, str, bytes]]] = {
    "few": ("PROPFIND", f"{DAV}/files/alice/few", b"<x/>"),
    "many": ("PROPFIND", f"{DAV}/files/alice/many", b"<x/>"),
    "note": ("GET", "/index.php/apps/notes/api/v1/notes/7", b""),
    "month": ("REPORT", f"{DAV}/calendars/alice/personal/", b"<x/>"),
}
"""The request to Nextcloud that each call causes, once the user is known."""

PIECE_CALL: Final = Workload(
    "a piece of 1 MiB", "nc_webdav_read_file", {"path": f"/{BIG_FILE}", "offset": 0, "length": PIECE}
)


def responses(minter: Minter, url: str) -> dict[str, bytes]:
    """Return what the instant Nextcloud and Keycloak answer, by method and path."""
    jwks = {"keys": [minter.signing_key.as_dict(private=False)]}
    metadata = {"issuer": minter.issuer, "jwks_uri": f"{url}/jwks", "token_endpoint": url + TOKEN_PATH}
    return {
        "GET /issuer": response(_json(metadata)),
        "GET /jwks": response(_json(jwks)),
        f"POST {TOKEN_PATH}": response(_json(_token_response(minter))),
        "GET /ocs/v2.php/cloud/user": response(_json(_ocs({"id": "alice", "displayname": "Alice"}))),
        "GET /ocs/v2.php/cloud/capabilities": response(_json(_ocs({"capabilities": _APPS}))),
        "GET /index.php/apps/notes/api/v1/notes/7": response(_json(_NOTE)),
        f"REPORT {DAV}/calendars/alice/personal/": _multistatus(
            _EVENT.format(href=f"{DAV}/calendars/alice/personal/{n}.ics", number=n, day=n % 28 + 1, hour=8 + n // 28)
            for n in range(EVENTS)
        ),
        **{f"PROPFIND {DAV}/files/alice/{name}": _listing(name, count) for name, count in FOLDERS.items()},
        **_big_file(),
    }


def encoded(answers: Mapping[str, bytes]) -> str:
    """Return responses as the file of `bench.instant`."""
    return json.dumps({key: b64encode(value).decode() for key, value in answers.items()})


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def _ocs(data: object) -> dict[str, Any]:
    return {"ocs": {"meta": {"status": "ok", "statuscode": 200}, "data": data}}


_APPS: Final[dict[str, dict[str, str]]] = {
    name: {}
    for name in (
        *("activity", "cookbook", "core", "dav", "deck", "files", "files_sharing", "notes", "notifications", "tables"),
        *("files_trashbin", "circles"),
    )
}
_NOTE: Final = {
    "id": 7,
    "title": "A note",
    "content": "# A note\n\n" + "Text of a note. " * 60,
    "category": "",
    "favorite": False,
    "readonly": False,
    "modified": 1795600000,
    "etag": "6bf1c5a1",
}


def _token_response(minter: Minter) -> dict[str, Any]:
    token = minter.mint(aud="nextcloud", azp=minter.resource, exp=4_000_000_000)
    kind = "urn:ietf:params:oauth:token-type:access_token"
    return {"access_token": token, "issued_token_type": kind, "token_type": "Bearer", "expires_in": 300}


def _listing(name: str, count: int) -> bytes:
    folder = f"{DAV}/files/alice/{name}/"
    files = (_FILE.format(href=f"{folder}document%20{number:04}.md", number=number) for number in range(count))
    return _multistatus((_FOLDER.format(href=folder), *files))


def _multistatus(parts: Any) -> bytes:
    names = 'xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns"'
    body = (
        f'<?xml version="1.0"?><d:multistatus {names} xmlns:cal="urn:ietf:params:xml:ns:caldav">'
        f"{''.join(parts)}</d:multistatus>"
    )
    return response(body.encode(), status="207 Multi-Status", media_type="application/xml; charset=utf-8")


def _big_file() -> dict[str, bytes]:
    """Return the description of a file of 500 MB, and its first piece."""
    path, size = f"{DAV}/files/alice/{BIG_FILE}", 500 * 1000 * 1000
    entry = _FILE.format(href=path, number=9).replace("4711", str(size)).replace("text/markdown", "application/pdf")
    piece = (
        'HTTP/1.1 206 Partial Content\r\nContent-Type: application/pdf\r\nETag: "6bf1c5a19"\r\n'
        f"Content-Range: bytes 0-{PIECE - 1}/{size}\r\nContent-Length: {PIECE}\r\n\r\n"
    )
    return {
        f"PROPFIND {path}": _multistatus([entry]),
        f"GET {path}": piece.encode() + bytes(range(256)) * (PIECE // 256),
    }
