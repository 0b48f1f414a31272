"""CalDAV requests (RFC 4791; RFC 6638 for free/busy). This module treats iCalendar as text.

A calendar's name is the last segment of its URL, such as `personal`. A calendar contains calendar objects. Each is
iCalendar text (RFC 5545) with an ETag, and holds an event with all its occurrences, or a task. The functions here find
an object by its `UID`.

Of the functions that only read, `ask_outbox` is the one that sends a POST, because RFC 6638 section 5 defines free/busy
requests so. It stores nothing and notifies nobody.
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
    completed,
    quoted,
)
from nextcloud_mcp.nextcloud import dav, reasons
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.permissions import missing_permission_error
from nextcloud_mcp.nextcloud.refusals import error_for, in_brackets
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread

C: Final = "{urn:ietf:params:xml:ns:caldav}"
CS: Final = "{http://calendarserver.org/ns/}"
ICAL: Final = "{http://apple.com/ns/ical/}"
EVENT: Final = "VEVENT"
TASK: Final = "VTODO"

_GENERATED: Final = "app-generated--"
"""Prefix, before the app id, of calendars that apps generate from their data (`ExternalCalendar` in Nextcloud)."""

_RESERVED_PREFIX: Final = "app-generated"
"""Prefix that no new calendar can have. Nextcloud answers a bare HTTP 405 to every name with it, also without the
dashes of `_GENERATED` (measured on 34.0.1)."""

_RESERVED: Final = frozenset({"inbox", "outbox", "trashbin"})
"""Names of the other resources in the calendar home (measured on 34.0.1)."""

MAX_NAME: Final = 255
"""The longest name of a new calendar, in bytes; Nextcloud answers HTTP 500 to a longer one (measured on 34.0.1)."""

_KINDS: Final = {EVENT: "event", TASK: "task"}
_UNIQUE: Final = re.compile(r"SQLSTATE\[23")
"""Matches the SQLSTATE that databases report for a duplicate key (class 23 of SQL:2023)."""

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

    `shared_by` is the owner, if it is not the user's own.
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
    """A stored calendar object: an event with all its occurrences, or a task.

    Attributes:
        calendar: The name of its calendar.
        name: The last segment of its URL, decoded.
        href: The path of its URL, as Nextcloud returns it.
        etag: The ETag of `text`, without quotes.
        text: The iCalendar text.
    """

    calendar: str
    name: str
    href: str
    etag: str
    text: str


@dataclass(frozen=True)
class Written:
    """The result of a PUT: the HTTP status, 201 for a new object, and the ETag of the stored object."""

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
        nextcloud: The user's client.
        takes: Only calendars that take this component.
        writable: Only calendars that the user may write to.
        opaque: Only calendars whose events make the user busy (RFC 6638 section 9.1). In Nextcloud, shared ones do not.
        without: Only calendars whose name does not contain this text.
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
    """Return one calendar, and check that it takes the component `takes`.

    Raises:
        NotFoundError: the calendar does not exist, or was deleted. Nextcloud still answers for deleted calendars.
        InvalidArgumentError: the calendar does not take the component `takes`.
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
            "The {resource} takes no {kind}s",
            (
                "use one that nc_calendar_list_calendars shows with {takes} in components, or create one with "
                "nc_calendar_manage_calendar"
            ),
            resource=_about(name),
            kind=_KINDS[takes],
            takes=takes,
        )
    return calendar


