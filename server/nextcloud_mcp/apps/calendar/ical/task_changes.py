"""Changing tasks: from the plain fields of tools to a VTODO (RFC 5545 section 3.6.2).

Fields that the caller does not pass keep their values.
"""

import uuid
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from icalendar import Calendar as VCalendar
from icalendar import Todo as VTodo
from icalendar import vDDDTypes

from nextcloud_mcp.apps.calendar.calendar_object import CalendarObject
from nextcloud_mcp.apps.calendar.ical.parsing import readable
from nextcloud_mcp.apps.calendar.ical.properties import (
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
from nextcloud_mcp.apps.calendar.ical.task import (
    DONE,
    IN_PROCESS,
    OPEN,
    PERCENT_DONE,
    STATUSES,
    format_time,
    parse_task,
    read_task,
)
from nextcloud_mcp.apps.calendar.ical.times import in_zone_like, value
from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud import moments


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


@dataclass(frozen=True)
class ChangedTask:
    """An object after a change; `done` is the UID and the iCalendar of a completed occurrence to store separately."""

    text: str
    done: tuple[str, str] | None = None
    remark: str | None = None


def new(uid: str, change: Change, zone: tzinfo | None) -> str:
    """Return the iCalendar of a new task; `zone` is for times without an offset.

    Raises:
        InvalidArgumentError: a field has an impossible value.
    """
    vcalendar, task = VCalendar(), VTodo()
    vcalendar.add("prodid", PRODID)
    vcalendar.add("version", "2.0")
    vcalendar.add_component(task)
    task.add("uid", uid)
    task.add("created", datetime.now(UTC))
    _set_fields(task, change, zone)
    return serialize(vcalendar)


def differing(stored: CalendarObject, change: Change) -> Change:
    """Return the fields of a change that differ from the task, so that a caller can pass back what it read."""
    present = read_task(stored, "")
    named = {name: value for name, value in vars(change).items() if value is not None}
    others = {name for name, value in named.items() if not _is_present_value(name, value, getattr(present, name) or "")}
    return Change(**{name: value for name, value in named.items() if name in others})


_TIMES: Final = {"due", "dtstart", "completed"}


def _is_present_value(name: str, value: object, present: object) -> bool:
    if name in _TIMES and isinstance(value, str) and isinstance(present, str):
        return moments.is_same(value, present)
    return (value or "") == present


def changed(stored: CalendarObject, change: Change, zone: tzinfo | None) -> ChangedTask:
    """Return an object after a change; `zone` is for times without an offset, if neither the task nor they have one.

    Raises:
        InvalidArgumentError: a field has an impossible value, or the rule of the task cannot move along.
        NextcloudError: the object is not readable.
    """
    with readable(stored):
        vcalendar, task = parse_task(stored)
        missing_tzids = vcalendar.get_missing_tzids()
        was_done = text(task, "STATUS").upper() == DONE
        before = format_rules(task.rrules)
        if change != Change():
            old = begins(task)
            _set_fields(task, change, zone)
            if old and repeats(task):
                follow(vcalendar, task, old)
            task["SEQUENCE"] = number(text(task, "SEQUENCE")) + 1
        stamp(task)
        if not was_done and text(task, "STATUS") == DONE and repeats(task):
            return _advance_completed(stored, vcalendar, task, missing_tzids)
        followed = describe_moved_rule(task, "task") if format_rules(task.rrules) != before else None
        return ChangedTask(serialize(vcalendar, missing_tzids=missing_tzids, original=stored.text), remark=followed)


def _advance_completed(
    stored: CalendarObject, vcalendar: VCalendar, task: VTodo, missing_tzids: AbstractSet[str]
) -> ChangedTask:
    """Move a completed recurring task to its next occurrence; after the last one, leave it completed."""
    uid = str(uuid.uuid4())
    done = as_completed_single_task(vcalendar, uid)
    if not advance_to_next_occurrence(vcalendar, task):
        return ChangedTask(
            serialize(vcalendar, missing_tzids=missing_tzids, original=stored.text),
            remark="This was the last time that the task repeats.",
        )
    task.pop("COMPLETED", None)
    task.pop("PERCENT-COMPLETE", None)
    task["STATUS"] = OPEN
    due = format_time(task, "DUE") or format_time(task, "DTSTART")
    remark = f"The task repeats, so it is open again, for {due}."
    return ChangedTask(
        serialize(vcalendar, missing_tzids=missing_tzids, original=stored.text),
        (uid, serialize(done, missing_tzids=missing_tzids, original=stored.text)),
        remark,
    )


def _set_fields(task: VTodo, change: Change, zone: tzinfo | None) -> None:
    for name, given in {"SUMMARY": change.summary, "DESCRIPTION": change.description}.items():
        if given is not None:
            set_text(task, name, given)
    set_priority(task, change.priority)
    set_categories(task, change.categories)
    for name, moment in {"DTSTART": change.dtstart, "DUE": change.due}.items():
        if moment is not None:
            _set_time(task, name, moment, zone)
    if change.dtstart or change.due:
        _check_order(task)
    _set_progress(task, change, zone)
    stamp(task)


def _set_time(task: VTodo, name: str, text: str, zone: tzinfo | None) -> None:
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
    status, percent = _new_status(task, change), change.percent_complete
    is_kept = not change.completed or moments.is_same(change.completed, format_time(task, "COMPLETED") or "")
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


def _new_status(task: VTodo, change: Change) -> str | None:
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
    return IN_PROCESS if percent else OPEN
