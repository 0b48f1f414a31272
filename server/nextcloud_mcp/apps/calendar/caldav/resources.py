"""The URLs of CalDAV's resources, and the names that requests share (RFC 4791 section 5).

A calendar's name is the last segment of its URL, such as `personal`.
"""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from nextcloud_mcp.errors import InvalidArgumentError, NotFoundError, quoted
from nextcloud_mcp.nextcloud import dav
from nextcloud_mcp.nextcloud.client import Nextcloud

C: Final = "{urn:ietf:params:xml:ns:caldav}"
CS: Final = "{http://calendarserver.org/ns/}"
ICAL: Final = "{http://apple.com/ns/ical/}"
MEDIA_TYPE: Final = "text/calendar; charset=utf-8"

RESERVED_NAMES: Final = frozenset({"inbox", "outbox", "trashbin"})
"""Names of the other resources in the calendar home (measured on 34.0.1)."""


async def calendar_home(nextcloud: Nextcloud) -> str:
    """Return the path of the calendar home, which contains the user's calendars (RFC 4791 section 6.2.1)."""
    return f"/remote.php/dav/calendars/{await nextcloud.principal_name()}/"


async def path_of(nextcloud: Nextcloud, calendar: str, name: str = "") -> str:
    """Return the path of a calendar or, with `name`, of an object in it.

    Raises:
        NotFoundError: the name is that of another resource in the calendar home.
        InvalidArgumentError: `calendar` is not a single segment of a path.
    """
    if calendar in RESERVED_NAMES:
        raise NotFoundError(
            "The {resource} does not exist", "nc_calendar_list_calendars shows the names", resource=describe(calendar)
        )
    if not dav.is_segment(calendar):
        raise InvalidArgumentError(
            "Invalid calendar name {calendar}",
            "nc_calendar_list_calendars shows the names, such as 'personal'",
            argument="calendar_name",
            calendar=quoted(calendar),
        )
    return f"{await calendar_home(nextcloud)}{quote(calendar, safe='')}/{quote(name, safe='')}"


def describe(calendar: str) -> str:
    """Return what errors call a calendar."""
    return f"calendar {quoted(calendar)}"


def format_utc(moment: datetime) -> str:
    """Return a time as a date with UTC time (RFC 5545 section 3.3.5, form 2)."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
