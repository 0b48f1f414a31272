"""Reading the user's calendars: their properties (RFC 4791 section 5.2), and whether the user may write to them."""

import re
from typing import Final
from xml.etree.ElementTree import Element

from pydantic import BaseModel

from nextcloud_mcp.apps.calendar.caldav.resources import CS, ICAL, C, calendar_home, describe, path_of
from nextcloud_mcp.apps.calendar.calendar_object import COMPONENT_NAMES
from nextcloud_mcp.errors import ForbiddenError, InvalidArgumentError, NextcloudError, NotFoundError
from nextcloud_mcp.nextcloud import dav
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.permissions import missing_permission_error

_GENERATED_PREFIX: Final = "app-generated--"
"""Prefix, before the app id, of calendars that apps generate from their data (`ExternalCalendar` in Nextcloud)."""

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
        await calendar_home(nextcloud),
        about="the list of calendars",
        headers={"Depth": "1"},
        content=dav.propfind(*_PROPERTIES),
    )
    calendars = [
        _read_calendar(element)
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
        await path_of(nextcloud, name),
        about=describe(name),
        headers={"Depth": "0"},
        content=dav.propfind(*_PROPERTIES),
    )
    found = dav.responses(response)[0]
    if not _is_calendar(found):
        raise NotFoundError("No {resource}", "nc_calendar_list_calendars shows the names", resource=describe(name))
    calendar = _read_calendar(found)
    if takes and takes not in calendar.components:
        raise InvalidArgumentError(
            "The {resource} takes no {kind}s",
            (
                "use one that nc_calendar_list_calendars shows with {takes} in components, or create one with "
                "nc_calendar_manage_calendar"
            ),
            resource=describe(name),
            kind=COMPONENT_NAMES[takes],
            takes=takes,
        )
    return calendar


async def read_only_error(nextcloud: Nextcloud, name: str) -> ForbiddenError | None:
    """Return the error for a read-only calendar; None if the calendar is writable or does not exist."""
    try:
        calendar = await get_calendar(nextcloud, name)
    except NextcloudError:
        return None
    if not calendar.read_only:
        return None
    if name.startswith(_GENERATED_PREFIX):
        app = name.removeprefix(_GENERATED_PREFIX).partition("--")[0]
        return ForbiddenError(
            "The {resource} is made by the app {app} and can only be read",
            "change what it shows in that app{tools}",
            resource=describe(name),
            app=app,
            tools=", with the tools for Deck" if app == "deck" else "",
        )
    if calendar.shared_by:
        return missing_permission_error(
            f"the {describe(name)}", allowed=["read"], needed="change it", owner=calendar.shared_by
        )
    return ForbiddenError(
        "The {resource} can only be read, as Nextcloud or another site fills it",
        "take another from nc_calendar_list_calendars",
        resource=describe(name),
    )


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


def _read_calendar(response: Element) -> Calendar:
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
        timezone=_read_tzid(text.get(f"{C}calendar-timezone", "")),
        enabled=text.get(f"{dav.OC}calendar-enabled") != "0",
        ctag=text.get(f"{CS}getctag"),
        components=[each.get("name", "") for each in response.iter(f"{C}comp")],
        read_only=privileges is not None and not _may_write(privileges),
        shared_by=dav.shared_by(response),
    )


def _may_write(privileges: Element) -> bool:
    held = {each.tag for each in privileges.iterfind(f"{dav.D}privilege/*")}
    return bool(held & {f"{dav.D}all", f"{dav.D}write", f"{dav.D}write-content", f"{dav.D}bind"})


def _read_tzid(text: str) -> str | None:
    """Return the TZID of a VTIMEZONE in iCalendar text."""
    found = re.search(r"^TZID(?:;[^:\n]*)?:(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else None
