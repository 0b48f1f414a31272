"""Moving a rule along with the start of its series (RFC 5545 section 3.3.10).

A rule may fix values that the start has too: the weekday, the day of the month, the month, the hour. If the start
moves to other values, the rule has to change with it. This works if the rule fixes one value. If it fixes several, the
new start does not determine the others, so the caller has to pass a recurrence_rule with the new start.

All times here are wall-clock times (naive local time), because a series keeps its local time when the clock changes.
"""

from calendar import monthrange
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, Self

from icalendar import vRecur
from icalendar.prop import vWeekday

from nextcloud_mcp.apps.calendar.ical.limits import is_expandable_rule
from nextcloud_mcp.apps.calendar.ical.occurrences import occurrences
from nextcloud_mcp.apps.calendar.ical.properties import format_rule
from nextcloud_mcp.apps.calendar.ical.times import zone_of
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud.moments import Moment, wall_clock

_COMPARED: Final = 400
"""Occurrences by which two rules are compared: a year of daily, or 33 years of monthly ones."""

_A_WEEK: Final = 7
SHORTEST_MONTH: Final = 28
_SHORTEST_YEAR: Final = 365
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAYS: Final = ("BYDAY", "BYMONTHDAY", "BYMONTH", "BYYEARDAY", "BYWEEKNO", "BYSETPOS")
_HOURS: Final = {"BYHOUR": "hour", "BYMINUTE": "minute", "BYSECOND": "second"}

_RARE_ORDINAL: Final = 5
"""Few months have a fifth Monday, or a fifth last one."""


@dataclass(frozen=True)
class Move:
    """A move of a series from one start to another.

    Attributes:
        old: The old start, as wall-clock time.
        new: The new start, as wall-clock time, which may be in another zone.
        all_day: Whether the series is all-day after the move.
        by_zone: How many days of the move come from the new zone alone: 23:00 in UTC is the next day in Berlin.
        keeps_all: Whether UNTIL always moves along, because the series has exceptions.
        remedy: What the caller can do if the rule cannot move along, for error messages.
    """

    old: datetime
    new: datetime
    all_day: bool = False
    by_zone: int = 0
    keeps_all: bool = False
    remedy: str = "pass recurrence_rule together with start_datetime, or move single occurrences with recurrence_id"

    @classmethod
    def between(cls, old: Moment, new: Moment) -> Self:
        """Return the move from one start to another."""
        before, after = wall_clock(old), wall_clock(new)
        by_zone = 0
        if isinstance(old, datetime) and zone_of(old) and zone_of(new):
            by_zone = (old.astimezone(zone_of(new)).date() - before.date()).days
        return cls(before, after, not isinstance(new, datetime), by_zone)

    @property
    def distance(self) -> timedelta:
        """The difference of the starts in wall-clock time."""
        return self.new - self.old

    @property
    def days(self) -> int:
        """The difference of the dates of the starts in days."""
        return (self.new.date() - self.old.date()).days


def is_on_the_day_of_its_start(rule: vRecur) -> bool:
    """Return whether a rule is monthly or yearly and has no BY… part for days, so that the start determines the day."""
    return rule.get("FREQ", [""])[0] in {"MONTHLY", "YEARLY"} and not any(part in rule for part in _DAYS)


def moved_rule(rule: vRecur, move: Move) -> vRecur:
    """Return the rule that fits the new start as `rule` fits the old one; UNTIL stays as it is.

    Raises:
        InvalidArgumentError: the new start does not determine the new rule; the message says what the caller can do.
    """
    result = deepcopy(rule)
    _move_hours(result, move)
    if move.days and any(part in rule for part in _DAYS):
        if not is_expandable_rule(rule) or next(occurrences(rule, move.old), None) != move.old:
            raise unclear_move_error(rule, move, "its first occurrence is not one that the rule gives")
        _move_days(result, move)
        _compare(rule, result, move)
    return result


