"""Tasks that repeat (RFC 5545 sections 3.6.2 and 3.8.5): one VTODO with a rule, which stands for its next occurrence.

The RFC says nothing of what completing one means, and programs differ. Here it goes on as in Apple's Reminders,
Evolution and Tasks.org: DTSTART and DUE move to the next occurrence, and what was done becomes a task without a rule.
Thunderbird marks single occurrences with a RECURRENCE-ID instead; tasks in which it has done so are left to it.
"""

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from icalendar import Alarm, Component, vDDDTypes, vRecur, vText
from icalendar import Calendar as VCalendar
from icalendar import Todo as VTodo

from nextcloud_mcp.apps.calendar.ical.event import Timed, alarms, at, timed
from nextcloud_mcp.apps.calendar.ical.moved import Move, occurrences, up_to
from nextcloud_mcp.apps.calendar.ical.often import is_expandable_rule
from nextcloud_mcp.apps.calendar.ical.rules import has_exceptions, move_dates, move_rules, remaining_occurrences
from nextcloud_mcp.apps.calendar.ical.times import value, zone_of
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import Moment


def repeats(task: VTodo) -> bool:
    """Tell whether a task has further occurrences, by rule or by date."""
    return "RECURRENCE-ID" not in task and ("RRULE" in task or "RDATE" in task)


def begins(task: VTodo) -> Timed | None:
    """Return the time from which a task repeats: its start or, as many programs write it, when it is due."""
    return timed(task, "DTSTART") or timed(task, "DUE")


def follow(vcalendar: VCalendar, task: VTodo, old: Timed) -> None:
    """Let the rule and the dates of a task follow the time from which it repeats, which was `old`.

    Raises:
        InvalidArgumentError: they can't, for that time does not say how, or is gone.
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


def as_done(vcalendar: VCalendar, uid: str) -> VCalendar:
    """Return a copy of an object with its task as one that was done once: no rule, no reminder, its own UID."""
    copy = deepcopy(vcalendar)
    for task in copy.todos:
        for name in ("RRULE", "RDATE", "EXDATE", "EXRULE"):
            task.pop(name, None)
        task["UID"] = vText(uid)
        task.subcomponents[:] = [each for each in task.subcomponents if not isinstance(each, Alarm)]
    return copy


def roll_on(vcalendar: VCalendar, task: VTodo) -> bool:
    """Move a task to its next occurrence, with its reminders; return whether there is one.

    Raises:
        InvalidArgumentError: it can't be told which that is.
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
    old = moments.by_the_clock(start.dt)
    next_one = _next(task, old, start.dt)
    if next_one is None:
        return False
    _count_down(task, old, next_one)
    _move(task, next_one - old)
    return True


def _rules(task: VTodo) -> list[vRecur]:
    return list(task.rrules)


def _next(task: VTodo, old: datetime, start: Moment) -> datetime | None:
    """Return the next occurrence by the clock on the wall."""
    return next((each for each in remaining_occurrences(task, start) if each > old), None)


def _count_down(task: VTodo, old: datetime, next_one: datetime) -> None:
    """Leave as many occurrences in a rule with COUNT as are left from the next one on."""
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
    trigger.params["VALUE"] = "DATE-TIME"  # a TRIGGER is a duration otherwise
    return trigger
