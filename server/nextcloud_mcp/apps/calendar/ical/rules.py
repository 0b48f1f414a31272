"""Setting how an event recurs: RRULE and its exceptions (RFC 5545 sections 3.8.4.4 and 3.8.5).

An exception is identified by the time that the rule gives its occurrence. When a series moves, its rule and its
exceptions therefore move too: deleted (EXDATE), added (RDATE) and changed occurrences (overrides with a RECURRENCE-ID).
Otherwise deleted occurrences would reappear, and changed ones would appear twice.

"Wall-clock time" means a naive `datetime` with the local time in the zone of the series.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from heapq import merge
from itertools import islice
from typing import Any, Final

from icalendar import Component, Todo, vDDDLists, vRecur
from icalendar import Event as VEvent

from nextcloud_mcp.apps.calendar.ical.event import Series, Timed, at, format_rule, format_rules, timed
from nextcloud_mcp.apps.calendar.ical.moved import (
    NO_END,
    Move,
    Shift,
    check_months,
    moved_rule,
    moved_until,
    occurrences,
    shift_for,
    up_to,
)
from nextcloud_mcp.apps.calendar.ical.often import MAX_OCCURRENCES, has_valid_values, is_expandable_rule
from nextcloud_mcp.apps.calendar.ical.times import day_of, value, zone_of
from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import Moment, wall_clock


def set_rule(event: VEvent, *, recurring: bool | None, rule: str | None, last_day: str | None) -> None:
    """Set the rule of an event. None leaves the rule as it is, and so does "" for an event that is no series.

    Raises:
        InvalidArgumentError: `rule` is not valid or missing, or the arguments contradict each other.
    """
    if rule == "" and recurring is not False and "RRULE" in event:
        raise InvalidArgumentError(
            "recurrence_rule is empty, and the event is a series",
            "pass recurring=false to have it happen once, or leave recurrence_rule out to keep its rule",
            argument="recurrence_rule",
        )
    if rule:
        if recurring is False:
            raise InvalidArgumentError(
                "recurrence_rule and recurring=false contradict each other",
                "pass one of them",
                argument="recurrence_rule",
            )
        event["RRULE"] = _rule(rule, last_day, at(event, "DTSTART").dt)
    elif last_day or (recurring and "RRULE" not in event and "RDATE" not in event):
        raise InvalidArgumentError("A series needs a recurrence_rule, such as FREQ=WEEKLY;BYDAY=MO,WE", "pass one")


def _rule(text: str, last_day: str | None, start: Moment) -> vRecur:
    rule: vRecur
    try:
        rule = vRecur.from_ical(text.strip().removeprefix("RRULE:"))
    except ValueError:
        rule = vRecur()
    if not (is_expandable_rule(rule) and has_valid_values(rule)) or (
        "COUNT" in rule and ("UNTIL" in rule or rule["COUNT"][0] < 1)
    ):
        raise InvalidArgumentError(
            "Invalid recurrence_rule {text}",
            (
                "it is not a rule of RFC 5545, never happens, or happens more than once an hour. Use a rule such as "
                "FREQ=WEEKLY;BYDAY=MO;COUNT=10, with HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY, and COUNT or UNTIL "
                "but not both"
            ),
            argument="recurrence_rule",
            text=quoted(text),
        )
    if last_day:
        if "COUNT" in rule:
            raise InvalidArgumentError(
                "recurrence_end_date and COUNT in recurrence_rule exclude each other",
                "pass one of them",
                argument="recurrence_end_date",
            )
        rule["UNTIL"] = [moments.read(last_day, "recurrence_end_date")]
    if "UNTIL" in rule:
        rule["UNTIL"] = [_until(rule["UNTIL"][0], start)]
        first = next(occurrences(rule, wall_clock(start)), None)
        if first is None or told(rule["UNTIL"][0], start) < first:
            raise InvalidArgumentError(
                "The series would end before it happens once",
                "pass a later recurrence_end_date, or a later UNTIL in recurrence_rule",
            )
    return rule


def is_same_rule(text: str, other: str) -> bool:
    """Return whether two texts are the same rule, regardless of the order of parts, case and INTERVAL=1."""
    return _parts(text) == _parts(other)


def _parts(text: str) -> set[tuple[str, frozenset[str]]]:
    parts = text.strip().upper().removeprefix("RRULE:").split(";")
    pairs = (part.partition("=") for part in parts if part.strip() not in {"", "INTERVAL=1"})
    return {(name.strip(), frozenset(values.split(","))) for name, _, values in pairs}


def _until(last: Moment, start: Moment) -> Moment:
    """Return an UNTIL that matches the type of the start: a date, a floating time, or a time in UTC."""
    if not isinstance(start, datetime):
        return day_of(last)
    if not isinstance(last, datetime):
        last = datetime.combine(last, time(23, 59, 59))
    if start.tzinfo is None:
        return last.replace(tzinfo=None)
    return moments.to_aware(last, start.tzinfo).astimezone(UTC)


def end_repetition(series: Series) -> None:
    """Reduce a series to its first occurrence that was not deleted, or to the override of that occurrence.

    Raises:
        InvalidArgumentError: the rule is not expanded, so the first occurrence is unknown.
    """
    if "RECURRENCE-ID" in series.main:
        return
    kept = _first_occurrence(series)
    for name in ("RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"):
        kept.pop(name, None)
    series.drop(lambda each: isinstance(each, VEvent) and each is not kept)
    series.main = kept


def _first_occurrence(series: Series) -> VEvent:
    """Return the first remaining occurrence: an override, or the main event moved to the time of that occurrence."""
    start = at(series.main, "DTSTART")
    if "EXDATE" not in series.main and not series.changed_occurrences and "RDATE" not in series.main:
        return series.main
    if not all(is_expandable_rule(rule) for rule in series.main.rrules):
        raise InvalidArgumentError(
            "The series happens too often to find its first occurrence",
            "pass start_datetime and recurrence_rule for a short series first, or delete it and create the event",
        )
    first = next(remaining_occurrences(series.main, start.dt), None)
    if first is None:  # only overrides are left
        return min(series.changed_occurrences, key=lambda each: moments.to_aware(each.start), default=series.main)
    by_rule = _in_zone(first, start.dt)
    for each in series.changed_occurrences:
        if _is_occurrence(each, by_rule):
            return each
    if by_rule != start.dt:
        _put_occurrence(series.main, first - wall_clock(start.dt), start)
    return series.main


def without(series: Series, recurrence_id: str) -> bool:
    """Delete one occurrence from a series; return False if the series has no occurrences left.

    Raises:
        NotFoundError: the occurrence does not exist.
    """
    gone = at(series.separately_changeable_occurrence(recurrence_id), "RECURRENCE-ID")
    series.drop(lambda each: _is_occurrence(each, gone.dt))
    if "RECURRENCE-ID" not in series.main:
        series.main.add("exdate", _dates([gone.dt], gone))
    return has_occurrences(series)


def has_occurrences(series: Series) -> bool:
    """Return whether a series has an occurrence left. Nextcloud refuses to store a series without occurrences.

    A series with a rule that is not expanded counts as having occurrences.
    """
    if series.changed_occurrences or "RECURRENCE-ID" in series.main:
        return bool(series.changed_occurrences)
    if not all(is_expandable_rule(rule) for rule in series.main.rrules):
        return True
    return next(remaining_occurrences(series.main, at(series.main, "DTSTART").dt), None) is not None


def remaining_occurrences(component: VEvent | Todo, start: Moment) -> Iterator[datetime]:
    """Yield the occurrences of an event or a task by RRULE and RDATE, without EXDATEs, as wall-clock times in order.

    Args:
        component: The event or the task. Each of its rules must satisfy `often.is_expandable_rule`.
        start: The time from which it recurs, which is its first occurrence (RFC 5545 section 3.8.2.4).
    """
    first = wall_clock(start)
    deleted = {told(each, start) for each in component.exdates}
    days = {each for each in component.exdates if moments.is_day(each)}
    dates = sorted(told(each[0] if isinstance(each, tuple) else each, start) for each in component.rdates)
    walks = [_walk(rule, first, start) for rule in component.rrules]
    for each in merge([first], dates, *walks):
        if each not in deleted and each.date() not in days:
            yield each


def number_of_occurrences(event: VEvent) -> int | None:
    """Return how many occurrences a series has; None if it has no end, or more than `MAX_OCCURRENCES`."""
    rules = event.rrules
    if not all(is_expandable_rule(rule) and ("UNTIL" in rule or "COUNT" in rule) for rule in rules):
        return None
    found = set(islice(remaining_occurrences(event, at(event, "DTSTART").dt), MAX_OCCURRENCES + 1))
    return len(found) if len(found) <= MAX_OCCURRENCES else None


_COMPARED: Final = 24
"""How many occurrences `months_of` returns."""


def months_of(event: VEvent) -> list[int]:
    """Return how many months each occurrence of a monthly or yearly series is after the first; [] for other series.

    Two series of which one has days that not all months have differ in them.
    """
    rules = event.rrules
    is_periodic = bool(rules) and all(rule.get("FREQ", [""])[0] in {"MONTHLY", "YEARLY"} for rule in rules)
    if not is_periodic or not all(is_expandable_rule(rule) for rule in rules):
        return []
    found = [each.year * 12 + each.month for each in islice(_by_rules(event), _COMPARED)]
    return [each - found[0] for each in found]


def _by_rules(event: VEvent) -> Iterator[datetime]:
    start = at(event, "DTSTART").dt
    return merge(*(_walk(rule, wall_clock(start), start) for rule in event.rrules))


def _walk(rule: vRecur, first: datetime, start: Moment) -> Iterator[datetime]:
    walked = occurrences(rule, first)
    return up_to(walked, last_by_rule(rule["UNTIL"][0], start)) if "UNTIL" in rule else walked


def _is_occurrence(component: Component, moment: Moment) -> bool:
    identity = timed(component, "RECURRENCE-ID")
    return identity is not None and moments.same_occurrence(moment, identity.dt)


def move_series_with_start(series: Series, old: Timed) -> None:
    """Move the rules of a series, their UNTIL and the exceptions along with its start, which was `old` before.

    Raises:
        InvalidArgumentError: the new start does not determine the new rule or the place of an override, or a series
            with exceptions became all-day or timed.
    """
    new = at(series.main, "DTSTART")
    if "RECURRENCE-ID" in series.main or (new.dt == old.dt and new.params == old.params):
        return
    _check_kind(series, old.dt, new.dt)
    keeps_all = bool(series.changed_occurrences) or has_exceptions(series.main)
    move = replace(Move.between(old.dt, new.dt), keeps_all=keeps_all)
    shift = move_rules(series.main, move, old.dt, new.dt)
    move_dates(series.main, shift, old.dt, new)
    _move_occurrences(series, shift, old.dt, new)


def move_exceptions_to_new_rule(series: Series, old: Timed, old_rules: Sequence[vRecur]) -> None:
    """Move the exceptions of a series to fit its new start and the new rule that the caller passed.

    Overrides of occurrences after the new end are removed.

    Raises:
        InvalidArgumentError: an override has no occurrence in the new series, or a series with exceptions became
            all-day or timed. The message says what the caller can do.
    """
    new, rule = at(series.main, "DTSTART"), series.main.rrules[0]
    same = [format_rule(each) for each in old_rules] == [format_rule(rule)]
    if "RECURRENCE-ID" in series.main or (same and new.dt == old.dt):
        return
    _check_kind(series, old.dt, new.dt)
    move = Move.between(old.dt, new.dt)
    fit = _Fit(move, rule, new.dt, stays=same)
    added = {told(each[0] if isinstance(each, tuple) else each, old.dt) for each in series.main.rdates}
    series.drop(lambda each: _is_after(each, fit, old.dt) and told(at(each, "RECURRENCE-ID").dt, old.dt) not in added)
    move_dates(series.main, lambda moment: fit(moment) or moment + move.distance, old.dt, new)
    if new.dt != old.dt:
        _keep_start(series.main, new.dt)
    _move_occurrences(series, lambda moment: moment + move.distance if moment in added else fit(moment), old.dt, new)


def _keep_start(component: Component, start: Moment) -> None:
    """Remove the EXDATEs of a start that the caller has asked for."""
    if "EXDATE" not in component:
        return
    kept = [
        _dates(there, each)
        for each in _as_list(component.pop("EXDATE"))
        if (there := [one.dt for one in each.dts if not moments.same_occurrence(one.dt, start)])
    ]
    if kept:
        component["EXDATE"] = kept


def move_rules(component: Component, move: Move, old: Moment, new: Moment) -> Shift:
    """Move the rules of an event or a task along with its start; return the function that maps its occurrences.

    Raises:
        InvalidArgumentError: the new start does not determine the new rule.
    """
    shifts = [_follow(rule, move, old, new) for name in _RULES for rule in _rules(component, name)]
    if not shifts:
        return lambda moment: moment + move.distance
    return lambda moment: next((place for shift in shifts if (place := shift(moment)) is not None), None)


def move_dates(component: Component, shift: Shift, old: Moment, new: Timed) -> None:
    """Move the EXDATEs and RDATEs of an event or a task.

    Raises:
        InvalidArgumentError: `shift` maps one to None. If it were left out, the caller would not notice that the series
            has lost an occurrence.
    """
    for name in ("EXDATE", "RDATE"):
        if name in component:
            component[name] = [_shifted(each, shift, old, new) for each in _as_list(component[name])]


def describe_moved_rule(component: VEvent | Todo, what: str, *, has_overrides: bool = False) -> str:
    """Return a sentence on the new rule of a series that moved; `what` it is, such as "series"."""
    along = ", and its exceptions moved along" if has_overrides or has_exceptions(component) else ""
    return f"The {what} repeats by {format_rules(component.rrules)} now{along}."


_RULES: Final = ("RRULE", "EXRULE")


class _Fit:
    """Maps the occurrences of a series to those of its new rule.

    An occurrence moves by the distance of the start, or stays on its day; None if the new rule gives neither. If the
    rule stays the same (`stays`), the same day takes precedence.
    """

    def __init__(self, move: Move, rule: vRecur, start: Moment, *, stays: bool) -> None:
        self._move, self._stays = move, stays
        self._start, self._rule = move.new, rule
        self.last = _last(rule, start)

    def __call__(self, moment: datetime) -> datetime | None:
        as_far, same_day = moment + self._move.distance, datetime.combine(moment, self._move.new.time())
        places = (same_day, as_far) if self._stays else (as_far, same_day)
        wanted = set(places)
        given = {each for each in up_to(occurrences(self._rule, self._start), max(places)) if each in wanted}
        return next((each for each in places if each in given), None)


def _last(rule: vRecur, start: Moment) -> datetime:
    """Return the latest possible time of a rule's last occurrence, as wall-clock time."""
    if "UNTIL" in rule:
        return told(rule["UNTIL"][0], start)
    if "COUNT" in rule:
        return max(occurrences(rule, wall_clock(start)), default=wall_clock(start))
    return NO_END


