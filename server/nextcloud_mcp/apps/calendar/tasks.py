"""Tasks in the user's calendars: VTODO (RFC 5545 section 3.6.2), as in Nextcloud's Tasks app.

Only calendars that take VTODO can contain tasks; the default calendar of Nextcloud 32 takes events only. A change reads
the task, merges the new values and writes the result with If-Match and the ETag that it read. Fields that the caller
does not pass keep their values.
"""

import uuid
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Final

from icalendar import Calendar as VCalendar
from icalendar import Todo as VTodo
from icalendar import vDDDTypes
from pydantic import BaseModel

from nextcloud_mcp.apps.calendar.caldav import calendars, objects, queries
from nextcloud_mcp.apps.calendar.caldav.calendars import Calendar
from nextcloud_mcp.apps.calendar.caldav.objects import Written
from nextcloud_mcp.apps.calendar.calendar_object import TASK, CalendarObject
from nextcloud_mcp.apps.calendar.ical.comma_lists import split_argument, split_list
from nextcloud_mcp.apps.calendar.ical.parsing import parse, read_all, readable
from nextcloud_mcp.apps.calendar.ical.properties import (
    categories,
    format_rule,
    format_rules,
    number,
    set_categories,
    set_priority,
    set_text,
    stamp,
    text,
    timed,
)
from nextcloud_mcp.apps.calendar.ical.recurring_tasks import (
    advance_to_next_occurrence,
    as_completed_single_task,
    begins,
    follow,
    repeats,
)
from nextcloud_mcp.apps.calendar.ical.serialization import PRODID, serialize
from nextcloud_mcp.apps.calendar.ical.series_moves import describe_moved_rule
from nextcloud_mcp.apps.calendar.ical.times import in_zone_like, value
from nextcloud_mcp.errors import InvalidArgumentError, NextcloudMCPError, quoted
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import folded
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread

OPEN: Final = "NEEDS-ACTION"
DONE: Final = "COMPLETED"
UNDER_WAY: Final = "IN-PROCESS"
STATUSES: Final = (OPEN, UNDER_WAY, DONE, "CANCELLED")
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


@dataclass(frozen=True, kw_only=True)
class Change:
    """New values for the fields of a task, in the format of tool arguments; None leaves a field, "" clears it."""

    summary: str | None = None
    description: str | None = None
    status: str | None = None
    priority: int | None = None
    percent_complete: int | None = None
    due: str | None = None
    dtstart: str | None = None
    completed: str | None = None
    categories: str | None = None


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
        read, broken = await read_all(stored, partial(_todo, display_name=calendar.display_name))
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


@dataclass(frozen=True)
class _Result:
    """An object after a change; `done` is the UID and the iCalendar of a completed occurrence to store separately."""

    text: str
    done: tuple[str, str] | None = None
    remark: str | None = None


async def create(nextcloud: Nextcloud, calendar: str, change: Change) -> tuple[str, Written]:
    """Create a task; return its UID and the result of the PUT.

    Raises:
        InvalidArgumentError: a field has an impossible value, or the calendar takes no tasks.
    """
    uid = str(uuid.uuid4())
    ical = await run_in_worker_thread(_new, uid, change, await _zone(nextcloud, change))
    return uid, await objects.create(nextcloud, calendar, TASK, uid, ical)


def _new(uid: str, change: Change, zone: tzinfo | None) -> str:
    vcalendar, task = VCalendar(), VTodo()
    vcalendar.add("prodid", PRODID)
    vcalendar.add("version", "2.0")
    vcalendar.add_component(task)
    task.add("uid", uid)
    task.add("created", datetime.now(UTC))
    _apply(task, change, zone)
    return serialize(vcalendar)


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
    different = await run_in_worker_thread(_differing, stored, change)
    result = await run_in_worker_thread(_changed, stored, different, await _zone(nextcloud, different))
    written = await objects.replace(nextcloud, stored, result.text)
    return Changed(written, await _store_completed(nextcloud, calendar, result))


async def _store_completed(nextcloud: Nextcloud, calendar: str, result: _Result) -> str | None:
    """Store the completed occurrence of a recurring task as a task of its own; return the remark about it."""
    if result.done is None:
        return result.remark
    uid, text = result.done
    try:
        await objects.create(nextcloud, calendar, TASK, uid, text)
    except NextcloudMCPError as error:  # the recurring task has already moved to its next occurrence
        return f"{result.remark} What was done could not be kept as a task of its own: {error}"
    return f"{result.remark} What was done is kept as the task {uid}."


