"""The tool that finds times in which several people are free."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from nextcloud_mcp.apps.calendar import freebusy
from nextcloud_mcp.apps.calendar.freebusy import Slot
from nextcloud_mcp.apps.calendar.tools.arguments import Attendees, TimeZone, When
from nextcloud_mcp.apps.calendar.tools.names import reads
from nextcloud_mcp.boundary.call import AsUser
from nextcloud_mcp.boundary.declaration import Result
from nextcloud_mcp.boundary.schemas import described
from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud import moments


class AvailabilityFound(Result):
    """The times when all are free; `attendees_unknown` are people whose calendars this Nextcloud does not know."""

    available_slots: list[Slot]
    duration_requested: int
    date_range_start: str
    date_range_end: str
    time_zone: str
    attendees_checked: list[str]
    attendees_unknown: list[str]


@reads("Find a free time", scopes="calendar:read")
async def nc_calendar_find_availability(
    duration_minutes: int,
    nextcloud: AsUser,
    attendees: Annotated[Attendees, described("mail addresses, comma-separated")] = "",
    date_range_start: When = "",
    date_range_end: When = "",
    business_hours_only: bool = True,
    exclude_weekends: bool = True,
    preferred_times: Annotated[str, described("such as 09:00-12:00,14:00-17:00")] = "",
    time_zone: TimeZone = "",
) -> AvailabilityFound:
    """Find times at which the user and all attendees are free, within a week unless dates are given.

    Business hours are 09:00-17:00; preferred_times replaces them.
    """
    zone = await moments.zone_for(nextcloud, time_zone) or UTC
    now = datetime.now(zone).replace(microsecond=0)
    first = date_range_start or _today_or_before(now, date_range_end)
    last = date_range_end or _a_week_after(first)
    begins, ends = moments.span(first, last, zone, names=("date_range_start", "date_range_end"))
    if ends <= now:
        argument, given = ("date_range_end", last) if date_range_end else ("date_range_start", first)
        raise InvalidArgumentError(
            "{argument} {given} is in the past",
            "pass a later one, or leave it out",
            argument=argument,
            given=quoted(given),
        )
    found = await freebusy.find(
        nextcloud,
        attendees,
        (max(begins, now), ends),
        minutes=duration_minutes,
        hours=freebusy.hours_of(preferred_times, business_hours_only=business_hours_only),
        weekends=not exclude_weekends,
    )
    return AvailabilityFound(
        available_slots=found.slots,
        duration_requested=duration_minutes,
        date_range_start=first,
        date_range_end=last,
        time_zone=str(zone),
        attendees_checked=found.checked,
        attendees_unknown=found.unknown,
    )


def _today_or_before(now: datetime, date_range_end: str) -> str:
    """Return the start of a range for which the caller passes no start: today, or the end if that is earlier."""
    today = now.date()
    if not date_range_end:
        return today.isoformat()
    return min(today, moments.wall_clock(moments.read(date_range_end, "date_range_end")).date()).isoformat()


def _a_week_after(date_range_start: str) -> str:
    there = moments.read(date_range_start, "date_range_start") + timedelta(days=7)
    return there.isoformat() if there.year <= moments.LAST_DAY.year else moments.LAST_DAY.isoformat()
