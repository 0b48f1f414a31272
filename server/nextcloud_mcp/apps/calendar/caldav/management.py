"""Creating, changing and deleting calendars: MKCALENDAR (RFC 4791 section 5.3.1), PROPPATCH and DELETE."""

import re
from typing import Final
from xml.etree.ElementTree import Element, SubElement

import httpx

from nextcloud_mcp.apps.calendar.caldav.calendars import get_calendar, read_only_error
from nextcloud_mcp.apps.calendar.caldav.resources import ICAL, RESERVED_NAMES, C, describe, path_of
from nextcloud_mcp.apps.calendar.caldav.writes import send_write
from nextcloud_mcp.apps.calendar.calendar_object import EVENT, TASK
from nextcloud_mcp.errors import ConflictError, ForbiddenError, InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud import dav
from nextcloud_mcp.nextcloud.client import Nextcloud

_RESERVED_PREFIX: Final = "app-generated"
"""Prefix that no new calendar can have. Nextcloud answers a bare HTTP 405 to every name with it, also without the
dashes of `_GENERATED` (measured on 34.0.1)."""

MAX_NAME: Final = 255
"""The longest name of a new calendar, in bytes; Nextcloud answers HTTP 500 to a longer one (measured on 34.0.1)."""


async def create_calendar(nextcloud: Nextcloud, name: str, *, display_name: str, description: str, color: str) -> None:
    """Create a calendar for events and tasks.

    Raises:
        InvalidArgumentError: `name` or `color` is not valid.
        ConflictError: a calendar of that name exists, perhaps in the trash bin.
        ForbiddenError: the user has as many calendars as the administrator allows.
    """
    _check_new_name(name)
    document = Element(f"{C}mkcalendar")
    properties = _set_properties(document, display_name=display_name, description=description, color=color)
    components = SubElement(properties, f"{C}supported-calendar-component-set")
    for component in (EVENT, TASK):
        SubElement(components, f"{C}comp", name=component)
    response = await nextcloud.request(
        "MKCALENDAR", await path_of(nextcloud, name), about=describe(name), content=dav.body(document), also_ok={405}
    )
    if response.status_code == httpx.codes.METHOD_NOT_ALLOWED:
        raise ConflictError(
            (
                "The {resource} exists already, perhaps in the trash bin of Nextcloud's calendar app, which keeps "
                "the name for 30 days"
            ),
            "choose another name, or restore it there",
            resource=describe(name),
        )


def _check_new_name(name: str) -> None:
    if name in RESERVED_NAMES or name.startswith(_RESERVED_PREFIX):
        raise InvalidArgumentError(
            "Invalid calendar name {name}",
            "Nextcloud reserves {reserved} and names that begin with {prefix}; choose another name",
            argument="calendar_name",
            name=quoted(name),
            reserved=", ".join(sorted(RESERVED_NAMES)),
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
    _set_properties(document, display_name=display_name, description=description, color=color)
    response = await nextcloud.request(
        "PROPPATCH", await path_of(nextcloud, name), about=describe(name), content=dav.body(document)
    )
    statuses = [each.text or "" for each in dav.responses(response)[0].iter(f"{dav.D}status")]
    if not all(" 200 " in status for status in statuses):
        raise await read_only_error(nextcloud, name) or ForbiddenError(
            "Nextcloud does not let you change the {resource}",
            "change another, or create one",
            resource=describe(name),
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
    return (await send_write(nextcloud, "DELETE", (name, ""), about=describe(name))).status_code, shared_by


def _set_properties(document: Element, *, display_name: str, description: str, color: str) -> Element:
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
