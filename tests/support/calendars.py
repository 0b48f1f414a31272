"""Calendars for unit tests, with responses like Nextcloud 32's."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID
from xml.sax.saxutils import escape

import httpx

from tests.support.issuer import Answer, answer
from tests.support.nextcloud import FakeNextcloud
from tests.support.server import Server

HOME: Final = "/remote.php/dav/calendars/alice/"
WORK: Final = f"{HOME}work/"
THEIRS: Final = f"{WORK}theirs.ics"
NEW_UID: Final = str(UUID(int=7))
NEW: Final = f"{WORK}{NEW_UID}.ics"
EVENT: Final = {"calendar_name": "work", "event_uid": "theirs"}
PRINCIPAL: Final = "/remote.php/dav/principals/users/alice/"
_NAMESPACES: Final = (
    'xmlns:d="DAV:" xmlns:cal="urn:ietf:params:xml:ns:caldav" xmlns:cs="http://calendarserver.org/ns/" '
    'xmlns:oc="http://owncloud.org/ns" xmlns:x1="http://apple.com/ns/ical/"'
)


def _multistatus(*responses: str) -> bytes:
    return f'<?xml version="1.0"?><d:multistatus {_NAMESPACES}>{"".join(responses)}</d:multistatus>'.encode()


def _response(href: str, properties: str) -> str:
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop>{properties}</d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


def calendar(
    name: str, *, takes: str = "VEVENT", privileges: str = "<d:write/>", more: str = "", display_name: str = ""
) -> str:
    """Return the `d:response` of a calendar."""
    components = "".join(f'<cal:comp name="{each}"/>' for each in takes.split())
    return _response(
        f"{HOME}{name}/",
        "<d:resourcetype><d:collection/><cal:calendar/></d:resourcetype>"
        f"<d:displayname>{display_name or name.title()}</d:displayname>"
        f"<cal:supported-calendar-component-set>{components}</cal:supported-calendar-component-set>"
        f"<d:current-user-privilege-set><d:privilege>{privileges}</d:privilege></d:current-user-privilege-set>{more}",
    )


def has_calendars(fake: FakeNextcloud, *calendars: str) -> None:
    """Give alice these calendars, and the collections of every calendar home that are not calendars."""
    home = _response(HOME, "<d:resourcetype><d:collection/></d:resourcetype>")
    inbox = _response(f"{HOME}inbox/", "<d:resourcetype><d:collection/><cal:schedule-inbox/></d:resourcetype>")
    fake.on("PROPFIND", HOME, answer(207, content=_multistatus(home, *calendars, inbox)))


def holds(fake: FakeNextcloud, objects: Mapping[str, str], *, name: str = "work", etag: str = "e1") -> None:
    """Let every REPORT of a calendar return these objects (iCalendar by name)."""
    responses = [
        _response(
            f"{HOME}{name}/{each}.ics",
            f"<d:getetag>&quot;{etag}&quot;</d:getetag><cal:calendar-data>{escape(ical)}</cal:calendar-data>",
        )
        for each, ical in objects.items()
    ]
    fake.on("REPORT", f"{HOME}{name}/", answer(207, content=_multistatus(*responses)))


def tells_etag(fake: FakeNextcloud, path: str, etag: str) -> None:
    """Let PROPFIND of an object return this ETag."""
    content = _multistatus(_response(path, f"<d:getetag>&quot;{etag}&quot;</d:getetag>"))
    fake.on("PROPFIND", path, answer(207, content=content))


def knows_address(fake: FakeNextcloud, mail: str | None = "alice@example.org") -> None:
    """Give alice a mail address, or none."""
    addresses = [f"mailto:{mail}"] if mail else []
    hrefs = "".join(f"<d:href>{each}</d:href>" for each in (*addresses, PRINCIPAL))
    properties = f"<cal:calendar-user-address-set>{hrefs}</cal:calendar-user-address-set>"
    fake.on("PROPFIND", PRINCIPAL, answer(207, content=_multistatus(_response(PRINCIPAL, properties))))


def one(response: str) -> bytes:
    """Return a multistatus with one response."""
    return _multistatus(response)


def has_calendar(fake: FakeNextcloud, name: str = "work", *, takes: str = "VEVENT", more: str = "") -> None:
    """Let PROPFIND of this calendar succeed."""
    fake.on("PROPFIND", f"{HOME}{name}/", answer(207, content=one(calendar(name, takes=takes, more=more))))


def sent(fake: FakeNextcloud, method: str = "PUT") -> httpx.Request:
    """Return the last request with this method."""
    return next(request for request in reversed(fake.requests) if request.method == method)


def takes_all(server: Server, *paths: str) -> None:
    """Let Nextcloud take whatever is written there."""
    for path in paths or (THEIRS,):
        server.nextcloud.on("PUT", path, answer(204, headers={"ETag": '"e2"'}))
        server.nextcloud.on("DELETE", path, answer(204))
        server.nextcloud.on("MOVE", path, answer(201))


def by_query(**objects: str) -> Answer:
    """Answer each REPORT with the objects for what it has: a time-range, or a property's name."""

    def respond(request: httpx.Request) -> httpx.Response:
        asked = request.content.decode()
        kind = next((name for name in ("RDATE", "RRULE") if f'name="{name}"' in asked), "time")
        fake = FakeNextcloud()
        holds(fake, {each: ical for each, ical in objects.items() if each.startswith(kind.lower())})
        return fake.answer(request)

    return respond