async def create_calendar(nextcloud: Nextcloud, name: str, *, display_name: str, description: str, color: str) -> None:
    """Create a calendar for events and tasks.

    Raises:
        InvalidArgumentError: `name` or `color` is not valid.
        ConflictError: a calendar of that name exists, perhaps in the trash bin.
        ForbiddenError: the user has as many calendars as the administrator allows.
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
    """Change the display name, the description or the color of a calendar; an empty argument changes nothing.

    Raises:
        InvalidArgumentError: `color` is not valid.
        ForbiddenError: Nextcloud does not allow the change.
    """
    document = Element(f"{dav.D}propertyupdate")
    _set(document, display_name=display_name, description=description, color=color)
    response = await nextcloud.request(
        "PROPPATCH", await _path(nextcloud, name), about=_about(name), content=dav.body(document)
    )
    statuses = [each.text or "" for each in dav.responses(response)[0].iter(f"{dav.D}status")]
    if not all(" 200 " in status for status in statuses):
        raise await _read_only(nextcloud, name) or ForbiddenError(
            "Nextcloud does not let you change the {resource}",
            "change another, or create one",
            resource=_about(name),
        )


async def delete_calendar(nextcloud: Nextcloud, name: str) -> tuple[int, str | None]:
    """Delete a calendar with all its objects. Nextcloud keeps it in the trash bin for a while.

    For a calendar that somebody shared with the user, this only removes the user's share. Returns the HTTP status, and
    who shared the calendar.

    Raises:
        NotFoundError: the calendar does not exist, or is in the trash bin. There a second DELETE would destroy it, so
            none is sent.
    """
    shared_by = (await get_calendar(nextcloud, name)).shared_by
    return (await _write(nextcloud, "DELETE", (name, ""), about=_about(name))).status_code, shared_by


async def find_all(
    nextcloud: Nextcloud, calendar: str, component: str, *, between: tuple[datetime, datetime] | None = None
) -> list[CalendarObject]:
    """Return the objects with a component; `between` limits them to objects that may have an occurrence in that range.

    The times of `between` need a zone. Nextcloud treats floating times as UTC: if that matters, pass a range that is a
    day longer on both sides. Nextcloud's search by time misses some series, so the result includes those of
    `find_missed`, whether or not they have an occurrence in the range. The caller expands the objects.
    """
    if between is None:
        return await _query(nextcloud, calendar, _kind(component))
    objects = await find_missed(nextcloud, calendar, component, until=between[1])
    by_time = _kind(component)
    SubElement(by_time, f"{C}time-range", start=_utc(between[0]), end=_utc(between[1]))
    objects += await _query(nextcloud, calendar, by_time)
    return list({each.href: each for each in objects}.values())


async def find_missed(nextcloud: Nextcloud, calendar: str, component: str, *, until: datetime) -> list[CalendarObject]:
    """Return the series that Nextcloud's search by time may miss in a range that ends at `until`.

    These are series with RDATE, and series that may repeat beyond what Nextcloud's index covers.
    """
    objects = await _with_property(nextcloud, calendar, component, "RDATE")
    series = await _with_property(nextcloud, calendar, component, "RRULE")
    objects += [each for each in series if until.year >= _INDEX_ENDS or _MANY.search(each.text)]
    return list({each.href: each for each in objects}.values())


_INDEX_ENDS: Final = 2038
"""Nextcloud's index contains no occurrences from this year on."""

_MANY: Final = re.compile(r"^RRULE[:;](?:[^\n]|\n[ \t])*(?:(?:SECOND|MINUTE|HOUR)LY|DAILY|,)", re.MULTILINE)
"""Matches rules that may give more than 3,500 occurrences, after which Nextcloud's index omits a series."""


def _kind(component: str) -> Element:
    return Element(f"{C}comp-filter", name=component)


async def _with_property(nextcloud: Nextcloud, calendar: str, component: str, name: str) -> list[CalendarObject]:
    condition = _kind(component)
    SubElement(condition, f"{C}prop-filter", name=name)
    return await _query(nextcloud, calendar, condition)


async def find(nextcloud: Nextcloud, calendar: str, component: str, uid: str, *, etag: str = "") -> CalendarObject:
    """Return the object with this UID.

    Raises:
        ConflictError: the ETag of the object is no longer `etag`.
        NotFoundError: the object or the calendar does not exist.
    """
    condition = Element(f"{C}comp-filter", name=component)
    has_uid = SubElement(condition, f"{C}prop-filter", name="UID")
    SubElement(has_uid, f"{C}text-match", collation="i;octet").text = uid
    # RFC 4791 section 9.7.5: text-match finds substrings
    found = [each for each in await _query(nextcloud, calendar, condition) if _uid(each.text) == uid]
    if not found:
        raise NotFoundError(
            "No {kind} {uid} in {resource}",
            "check both, or list the {kind}s",
            kind=_KINDS[component],
            uid=quoted(uid),
            resource=_about(calendar),
        )
    stored = found[0]
    if etag and dav.parse_etag(etag) != stored.etag:
        raise _changed(stored)
    return stored


