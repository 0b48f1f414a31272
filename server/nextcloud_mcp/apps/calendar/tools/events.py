"""The tools for single events and their series."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

from nextcloud_mcp.apps.calendar import events
from nextcloud_mcp.apps.calendar.caldav.objects import Written
from nextcloud_mcp.apps.calendar.events import Filter
from nextcloud_mcp.apps.calendar.ical.event import Event, EventSummary
from nextcloud_mcp.apps.calendar.ical.event_changes import Change
from nextcloud_mcp.apps.calendar.tools.arguments import (
    A_YEAR,
    PRIVACY,
    STATUS,
    Attendees,
    Privacy,
    RecurrenceId,
    Reminder,
    Status,
    TimeZone,
    When,
    names_of_event_calendars,
    read_range,
)
from nextcloud_mcp.apps.calendar.tools.names import CalendarName, reads, writes
from nextcloud_mcp.boundary.arguments import NonEmptyText
from nextcloud_mcp.boundary.call import AsUser
from nextcloud_mcp.boundary.changes import require_change
from nextcloud_mcp.boundary.declaration import CommaList, Result
from nextcloud_mcp.boundary.paging import Paged, page
from nextcloud_mcp.boundary.schemas import ETAG, Cursor, described
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.client import Nextcloud


class EventWritten(Result):
    """An event after a change: the HTTP status of Nextcloud's answer, and the ETag for the next change."""

    uid: str
    href: str
    etag: str
    status_code: int
    message: str | None = None


class EventsFound(Paged):
    """Events by time; `unreadable` has the paths of events that could not be read."""

    events: list[EventSummary]
    calendar_name: str | None
    start_date: str | None
    end_date: str | None
    total_found: int
    unreadable: list[str]


class UpcomingEvents(Paged):
    """The next events, by time."""

    events: list[EventSummary]
    days_ahead: int
    calendar_name: str | None


class EventDeleted(Result):
    """The result of a deletion: the HTTP status, and what it means."""

    status_code: int
    message: str


@writes("Create an event", scopes="calendar:write", destructive=False, idempotent=False)
async def nc_calendar_create_event(
    calendar_name: CalendarName,
    title: str,
    start_datetime: str,
    nextcloud: AsUser,
    end_datetime: str = "",
    all_day: bool = False,
    description: str = "",
    location: str = "",
    categories: CommaList = "",
    recurring: bool = False,
    recurrence_rule: str = "",
    recurrence_end_date: str = "",
    reminder_minutes: Reminder = 15,
    reminder_email: bool = False,
    status: str = "CONFIRMED",
    priority: int = 5,
    privacy: Privacy = "PUBLIC",
    attendees: Attendees = "",
    url: str = "",
    color: str = "",
    time_zone: str = "",
) -> EventWritten:
    """Create an event, mail attendees. ISO 8601 times; all-day end excluded."""
    change = Change(
        title=title,
        start_datetime=start_datetime,
        end_datetime=end_datetime or None,
        all_day=all_day,
        description=description,
        location=location,
        categories=categories,
        recurring=recurring or None,
        recurrence_rule=recurrence_rule,
        recurrence_end_date=recurrence_end_date,
        reminder_minutes=reminder_minutes,
        reminder_email=reminder_email,
        status=status,
        priority=priority,
        privacy=privacy,
        attendees=attendees,
        url=url,
        color=color,
    )
    return await _created(nextcloud, calendar_name, change, time_zone)


async def _created(nextcloud: Nextcloud, calendar_name: str, change: Change, time_zone: str) -> EventWritten:
    created = await events.create(nextcloud, calendar_name, change, time_zone=time_zone)
    return _written(created.uid, created.written, created.remark)


def _written(uid: str, written: Written, remark: str | None) -> EventWritten:
    return EventWritten(uid=uid, href=written.href, etag=written.etag, status_code=written.status_code, message=remark)


@reads("Find events", scopes="calendar:read")
async def nc_calendar_list_events(
    calendar_name: CalendarName,
    nextcloud: AsUser,
    start_date: When = "",
    end_date: When = "",
    limit: int = 50,
    min_attendees: int | None = None,
    min_duration_minutes: int | None = None,
    categories: Annotated[CommaList | None, described("comma-separated")] = None,
    status: Status | None = None,
    title_contains: str | None = None,
    location_contains: str | None = None,
    search_all_calendars: bool = False,
    time_zone: TimeZone = "",
    cursor: Cursor = "",
) -> EventsFound:
    """Find events by time, category or text.

    With a date, each occurrence of a series is listed (within a year if only one date is given; end_date is included),
    without dates each series once. nc_calendar_get_event returns descriptions and attendees.
    """
    within = await read_range(nextcloud, start_date, end_date, time_zone)
    wanted = Filter(
        min_attendees=min_attendees,
        min_duration_minutes=min_duration_minutes,
        categories=categories,
        status=status,
        title_contains=title_contains,
        location_contains=location_contains,
    )
    calendars = await names_of_event_calendars(nextcloud) if search_all_calendars else [calendar_name]
    found = await events.search(nextcloud, calendars, within, wanted)
    items, next_cursor = page(found.events, limit, cursor)
    return EventsFound(
        events=items,
        calendar_name=None if search_all_calendars else calendar_name,
        start_date=start_date or None,
        end_date=end_date or None,
        total_found=len(found.events),
        unreadable=found.unreadable,
        next_cursor=next_cursor,
    )


