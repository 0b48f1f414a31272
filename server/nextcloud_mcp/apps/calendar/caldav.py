"""Calendars over CalDAV (RFC 4791; RFC 6638 for who is free): the conversation, with iCalendar left as text.

A calendar's name is the last part of its address: `personal`. What is in it, an event with all its occurrences or
a task, is an object: iCalendar text (RFC 5545) with an ETag, found by the `UID` within.

`ask_outbox` is the one function that reads and yet sends a POST: that is how RFC 6638 section 5 asks for free/busy.
Nothing is stored by it, and nobody is told.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement

import httpx
from pydantic import BaseModel

from nextcloud_mcp.errors import (
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    NextcloudError,
    NotFoundError,
    quoted,
)
from nextcloud_mcp.nextcloud import dav, reasons
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.refusals import error_for, in_brackets
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread

C: Final = "{urn:ietf:params:xml:ns:caldav}"
CS: Final = "{http://calendarserver.org/ns/}"
ICAL: Final = "{http://apple.com/ns/ical/}"
EVENT: Final = "VEVENT"
TASK: Final = "VTODO"

_GENERATED: Final = "app-generated--"
"""Begins the names of calendars that an app makes of its own data, before its id (`ExternalCalendar` in Nextcloud)."""

_RESERVED_PREFIX: Final = "app-generated"
"""Begins the names that no new calendar can have; for others than those of `_GENERATED`, Nextcloud says no more than
HTTP 405 either (measured on 34.0.1)."""

_RESERVED: Final = frozenset({"inbox", "outbox", "trashbin"})
"""The names of what is in the home of the calendars besides those (measured on 34.0.1)."""

MAX_NAME: Final = 255
"""Bytes of the name of a new calendar; Nextcloud answers HTTP 500 to a longer one (measured on 34.0.1)."""

_KINDS: Final = {EVENT: "event", TASK: "task"}
_UNIQUE: Final = re.compile(r"SQLSTATE\[23")
"""What every database says of a second one where there must be one (class 23 of SQL:2023)."""

_MEDIA_TYPE: Final = "text/calendar; charset=utf-8"
_DELETED_AT: Final = "{http://nextcloud.com/ns}deleted-at"
_PROPERTIES: Final = (
    f"{dav.D}resourcetype",
    f"{dav.D}displayname",
    f"{dav.D}current-user-privilege-set",
    f"{C}supported-calendar-component-set",
    f"{C}calendar-description",
    f"{C}calendar-timezone",
    f"{C}schedule-calendar-transp",
    f"{ICAL}calendar-color",
    f"{CS}getctag",
    f"{dav.OC}calendar-enabled",
    _DELETED_AT,
    *dav.OWNER,
)


class Calendar(BaseModel):
    """A calendar; `components` says what it takes: VEVENT for events, VTODO for tasks.

    `shared_by` tells whose it is, if it is not the person's own.
    """

    name: str
    display_name: str
    description: str | None = None
    color: str | None = None
    href: str | None = None
    timezone: str | None = None
    enabled: bool = True
    ctag: str | None = None
    components: list[str] = []
    read_only: bool = False
    shared_by: str | None = None


@dataclass(frozen=True)
class CalendarObject:
    """An event or a task as it is stored.

    Attributes:
        calendar: The name of its calendar.
        name: The last part of its address, decoded.
        href: Its address, as Nextcloud gives it.
        etag: The ETag of this text, without quotes.
        text: iCalendar.
    """

    calendar: str
    name: str
    href: str
    etag: str
    text: str


@dataclass(frozen=True)
class Written:
    """What a change led to: the HTTP status, 201 for something new, and the ETag of what is now there."""

    href: str
    status_code: int
    etag: str


async def list_calendars(
    nextcloud: Nextcloud,
    *,
    takes: str | None = None,
    writable: bool = False,
    opaque: bool = False,
    without: str | None = None,
) -> list[Calendar]:
    """Return the user's calendars.

    Args:
        nextcloud: as whom.
        takes: only those that take this component.
        writable: only those that the user may write to.
        opaque: only those whose events make the user busy (RFC 6638 section 9.1): Nextcloud counts no shared ones.
        without: only those whose name does not have this text in it.
    """
    response = await nextcloud.request(
        "PROPFIND",
        await _home(nextcloud),
        about="the list of calendars",
        headers={"Depth": "1"},
        content=dav.propfind(*_PROPERTIES),
    )
    calendars = [
        _calendar(element)
        for element in dav.responses(response)
        if _is_calendar(element) and not (opaque and _is_transparent(element))
    ]
    return [
        calendar
        for calendar in calendars
        if (takes is None or takes in calendar.components)
        and not (writable and calendar.read_only)
        and not (without and without in calendar.name)
    ]


async def get_calendar(nextcloud: Nextcloud, name: str, *, takes: str | None = None) -> Calendar:
    """Return one calendar, which takes the component `takes`.

    Raises:
        NotFoundError: there is none of that name, or it was deleted: Nextcloud goes on answering for those.
        InvalidArgumentError: it takes others.
    """
    response = await nextcloud.request(
        "PROPFIND",
        await _path(nextcloud, name),
        about=_about(name),
        headers={"Depth": "0"},
        content=dav.propfind(*_PROPERTIES),
    )
    found = dav.responses(response)[0]
    if not _is_calendar(found):
        raise NotFoundError("No {resource}", "nc_calendar_list_calendars shows the names", resource=_about(name))
    calendar = _calendar(found)
    if takes and takes not in calendar.components:
        raise InvalidArgumentError(
            "The {resource} takes no {kinds}s",
            (
                "use one that nc_calendar_list_calendars shows with {takes} in components, or create one with "
                "nc_calendar_manage_calendar"
            ),
            resource=_about(name),
            kinds=_KINDS[takes],
            takes=takes,
        )
    return calendar


async def create_calendar(nextcloud: Nextcloud, name: str, *, display_name: str, description: str, color: str) -> None:
    """Create a calendar for events and tasks.

    Raises:
        InvalidArgumentError: no calendar can have that name.
        ConflictError: there is one of that name, or was until a while ago.
        ForbiddenError: the user has as many as the administrator allows.
    """
    _check_new_name(name)
    document = Element(f"{C}mkcalendar")
    properties = _set(document, display_name=display_name, description=description, color=color)
    components = SubElement(properties, f"{C}supported-calendar-component-set")
    for component in (EVENT, TASK):
        SubElement(components, f"{C}comp", name=component)
    response = await nextcloud.request(
        "MKCALENDAR", await _path(nextcloud, name), about=_about(name), content=dav.body(document), also_ok={405}
    )
    if response.status_code == httpx.codes.METHOD_NOT_ALLOWED:
        raise ConflictError(
            (
                "The {resource} exists already, perhaps in the trash bin of Nextcloud's calendar app, which keeps "
                "the name for 30 days"
            ),
            "choose another name, or restore it there",
            resource=_about(name),
        )


def _check_new_name(name: str) -> None:
    if name in _RESERVED or name.startswith(_RESERVED_PREFIX):
        raise InvalidArgumentError(
            "Invalid calendar name {name}",
            "Nextcloud reserves {reserved} and names that begin with {prefix}; choose another name",
            argument="calendar_name",
            name=quoted(name),
            reserved=", ".join(sorted(_RESERVED)),
            prefix=_RESERVED_PREFIX,
        )
    if not dav.is_segment(name):
        raise InvalidArgumentError(
            "Invalid calendar name {name}",
            (
                "a new calendar needs a name that is not '.' or '..', without slashes, line breaks and other control "
                "characters, such as 'work'. display_name may be any text"
            ),
            argument="calendar_name",
            name=quoted(name),
        )
    if len(name.encode()) > MAX_NAME:
        raise InvalidArgumentError(
            "The calendar name {name} is too long",
            "pass at most {max_name} bytes, and a longer text as display_name",
            name=quoted(name),
            max_name=MAX_NAME,
        )


async def change_calendar(
    nextcloud: Nextcloud, name: str, *, display_name: str = "", description: str = "", color: str = ""
) -> None:
    """Change what a calendar is called, says of itself or looks like; what is empty stays.

    Raises:
        ForbiddenError: Nextcloud does not allow it for this one.
    """
    document = Element(f"{dav.D}propertyupdate")
    _set(document, display_name=display_name, description=description, color=color)
    response = await nextcloud.request(
        "PROPPATCH", await _path(nextcloud, name), about=_about(name), content=dav.body(document)
    )
    statuses = [each.text or "" for each in dav.responses(response)[0].iter(f"{dav.D}status")]
    if not all(" 200 " in status for status in statuses):
        raise await _read_only(nextcloud, name) or ForbiddenError(
            "Nextcloud does not let you change {resource}", "ask its owner", resource=_about(name)
        )


async def delete_calendar(nextcloud: Nextcloud, name: str) -> tuple[int, str | None]:
    """Delete a calendar with all that is in it; Nextcloud keeps it in a trash bin for a while.

    One that somebody shared is only left. Returns the status, and who shared it.

    Raises:
        NotFoundError: there is no such calendar. One in the trash bin stays there: a second DELETE would end it.
    """
    shared_by = (await get_calendar(nextcloud, name)).shared_by
    return (await _write(nextcloud, "DELETE", (name, ""), about=_about(name))).status_code, shared_by


async def find_all(
    nextcloud: Nextcloud, calendar: str, component: str, *, between: tuple[datetime, datetime] | None = None
) -> list[CalendarObject]:
    """Return the objects of a kind; with `between`, those of which something may happen in that time (zones needed).

    Nextcloud takes a time without a zone for UTC: ask for a day more on both sides where that matters. By time it does
    not find all of them, so the result includes those of `find_missed`; they are the caller's to expand.
    """
    if between is None:
        return await _query(nextcloud, calendar, _kind(component))
    objects = await find_missed(nextcloud, calendar, component, until=between[1])
    by_time = _kind(component)
    SubElement(by_time, f"{C}time-range", start=_utc(between[0]), end=_utc(between[1]))
    objects += await _query(nextcloud, calendar, by_time)
    return list({each.href: each for each in objects}.values())


async def find_missed(nextcloud: Nextcloud, calendar: str, component: str, *, until: datetime) -> list[CalendarObject]:
    """Return the series that Nextcloud may miss in a time that ends with `until`, when it looks for what happens then.

    These are series with RDATE, and series that may repeat beyond what Nextcloud's index covers.
    """
    objects = await _with_property(nextcloud, calendar, component, "RDATE")
    series = await _with_property(nextcloud, calendar, component, "RRULE")
    objects += [each for each in series if until.year >= _INDEX_ENDS or _MANY.search(each.text)]
    return list({each.href: each for each in objects}.values())


_INDEX_ENDS: Final = 2038
"""Nextcloud knows of no series from this year on."""

_MANY: Final = re.compile(r"^RRULE[:;](?:[^\n]|\n[ \t])*(?:(?:SECOND|MINUTE|HOUR)LY|DAILY|,)", re.MULTILINE)
"""A rule that may have more than the 3,500 occurrences after which Nextcloud leaves a series out."""


def _kind(component: str) -> Element:
    return Element(f"{C}comp-filter", name=component)


async def _with_property(nextcloud: Nextcloud, calendar: str, component: str, name: str) -> list[CalendarObject]:
    condition = _kind(component)
    SubElement(condition, f"{C}prop-filter", name=name)
    return await _query(nextcloud, calendar, condition)


async def find(nextcloud: Nextcloud, calendar: str, component: str, uid: str, *, etag: str = "") -> CalendarObject:
    """Return the object with this UID.

    Raises:
        ConflictError: it is not the one with this `etag` any more.
        NotFoundError: there is none, or no such calendar.
    """
    condition = Element(f"{C}comp-filter", name=component)
    has_uid = SubElement(condition, f"{C}prop-filter", name="UID")
    SubElement(has_uid, f"{C}text-match", collation="i;octet").text = uid
    # RFC 4791 section 9.7.5: a match is one of a part of the text
    found = [each for each in await _query(nextcloud, calendar, condition) if _uid(each.text) == uid]
    if not found:
        raise NotFoundError(
            "No {kinds} {uid} in {resource}",
            "check both, or list the {kinds}s",
            kinds=_KINDS[component],
            uid=quoted(uid),
            resource=_about(calendar),
        )
    stored = found[0]
    if etag and dav.given(etag) != stored.etag:
        raise _changed(stored)
    return stored


async def create(nextcloud: Nextcloud, calendar: str, component: str, uid: str, text: str) -> Written:
    """Store a new object.

    Raises:
        InvalidArgumentError: the calendar does not take such.
        ForbiddenError: the user may only read it.
        NotFoundError: there is no such calendar.
    """
    await get_calendar(nextcloud, calendar, takes=component)  # what is written to a deleted one is lost
    response = await _write(
        nextcloud,
        "PUT",
        (calendar, f"{uid}.ics"),
        about=_about(calendar),
        headers={"If-None-Match": "*", "Content-Type": _MEDIA_TYPE},
        content=text.encode(),
    )
    return await _written(nextcloud, response, calendar, f"{uid}.ics")


async def replace(nextcloud: Nextcloud, there: CalendarObject, text: str) -> Written:
    """Store `text` in place of what was read.

    Raises:
        ConflictError: somebody changed it meanwhile.
    """
    response = await _write(
        nextcloud,
        "PUT",
        (there.calendar, there.name),
        about=f"calendar object {quoted(there.name)}",
        headers={"If-Match": dav.quoted(there.etag), "Content-Type": _MEDIA_TYPE},
        content=text.encode(),
        also_ok={412},
    )
    _no_conflict(response, there)
    return await _written(nextcloud, response, there.calendar, there.name)


async def delete(nextcloud: Nextcloud, there: CalendarObject) -> int:
    """Delete what was read; Nextcloud keeps it in a trash bin for a while. Returns the HTTP status.

    Raises:
        ConflictError: somebody changed it meanwhile.
    """
    response = await _write(
        nextcloud,
        "DELETE",
        (there.calendar, there.name),
        about=f"calendar object {quoted(there.name)}",
        headers={"If-Match": dav.quoted(there.etag)},
        also_ok={412},
    )
    _no_conflict(response, there)
    return response.status_code


async def move(nextcloud: Nextcloud, there: CalendarObject, target: str) -> None:
    """Move what was read to another calendar of the user's, as it is.

    Raises:
        ConflictError: the target has it already, perhaps in its trash bin; or somebody changed it meanwhile.
        NotFoundError: there is no such calendar, or the object is gone.
    """
    headers = {
        "Destination": nextcloud.absolute(await _path(nextcloud, target, there.name)),
        "Overwrite": "F",
        "If-Match": dav.quoted(there.etag),
    }
    response = await _write(
        nextcloud,
        "MOVE",
        (there.calendar, there.name),
        about=f"calendar object {quoted(there.name)}",
        headers=headers,
        also_ok={400, 409, 412, 500},
        target=target,
    )
    if not response.is_success:
        raise await _not_moved(nextcloud, response, there, target)


async def _not_moved(
    nextcloud: Nextcloud, response: httpx.Response, there: CalendarObject, target: str
) -> NextcloudError | InvalidArgumentError:
    """Return why an object was not moved, as Nextcloud 32 tells: 400 for its UID, and 412 for two reasons."""
    status = response.status_code
    if status == httpx.codes.CONFLICT:
        return NotFoundError(
            "The event can't be moved",
            "no {resource}. nc_calendar_list_calendars shows the names",
            resource=_about(target),
        )
    if status == httpx.codes.PRECONDITION_FAILED:
        present = await _etag(nextcloud, there.calendar, there.name)
        return _changed(there) if present != there.etag else _there_already(target, "has one of the same name")
    if status == httpx.codes.BAD_REQUEST:
        return _there_already(target, "has one of the same UID")
    if _UNIQUE.search(response.text):
        return _there_already(target, "has one of the same UID in its trash bin")
    return error_for(response, f"calendar object {quoted(there.name)}")


def _there_already(target: str, what: str) -> ConflictError:
    return ConflictError(
        "The event can't be moved",
        "{resource} {obstacle}. Delete that one permanently first, or leave this one here",
        resource=_about(target),
        obstacle=what,
    )


async def mail_address(nextcloud: Nextcloud) -> str | None:
    """Return the `mailto:` address under which Nextcloud knows the user in calendars (RFC 6638 section 2.4.1)."""
    response = await nextcloud.request(
        "PROPFIND",
        f"/remote.php/dav/principals/users/{await nextcloud.principal_name()}/",
        about="your account",
        headers={"Depth": "0"},
        content=dav.propfind(f"{C}calendar-user-address-set"),
    )
    addresses = [href.text or "" for href in dav.responses(response)[0].iter(f"{dav.D}href")]
    return next((address for address in addresses if address.startswith("mailto:")), None)


async def ask_outbox(nextcloud: Nextcloud, request: str) -> dict[str, str | None]:
    """Ask who is busy when, with a VFREEBUSY request; return the replies by recipient.

    A recipient whom this Nextcloud does not know has None.
    """
    response = await nextcloud.request(
        "POST",
        await _path(nextcloud, "outbox"),
        about="the free/busy times",
        headers={"Content-Type": _MEDIA_TYPE},
        content=request.encode(),
    )
    return {
        each.findtext(f"{C}recipient/{dav.D}href", ""): each.findtext(f"{C}calendar-data")
        for each in dav.document(response, f"{C}schedule-response").iter(f"{C}response")
    }


async def ask_calendar(nextcloud: Nextcloud, calendar: str, between: tuple[datetime, datetime]) -> str:
    """Return when one calendar is busy, as iCalendar (RFC 4791 section 7.10)."""
    document = Element(f"{C}free-busy-query")
    SubElement(document, f"{C}time-range", start=_utc(between[0]), end=_utc(between[1]))
    response = await nextcloud.request(
        "REPORT",
        await _path(nextcloud, calendar),
        about=_about(calendar),
        headers={"Depth": "1"},
        content=dav.body(document),
    )
    return response.text


async def _query(nextcloud: Nextcloud, calendar: str, condition: Element) -> list[CalendarObject]:
    document = Element(f"{C}calendar-query")
    wanted = SubElement(document, f"{dav.D}prop")
    SubElement(wanted, f"{dav.D}getetag")
    SubElement(wanted, f"{C}calendar-data")
    SubElement(SubElement(document, f"{C}filter"), f"{C}comp-filter", name="VCALENDAR").append(condition)
    response = await nextcloud.request(
        "REPORT",
        await _path(nextcloud, calendar),
        about=_about(calendar),
        headers={"Depth": "1"},
        content=dav.body(document),
    )
    return await run_in_worker_thread(_objects, calendar, response)  # thousands take tenths of seconds


async def _write(
    nextcloud: Nextcloud,
    method: str,
    place: tuple[str, str],
    *,
    about: str,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    also_ok: AbstractSet[int] = frozenset(),
    target: str = "",
) -> httpx.Response:
    """Send what changes an object, or a calendar; `target` is the calendar to which something is moved.

    One at a time: on SQLite, Nextcloud answers the others with HTTP 500.

    Raises:
        ForbiddenError: the calendar can only be read. Nextcloud says 403 to that, or of one that is shared, 404.
        NextcloudError: the iCalendar in `content` is not valid for Nextcloud.
    """
    path = await _path(nextcloud, *place)
    try:
        async with nextcloud.turn(dav.OBJECTS):
            response = await nextcloud.request(
                method, path, about=about, headers=headers, content=content, also_ok=also_ok | _MAY_BE_INVALID
            )
        _check_object(response, about)
    except (ForbiddenError, NotFoundError) as error:
        for calendar in filter(None, (place[0], target)):
            if (refused := await _read_only(nextcloud, calendar)) is not None:
                raise refused from error
        raise
    return response


_MAY_BE_INVALID: Final = frozenset({403, 415})
_INVALID: Final = re.compile(r"recurrence rule does not generate|object exceeds \d+ bytes")
"""What Nextcloud says with 403 of an object that it does not store, whoever writes it (measured on 34.0.1)."""


def _check_object(response: httpx.Response, about: str) -> None:
    """Raise the error for iCalendar that Nextcloud does not store, or the usual one for another refusal."""
    if response.status_code not in _MAY_BE_INVALID:
        return
    why = reasons.reason(response)
    if response.status_code == httpx.codes.FORBIDDEN and not _INVALID.search(why):
        raise error_for(response, about)
    raise NextcloudError(
        "Nextcloud does not store {resource} with these values{why}",
        "pass other values",
        resource=about,
        why=in_brackets(why),
        status=response.status_code,
    )


async def _read_only(nextcloud: Nextcloud, name: str) -> ForbiddenError | None:
    """Return the error for a calendar that is there and can only be read; None if it is no such calendar."""
    try:
        calendar = await get_calendar(nextcloud, name)
    except NextcloudError:
        return None
    if not calendar.read_only:
        return None
    if name.startswith(_GENERATED):
        app = name.removeprefix(_GENERATED).partition("--")[0]
        return ForbiddenError(
            "The {resource} is made by the app {app} and can only be read",
            "change what it shows in that app{tools}",
            resource=_about(name),
            app=app,
            tools=", with the tools for Deck" if app == "deck" else "",
        )
    return ForbiddenError(
        "You may only read the {resource}",
        "ask {owner} to let you write, or take another from nc_calendar_list_calendars",
        resource=_about(name),
        owner=calendar.shared_by or "its owner",
    )


def _no_conflict(response: httpx.Response, there: CalendarObject) -> None:
    if response.status_code == httpx.codes.PRECONDITION_FAILED:
        raise _changed(there)


def _changed(there: CalendarObject) -> ConflictError:
    """Return the error for an object that is not as the caller has read it."""
    kind = "Task" if re.search(r"^BEGIN:VTODO", there.text, re.MULTILINE | re.IGNORECASE) else "Event"
    return dav.changed(f"{kind} {quoted(_uid(there.text) or there.name)} in {_about(there.calendar)}")


async def _written(nextcloud: Nextcloud, response: httpx.Response, calendar: str, name: str) -> Written:
    """Read the answer to a PUT: without an ETag Nextcloud has stored something else, such as an invitation's state."""
    etag = dav.etag(response.headers) or await _etag(nextcloud, calendar, name)
    return Written(href=await _path(nextcloud, calendar, name), status_code=response.status_code, etag=etag)