async def create(nextcloud: Nextcloud, calendar: str, component: str, uid: str, text: str) -> Written:
    """Store a new object.

    Raises:
        InvalidArgumentError: the calendar does not take the component.
        ForbiddenError: the user may only read the calendar.
        NotFoundError: the calendar does not exist.
    """
    await get_calendar(nextcloud, calendar, takes=component)  # a PUT to a deleted calendar loses the object
    response = await _write(
        nextcloud,
        "PUT",
        (calendar, f"{uid}.ics"),
        about=_about(calendar),
        headers={"If-None-Match": "*", "Content-Type": _MEDIA_TYPE},
        content=text.encode(),
        has_effects=_invites(text),
    )
    return await _written(nextcloud, response, calendar, f"{uid}.ics")


def _invites(text: str) -> bool:
    """Return whether Nextcloud may send mails for an object, which it does before it stores the object (34.0.1)."""
    return re.search("^(ATTENDEE|ORGANIZER)", text, re.MULTILINE | re.IGNORECASE) is not None


async def replace(nextcloud: Nextcloud, there: CalendarObject, text: str) -> Written:
    """Replace the object `there` by `text`.

    Raises:
        ConflictError: the object has changed since it was read.
    """
    response = await _write(
        nextcloud,
        "PUT",
        (there.calendar, there.name),
        about=f"calendar object {quoted(there.name)}",
        headers={"If-Match": dav.quoted(there.etag), "Content-Type": _MEDIA_TYPE},
        content=text.encode(),
        also_ok={412},
        has_effects=_invites(text) or _invites(there.text),
    )
    _no_conflict(response, there)
    return await _written(nextcloud, response, there.calendar, there.name)


async def delete(nextcloud: Nextcloud, there: CalendarObject) -> int:
    """Delete the object `there`, and return the HTTP status. Nextcloud keeps the object in the trash bin for a while.

    Raises:
        ConflictError: the object has changed since it was read.
    """
    response = await _write(
        nextcloud,
        "DELETE",
        (there.calendar, there.name),
        about=f"calendar object {quoted(there.name)}",
        headers={"If-Match": dav.quoted(there.etag)},
        also_ok={412},
        has_effects=_invites(there.text),
    )
    _no_conflict(response, there)
    return response.status_code


async def move(nextcloud: Nextcloud, there: CalendarObject, target: str) -> None:
    """Move the object `there`, unchanged, to the user's calendar `target`.

    Raises:
        ConflictError: the target already contains the object, perhaps in its trash bin, or the object has changed since
            it was read.
        NotFoundError: the target calendar or the object does not exist.
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
    """Return the error for a MOVE that failed.

    Nextcloud 32 answers 400 if the target has the UID, and 412 if the target has the name or the ETag does not match.
    """
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
    """Return the `mailto:` URI of the user in Nextcloud's calendars (RFC 6638 section 2.4.1), or None."""
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
    """Send a VFREEBUSY request to the scheduling outbox; return the iCalendar replies by recipient.

    The reply is None for a recipient whom this Nextcloud does not know.
    """
    response = await nextcloud.request(
        "POST",
        f"{await _home(nextcloud)}outbox/",
        about="the free/busy times",
        headers={"Content-Type": _MEDIA_TYPE},
        content=request.encode(),
    )
    return {
        each.findtext(f"{C}recipient/{dav.D}href", ""): each.findtext(f"{C}calendar-data")
        for each in dav.document(response, f"{C}schedule-response").iter(f"{C}response")
    }


async def ask_calendar(nextcloud: Nextcloud, calendar: str, between: tuple[datetime, datetime]) -> str:
    """Return the busy times of one calendar as iCalendar (RFC 4791 section 7.10)."""
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
    return await run_in_worker_thread(_objects, calendar, response)  # thousands of objects take tenths of seconds