def unclear_move_error(rule: vRecur, move: Move, reason: str) -> InvalidArgumentError:
    """Return the error for a rule that the new start alone does not determine; `reason` says why."""
    return InvalidArgumentError(
        "The series repeats by {rule}, and its new start alone does not say how that rule changes, as {reason}",
        move.remedy,
        rule=format_rule(rule),
        reason=reason,
    )


def _move_hours(rule: vRecur, move: Move) -> None:
    for part, name in _HOURS.items():
        old, new = getattr(move.old, name), getattr(move.new, name)
        if part not in rule or (old == new and not move.all_day):
            continue
        if rule[part] != [old]:
            raise unclear_move_error(rule, move, f"{part} has other values than the start")
        if move.all_day:
            del rule[part]
        else:
            rule[part] = [new]


def _move_days(rule: vRecur, move: Move) -> None:
    for part, mover in _MOVERS.items():
        if part in rule:
            mover(rule, move)


def _move_weekday(rule: vRecur, move: Move) -> None:
    days: list[Any] = rule["BYDAY"]
    plain = all(day.relative is None for day in days)
    if plain and (move.days % _A_WEEK == 0 or move.days == move.by_zone):
        rule["BYDAY"] = [_to_weekday(_WEEKDAYS[(_WEEKDAYS.index(day.weekday) + move.days) % _A_WEEK]) for day in days]
        return
    if len(days) > 1 or days[0].weekday != _WEEKDAYS[move.old.weekday()]:
        raise unclear_move_error(rule, move, "it has several weekdays")
    if "BYMONTHDAY" in rule or "BYYEARDAY" in rule:
        raise unclear_move_error(rule, move, "it has a weekday and a date")
    weekday, number = _WEEKDAYS[move.new.weekday()], days[0].relative
    if number is not None:
        weekday = f"{_ordinal(rule, number, move, in_month=_in_month(rule))}{weekday}"
    rule["BYDAY"] = [_to_weekday(weekday)]


def _to_weekday(name: str) -> Any:
    return vWeekday(name)


def _in_month(rule: vRecur) -> bool:
    return rule["FREQ"][0] == "MONTHLY" or "BYMONTH" in rule


def _ordinal(rule: vRecur, number: int, move: Move, *, in_month: bool) -> int:
    """Return the ordinal of the new start's weekday in its month or year, from the end if `number` is negative."""
    if _ordinal_of(move.old, number, in_month=in_month) != number:
        raise unclear_move_error(rule, move, "its first occurrence is not one that the rule gives")
    found = _ordinal_of(move.new, number, in_month=in_month)
    if abs(found) >= (_RARE_ORDINAL if in_month else 53):
        raise unclear_move_error(rule, move, f"there is not always a weekday number {found}")
    return found


def _ordinal_of(day: datetime, number: int, *, in_month: bool) -> int:
    before, after = _days_around(day, in_month=in_month)
    return before // _A_WEEK + 1 if number > 0 else -(after // _A_WEEK + 1)


def _days_around(day: datetime, *, in_month: bool) -> tuple[int, int]:
    """Return how many days of the month or year are before and after `day`."""
    if in_month:
        return day.day - 1, monthrange(day.year, day.month)[1] - day.day
    of_year = day.timetuple().tm_yday
    return of_year - 1, datetime(day.year, 12, 31).timetuple().tm_yday - of_year  # noqa: DTZ001 - a date


def _move_position(rule: vRecur, move: Move) -> None:
    """Move BYSETPOS, which is the ordinal of the weekday if the rule has one weekday."""
    positions = rule["BYSETPOS"]
    if "BYDAY" not in rule and len(rule.get("BYMONTHDAY", [])) == 1:
        return
    if len(positions) > 1 or "BYDAY" not in rule or not _in_month(rule):
        raise unclear_move_error(rule, move, "it has several days, or several of them")
    rule["BYSETPOS"] = [_ordinal(rule, positions[0], move, in_month=True)]


def _move_monthday(rule: vRecur, move: Move) -> None:
    rule["BYMONTHDAY"] = _moved_numbers(rule, "BYMONTHDAY", move, in_month=True)