async def _etag(nextcloud: Nextcloud, calendar: str, name: str) -> str:
    response = await nextcloud.request(
        "PROPFIND",
        await _path(nextcloud, calendar, name),
        about=f"{quoted(name)} in {_about(calendar)}",
        headers={"Depth": "0"},
        content=dav.propfind(f"{dav.D}getetag"),
    )
    return dav.unquoted(dav.responses(response)[0].findtext(f".//{dav.D}getetag")) or ""


async def _home(nextcloud: Nextcloud) -> str:
    return f"/remote.php/dav/calendars/{await nextcloud.principal_name()}/"


async def _path(nextcloud: Nextcloud, calendar: str, name: str = "") -> str:
    if not dav.is_segment(calendar):
        raise InvalidArgumentError(
            "Invalid calendar name {calendar}",
            "nc_calendar_list_calendars shows the names, such as 'personal'",
            argument="calendar_name",
            calendar=quoted(calendar),
        )
    return f"{await _home(nextcloud)}{quote(calendar, safe='')}/{quote(name, safe='')}"


def _about(calendar: str) -> str:
    return f"calendar {quoted(calendar)}"


def _set(document: Element, *, display_name: str, description: str, color: str) -> Element:
    """Write those properties that are not empty, and return their parent."""
    if color and not re.fullmatch("#[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?", color):  # Apple's programs write how opaque it is
        raise InvalidArgumentError(
            "Invalid color {color}", "use #RRGGBB, such as #1976D2", argument="color", color=quoted(color)
        )
    properties = SubElement(SubElement(document, f"{dav.D}set"), f"{dav.D}prop")
    values = {
        f"{dav.D}displayname": display_name,
        f"{C}calendar-description": description,
        f"{ICAL}calendar-color": color,
    }
    for name, value in values.items():
        if value:
            SubElement(properties, name).text = value
    return properties