def _differing(stored: CalendarObject, change: Change) -> Change:
    """Return the fields of a change that differ from the task, so that a caller can pass back what it read."""
    told = _todo(stored, "")
    named = {name: value for name, value in vars(change).items() if value is not None}
    others = {name for name, value in named.items() if not _is_present_value(name, value, getattr(told, name) or "")}
    return Change(**{name: value for name, value in named.items() if name in others})


_TIMES: Final = {"due", "dtstart", "completed"}


def _is_present_value(name: str, value: object, told: object) -> bool:
    if name in _TIMES and isinstance(value, str) and isinstance(told, str):
        return moments.is_same(value, told)
    return (value or "") == told


def _changed(stored: CalendarObject, change: Change, zone: tzinfo | None) -> _Result:
    with readable(stored):
        vcalendar, task = _read(stored)
        untold = vcalendar.get_missing_tzids()
        was_done = text(task, "STATUS").upper() == DONE
        before = format_rules(task.rrules)
        if change != Change():
            old = begins(task)
            _apply(task, change, zone)
            if old and repeats(task):
                follow(vcalendar, task, old)
            task["SEQUENCE"] = number(text(task, "SEQUENCE")) + 1
        stamp(task)
        if not was_done and text(task, "STATUS") == DONE and repeats(task):
            return _advance_completed(stored, vcalendar, task, untold)
        followed = describe_moved_rule(task, "task") if format_rules(task.rrules) != before else None
        return _Result(serialize(vcalendar, missing_tzids=untold, original=stored.text), remark=followed)


def _advance_completed(stored: CalendarObject, vcalendar: VCalendar, task: VTodo, untold: AbstractSet[str]) -> _Result:
    """Move a completed recurring task to its next occurrence; after the last one, leave it completed."""
    uid = str(uuid.uuid4())
    done = as_completed_single_task(vcalendar, uid)
    if not advance_to_next_occurrence(vcalendar, task):
        return _Result(
            serialize(vcalendar, missing_tzids=untold, original=stored.text),
            remark="This was the last time that the task repeats.",
        )
    task.pop("COMPLETED", None)
    task.pop("PERCENT-COMPLETE", None)
    task["STATUS"] = OPEN
    due = _iso(task, "DUE") or _iso(task, "DTSTART")
    remark = f"The task repeats, so it is open again, for {due}."
    return _Result(
        serialize(vcalendar, missing_tzids=untold, original=stored.text),
        (uid, serialize(done, missing_tzids=untold, original=stored.text)),
        remark,
    )


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


def _read(stored: CalendarObject) -> tuple[VCalendar, VTodo]:
    """Return the iCalendar of an object and its task; for a recurring task with overrides, the main one."""
    vcalendar = parse(stored.text)
    task = min(vcalendar.todos, key=lambda each: "RECURRENCE-ID" in each)
    _ = [_iso(task, name) for name in ("DUE", "DTSTART", "COMPLETED")]  # so that broken values raise here
    return vcalendar, task


def _todo(stored: CalendarObject, display_name: str) -> Todo:
    with readable(stored):
        _, task = _read(stored)
        rules = task.rrules
        return Todo(
            uid=text(task, "UID"),
            summary=text(task, "SUMMARY"),
            description=text(task, "DESCRIPTION"),
            status=text(task, "STATUS").upper() or OPEN,
            priority=number(text(task, "PRIORITY")),
            percent_complete=number(text(task, "PERCENT-COMPLETE")),
            due=_iso(task, "DUE"),
            dtstart=_iso(task, "DTSTART"),
            completed=_iso(task, "COMPLETED"),
            categories=", ".join(categories(task)),
            href=stored.href,
            etag=stored.etag,
            calendar_name=stored.calendar,
            calendar_display_name=display_name,
            recurrence_rule=format_rule(rules[0]) if rules else None,
        )


def _iso(task: VTodo, name: str) -> str | None:
    moment = timed(task, name)
    return moment.dt.isoformat() if moment else None


