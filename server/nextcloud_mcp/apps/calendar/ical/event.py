"""An event as fields: what tools show of a VEVENT (RFC 5545 section 3.6.1)."""

from datetime import datetime, timedelta

from icalendar import Event as VEvent
from pydantic import BaseModel

from nextcloud_mcp.apps.calendar.ical.properties import timed
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import Moment


class EventSummary(BaseModel):
    """An event, or one occurrence of a series, which `recurrence_id` tells from the others.

    Times are ISO 8601; one without an offset is meant wherever one is. The end of an all-day event is the day after.
    `expanded` is false for a series that happens too often to list its occurrences: it is there once, as it starts,
    and may have none in the time that was asked for.
    """

    uid: str
    title: str
    start_datetime: str
    end_datetime: str
    all_day: bool
    location: str
    status: str
    categories: str
    recurring: bool
    recurrence_id: str | None
    calendar_name: str
    etag: str
    expanded: bool = True


class Event(EventSummary):
    """An event with all that a tool can change; `participation` says what each attendee has answered."""

    time_zone: str | None
    description: str
    priority: int
    privacy: str
    url: str
    color: str
    organizer: str
    attendees: str
    participation: dict[str, str]
    recurrence_rule: str
    reminder_minutes: int | None
    reminder_email: bool
    href: str


def start_and_end(event: VEvent) -> tuple[Moment, Moment]:
    """Return the start and the end of an event, shifted to local times that exist; the end is not before the start.

    A program may write a start that the clock skips. The shift of such a start can move it after the end.
    """
    start, end = moments.skip_clock_gap(event.start), moments.skip_clock_gap(end_of(event))
    is_floating = [not isinstance(each, datetime) or each.tzinfo is None for each in (start, end)]
    is_before = is_floating[0] == is_floating[1] and moments.to_aware(end) < moments.to_aware(start)
    return start, start if is_before else end


def end_of(event: VEvent) -> Moment:
    """Return the end of an event. In a DURATION, days are days of local time, and hours are elapsed time.

    RFC 5545 section 3.3.6 defines this; `VEvent.end` counts the hours on the local clock.
    """
    start: Moment = event.start
    end: Moment = event.end
    if "DURATION" not in event or moments.is_day(start):
        return end
    length: timedelta = event.DURATION
    days = timedelta(length.days)
    return moments.later(moments.skip_clock_gap(moments.skip_clock_gap(start) + days), length - days)


def name_of_zone(event: VEvent) -> str | None:
    """Return the TZID of an event's DTSTART, which may be any text; None if it has none."""
    start = timed(event, "DTSTART")
    return start.params.get("TZID") if start else None