def _is_calendar(response: Element) -> bool:
    """Tell calendars from the home itself, the inbox, the outbox and the trash bin, and from what is in that.

    Unless it is asked when they were deleted, Nextcloud gives those the type of a calendar, too.
    """
    return (
        _DELETED_AT not in dav.properties(response) and response.find(f".//{dav.D}resourcetype/{C}calendar") is not None
    )


def _is_transparent(response: Element) -> bool:
    """Tell whether nothing in a calendar makes the user busy (RFC 6638 section 9.1)."""
    return response.find(f".//{C}schedule-calendar-transp/{C}transparent") is not None


def _calendar(response: Element) -> Calendar:
    properties = dav.properties(response)
    text = {tag: element.text for tag, element in properties.items() if element.text}
    href = response.findtext(f"{dav.D}href", "")
    name = dav.last_part(response)
    privileges = properties.get(f"{dav.D}current-user-privilege-set")
    return Calendar(
        name=name,
        display_name=text.get(f"{dav.D}displayname", name),
        description=text.get(f"{C}calendar-description"),
        color=text.get(f"{ICAL}calendar-color"),
        href=href,
        timezone=_tzid(text.get(f"{C}calendar-timezone", "")),
        enabled=text.get(f"{dav.OC}calendar-enabled") != "0",
        ctag=text.get(f"{CS}getctag"),
        components=[each.get("name", "") for each in response.iter(f"{C}comp")],
        read_only=privileges is not None and not _may_write(privileges),
        shared_by=dav.shared_by(response),
    )


