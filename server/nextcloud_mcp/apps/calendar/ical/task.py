"""A task as fields: VTODO (RFC 5545 section 3.6.2), as in Nextcloud's Tasks app."""

from typing import Final

from icalendar import Calendar as VCalendar
from icalendar import Todo as VTodo
from pydantic import BaseModel

from nextcloud_mcp.apps.calendar.calendar_object import CalendarObject
from nextcloud_mcp.apps.calendar.ical.parsing import parse, readable
from nextcloud_mcp.apps.calendar.ical.properties import categories, format_rule, number, text, timed

OPEN: Final = "NEEDS-ACTION"
DONE: Final = "COMPLETED"
IN_PROCESS: Final = "IN-PROCESS"
STATUSES: Final = (OPEN, IN_PROCESS, DONE, "CANCELLED")
"""The values of STATUS for a task (RFC 5545 section 3.8.1.11)."""

PERCENT_DONE: Final = 100
"""PERCENT-COMPLETE of a completed task (RFC 5545 section 3.8.1.8)."""


class Todo(BaseModel):
    """A task. Times are ISO 8601; `priority` is 1 (highest) to 9, 0 for none; `categories` has commas between."""

    uid: str
    summary: str
    description: str = ""
    status: str = OPEN
    priority: int = 0
    percent_complete: int = 0
    due: str | None = None
    dtstart: str | None = None
    completed: str | None = None
    categories: str = ""
    href: str = ""
    etag: str = ""
    calendar_name: str | None = None
    calendar_display_name: str | None = None
    recurrence_rule: str | None = None


def read_task(stored: CalendarObject, display_name: str) -> Todo:
    """Return the fields of a task; `display_name` is that of its calendar.

    Raises:
        NextcloudError: the object is not readable iCalendar with a task.
    """
    with readable(stored):
        _, task = parse_task(stored)
        rules = task.rrules
        return Todo(
            uid=text(task, "UID"),
            summary=text(task, "SUMMARY"),
            description=text(task, "DESCRIPTION"),
            status=text(task, "STATUS").upper() or OPEN,
            priority=number(text(task, "PRIORITY")),
            percent_complete=number(text(task, "PERCENT-COMPLETE")),
            due=format_time(task, "DUE"),
            dtstart=format_time(task, "DTSTART"),
            completed=format_time(task, "COMPLETED"),
            categories=", ".join(categories(task)),
            href=stored.href,
            etag=stored.etag,
            calendar_name=stored.calendar,
            calendar_display_name=display_name,
            recurrence_rule=format_rule(rules[0]) if rules else None,
        )


def parse_task(stored: CalendarObject) -> tuple[VCalendar, VTodo]:
    """Return the iCalendar of an object and its task; for a recurring task with overrides, the main one."""
    vcalendar = parse(stored.text)
    task = min(vcalendar.todos, key=lambda each: "RECURRENCE-ID" in each)
    _ = [format_time(task, name) for name in ("DUE", "DTSTART", "COMPLETED")]  # so that broken values raise here
    return vcalendar, task


def format_time(task: VTodo, name: str) -> str | None:
    """Return a date or time property in ISO 8601, or None if it is missing."""
    moment = timed(task, name)
    return moment.dt.isoformat() if moment else None
