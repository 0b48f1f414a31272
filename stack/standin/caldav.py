"""Where Nextcloud 32's calendars differ from Radicale's; Radicale does the rest.

Measured on Nextcloud 32.0.1:

- A calendar accepts only the components that it was created for.
- The name of a deleted calendar stays taken, because the calendar is in the trash bin.
- `If-Match` applies to MOVE. MOVE answers 400 if the calendar already has an object with the same UID.
- The response to PUT has no ETag for an object with attendees, because Nextcloud changes it.
- The outbox answers free/busy requests (RFC 6638 section 5).
- A principal has addresses.

A user whose token has no mail address has USER@example.org here, as if an administrator had entered it.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from xml.etree.ElementTree import tostring
from xml.sax.saxutils import escape

from defusedxml.ElementTree import fromstring

from stack.standin.gate import Account, account_of
from stack.standin.occurrences import has_no_occurrence, is_missed, missed_starts
from stack.standin.reserved import EXISTS, FIXED, Refusal, fixed, refused_calendar, refused_write
from stack.standin.sabre import MEDIA_TYPE, error_body, if_match

CALENDARS = "/remote.php/dav/calendars"
PRINCIPALS = "/remote.php/dav/principals/users"
Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

_NAMESPACES = 'xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns" xmlns:cal="urn:ietf:params:xml:ns:caldav"'
_XML = '<?xml version="1.0" encoding="utf-8"?>\n'
_QUERY = (
    '<c:free-busy-query xmlns:c="urn:ietf:params:xml:ns:caldav"><c:time-range start="{}" end="{}"/></c:free-busy-query>'
)

_EVENTS_BY_TIME = re.compile(
    r'calendar-query\b.*comp-filter name="VEVENT"[^/]*<[^<>]*time-range start="(\w+)" end="(\w+)"', re.DOTALL
)


_BUSY_BY_TIME = re.compile(r'free-busy-query\b.*time-range start="(\w+)" end="(\w+)"', re.DOTALL)


def address_of(account: Account) -> str:
    """Return the mail address that identifies a user in calendars."""
    return account.email or f"{account.user}@example.org"


class Calendars:
    """Radicale's calendars with Nextcloud's rules.

    Args:
        inner: Radicale, mounted at the same path.
        folder: The folder of Radicale's collections.
    """

    def __init__(self, inner: WsgiApp, folder: Path) -> None:
        self._inner = inner
        self._root = folder / "collection-root"
        self._trash = folder / "deleted-calendars.json"
        self._people: dict[str, str] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer by Nextcloud's rule for the method, or else as Radicale does."""
        account = account_of(environ["asgi.scope"])
        self._people[address_of(account)] = account.user
        rules = {
            "PUT": self._put,
            "MKCALENDAR": self._make,
            "DELETE": self._delete,
            "MOVE": self._move,
            "PROPFIND": self._find,
            "REPORT": self._report,
        }
        if environ["REQUEST_METHOD"] == "POST":
            return self._outbox(environ, start_response, account)
        rule = rules.get(environ["REQUEST_METHOD"], self._inner)
        return rule(environ, start_response)

    def _put(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        text = _body(environ).decode(errors="replace")
        refusal = refused_write("PUT", _parts(environ))
        if refusal:
            return _refused(start_response, refusal)
        takes = self._components(environ["PATH_INFO"])
        if takes is None:
            return _refuse(start_response, 404, "Node with that name could not be found")
        if not any(f"BEGIN:{component}" in text for component in takes):
            message = f"iCalendar objects must at least have a component of type {' or '.join(takes)}"
            reason = b'  <cal:supported-calendar-component xmlns:cal="urn:ietf:params:xml:ns:caldav"/>\n</d:error>'
            return _refuse(start_response, 403, message, lambda body: body.replace(b"</d:error>", reason))
        if has_no_occurrence(text):
            return _refuse(start_response, 403, "This recurrence rule does not generate any valid instances")
        scheduled = "ORGANIZER" in text and "ATTENDEE" in text
        return self._inner(environ, _without_etag(start_response) if scheduled else start_response)

    def _make(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        refusal = refused_calendar(_parts(environ)[-1])
        if refusal:
            return _refused(start_response, refusal)
        exists = self._components(f"{environ['PATH_INFO'].rstrip('/')}/object") is not None
        if exists or environ["PATH_INFO"].strip("/") in self._deleted():
            return _refuse(start_response, 405, EXISTS)
        return self._inner(environ, start_response)

    def _delete(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        refusal = refused_write("DELETE", _parts(environ))
        if refusal:
            return _refused(start_response, refusal)
        path = environ["PATH_INFO"].strip("/")
        if path.count("/") == 1 and self._place(path).is_dir():
            self._trash.write_text(json.dumps([*self._deleted(), path]))
        status, headers, body = self._ask(environ)
        # Radicale answers 200 with a multistatus, Nextcloud 204 without a body
        if status.startswith("200"):
            start_response("204 No Content", [("Content-Length", "0")])
            return []
        start_response(status, headers)
        return [body]

    def _move(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        _, headers, _ = self._ask({**environ, "REQUEST_METHOD": "GET"})
        expected = environ.get("HTTP_IF_MATCH")
        failed = if_match(expected, dict(headers).get("ETag")) if expected else None
        if failed:
            return _refuse(start_response, 412, failed)
        # without the host, which Radicale would compare with its own
        destination = unquote(urlsplit(environ.get("HTTP_DESTINATION", "")).path)
        told = self._ask({**environ, "HTTP_DESTINATION": destination})
        if told[0].startswith("409") and self._components(destination.partition(CALENDARS)[2]) is not None:
            return _refuse(start_response, 400, "Calendar object with uid already exists in this calendar collection.")
        start_response(told[0], told[1])
        return [told[2]]

    def _find(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        name = _parts(environ)[-1]
        if name not in FIXED:
            return self._inner(environ, start_response)
        body = fixed(quote(environ["SCRIPT_NAME"] + environ["PATH_INFO"]), name)
        start_response("207 Multi-Status", [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body)))])
        return [body]

    def _report(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        question = _body(environ).decode(errors="replace")
        busy = _BUSY_BY_TIME.search(question)
        if busy is not None:
            return self._report_busy(environ, start_response, (busy[1], busy[2]))
        asked = _EVENTS_BY_TIME.search(question)
        if asked is None:
            return self._inner(environ, start_response)
        status, headers, body = self._ask({**environ, "HTTP_ACCEPT_ENCODING": ""})
        if status.startswith("207"):
            found = fromstring(body)
            for each in list(found.iter("{DAV:}response")):
                if is_missed(each.findtext(".//{urn:ietf:params:xml:ns:caldav}calendar-data", ""), asked[1], asked[2]):
                    found.remove(each)
            body = tostring(found, encoding="utf-8", xml_declaration=True)
            headers = _with_length(headers, body)
        start_response(status, headers)
        return [body]

    def _report_busy(self, environ: Environ, start_response: StartResponse, times: tuple[str, str]) -> Iterable[bytes]:
        status, headers, body = self._ask({**environ, "HTTP_ACCEPT_ENCODING": ""})
        if status.startswith("200"):
            missed = self._missed(environ["PATH_INFO"], times)
            lines = [line for line in body.decode().splitlines() if not _starts_at(line, missed)]
            body = "".join(f"{line}\r\n" for line in lines).encode()
            headers = _with_length(headers, body)
        start_response(status, headers)
        return [body]

    def _outbox(self, environ: Environ, start_response: StartResponse, account: Account) -> Iterable[bytes]:
        question = re.sub(r"\r?\n[ \t]", "", _body(environ).decode(errors="replace"))
        if f"mailto:{address_of(account)}" not in re.findall(r"^ORGANIZER.*?:(mailto:.*?)\r?$", question, re.MULTILINE):
            message = "The organizer in the request did not match any of the addresses for the owner of this inbox"
            return _refuse(start_response, 403, message)
        times = (_value(question, "DTSTART"), _value(question, "DTEND"))
        asked = re.findall(r"^ATTENDEE.*?:(mailto:.*?)\r?$", question, re.MULTILINE)
        answers = "".join(self._answer(environ, attendee, times) for attendee in asked)
        body = f"{_XML}<cal:schedule-response {_NAMESPACES}>{answers}</cal:schedule-response>".encode()
        start_response("200 OK", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, environ: Environ, attendee: str, times: tuple[str, str]) -> str:
        recipient = f"<cal:recipient><d:href>{escape(attendee)}</d:href></cal:recipient>"
        user = self._user(attendee.removeprefix("mailto:"))
        if user is None:
            status = "<cal:request-status>3.7;Could not find principal</cal:request-status>"
            return f"<cal:response>{recipient}{status}</cal:response>"
        lines = [line for calendar in self._calendars(user) for line in self._busy(environ, user, calendar, times)]
        reply = "\r\n".join(
            [
                *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//stand-in//EN", "METHOD:REPLY", "BEGIN:VFREEBUSY"),
                *(f"DTSTART:{times[0]}", f"DTEND:{times[1]}", *lines, f"ATTENDEE:{attendee}"),
                *("END:VFREEBUSY", "END:VCALENDAR", ""),
            ]
        )
        status = "<cal:request-status>2.0;Success</cal:request-status>"
        data = f"<cal:calendar-data>{escape(reply)}</cal:calendar-data>"
        return f"<cal:response>{recipient}{status}{data}</cal:response>"

    def _user(self, address: str) -> str | None:
        name, _, host = address.partition("@")
        user = self._people.get(address, name if host == "example.org" else None)
        return user if user and (self._root / user).is_dir() else None

    def _calendars(self, user: str) -> Iterator[str]:
        yield from (each.name for each in sorted((self._root / user).iterdir()) if each.is_dir())

    def _busy(self, environ: Environ, user: str, calendar: str, times: tuple[str, str]) -> list[str]:
        query = _QUERY.format(*times).encode()
        asked = {
            **environ,
            "REQUEST_METHOD": "REPORT",
            "PATH_INFO": f"/{user}/{calendar}/",
            "HTTP_DEPTH": "1",
            "HTTP_ACCEPT_ENCODING": "",
            "CONTENT_TYPE": "application/xml",
            "CONTENT_LENGTH": str(len(query)),
            "wsgi.input": io.BytesIO(query),
            "standin.as": user,
        }
        _, _, body = self._ask(asked)
        lines = [line for line in body.decode().splitlines() if line.startswith("FREEBUSY")]
        missed = self._missed(f"/{user}/{calendar}/", times)
        return [line for line in lines if not _starts_at(line, missed)]

    def _missed(self, path: str, times: tuple[str, str]) -> set[str]:
        """Return the start times of the occurrences that Nextcloud's free/busy responses miss."""
        objects = self._place(path).glob("*.ics")
        return {start for each in objects for start in missed_starts(each.read_text("utf-8"), *times)}

    def _ask(self, environ: Environ) -> tuple[str, list[tuple[str, str]], bytes]:
        told: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            told[:] = [status, headers]

        body = b"".join(self._inner(environ, start))
        return told[0], told[1], body

    def _components(self, path: str) -> list[str] | None:
        """Return the components that the calendar of an object accepts; None if the calendar does not exist."""
        properties = self._place(path).parent / ".Radicale.props"
        if not properties.is_file():
            # a user's first call creates the calendar `personal`
            return ["VEVENT"] if path.strip("/").split("/")[1:2] == ["personal"] else None
        named = json.loads(properties.read_text()).get("C:supported-calendar-component-set", "")
        return named.split(",") if named else ["VEVENT", "VTODO", "VJOURNAL"]

    def _place(self, path: str) -> Path:
        return self._root.joinpath(*(part for part in path.split("/") if part not in {"", ".", ".."}))

    def _deleted(self) -> list[str]:
        return list(json.loads(self._trash.read_text())) if self._trash.is_file() else []


def create_principals_app() -> WsgiApp:
    """Return the WSGI app to mount at `PRINCIPALS`; it always answers with the addresses of the caller."""

    def principals(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        account = account_of(environ["asgi.scope"])
        if environ["PATH_INFO"].strip("/") != account.user:
            return _refuse(start_response, 404, "Principal not found")
        path = f"{PRINCIPALS}/{quote(account.user)}/"
        addresses = "".join(f"<d:href>{escape(each)}</d:href>" for each in (f"mailto:{address_of(account)}", path))
        body = (
            f"{_XML}<d:multistatus {_NAMESPACES}><d:response><d:href>{path}</d:href><d:propstat><d:prop>"
            f"<cal:calendar-user-address-set>{addresses}</cal:calendar-user-address-set></d:prop>"
            "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
        ).encode()
        start_response("207 Multi-Status", [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body)))])
        return [body]

    return principals


def _parts(environ: Environ) -> list[str]:
    """Return the user id and the names after it in the path."""
    path: str = environ["PATH_INFO"]
    return path.strip("/").split("/")


def _with_length(headers: list[tuple[str, str]], body: bytes) -> list[tuple[str, str]]:
    return [*(pair for pair in headers if pair[0] != "Content-Length"), ("Content-Length", str(len(body)))]


def _starts_at(line: str, starts: set[str]) -> bool:
    found = re.match(r"FREEBUSY[^:]*:(\w+)/", line)
    return found is not None and found[1] in starts


def _body(environ: Environ) -> bytes:
    """Return the request's body, and leave it readable."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _value(ical: str, name: str) -> str:
    found = re.search(rf"^{name}.*?:(\S+)", ical, re.MULTILINE)
    return found[1] if found else ""


def _without_etag(start_response: StartResponse) -> StartResponse:
    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [pair for pair in headers if pair[0].lower() != "etag"], *rest)

    return start


def _refused(start_response: StartResponse, refusal: Refusal) -> Iterable[bytes]:
    body = error_body(refusal.status, refusal.message, exception=refusal.exception)
    return _refuse(start_response, refusal.status, refusal.message, lambda _: body)


def _refuse(
    start_response: StartResponse, status: int, message: str, adapt: Callable[[bytes], bytes] = bytes
) -> Iterable[bytes]:
    body = adapt(error_body(status, message))
    headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body)))]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]
