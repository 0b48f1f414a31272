"""The tools for calendars and events.

Tools take lists as comma-separated text and dates as ISO 8601, as existing clients expect. This server adds the
arguments `recurrence_id`, `time_zone` and `cursor`, and `etag` for the tools that lacked it.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from nextcloud_mcp.apps.calendar import bulk, events, freebusy
from nextcloud_mcp.apps.calendar.bulk import BulkItem
from nextcloud_mcp.apps.calendar.caldav import calendars, management, objects
from nextcloud_mcp.apps.calendar.caldav.calendars import Calendar
from nextcloud_mcp.apps.calendar.calendar_object import EVENT
from nextcloud_mcp.apps.calendar.events import Filter, Range
from nextcloud_mcp.apps.calendar.freebusy import Slot
from nextcloud_mcp.apps.calendar.ical.event import Event, EventSummary
from nextcloud_mcp.apps.calendar.ical.event_changes import Change
from nextcloud_mcp.apps.calendar.tools.names import CalendarName, Priority, hidden_calendars, reads, writes
from nextcloud_mcp.boundary.arguments import NonEmptyText, listed_texts
from nextcloud_mcp.boundary.call import Admitted, AsUser
from nextcloud_mcp.boundary.changes import require_change
from nextcloud_mcp.boundary.declaration import CommaList, Result
from nextcloud_mcp.boundary.paging import Paged, page
from nextcloud_mcp.boundary.schemas import ETAG, Cursor, described, one_of
from nextcloud_mcp.boundary.shared import left_share_message
from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.client import Nextcloud

USUAL_COLOR: Final = "#1976D2"
"""The contract's default for `color`. In an update it counts as not passed, so the color stays."""

A_YEAR: Final = timedelta(days=366)
"""The length of a range for which the caller passes only one end."""


def _with_addresses(given: Any) -> Any:
    """Convert a list of people to comma-separated text; names that contain a comma get quotes."""
    listed = listed_texts(given)
    return given if listed is None else ", ".join(_NAMED.sub(r'"\1" <', each) for each in listed)


_NAMED: Final = re.compile(r'^\s*([^"<>,]*,[^"<>]*?)\s*<')

Attendees = Annotated[str, BeforeValidator(_with_addresses), Field(max_length=100_000)]
"""Mail addresses, optionally with names, as comma-separated text or as a list."""


class Calendars(Result):
    """The calendars of the user, including shared ones."""

    calendars: list[Calendar]
    total_count: int


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


class AvailabilityFound(Result):
    """The times when all are free; `attendees_unknown` are people whose calendars this Nextcloud does not know."""

    available_slots: list[Slot]
    duration_requested: int
    date_range_start: str
    date_range_end: str
    time_zone: str
    attendees_checked: list[str]
    attendees_unknown: list[str]


class BulkDone(Result):
    """The result for each matching event."""

    operation: str
    total_found: int
    updated_count: int = 0
    deleted_count: int = 0
    moved_count: int = 0
    failed_count: int
    results: list[BulkItem]


class CalendarManaged(Result):
    """The result for a calendar; `calendars` for the action "list"."""

    action: str
    calendar_name: str | None
    calendars: list[Calendar] | None = None
    status_code: int
    message: str


STATUS: Final = one_of("CONFIRMED", "TENTATIVE", "CANCELLED")
PRIVACY: Final = one_of("PUBLIC", "PRIVATE", "CONFIDENTIAL")
Status = Annotated[str, STATUS]
Privacy = Annotated[str, PRIVACY]
Reminder = Annotated[int, described("-1: none")]
RecurrenceId = Annotated[str, described("recurrence_id of a listed occurrence")]
When = Annotated[str, described("date, or time in ISO 8601")]
TimeZone = Annotated[str, described("such as Europe/Berlin; empty: the user's")]


@reads("List calendars", scopes="calendar:read")
async def nc_calendar_list_calendars(nextcloud: AsUser, admission: Admitted) -> Calendars:
    """List the user's calendars. components: VEVENT if it takes events, VTODO if it takes tasks."""
    found = await calendars.list_calendars(nextcloud, without=hidden_calendars(admission))
    return Calendars(calendars=found, total_count=len(found))


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


def _written(uid: str, written: objects.Written, remark: str | None) -> EventWritten:
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
    within = await _within(nextcloud, start_date, end_date, time_zone)
    wanted = Filter(
        min_attendees=min_attendees,
        min_duration_minutes=min_duration_minutes,
        categories=categories,
        status=status,
        title_contains=title_contains,
        location_contains=location_contains,
    )
    calendars = await _names(nextcloud) if search_all_calendars else [calendar_name]
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


async def _within(nextcloud: Nextcloud, start_date: str, end_date: str, time_zone: str) -> Range | None:
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


async def _names(nextcloud: Nextcloud, *, writable: bool = False) -> list[str]:
    return [calendar.name for calendar in await calendars.list_calendars(nextcloud, takes=EVENT, writable=writable)]


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
    change = Change(
        title=title,
        start_datetime=start_datetime,
        end_datetime=end_datetime,
        all_day=all_day,
        description=description,
        location=location,
        categories=categories,
        recurring=recurring,
        recurrence_rule=recurrence_rule,
        reminder_minutes=reminder_minutes,
        reminder_email=reminder_email,
        status=status,
        priority=priority,
        privacy=privacy,
        attendees=attendees,
        url=url,
        color=color,
    )
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
    calendars = [calendar_name] if calendar_name else await _names(nextcloud)
    found = await events.search(nextcloud, calendars, (now, now + timedelta(days=days_ahead)), Filter())
    items, next_cursor = page(found.events, limit, cursor)
    return UpcomingEvents(
        events=items, days_ahead=days_ahead, calendar_name=calendar_name or None, next_cursor=next_cursor
    )


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