def _is_after(component: Component, fit: _Fit, old: Moment) -> bool:
    identity = timed(component, "RECURRENCE-ID")
    return identity is not None and told(identity.dt, old) > fit.last


def _check_kind(series: Series, old: Moment, new: Moment) -> None:
    if moments.is_day(old) != moments.is_day(new) and (
        series.changed_occurrences or "EXDATE" in series.main or "RDATE" in series.main
    ):
        raise InvalidArgumentError(
            "Single occurrences of this series were changed or deleted, which all_day would undo", "create a new one"
        )


def has_exceptions(event: Component) -> bool:
    """Return whether a series has EXDATEs or RDATEs."""
    return "EXDATE" in event or "RDATE" in event


def _rules(event: Component, name: str) -> list[vRecur]:
    return _as_list(event[name]) if name in event else []


def _follow(rule: vRecur, move: Move, old: Moment, new: Moment) -> Shift:
    """Move one rule; return the function that maps its occurrences."""
    before = deepcopy(rule)
    result = moved_rule(rule, move)
    last = last_by_rule(rule["UNTIL"][0], old) if "UNTIL" in rule else NO_END
    check_months(rule, result, move, last)
    if "UNTIL" in rule:
        until: Moment = rule["UNTIL"][0]
        moved = moved_until(rule, result, move, last)
        has_kind = moments.is_day(until) == moments.is_day(new) and (zone_of(until) is None) == (zone_of(new) is None)
        if moved != last or zone_of(old) != zone_of(new) or not has_kind:
            result["UNTIL"] = [_until(moved, new)]
    rule.clear()
    rule.update(result)
    return shift_for(before, result, move)