async def _write(
    nextcloud: Nextcloud,
    method: str,
    place: tuple[str, str],
    *,
    about: str,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    also_ok: AbstractSet[int] = frozenset(),
    has_effects: bool = False,
    target: str = "",
) -> httpx.Response:
    """Send a request that changes an object or a calendar; `target` is the calendar to which a MOVE leads.

    Requests are sent one at a time: on SQLite, Nextcloud answers concurrent ones with HTTP 500.

    Raises:
        ForbiddenError: the calendar is read-only. Nextcloud answers 403 then, or 404 for a shared calendar.
        NextcloudError: Nextcloud rejects the iCalendar in `content` as not valid.
    """
    path = await _path(nextcloud, *place)
    try:
        async with nextcloud.change_lock(dav.OBJECTS):
            response = await nextcloud.request(
                method,
                path,
                about=about,
                headers=headers,
                content=content,
                also_ok=also_ok | _MAY_BE_INVALID,
                has_effects=has_effects,
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
"""Matches Nextcloud's reasons to answer 403 because of the object, not because of the user (measured on 34.0.1)."""


def _check_object(response: httpx.Response, about: str) -> None:
    """Check the answer to a request that stores an object.

    Raises:
        NextcloudError: Nextcloud rejects the iCalendar as not valid.
        ForbiddenError: Nextcloud answers 403 for another reason.
    """
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
    """Return the error for a read-only calendar; None if the calendar is writable or does not exist."""
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
    if calendar.shared_by:
        return missing_permission_error(
            f"the {_about(name)}", allowed=["read"], needed="change it", owner=calendar.shared_by
        )
    return ForbiddenError(
        "The {resource} can only be read, as Nextcloud or another site fills it",
        "take another from nc_calendar_list_calendars",
        resource=_about(name),
    )


def _no_conflict(response: httpx.Response, there: CalendarObject) -> None:
    if response.status_code == httpx.codes.PRECONDITION_FAILED:
        raise _changed(there)


def _changed(there: CalendarObject) -> ConflictError:
    """Return the error for an object that has changed since the caller read it."""
    kind = "Task" if re.search(r"^BEGIN:VTODO", there.text, re.MULTILINE | re.IGNORECASE) else "Event"
    return dav.etag_mismatch_error(f"{kind} {quoted(_uid(there.text) or there.name)} in {_about(there.calendar)}")


async def _written(nextcloud: Nextcloud, response: httpx.Response, calendar: str, name: str) -> Written:
    """Return the result of a PUT.

    If the response has no ETag, Nextcloud has stored a modified object, for example with the state of an invitation.
    Then this function asks for the ETag.
    """
    etag = dav.etag(response.headers)
    if not etag:
        with completed(
            "{resource} is stored, but reading its ETag failed",
            "read it, and do not write it again",
            resource=f"calendar object {quoted(name)} in {_about(calendar)}",
        ):
            etag = await _etag(nextcloud, calendar, name)
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
    if calendar in _RESERVED:
        raise NotFoundError(
            "The {resource} does not exist", "nc_calendar_list_calendars shows the names", resource=_about(calendar)
        )
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
    """Add the properties that are not empty to `document`; return their parent element."""
    if color and not re.fullmatch("#[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?", color):  # Apple's programs append the opacity
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
    """Return whether a response describes a calendar that is not deleted.

    The calendar home also contains the inbox, the outbox and the trash bin. Nextcloud gives deleted calendars the
    resource type of a calendar unless the request asks for `deleted-at`.
    """
    return (
        _DELETED_AT not in dav.properties(response) and response.find(f".//{dav.D}resourcetype/{C}calendar") is not None
    )


def _is_transparent(response: Element) -> bool:
    """Return whether the events of a calendar do not make the user busy (RFC 6638 section 9.1)."""
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
    """Return the first UID in iCalendar text, after unfolding its lines (RFC 5545 section 3.1)."""
    found = re.search(r"^UID(?:;[^:\n]*)?:(.*)$", re.sub(r"\r?\n[ \t]", "", text), re.MULTILINE | re.IGNORECASE)
    return re.sub(r"\\([\\;,])", r"\1", found[1].strip()) if found else None


def _tzid(text: str) -> str | None:
    """Return the TZID of a VTIMEZONE in iCalendar text."""
    found = re.search(r"^TZID(?:;[^:\n]*)?:(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else None


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