@reads("Read an event", scopes="calendar:read")
async def nc_calendar_get_event(
    calendar_name: CalendarName, event_uid: str, nextcloud: AsUser, recurrence_id: RecurrenceId = ""
) -> Event:
    """Read an event, or one occurrence of a series, with the ETag that changing it needs."""
    return await events.get(nextcloud, calendar_name, event_uid, recurrence_id=recurrence_id)


@writes("Change an event", scopes="calendar:write", destructive=True, idempotent=True)
async def nc_calendar_update_event(
    calendar_name: CalendarName,
    event_uid: str,
    nextcloud: AsUser,
    title: str | None = None,
    start_datetime: NonEmptyText = None,
    end_datetime: NonEmptyText = None,
    all_day: bool | None = None,
    description: str | None = None,
    location: str | None = None,
    categories: CommaList | None = None,
    recurring: bool | None = None,
    recurrence_rule: str | None = None,
    reminder_minutes: Reminder | None = None,
    reminder_email: bool | None = None,
    status: Annotated[NonEmptyText, STATUS] = None,
    priority: int | None = None,
    privacy: Annotated[NonEmptyText, PRIVACY] = None,
    attendees: Attendees | None = None,
    url: str | None = None,
    color: str | None = None,
    etag: Annotated[str, ETAG] = "",
    recurrence_id: str = "",
    time_zone: str = "",
) -> EventWritten:
    """Change an event, or with recurrence_id one occurrence of a series.

    What is omitted or null stays; "" clears a text.
    """
    change = Change(title=title, description=description, location=location, categories=categories, url=url)
    change = replace(change, start_datetime=start_datetime, end_datetime=end_datetime, all_day=all_day)
    change = replace(change, recurring=recurring, recurrence_rule=recurrence_rule, attendees=attendees)
    change = replace(change, reminder_minutes=reminder_minutes, reminder_email=reminder_email)
    change = replace(change, status=status, priority=priority, privacy=privacy, color=color)
    require_change(vars(change).values(), "pass at least one field, such as title")
    done = await events.update(
        nextcloud, calendar_name, event_uid, change, etag=etag, recurrence_id=recurrence_id, time_zone=time_zone
    )
    return _written(event_uid, done.written, done.remark)


@writes("Delete an event", scopes="calendar:write", destructive=True, idempotent=True)
async def nc_calendar_delete_event(
    calendar_name: CalendarName,
    event_uid: str,
    nextcloud: AsUser,
    etag: Annotated[str, ETAG] = "",
    recurrence_id: RecurrenceId = "",
) -> EventDeleted:
    """Move an event to the trash bin, a series as a whole, or with recurrence_id one occurrence.

    Nextcloud notifies attendees.
    """
    deleted = await events.delete(nextcloud, calendar_name, event_uid, etag=etag, recurrence_id=recurrence_id)
    what = f"The occurrence {recurrence_id} of event" if recurrence_id else "Event"
    message = f"{what} {event_uid} is deleted."
    if recurrence_id and deleted.is_whole:
        message += " It was the last one, so the whole event is deleted."
    return EventDeleted(status_code=deleted.status_code, message=message)


@writes("Create a meeting", scopes="calendar:write", destructive=False, idempotent=False)
async def nc_calendar_create_meeting(
    title: str,
    date: Annotated[str, described("2026-12-24")],
    time: Annotated[str, described("14:00")],
    nextcloud: AsUser,
    duration_minutes: int = 60,
    calendar_name: CalendarName = "personal",
    attendees: Annotated[Attendees, described("mail addresses, comma-separated")] = "",
    location: str = "",
    description: str = "",
    reminder_minutes: Reminder = 15,
    time_zone: TimeZone = "",
) -> EventWritten:
    """Create a meeting. Nextcloud mails the attendees an invitation."""
    start = moments.read(f"{date.strip()}T{time.strip()}", "date and time")
    if not 0 < duration_minutes <= A_YEAR / timedelta(minutes=1):
        raise InvalidArgumentError(
            "Invalid duration_minutes {duration_minutes}",
            "pass a number from 1 to {longest}",
            argument="duration_minutes",
            duration_minutes=duration_minutes,
            longest=A_YEAR // timedelta(minutes=1),
        )
    change = Change(
        title=title,
        start_datetime=start.isoformat(),
        duration_minutes=duration_minutes,
        attendees=attendees,
        location=location,
        description=description,
        reminder_minutes=reminder_minutes,
        status="CONFIRMED",
    )
    return await _created(nextcloud, calendar_name, change, time_zone)


@reads("List upcoming events", scopes="calendar:read")
async def nc_calendar_get_upcoming_events(
    nextcloud: AsUser, calendar_name: CalendarName = "", days_ahead: int = 7, limit: int = 10, cursor: Cursor = ""
) -> UpcomingEvents:
    """List the events of the next days, in one calendar or, with an empty calendar_name, in all."""
    if not 1 <= days_ahead <= A_YEAR.days:
        raise InvalidArgumentError(
            "Invalid days_ahead {days_ahead}",
            "use 1 to {days}",
            argument="days_ahead",
            days_ahead=days_ahead,
            days=A_YEAR.days,
        )
    now = datetime.now(await moments.zone_for(nextcloud) or UTC)
    calendars = [calendar_name] if calendar_name else await names_of_event_calendars(nextcloud)
    found = await events.search(nextcloud, calendars, (now, now + timedelta(days=days_ahead)), Filter())
    items, next_cursor = page(found.events, limit, cursor)
    return UpcomingEvents(
        events=items, days_ahead=days_ahead, calendar_name=calendar_name or None, next_cursor=next_cursor
    )