def last_by_rule(until: Moment, start: Moment) -> datetime:
    """Return a stored UNTIL as wall-clock time of the series that starts at `start`.

    RFC 5545 section 3.3.10 requires UNTIL to have the value type of DTSTART. If UNTIL is a date in a timed series, both
    the library that expands here and sabre/vobject, which Nextcloud uses, take it as midnight of that day.
    """
    return told(wall_clock(until) if moments.is_day(until) else until, start)


def told(moment: Moment, start: Moment) -> datetime:
    """Return a time as wall-clock time of the series that starts at `start`.

    A date becomes midnight in an all-day series, and the last second of the day in a timed series.
    """
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time() if moments.is_day(start) else time(23, 59, 59))
    there = zone_of(start)
    return wall_clock(moment.astimezone(there) if moment.tzinfo and there else moment)


def _move_occurrences(series: Series, shift: Shift, old: Moment, new: Timed) -> None:
    for event in series.changed_occurrences:
        _move_occurrence(event, shift, old, new)


def _move_occurrence(event: VEvent, shift: Shift, old: Moment, new: Timed) -> None:
    """Move the RECURRENCE-ID of an override, and the parts of its start that match the rule: date, time of day or both.

    Raises:
        InvalidArgumentError: `shift` maps the occurrence to None, so the override has no place in the moved series.
    """
    identity, start = at(event, "RECURRENCE-ID"), at(event, "DTSTART")
    by_rule = _by_rule(identity.dt, old)
    moved = shift(by_rule)
    if moved is None:
        raise InvalidArgumentError(
            "The occurrence {occurrence} was changed, and after this change the series has none in its place",
            "delete it first with its recurrence_id, or pass another rule or start",
            occurrence=identity.dt.isoformat(),
        )
    params = dict(identity.params)
    event["RECURRENCE-ID"] = value(_in_zone(moved, new.dt), new)
    if "RANGE" in params:
        event["RECURRENCE-ID"].params["RANGE"] = params["RANGE"]
    if moments.is_day(start.dt) != moments.is_day(new.dt):
        if day_of(start.dt) == by_rule.date():
            _put_days_further(event, moved.date() - by_rule.date())
        return
    own, days = told(start.dt, old), (moved.date() - _by_rule(identity.dt, new.dt).date()).days
    there = told(start.dt, new.dt)
    if own == by_rule:
        _put_occurrence(event, moved - there, new)
    elif own.date() == by_rule.date():
        _put_occurrence(event, timedelta(days=days), new)
    elif own.time() == by_rule.time():
        _put_occurrence(event, datetime.combine(there, moved.time()) - there, new)