_A_FILTER: Final = (
    "pass at least one of title_contains, categories, calendar_name, start_date, end_date, status and location_contains"
)
_ANOTHER_FILTER: Final = (
    "pass another filter too, such as start_date, or delete the calendar itself with nc_calendar_manage_calendar"
)
_AN_OPERATION: Final = "use update, delete, or move with a target_calendar"


@writes("Change many events", scopes="calendar:read calendar:write", destructive=True, idempotent=True)
async def nc_calendar_bulk_operations(
    operation: Annotated[str, one_of("update", "delete", "move")],
    nextcloud: AsUser,
    title_contains: str | None = None,
    categories: CommaList | None = None,
    calendar_name: CalendarName | None = None,
    start_date: When = "",
    end_date: When = "",
    status: Status | None = None,
    location_contains: str | None = None,
    new_title: str | None = None,
    new_description: str | None = None,
    new_location: str | None = None,
    new_categories: CommaList | None = None,
    new_priority: Priority | None = None,
    new_reminder_minutes: Reminder | None = None,
    target_calendar: CalendarName | None = None,
) -> BulkDone:
    """Update, delete or move all events that match the filters, and report on each.

    An empty new_… argument changes nothing.
    """
    has_filter = any([title_contains, categories, start_date, end_date, status, location_contains])
    if not (has_filter or calendar_name):
        raise InvalidArgumentError("No filter says which events to change", _A_FILTER)
    if operation == "delete" and not has_filter:
        raise InvalidArgumentError("The only filter is the calendar, which would lose all its events", _ANOTHER_FILTER)
    wanted = Filter(
        categories=categories, status=status, title_contains=title_contains, location_contains=location_contains
    )
    change = Change(
        title=new_title or None,  # "" means unchanged here: it would clear the field of every match
        description=new_description or None,
        location=new_location or None,
        categories=new_categories or None,
        priority=new_priority,
        reminder_minutes=new_reminder_minutes,
    )
    within = await _within(nextcloud, start_date, end_date, "")
    calendars = [calendar_name] if calendar_name else await _names(nextcloud, writable=True)
    if operation == "update":
        require_change(vars(change).values(), "pass at least one of the new_… arguments")
        items = await bulk.update(nextcloud, calendars, within, wanted, change)
    elif operation == "delete":
        items = await bulk.delete(nextcloud, calendars, within, wanted)
    elif operation == "move" and target_calendar:
        items = await bulk.move(nextcloud, calendars, within, wanted, target_calendar)
    else:
        raise InvalidArgumentError(
            "Invalid {argument} {given}", _AN_OPERATION, argument="operation", given=quoted(operation)
        )
    return _bulk_done(operation, items)


def _bulk_done(operation: str, items: Iterable[BulkItem]) -> BulkDone:
    results = list(items)
    counts = {
        status: sum(item.status == status for item in results) for status in ("updated", "deleted", "moved", "failed")
    }
    fields: dict[str, Any] = {f"{status}_count": count for status, count in counts.items()}
    return BulkDone(operation=operation, total_found=len(results), results=results, **fields)


@writes("Manage calendars", scopes="calendar:read calendar:write", destructive=True, idempotent=False)
async def nc_calendar_manage_calendar(
    action: Annotated[str, one_of("create", "update", "delete", "list")],
    nextcloud: AsUser,
    admission: Admitted,
    calendar_name: CalendarName = "",
    display_name: str = "",
    description: str = "",
    color: Annotated[str, described("#RRGGBB")] = USUAL_COLOR,
) -> CalendarManaged:
    """Create, update, delete or list calendars. A new calendar takes events and tasks.

    delete moves a calendar with all its events to the trash bin.
    """
    if action == "list":
        found = await calendars.list_calendars(nextcloud, without=hidden_calendars(admission))
        return CalendarManaged(
            action=action, calendar_name=None, calendars=found, status_code=207, message=f"{len(found)} calendars."
        )
    if action == "create":
        await management.create_calendar(
            nextcloud, calendar_name, display_name=display_name or calendar_name, description=description, color=color
        )
        return _managed(action, calendar_name, 201, "created")
    if action == "update":
        kept = "" if color == USUAL_COLOR else color
        fields = [each or None for each in (display_name, description, kept)]
        require_change(fields, "pass display_name, description or another color")
        await management.change_calendar(
            nextcloud, calendar_name, display_name=display_name, description=description, color=kept
        )
        return _managed(action, calendar_name, 207, "updated")
    if action == "delete":
        status, shared_by = await management.delete_calendar(nextcloud, calendar_name)
        deleted = _managed(action, calendar_name, status, "deleted")
        if shared_by is not None:
            deleted.message = left_share_message(f"the calendar {calendar_name}", shared_by)
        return deleted
    raise InvalidArgumentError(
        "Invalid action {action}", "use create, update, delete or list", argument="action", action=quoted(action)
    )


def _managed(action: str, calendar_name: str, status: int, done: str) -> CalendarManaged:
    return CalendarManaged(
        action=action,
        calendar_name=calendar_name,
        status_code=status,
        message=f"Calendar {calendar_name} is {done}.",
    )
