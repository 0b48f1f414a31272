"""Moving the exceptions of a series: EXDATE, RDATE and overrides (RFC 5545 sections 3.8.4.4 and 3.8.5).

An exception is identified by the time that the rule gives its occurrence. When a series moves, its exceptions therefore
move too: deleted (EXDATE), added (RDATE) and changed occurrences (overrides with a RECURRENCE-ID). Otherwise deleted
occurrences would reappear, and changed ones would appear twice.
"""

from datetime import datetime, timedelta
from typing import Any

from icalendar import Component, vDDDLists
from icalendar import Event as VEvent

from nextcloud_mcp.apps.calendar.ical.occurrence_moves import Shift
from nextcloud_mcp.apps.calendar.ical.occurrences import to_wall_clock
from nextcloud_mcp.apps.calendar.ical.properties import Timed, as_list, at, timed
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.apps.calendar.ical.times import day_of, value, zone_of
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import Moment, wall_clock


def has_exceptions(event: Component) -> bool:
    """Return whether a series has EXDATEs or RDATEs."""
    return "EXDATE" in event or "RDATE" in event


def is_override_of(component: Component, moment: Moment) -> bool:
    """Return whether a component is the override of the occurrence at `moment`, given by its RECURRENCE-ID."""
    identity = timed(component, "RECURRENCE-ID")
    return identity is not None and moments.same_occurrence(moment, identity.dt)


def move_dates(component: Component, shift: Shift, old: Moment, new: Timed) -> None:
    """Move the EXDATEs and RDATEs of an event or a task.

    Raises:
        InvalidArgumentError: `shift` maps one to None. If it were left out, the caller would not notice that the series
            has lost an occurrence.
    """
    for name in ("EXDATE", "RDATE"):
        if name in component:
            component[name] = [_shift_list(each, shift, old, new) for each in as_list(component[name])]


def keep_start(component: Component, start: Moment) -> None:
    """Remove the EXDATEs of a start that the caller has asked for."""
    if "EXDATE" not in component:
        return
    kept = [
        new_dates(there, each)
        for each in as_list(component.pop("EXDATE"))
        if (there := [one.dt for one in each.dts if not moments.same_occurrence(one.dt, start)])
    ]
    if kept:
        component["EXDATE"] = kept


def move_overrides(series: Series, shift: Shift, old: Moment, new: Timed) -> None:
    """Move the overrides of a series.

    Raises:
        InvalidArgumentError: `shift` maps the occurrence of one to None.
    """
    for event in series.changed_occurrences:
        _move_override(event, shift, old, new)


def _move_override(event: VEvent, shift: Shift, old: Moment, new: Timed) -> None:
    """Move the RECURRENCE-ID of an override, and the parts of its start that match the rule: date, time of day or both.

    Raises:
        InvalidArgumentError: `shift` maps the occurrence to None, so the override has no place in the moved series.
    """
    identity, start = at(event, "RECURRENCE-ID"), at(event, "DTSTART")
    by_rule = _time_by_rule(identity.dt, old)
    moved = shift(by_rule)
    if moved is None:
        raise InvalidArgumentError(
            "The occurrence {occurrence} was changed, and after this change the series has none in its place",
            "delete it first with its recurrence_id, or pass another rule or start",
            occurrence=identity.dt.isoformat(),
        )
    params = dict(identity.params)
    event["RECURRENCE-ID"] = value(in_zone_of(moved, new.dt), new)
    if "RANGE" in params:
        event["RECURRENCE-ID"].params["RANGE"] = params["RANGE"]
    if moments.is_day(start.dt) != moments.is_day(new.dt):
        if day_of(start.dt) == by_rule.date():
            _shift_days(event, moved.date() - by_rule.date())
        return
    own, days = to_wall_clock(start.dt, old), (moved.date() - _time_by_rule(identity.dt, new.dt).date()).days
    there = to_wall_clock(start.dt, new.dt)
    if own == by_rule:
        shift_times(event, moved - there, new)
    elif own.date() == by_rule.date():
        shift_times(event, timedelta(days=days), new)
    elif own.time() == by_rule.time():
        shift_times(event, datetime.combine(there, moved.time()) - there, new)


def _time_by_rule(identity: Moment, start: Moment) -> datetime:
    """Return a RECURRENCE-ID as wall-clock time; some programs write a date, even in a timed series."""
    if moments.is_day(identity):
        return datetime.combine(identity, wall_clock(start).time())
    return to_wall_clock(identity, start)


def shift_times(event: VEvent, distance: timedelta, new: Timed) -> None:
    """Move an override by `distance` and into the new zone of the series."""
    for name in ("DTSTART", "DTEND"):
        if there := timed(event, name):
            event[name] = value(in_zone_of(to_wall_clock(there.dt, new.dt) + distance, new.dt), new)


def _shift_days(event: VEvent, distance: timedelta) -> None:
    """Move an override whose value type differs from the series: all-day in a timed series, or the reverse.

    The override keeps its value type and its zone.
    """
    for name in ("DTSTART", "DTEND"):
        if there := timed(event, name):
            event[name] = value(there.dt + distance, there)


def in_zone_of(moment: datetime, like: Moment) -> Moment:
    """Return a wall-clock time with the value type and the zone of `like`."""
    return moment.replace(tzinfo=zone_of(like)) if isinstance(like, datetime) else moment.date()


def _shift_list(dates: Any, shift: Shift, old: Moment, new: Timed) -> vDDDLists:
    return new_dates([_shift_one(each.dt, shift, old, new.dt) for each in dates.dts], new)


def _shift_one(moment: Any, shift: Shift, old: Moment, new: Moment) -> Any:
    if isinstance(moment, tuple):
        begins, ends = moment
        start = _shift_one(begins, shift, old, new)
        return (start, ends) if isinstance(ends, timedelta) else (start, start + moments.between(begins, ends))
    is_day_of_timed = moments.is_day(moment) and not moments.is_day(old)  # a date as an exception of a timed series
    place = shift(datetime.combine(moment, wall_clock(old).time()) if is_day_of_timed else to_wall_clock(moment, old))
    if place is None:
        raise InvalidArgumentError(
            "The occurrence {occurrence} was deleted or added, and after this change the series has none in its place",
            "pass another start, or a new rule together with it",
            occurrence=moment.isoformat(),
        )
    return place.date() if is_day_of_timed else in_zone_of(place, new)


def new_dates(values: list[Any], like: Timed) -> vDDDLists:
    """Return an EXDATE or RDATE with these values; times get the TZID of `like`."""
    dates = vDDDLists(values)
    is_period = isinstance(values[0], tuple)
    if is_period:
        dates.params["VALUE"] = "PERIOD"
    elif moments.is_day(values[0]):
        dates.params["VALUE"] = "DATE"
    if "TZID" in like.params and (is_period or not moments.is_day(values[0])):
        dates.params["TZID"] = like.params["TZID"]
    return dates