def _by_rule(identity: Moment, start: Moment) -> datetime:
    """Return a RECURRENCE-ID as wall-clock time; some programs write a date, even in a timed series."""
    if moments.is_day(identity):
        return datetime.combine(identity, wall_clock(start).time())
    return told(identity, start)


def _put_occurrence(event: VEvent, distance: timedelta, new: Timed) -> None:
    """Move an override by `distance` and into the new zone of the series."""
    for name in ("DTSTART", "DTEND"):
        if there := timed(event, name):
            event[name] = value(_in_zone(told(there.dt, new.dt) + distance, new.dt), new)


def _put_days_further(event: VEvent, distance: timedelta) -> None:
    """Move an override whose value type differs from the series: all-day in a timed series, or the reverse.

    The override keeps its value type and its zone.
    """
    for name in ("DTSTART", "DTEND"):
        if there := timed(event, name):
            event[name] = value(there.dt + distance, there)


def _in_zone(moment: datetime, like: Moment) -> Moment:
    """Return a wall-clock time with the value type and the zone of `like`."""
    return moment.replace(tzinfo=zone_of(like)) if isinstance(like, datetime) else moment.date()


def _shifted(dates: Any, shift: Shift, old: Moment, new: Timed) -> vDDDLists:
    return _dates([_shifted_one(each.dt, shift, old, new.dt) for each in dates.dts], new)


