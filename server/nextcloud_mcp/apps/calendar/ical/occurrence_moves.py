"""Mapping the occurrences of a rule to those of the moved rule, and the end of the one to that of the other.

All times here are wall-clock times (naive local time).
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from icalendar import vRecur

from nextcloud_mcp.apps.calendar.ical.limits import is_expandable_rule
from nextcloud_mcp.apps.calendar.ical.occurrences import NO_END, occurrences, up_to
from nextcloud_mcp.apps.calendar.ical.properties import format_rule
from nextcloud_mcp.apps.calendar.ical.rule_moves import SHORTEST_MONTH, Move, is_periodic, unclear_move_error

Shift = Callable[[datetime], datetime | None]
"""Maps an occurrence to the one of the moved series; None if the moved series has no such occurrence."""

_CHECKED: Final = timedelta(days=40 * 365)
"""How far `check_months` searches for months without the new day; 40 years include every kind of year."""


def shift_for(rule: vRecur, result: vRecur, move: Move) -> Shift:
    """Return the function that maps the occurrences of `rule` to those of the moved rule `result`.

    An occurrence of a periodic rule moves to that of the corresponding month or year; any other moves by the distance
    of the start.
    """
    if not move.days or not is_periodic(rule):
        return lambda moment: moment + move.distance
    by_year = "BYMONTH" not in rule and any(part in rule for part in ("BYYEARDAY", "BYWEEKNO", "BYDAY"))
    unit = 12 if by_year and rule["FREQ"][0] == "YEARLY" else 1
    before, after = _Periods(rule, move.old, unit), _Periods(result, move.new, unit)
    further = after.of(move.new) - before.of(move.old)

    def shift(moment: datetime) -> datetime | None:
        there = before.at(before.of(moment))
        if moment not in there:
            return moment + move.distance
        others = after.at(before.of(moment) + further)
        return others[there.index(moment)] if len(others) == len(there) else None

    return shift


def check_months(rule: vRecur, result: vRecur, move: Move, last: datetime) -> None:
    """Refuse a move to a day of the month that some months of the series do not have: their occurrences would be lost.

    Args:
        rule: The old rule.
        result: The new rule.
        move: The move of the series.
        last: The end of the series, as wall-clock time.

    Raises:
        InvalidArgumentError: a month does not have the day; the message names the day and what the caller can do.
    """
    if move.new.day <= max(move.old.day, SHORTEST_MONTH) or not is_expandable_rule(rule):
        return
    shift = shift_for(rule, result, move)
    for each in up_to(occurrences(rule, move.old), min(last, move.old + _CHECKED)):
        if shift(each) is None:
            raise unclear_move_error(
                rule,
                move,
                f"not every month in which it happens has a day {move.new.day}, and BYMONTHDAY=-1 would be the last "
                "day of each",
            )


class _Periods:
    """The occurrences of a rule by month, or by year if `unit` is 12 months; computed on demand."""

    def __init__(self, rule: vRecur, start: datetime, unit: int) -> None:
        self._left = occurrences(rule, start)
        self._unit = unit
        self._found: dict[int, list[datetime]] = {}
        self._reached = -1

    def of(self, moment: datetime) -> int:
        return (moment.year * 12 + moment.month - 1) // self._unit

    def at(self, period: int) -> list[datetime]:
        while self._reached <= period and (moment := next(self._left, None)):
            self._reached = self.of(moment)
            self._found.setdefault(self._reached, []).append(moment)
        return self._found.get(period, [])


def moved_until(rule: vRecur, result: vRecur, move: Move, until: datetime) -> datetime:
    """Return the UNTIL of a rule after a move, as wall-clock time, so that the number of occurrences stays the same.

    If the rule is the same and gives the new start too, the series only starts earlier or later. Then UNTIL stays as it
    is, unless the move has `keeps_all`.
    """
    if not move.days:
        return until + move.distance
    if not is_expandable_rule(rule):
        return until + move.distance
    if (
        not move.keeps_all
        and move.new <= until
        and format_rule(rule) == format_rule(result)
        and _is_given(rule, move.old, move.new)
    ):
        return until
    last = next(iter(deque(up_to(occurrences(rule, move.old), until), maxlen=1)), until)
    mapped = shift_for(rule, result, move)(last) or last + move.distance
    following = next((each for each in occurrences(result, move.new) if each > mapped), NO_END)
    return next((each for each in (until, until + move.distance) if mapped <= each < following), mapped)


def _is_given(rule: vRecur, start: datetime, moment: datetime) -> bool:
    return any(each == moment for each in up_to(occurrences(rule, start), moment))