def _may_write(privileges: Element) -> bool:
    held = {each.tag for each in privileges.iterfind(f"{dav.D}privilege/*")}
    return bool(held & {f"{dav.D}all", f"{dav.D}write", f"{dav.D}write-content", f"{dav.D}bind"})


def _objects(calendar: str, response: httpx.Response) -> list[CalendarObject]:
    return [_object(calendar, element) for element in dav.each_response(response)]


def _object(calendar: str, response: Element) -> CalendarObject:
    properties = dav.properties(response)
    text = {tag: element.text or "" for tag, element in properties.items()}
    href = response.findtext(f"{dav.D}href", "")
    return CalendarObject(
        calendar=calendar,
        name=dav.last_part(response),
        href=href,
        etag=dav.unquoted(text.get(f"{dav.D}getetag")) or "",
        text=text.get(f"{C}calendar-data", ""),
    )


def _uid(text: str) -> str | None:
    """Return the first UID of iCalendar text, with its folded lines joined (RFC 5545 section 3.1)."""
    found = re.search(r"^UID(?:;[^:\n]*)?:(.*)$", re.sub(r"\r?\n[ \t]", "", text), re.MULTILINE | re.IGNORECASE)
    return re.sub(r"\\([\\;,])", r"\1", found[1].strip()) if found else None


def _tzid(text: str) -> str | None:
    """Return the name of the time zone that a calendar's VTIMEZONE gives."""
    found = re.search(r"^TZID(?:;[^:\n]*)?:(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else None


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