def _shifted_one(moment: Any, shift: Shift, old: Moment, new: Moment) -> Any:
    if isinstance(moment, tuple):
        begins, ends = moment
        start = _shifted_one(begins, shift, old, new)
        return (start, ends) if isinstance(ends, timedelta) else (start, start + moments.between(begins, ends))
    is_day_of_timed = moments.is_day(moment) and not moments.is_day(old)  # a date as an exception of a timed series
    place = shift(datetime.combine(moment, wall_clock(old).time()) if is_day_of_timed else told(moment, old))
    if place is None:
        raise InvalidArgumentError(
            "The occurrence {occurrence} was deleted or added, and after this change the series has none in its place",
            "pass another start, or a new rule together with it",
            occurrence=moment.isoformat(),
        )
    return place.date() if is_day_of_timed else _in_zone(place, new)


def _dates(values: list[Any], like: Timed) -> vDDDLists:
    dates = vDDDLists(values)
    is_period = isinstance(values[0], tuple)
    if is_period:
        dates.params["VALUE"] = "PERIOD"
    elif moments.is_day(values[0]):
        dates.params["VALUE"] = "DATE"
    if "TZID" in like.params and (is_period or not moments.is_day(values[0])):
        dates.params["TZID"] = like.params["TZID"]
    return dates


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
