"""Calendars of the contract tests' users, accessed over CalDAV (RFC 4791)."""

from typing import Final
from urllib.parse import quote
from xml.etree.ElementTree import Element

import httpx
from defusedxml.ElementTree import fromstring

from tests.contract.people import Person

C: Final = "{urn:ietf:params:xml:ns:caldav}"
NAMESPACES: Final = (
    'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:i="http://apple.com/ns/ical/" '
    'xmlns:cs="http://calendarserver.org/ns/" xmlns:oc="http://owncloud.org/ns"'
)
MEDIA_TYPE: Final = {"Content-Type": "text/calendar; charset=utf-8"}


def ics(uid: str, *lines: str, kind: str = "VEVENT") -> str:
    """An object with these lines; an event without any is on 2 December 2030, ten to eleven in UTC."""
    when = ("DTSTART:20301202T100000Z", "DTEND:20301202T110000Z") if kind == "VEVENT" and not lines else ()
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//contract//EN", f"BEGIN:{kind}", f"UID:{uid}")
    rest = ("DTSTAMP:20260101T000000Z", *when, *lines, f"END:{kind}", "END:VCALENDAR", "")
    return "\r\n".join((*head, *rest))


class Place:
    """A calendar of somebody's, by HTTP."""

    def __init__(self, person: Person, name: str) -> None:
        self.http = person.http
        self.path = f"/remote.php/dav/calendars/{quote(person.user)}/{name}/"

    async def put(self, name: str, ical: str, **headers: str) -> httpx.Response:
        """Write an object; underscores in names of headers stand for hyphens."""
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        return await self.http.put(f"{self.path}{name}.ics", content=ical.encode(), headers=MEDIA_TYPE | sent)

    async def query(self, condition: str, kind: str = "VEVENT") -> dict[str, tuple[str, str]]:
        """Ask for objects; return ETag and iCalendar by name."""
        body = (
            f"<c:calendar-query {NAMESPACES}><d:prop><d:getetag/><c:calendar-data/></d:prop><c:filter>"
            f'<c:comp-filter name="VCALENDAR"><c:comp-filter name="{kind}">{condition}</c:comp-filter>'
            "</c:comp-filter></c:filter></c:calendar-query>"
        )
        answer = await self.http.request("REPORT", self.path, content=body, headers={"Depth": "1"})
        assert answer.status_code == 207, answer.text
        return {
            each.findtext("{DAV:}href", "").rpartition("/")[2].removesuffix(".ics"): (
                each.findtext(".//{DAV:}getetag", ""),
                each.findtext(f".//{C}calendar-data", ""),
            )
            for each in fromstring(answer.content).iter("{DAV:}response")
        }


def within(start: str, end: str) -> str:
    """The condition that something happens between two times in UTC."""
    return f'<c:time-range start="{start}" end="{end}"/>'


async def make(person: Person, name: str, *components: str) -> httpx.Response:
    """Make a calendar for some components."""
    takes = "".join(f'<c:comp name="{each}"/>' for each in components)
    body = (
        f"<c:mkcalendar {NAMESPACES}><d:set><d:prop><d:displayname>Contract &amp; more</d:displayname>"
        "<i:calendar-color>#1976D2</i:calendar-color><c:calendar-description>A place</c:calendar-description>"
        f"<c:supported-calendar-component-set>{takes}</c:supported-calendar-component-set>"
        "</d:prop></d:set></c:mkcalendar>"
    )
    return await person.http.request("MKCALENDAR", Place(person, name).path, content=body)


async def look(person: Person, path: str, depth: str = "0") -> list[Element]:
    """The properties of calendars that we ask for."""
    body = (
        f"<d:propfind {NAMESPACES}><d:prop><d:resourcetype/><d:displayname/><d:current-user-privilege-set/>"
        "<c:supported-calendar-component-set/><c:calendar-description/><i:calendar-color/><cs:getctag/>"
        "<d:getetag/></d:prop></d:propfind>"
    )
    answer = await person.http.request("PROPFIND", path, content=body, headers={"Depth": depth})
    assert answer.status_code == 207
    return list(fromstring(answer.content).iter("{DAV:}response"))
