"""Recurring tasks (RFC 5545 sections 3.6.2 and 3.8.5): a VTODO with a rule, which represents its next occurrence.

The RFC does not say what happens when such a task is completed, and programs differ. This module does what Apple's
Reminders, Evolution and Tasks.org do: DTSTART and DUE move to the next occurrence, and the completed occurrence becomes
a task of its own without a rule. Thunderbird adds an override (RECURRENCE-ID) for each completed occurrence instead.
This module refuses to move or complete tasks with overrides.
"""

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from icalendar import Alarm, Component, vDDDTypes, vRecur, vText
from icalendar import Calendar as VCalendar
from icalendar import Todo as VTodo

from nextcloud_mcp.apps.calendar.ical.alarms import alarms
from nextcloud_mcp.apps.calendar.ical.exceptions import has_exceptions, move_dates
from nextcloud_mcp.apps.calendar.ical.limits import is_expandable_rule
from nextcloud_mcp.apps.calendar.ical.occurrences import occurrences, remaining_occurrences, up_to
from nextcloud_mcp.apps.calendar.ical.properties import Timed, at, timed
from nextcloud_mcp.apps.calendar.ical.rule_moves import Move
from nextcloud_mcp.apps.calendar.ical.series_moves import move_rules
from nextcloud_mcp.apps.calendar.ical.times import value, zone_of
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import Moment


def repeats(task: VTodo) -> bool:
    """Return whether a task recurs, by RRULE or RDATE."""
    return "RECURRENCE-ID" not in task and ("RRULE" in task or "RDATE" in task)


def begins(task: VTodo) -> Timed | None:
    """Return the time from which a task recurs: DTSTART, or without it DUE, as many programs write it."""
    return timed(task, "DTSTART") or timed(task, "DUE")


def follow(vcalendar: VCalendar, task: VTodo, old: Timed) -> None:
    """Move the rule, EXDATEs and RDATEs of a task along with the time from which it recurs, which was `old` before.

    Raises:
        InvalidArgumentError: that time was removed or changed between a date and a time, the task has overrides, or the
            new time does not determine the new rule.
    """
    new = begins(task)
    if new is None or moments.is_day(new.dt) != moments.is_day(old.dt):
        raise InvalidArgumentError(
            "The task repeats from its dtstart or due, which has to stay, and to stay a date or a time",
            "pass another of the same kind",
        )
    if new.dt != old.dt:
        if len(vcalendar.todos) > 1:
            raise InvalidArgumentError(
                "The task repeats, and single occurrences of it were changed, which would be left behind",
                "move it in the program that made it",
            )
        remedy = "move the task in the program that made it"
        move = replace(Move.between(old.dt, new.dt), remedy=remedy, keeps_all=has_exceptions(task))
        move_dates(task, move_rules(task, move, old.dt, new.dt), old.dt, new)


def as_completed_single_task(vcalendar: VCalendar, uid: str) -> VCalendar:
    """Return a copy of an object whose task does not recur: without rule, dates and reminders, with the UID `uid`."""
    copy = deepcopy(vcalendar)
    for task in copy.todos:
        for name in ("RRULE", "RDATE", "EXDATE", "EXRULE"):
            task.pop(name, None)
        task["UID"] = vText(uid)
        task.subcomponents[:] = [each for each in task.subcomponents if not isinstance(each, Alarm)]
    return copy


def advance_to_next_occurrence(vcalendar: VCalendar, task: VTodo) -> bool:
    """Move a task and its reminders to the next occurrence; return False after the last one.

    Raises:
        InvalidArgumentError: the next occurrence is unknown: the task has no start, overrides, or a rule that is not
            expanded.
    """
    start = begins(task)
    if start is None or len(vcalendar.todos) > 1 or not all(is_expandable_rule(rule) for rule in _rules(task)):
        raise InvalidArgumentError(
            (
                "The task repeats, and single occurrences of it were changed, or its rule has no start or is not one "
                "that is followed here"
            ),
            "complete it in the program that made it",
        )
    old = moments.wall_clock(start.dt)
    next_one = _next(task, old, start.dt)
    if next_one is None:
        return False
    _count_down(task, old, next_one)
    _move(task, next_one - old)
    return True


def _rules(task: VTodo) -> list[vRecur]:
    return list(task.rrules)


def _next(task: VTodo, old: datetime, start: Moment) -> datetime | None:
    """Return the next occurrence as wall-clock time."""
    return next((each for each in remaining_occurrences(task, start) if each > old), None)


def _count_down(task: VTodo, old: datetime, next_one: datetime) -> None:
    """Reduce COUNT to the number of occurrences from `next_one` on."""
    for rule in _rules(task):
        if "COUNT" in rule:
            gone = sum(1 for each in up_to(occurrences(rule, old), next_one) if each < next_one)
            rule["COUNT"] = [max(rule["COUNT"][0] - gone, 1)]


def _move(task: VTodo, distance: timedelta) -> None:
    before = at(task, _first(task)).dt
    for name in ("DTSTART", "DUE"):
        if there := timed(task, name):
            task[name] = value(there.dt + distance, there)
    further = moments.between(before, at(task, _first(task)).dt)
    for alarm in alarms(task):
        trigger = timed(alarm, "TRIGGER")
        if trigger is not None and isinstance(trigger.dt, datetime):
            alarm["TRIGGER"] = _at_a_time(trigger.dt + further)


def _first(task: Component) -> str:
    return "DTSTART" if "DTSTART" in task else "DUE"


def _at_a_time(moment: datetime) -> vDDDTypes:
    trigger = vDDDTypes(moment.astimezone(UTC) if zone_of(moment) else moment)
    trigger.params["VALUE"] = "DATE-TIME"  # the default type of TRIGGER is DURATION
    return trigger