def _apply(task: VTodo, change: Change, zone: tzinfo | None) -> None:
    for name, words in {"SUMMARY": change.summary, "DESCRIPTION": change.description}.items():
        if words is not None:
            set_text(task, name, words)
    set_priority(task, change.priority)
    set_categories(task, change.categories)
    for name, moment in {"DTSTART": change.dtstart, "DUE": change.due}.items():
        if moment is not None:
            _set_moment(task, name, moment, zone)
    if change.dtstart or change.due:
        _check_order(task)
    _set_progress(task, change, zone)
    stamp(task)


def _set_moment(task: VTodo, name: str, text: str, zone: tzinfo | None) -> None:
    """Set or clear DTSTART or DUE. A time without an offset gets the zone of the task, or floats if the task does."""
    like = timed(task, name) or timed(task, "DUE" if name == "DTSTART" else "DTSTART")
    if like and moments.is_day(like.dt):
        like = None
    task.pop(name, None)
    if not text:
        return
    task[name] = value(in_zone_like(moments.read(text, name.lower()), like, zone), like)
    if name == "DUE":
        task.pop("DURATION", None)  # RFC 5545 section 3.6.2: DUE and DURATION exclude each other


def _check_order(task: VTodo) -> None:
    """Check that DUE has the value type of DTSTART and is not before it (RFC 5545 section 3.8.2.3).

    Raises:
        InvalidArgumentError: one is a date and the other a time, or DUE is before DTSTART.
    """
    start, due = timed(task, "DTSTART"), timed(task, "DUE")
    if start is None or due is None:
        return
    if moments.is_day(start.dt) != moments.is_day(due.dt):
        raise InvalidArgumentError(
            "due and dtstart must both be dates, or both have a time", "pass both in the same form", argument="due"
        )
    if moments.to_aware(due.dt) < moments.to_aware(start.dt):
        raise InvalidArgumentError(
            "due {due} is before dtstart {start}",
            "pass a later due",
            argument="due",
            due=quoted(str(due.dt)),
            start=quoted(str(start.dt)),
        )


def _set_progress(task: VTodo, change: Change, zone: tzinfo | None) -> None:
    """Set STATUS, PERCENT-COMPLETE and COMPLETED so that they agree."""
    status, percent = _status(task, change), change.percent_complete
    is_kept = not change.completed or moments.is_same(change.completed, _iso(task, "COMPLETED") or "")
    completed = None if is_kept else moments.read(change.completed or "", "completed")
    if status == DONE:
        percent = PERCENT_DONE
        completed = completed or (None if "COMPLETED" in task else datetime.now(UTC).replace(microsecond=0))
    elif status is not None or change.completed == "":
        task.pop("COMPLETED", None)
        if percent is None and text(task, "PERCENT-COMPLETE") == str(PERCENT_DONE):
            percent = 0
    if status and status != text(task, "STATUS").upper():
        task["STATUS"] = status
    if percent is not None:
        task["PERCENT-COMPLETE"] = percent
    if completed is not None:  # RFC 5545 section 3.8.2.1: a time in UTC
        task["COMPLETED"] = vDDDTypes(moments.to_aware(moments.in_zone(completed, zone)).astimezone(UTC))


def _status(task: VTodo, change: Change) -> str | None:
    """Return the new status, passed or implied by percent_complete or completed; None leaves it as it is.

    Raises:
        InvalidArgumentError: the status or the percentage is not valid, or they contradict each other.
    """
    status, percent = change.status.upper() if change.status else None, change.percent_complete
    if status and status not in STATUSES:
        raise InvalidArgumentError(
            "Invalid status {given}",
            "use one of {statuses}",
            argument="status",
            given=quoted(str(change.status)),
            statuses=", ".join(STATUSES),
        )
    if percent is not None and not 0 <= percent <= PERCENT_DONE:
        raise InvalidArgumentError(
            "Invalid percent_complete {percent}", "use 0 to 100", argument="percent_complete", percent=percent
        )
    done = status == DONE or bool(change.completed)
    if done and (status or DONE, PERCENT_DONE if percent is None else percent) != (DONE, PERCENT_DONE):
        raise InvalidArgumentError(
            "A completed task has the status COMPLETED and percent_complete 100", "leave out what contradicts that"
        )
    if status is None and (done or percent == PERCENT_DONE):
        return DONE
    was = text(task, "STATUS").upper() or OPEN
    reopened = was == DONE and (percent == 0 or change.completed == "")
    if status or not (percent or reopened):
        return status
    if was not in {OPEN, DONE}:
        return None
    return UNDER_WAY if percent else OPEN
