"""Finding, creating, changing and deleting tasks in the user's calendars.

Only calendars that take VTODO can contain tasks; the default calendar of Nextcloud 32 takes events only. A change reads
the task, merges the new values and writes the result with If-Match and the ETag that it read. Fields that the caller
does not pass keep their values.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial

from nextcloud_mcp.apps.calendar.caldav import calendars, objects, queries
from nextcloud_mcp.apps.calendar.caldav.calendars import Calendar
from nextcloud_mcp.apps.calendar.caldav.objects import Written
from nextcloud_mcp.apps.calendar.calendar_object import TASK
from nextcloud_mcp.apps.calendar.ical.comma_lists import split_argument, split_list
from nextcloud_mcp.apps.calendar.ical.parsing import read_all
from nextcloud_mcp.apps.calendar.ical.task import DONE, Todo, read_task
from nextcloud_mcp.apps.calendar.ical.task_changes import Change, ChangedTask, changed, differing, new
from nextcloud_mcp.errors import NextcloudMCPError
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import folded
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Conditions that tasks must meet; None accepts any. `min_priority` 3 accepts 1, 2 and 3: 1 is the highest."""

    status: str | None = None
    min_priority: int | None = None
    categories: str | None = None
    summary_contains: str | None = None

    def accepts(self, task: Todo) -> bool:
        """Return whether a task meets all conditions."""
        own = {folded(each) for each in split_list(task.categories)}
        return (
            (not self.status or task.status == self.status.upper())
            and (self.min_priority is None or 1 <= task.priority <= self.min_priority)
            and (not self.categories or bool(own & {folded(each) for each in split_argument(self.categories)}))
            and folded(self.summary_contains or "") in folded(task.summary)
        )


@dataclass(frozen=True)
class Found:
    """The tasks that match, and the hrefs of objects that are not readable."""

    tasks: list[Todo]
    unreadable: list[str]


async def list_in(nextcloud: Nextcloud, name: str, wanted: Filter) -> Found:
    """Return the tasks of one calendar.

    Raises:
        NotFoundError: the calendar does not exist.
        InvalidArgumentError: the calendar takes no tasks.
    """
    return await _search(nextcloud, [await calendars.get_calendar(nextcloud, name, takes=TASK)], wanted)


async def list_everywhere(nextcloud: Nextcloud, wanted: Filter, *, without: str | None) -> Found:
    """Return the tasks of all calendars except those whose name contains the text `without`."""
    return await _search(nextcloud, await calendars.list_calendars(nextcloud, takes=TASK, without=without), wanted)


async def _search(nextcloud: Nextcloud, calendars: Iterable[Calendar], wanted: Filter) -> Found:
    found: list[Todo] = []
    unreadable: list[str] = []
    for calendar in calendars:
        stored = await queries.find_all(nextcloud, calendar.name, TASK)
        read, broken = await read_all(stored, partial(read_task, display_name=calendar.display_name))
        found += filter(wanted.accepts, read)
        unreadable += broken
    return Found(sorted(found, key=_urgency), unreadable)


def _urgency(task: Todo) -> tuple[bool, str, int, str]:
    """Sort key: open tasks first, then by due date and priority; tasks without one come after those with it."""
    return task.status in {DONE, "CANCELLED"}, task.due or "9999", task.priority or 10, task.uid


@dataclass(frozen=True)
class Changed:
    """A change; `remark` tells the caller about effects that they did not ask for."""

    written: Written
    remark: str | None


async def create(nextcloud: Nextcloud, calendar: str, change: Change) -> tuple[str, Written]:
    """Create a task; return its UID and the result of the PUT.

    Raises:
        InvalidArgumentError: a field has an impossible value, or the calendar takes no tasks.
    """
    uid = str(uuid.uuid4())
    ical = await run_in_worker_thread(new, uid, change, await _zone(nextcloud, change))
    return uid, await objects.create(nextcloud, calendar, TASK, uid, ical)


async def update(nextcloud: Nextcloud, calendar: str, uid: str, change: Change, *, etag: str = "") -> Changed:
    """Change the fields that differ from the present values.

    If the change completes a recurring task, the task moves to its next occurrence, and the completed occurrence is
    stored as a task of its own, as in Apple's Reminders.

    Raises:
        ConflictError: the ETag of the task is no longer `etag`.
        NotFoundError: the task does not exist.
        InvalidArgumentError: a field has an impossible value.
    """
    stored = await queries.find(nextcloud, calendar, TASK, uid, etag=etag)
    different = await run_in_worker_thread(differing, stored, change)
    result = await run_in_worker_thread(changed, stored, different, await _zone(nextcloud, different))
    written = await objects.replace(nextcloud, stored, result.text)
    return Changed(written, await _store_completed(nextcloud, calendar, result))


async def _store_completed(nextcloud: Nextcloud, calendar: str, result: ChangedTask) -> str | None:
    """Store the completed occurrence of a recurring task as a task of its own; return the remark about it."""
    if result.done is None:
        return result.remark
    uid, text = result.done
    try:
        await objects.create(nextcloud, calendar, TASK, uid, text)
    except NextcloudMCPError as error:  # the recurring task has already moved to its next occurrence
        return f"{result.remark} What was done could not be kept as a task of its own: {error}"
    return f"{result.remark} What was done is kept as the task {uid}."


async def delete(nextcloud: Nextcloud, calendar: str, uid: str, *, etag: str = "") -> int:
    """Delete a task, and return the HTTP status. Nextcloud keeps the task in the trash bin for a while.

    Raises:
        ConflictError: the ETag of the task is no longer `etag`.
        NotFoundError: the task does not exist.
    """
    return await objects.delete(nextcloud, await queries.find(nextcloud, calendar, TASK, uid, etag=etag))


async def _zone(nextcloud: Nextcloud, change: Change) -> tzinfo | None:
    times = {"due": change.due, "dtstart": change.dtstart, "completed": change.completed}
    given = [moments.read(value, argument) for argument, value in times.items() if value]
    return await moments.zone_for(nextcloud) if any(not moments.is_day(each) for each in given) else None
