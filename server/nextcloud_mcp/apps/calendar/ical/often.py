"""Which rules are expanded: not those that nobody means and that would take the server's time and memory from all.

Anybody can put such an event into a calendar that they share, or invite somebody to it. A rule is walked from its first
occurrence on, and one that never happens again as far as the year 9999; so it is judged by its parts (RFC 5545 section
3.3.10) before it is walked. A zone's rules are walked for every time that is told in it, hence held more tightly.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil, prod
from typing import Any, Final

from icalendar import Component, Timezone, vRecur
from icalendar import Event as VEvent

from nextcloud_mcp.nextcloud import moments

MAX_PER_DAY: Final = 24
MAX_OCCURRENCES: Final = 5_000
"""Occurrences of one object in the time that is asked for."""

MAX_CANDIDATES: Final = 200_000
"""Occurrences up to the end of that time: those of 22 years by the hour, or of 547 years by the day."""

_MOST_RULES: Final = 2
_MAX_VALUES: Final = 366
_MAX_POSITIONS: Final = 7
_MAX_CHANGES: Final = 2_000
_LAST_YEAR: Final = 2100
_A_WEEK: Final = 7

_ANY: Final = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYHOUR", "BYMINUTE", "BYSECOND"})
_PARTS: Final = {
    "HOURLY": _ANY,
    "DAILY": _ANY | {"BYMONTH", "BYMONTHDAY"},
    "WEEKLY": _ANY | {"BYMONTH"},
    "MONTHLY": _ANY | {"BYMONTH", "BYMONTHDAY", "BYSETPOS"},
    "YEARLY": _ANY | {"BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"},
}
"""What a rule may have: more could keep it from ever happening, and the more often it may, the longer that takes."""

_OF_ZONES: Final = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY"})

_MONTHS: Final = dict(enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), start=1))
"""How many days each has at most."""


def is_expandable_rule(rule: vRecur) -> bool:
    """Tell whether somebody can mean a rule: it happens, and not more than once an hour."""
    return (
        _frequency(rule) in _PARTS
        and set(rule) <= _PARTS[_frequency(rule)]
        and _interval(rule) >= 1
        and all(len(values) <= _MAX_VALUES for values in rule.values())
        and len(rule.get("BYSETPOS", ())) <= _MAX_POSITIONS
        and _times_a_day(rule) <= MAX_PER_DAY
        and _has_days(rule)
    )


def _frequency(rule: vRecur) -> str:
    return str(rule.get("FREQ", [""])[0]).upper()


def _interval(rule: vRecur) -> int:
    return int(rule.get("INTERVAL", [1])[0])


def _times_a_day(rule: vRecur) -> int:
    hourly = _frequency(rule) == "HOURLY"
    parts = ("BYMINUTE", "BYSECOND") if hourly else ("BYHOUR", "BYMINUTE", "BYSECOND")
    return (ceil(24 / _interval(rule)) if hourly else 1) * prod(len(set(rule.get(part, [0]))) for part in parts)


def _has_days(rule: vRecur) -> bool:
    """Tell whether a month that is named has a day that is named: 30 February keeps a rule going for ever."""
    longest = max((_MONTHS.get(month, 0) for month in rule.get("BYMONTH", _MONTHS)), default=0)
    return any(1 <= abs(day) <= longest for day in rule.get("BYMONTHDAY", [1]))


def expandable(events: Sequence[VEvent], begins: datetime, ends: datetime) -> bool:
    """Tell whether what an object holds between two times can be had without much time and memory."""
    series = [event for event in events if "RECURRENCE-ID" not in event]
    changed = [event for event in events if "RECURRENCE-ID" in event]
    rules = [rule for event in series for rule in event.rrules]
    if len(rules) > _MOST_RULES or not all(is_expandable_rule(rule) for rule in rules):
        return False
    reach = max((_reach(event) for event in (*series, *filter(_moves_others, changed))), default=timedelta())
    found = sum(_most(event, ends - begins + 2 * reach) for event in series) + len(changed)
    looked_for = [_by_rule(event) for event in changed if any(name in event for name in ("RRULE", "RDATE", "EXDATE"))]
    last = max([ends + reach, *looked_for])  # the rule is walked up to each of them anew
    walked = sum(_most(event, last - moments.to_aware(event.start)) for event in series) * (1 + len(looked_for))
    return found <= MAX_OCCURRENCES and walked <= MAX_CANDIDATES


def _reach(event: VEvent) -> timedelta:
    """Return how far from where the rule puts an occurrence it still happens: by its length, and as it was moved."""
    start = moments.to_aware(event.start)
    return abs(moments.to_aware(event.end) - start) + abs(_by_rule(event) - start)


def _by_rule(event: VEvent) -> datetime:
    """Return when an event happens by rule, also if it was moved from there."""
    identity: Any = event.get("RECURRENCE-ID")
    return moments.to_aware(identity.dt if identity else event.start)


def _moves_others(event: VEvent) -> bool:
    identity: Any = event["RECURRENCE-ID"]
    return "RANGE" in identity.params


def _most(event: VEvent, during: timedelta) -> int:
    """Return how many occurrences there can be in a time of this length."""
    days = max(during.days, 0) + 1
    return _listed(event) + sum(
        min(days * _times_a_day(rule), _count(rule) or MAX_CANDIDATES + 1) for rule in event.rrules
    )


def _count(rule: vRecur) -> int:
    return max(int(rule.get("COUNT", [0])[0]), 0)  # a negative one is none to the library that expands


def _listed(component: Component) -> int:
    dates: Any = component.get("RDATE", [])
    return sum(len(each.dts) for each in (dates if isinstance(dates, list) else [dates]))


def has_bounded_transitions(zone: Timezone) -> bool:
    """Tell whether a zone changes its clock as zones do: not too often, by a rule on one day of a year."""
    return sum(_changes(each) for each in (*zone.standard, *zone.daylight)) <= _MAX_CHANGES


def _changes(observance: Any) -> int:
    """Return how often a zone comes to this time of a year, more than is possible where a rule is odd."""
    rules = observance.rrules
    if not all(_once_a_year(rule) for rule in rules):
        return _MAX_CHANGES + 1
    lasts = [rule["UNTIL"][0].year if "UNTIL" in rule else _LAST_YEAR for rule in rules]
    years: list[int] = [max(last - observance.DTSTART.year, 0) for last in lasts]
    return 1 + _listed(observance) + sum(years)


def _once_a_year(rule: vRecur) -> bool:
    weekdays: list[Any] = rule.get("BYDAY", [])
    days = rule.get("BYMONTHDAY", [])
    return (
        _frequency(rule) == "YEARLY"
        and set(rule) <= _OF_ZONES
        and is_expandable_rule(rule)
        and len(rule.get("BYMONTH", ())) <= 1
        and len(weekdays) <= 1
        and len(days) <= (_A_WEEK if weekdays else 1)
        and (not weekdays or bool(days) or weekdays[0].relative is not None)
    )