def _move_yearday(rule: vRecur, move: Move) -> None:
    rule["BYYEARDAY"] = _moved_numbers(rule, "BYYEARDAY", move, in_month=False)


def _moved_numbers(rule: vRecur, part: str, move: Move, *, in_month: bool) -> list[int]:
    """Return the new BYMONTHDAY or BYYEARDAY, counted from the end of the month or year if the old one is."""
    values: list[int] = rule[part]
    old, new = (_positions(day, in_month=in_month) for day in (move.old, move.new))
    if any(old[side] == new[side] and all(value * sign > 0 for value in values) for side, sign in ((0, 1), (1, -1))):
        return values
    if len(values) > 1:
        raise unclear_move_error(rule, move, f"{part} has several values")
    if values[0] > 0:
        if not in_month and new[0] > _SHORTEST_YEAR:
            raise unclear_move_error(rule, move, f"there is not always a day number {new[0]}")
        return [-1 if move.days == move.by_zone == -1 and new[1] == -1 else new[0]]
    if move.days == move.by_zone == new[0] == 1:
        return [1]
    if new[1] < -_A_WEEK and (move.old.year, move.old.month) != (move.new.year, move.new.month):
        raise unclear_move_error(rule, move, f"{part} counts from the end")
    if new[1] < -(SHORTEST_MONTH if in_month else _SHORTEST_YEAR):
        raise unclear_move_error(
            rule, move, f"{part} counts from the end, and there is not always a day number {new[1]}"
        )
    return [new[1]]


def _positions(day: datetime, *, in_month: bool) -> tuple[int, int]:
    before, after = _days_around(day, in_month=in_month)
    return before + 1, -after - 1


def _move_month(rule: vRecur, move: Move) -> None:
    if move.old.month == move.new.month:
        return
    if len(rule["BYMONTH"]) > 1:
        raise unclear_move_error(rule, move, "BYMONTH has several values")
    rule["BYMONTH"] = [move.new.month]


def _move_week(rule: vRecur, move: Move) -> None:
    old, new = move.old.isocalendar().week, move.new.isocalendar().week
    if "BYDAY" not in rule or rule.get("WKST", ["MO"])[0] != "MO":
        raise unclear_move_error(rule, move, "its weeks have no day, or do not start on Monday")
    if old == new:
        return
    if rule["BYWEEKNO"] != [old]:
        raise unclear_move_error(rule, move, "BYWEEKNO has other values than the start")
    rule["BYWEEKNO"] = [new]


_MOVERS: Final[dict[str, Callable[[vRecur, Move], None]]] = {
    "BYSETPOS": _move_position,
    "BYDAY": _move_weekday,
    "BYMONTHDAY": _move_monthday,
    "BYYEARDAY": _move_yearday,
    "BYWEEKNO": _move_week,
    "BYMONTH": _move_month,
}
"""The order matters: BYSETPOS counts the weekdays of the old BYDAY. With BYMONTH, ordinals count within the month."""


def _compare(rule: vRecur, result: vRecur, move: Move) -> None:
    """Check the moved rule `result`.

    Raises:
        InvalidArgumentError: the first occurrence is not the new start; or the rule is not periodic, and an occurrence
            does not move by the same distance as the start.
    """
    if next(occurrences(result, move.new), None) != move.new:
        raise unclear_move_error(rule, move, "the new start is no day that it can give")
    if is_periodic(rule):
        return
    pairs = zip(islice(occurrences(rule, move.old), _COMPARED), occurrences(result, move.new), strict=False)
    if any(after - before != move.distance for before, after in pairs):
        raise unclear_move_error(rule, move, "some occurrences would be on days that it leaves out")


def is_periodic(rule: vRecur) -> bool:
    """Return whether a rule selects days of a month or a year, which have varying distances from each other."""
    if rule.get("FREQ", [""])[0] not in {"MONTHLY", "YEARLY"}:
        return False
    days: list[Any] = rule.get("BYDAY", [])
    return not days or "BYSETPOS" in rule or any(day.relative is not None for day in days)
