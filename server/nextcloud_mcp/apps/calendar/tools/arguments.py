"""The arguments that several tools for events take.

Tools take lists as comma-separated text and dates as ISO 8601, as existing clients expect. This server adds the
arguments `recurrence_id`, `time_zone` and `cursor`, and `etag` for the tools that lacked it.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from nextcloud_mcp.apps.calendar.caldav import calendars
from nextcloud_mcp.apps.calendar.calendar_object import EVENT
from nextcloud_mcp.apps.calendar.events import Range
from nextcloud_mcp.boundary.arguments import listed_texts
from nextcloud_mcp.boundary.schemas import described, one_of
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.client import Nextcloud

A_YEAR: Final = timedelta(days=366)
"""The length of a range for which the caller passes only one end."""


def _join_attendees(given: Any) -> Any:
    """Convert a list of people to comma-separated text; names that contain a comma get quotes."""
    listed = listed_texts(given)
    return given if listed is None else ", ".join(_NAMED.sub(r'"\1" <', each) for each in listed)


_NAMED: Final = re.compile(r'^\s*([^"<>,]*,[^"<>]*?)\s*<')
"""Matches an unquoted name that contains a comma, before an address."""

Attendees = Annotated[str, BeforeValidator(_join_attendees), Field(max_length=100_000)]
"""Mail addresses, optionally with names, as comma-separated text or as a list."""

STATUS: Final = one_of("CONFIRMED", "TENTATIVE", "CANCELLED")
PRIVACY: Final = one_of("PUBLIC", "PRIVATE", "CONFIDENTIAL")
Status = Annotated[str, STATUS]
Privacy = Annotated[str, PRIVACY]
Reminder = Annotated[int, described("-1: none")]
RecurrenceId = Annotated[str, described("recurrence_id of a listed occurrence")]
When = Annotated[str, described("date, or time in ISO 8601")]
TimeZone = Annotated[str, described("such as Europe/Berlin; empty: the user's")]


async def read_range(nextcloud: Nextcloud, start_date: str, end_date: str, time_zone: str) -> Range | None:
    """Parse a range; None if both ends are missing."""
    if not start_date and not end_date:
        return None
    first = start_date or _a_year_from(end_date, "end_date", -A_YEAR)
    last = end_date or _a_year_from(start_date, "start_date", A_YEAR)
    zone = await moments.zone_for(nextcloud, time_zone)
    return moments.span(first, last, zone, names=("start_date", "end_date"))


def _a_year_from(given: str, argument: str, distance: timedelta) -> str:
    """Return the missing end of a range, within the years that arguments may have."""
    there = moments.read(given, argument)
    if not moments.FIRST_DAY.year <= (there + distance).year <= moments.LAST_DAY.year:
        return (moments.FIRST_DAY if distance < timedelta() else moments.LAST_DAY).isoformat()
    return (there + distance).isoformat()


async def names_of_event_calendars(nextcloud: Nextcloud, *, writable: bool = False) -> list[str]:
    """Return the names of the calendars that take events."""
    return [calendar.name for calendar in await calendars.list_calendars(nextcloud, takes=EVENT, writable=writable)]
