"""Moving a series with its start: its rules, their ends and its exceptions."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from typing import Final

from icalendar import Component, Todo, vRecur
from icalendar import Event as VEvent

from nextcloud_mcp.apps.calendar.ical.exceptions import has_exceptions, keep_start, move_dates, move_overrides
from nextcloud_mcp.apps.calendar.ical.occurrence_moves import Shift, check_months, moved_until, shift_for
from nextcloud_mcp.apps.calendar.ical.occurrences import NO_END, last_by_rule, occurrences, to_wall_clock, up_to
from nextcloud_mcp.apps.calendar.ical.properties import Timed, as_list, at, format_rule, format_rules, timed
from nextcloud_mcp.apps.calendar.ical.rule_moves import Move, moved_rule
from nextcloud_mcp.apps.calendar.ical.rules import to_until
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.apps.calendar.ical.times import zone_of
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import Moment, wall_clock


def move_series_with_start(series: Series, old: Timed) -> None:
    """Move the rules of a series, their UNTIL and the exceptions along with its start, which was `old` before.

    Raises:
        InvalidArgumentError: the new start does not determine the new rule or the place of an override, or a series
            with exceptions became all-day or timed.
    """
    new = at(series.main, "DTSTART")
    if "RECURRENCE-ID" in series.main or (new.dt == old.dt and new.params == old.params):
        return
    _check_value_type(series, old.dt, new.dt)
    keeps_all = bool(series.changed_occurrences) or has_exceptions(series.main)
    move = replace(Move.between(old.dt, new.dt), keeps_all=keeps_all)
    shift = move_rules(series.main, move, old.dt, new.dt)
    move_dates(series.main, shift, old.dt, new)
    move_overrides(series, shift, old.dt, new)


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
    _check_value_type(series, old.dt, new.dt)
    move = Move.between(old.dt, new.dt)
    fit = _NewRuleShift(move, rule, new.dt, stays=same)
    added = {to_wall_clock(each[0] if isinstance(each, tuple) else each, old.dt) for each in series.main.rdates}
    series.drop(
        lambda each: _is_after(each, fit, old.dt) and to_wall_clock(at(each, "RECURRENCE-ID").dt, old.dt) not in added
    )
    move_dates(series.main, lambda moment: fit(moment) or moment + move.distance, old.dt, new)
    if new.dt != old.dt:
        keep_start(series.main, new.dt)
    move_overrides(series, lambda moment: moment + move.distance if moment in added else fit(moment), old.dt, new)


def move_rules(component: Component, move: Move, old: Moment, new: Moment) -> Shift:
    """Move the rules of an event or a task along with its start; return the function that maps its occurrences.

    Raises:
        InvalidArgumentError: the new start does not determine the new rule.
    """
    shifts = [_move_rule(rule, move, old, new) for name in _RULES for rule in _rules(component, name)]
    if not shifts:
        return lambda moment: moment + move.distance
    return lambda moment: next((place for shift in shifts if (place := shift(moment)) is not None), None)


_RULES: Final = ("RRULE", "EXRULE")


class _NewRuleShift:
    """Maps the occurrences of a series to those of its new rule.

    An occurrence moves by the distance of the start, or stays on its day; None if the new rule gives neither. If the
    rule stays the same (`stays`), the same day takes precedence.
    """

    def __init__(self, move: Move, rule: vRecur, start: Moment, *, stays: bool) -> None:
        self._move, self._stays = move, stays
        self._start, self._rule = move.new, rule
        self.last = _last_occurrence(rule, start)

    def __call__(self, moment: datetime) -> datetime | None:
        as_far, same_day = moment + self._move.distance, datetime.combine(moment, self._move.new.time())
        places = (same_day, as_far) if self._stays else (as_far, same_day)
        wanted = set(places)
        given = {each for each in up_to(occurrences(self._rule, self._start), max(places)) if each in wanted}
        return next((each for each in places if each in given), None)


def _last_occurrence(rule: vRecur, start: Moment) -> datetime:
    """Return the latest possible time of a rule's last occurrence, as wall-clock time."""
    if "UNTIL" in rule:
        return to_wall_clock(rule["UNTIL"][0], start)
    if "COUNT" in rule:
        return max(occurrences(rule, wall_clock(start)), default=wall_clock(start))
    return NO_END


def _is_after(component: Component, fit: _NewRuleShift, old: Moment) -> bool:
    identity = timed(component, "RECURRENCE-ID")
    return identity is not None and to_wall_clock(identity.dt, old) > fit.last


def _check_value_type(series: Series, old: Moment, new: Moment) -> None:
    if moments.is_day(old) != moments.is_day(new) and (
        series.changed_occurrences or "EXDATE" in series.main or "RDATE" in series.main
    ):
        raise InvalidArgumentError(
            "Single occurrences of this series were changed or deleted, which all_day would undo", "create a new one"
        )


def _rules(event: Component, name: str) -> list[vRecur]:
    return as_list(event[name]) if name in event else []


def _move_rule(rule: vRecur, move: Move, old: Moment, new: Moment) -> Shift:
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
            result["UNTIL"] = [to_until(moved, new)]
    rule.clear()
    rule.update(result)
    return shift_for(before, result, move)


def describe_moved_rule(component: VEvent | Todo, what: str, *, has_overrides: bool = False) -> str:
    """Return a sentence on the new rule of a series that moved; `what` it is, such as "series"."""
    along = ", and its exceptions moved along" if has_overrides or has_exceptions(component) else ""
    return f"The {what} repeats by {format_rules(component.rrules)} now{along}."
