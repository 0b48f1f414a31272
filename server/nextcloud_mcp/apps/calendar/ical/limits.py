"""Limits on the recurrence rules that are expanded, so that no event takes all of the server's time and memory.

Anybody can put an event with an extreme rule into a calendar that they share, or invite somebody to it. Expanding a
rule starts at its first occurrence, and continues to the year 9999 if the rule never matches again. Therefore this
module judges a rule by its parts (RFC 5545 section 3.3.10), without expanding it. The rules of a VTIMEZONE are expanded
for every time in that zone, so their limits are stricter.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil, prod
from typing import Any, Final

from icalendar import Component, Timezone, vRecur
from icalendar import Event as VEvent

from nextcloud_mcp.nextcloud import moments

MAX_PER_DAY: Final = 24
MAX_OCCURRENCES: Final = 5_000
"""The most occurrences of one object in the requested range."""

MAX_CANDIDATES: Final = 200_000
"""The most occurrences up to the end of that range: 22 years of hourly, or 547 years of daily ones."""

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
"""The parts that a rule may have, by FREQ. With more parts it may never match, and a search for a match takes longer
the more frequent the rule is."""

_VTIMEZONE_PARTS: Final = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY"})

_MONTHS: Final = dict(enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), start=1))
"""The most days of each month."""


def is_expandable_rule(rule: vRecur) -> bool:
    """Return whether a rule is safe to expand: it has occurrences, and at most `MAX_PER_DAY` a day."""
    return (
        _frequency(rule) in _PARTS
        and set(rule) <= _PARTS[_frequency(rule)]
        and _interval(rule) >= 1
        and all(len(values) <= _MAX_VALUES for values in rule.values())
        and len(rule.get("BYSETPOS", ())) <= _MAX_POSITIONS
        and _times_a_day(rule) <= MAX_PER_DAY
        and _has_days(rule)
    )


_RANGES: Final = {
    "BYSECOND": range(60),
    "BYMINUTE": range(60),
    "BYHOUR": range(24),
    "BYMONTH": range(1, 13),
    "BYMONTHDAY": range(1, 32),
    "BYYEARDAY": range(1, 367),
    "BYWEEKNO": range(1, 54),
    "BYSETPOS": range(1, 367),
}
"""The values of a rule's parts; the parts in `_COUNTED` may be negative as well."""

_COUNTED: Final = frozenset({"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"})
_ORDINALS: Final = {"MONTHLY": 5, "YEARLY": 53}
"""The highest number before a weekday in BYDAY, by FREQ; other rules have none."""


def has_valid_values(rule: vRecur) -> bool:
    """Return whether all values of a rule are in the ranges of RFC 5545 section 3.3.10."""
    numbers = (
        (abs(int(value)) if part in _COUNTED else int(value)) in allowed
        for part, allowed in _RANGES.items()
        for value in rule.get(part, ())
    )
    days = [re.fullmatch(r"[+-]?(\d*)[A-Z]{2}", str(day)) for day in rule.get("BYDAY", ())]
    highest = _ORDINALS.get(_frequency(rule), 0)
    return all(numbers) and all(day is not None and (not day[1] or 1 <= int(day[1]) <= highest) for day in days)


def _frequency(rule: vRecur) -> str:
    return str(rule.get("FREQ", [""])[0]).upper()


def _interval(rule: vRecur) -> int:
    return int(rule.get("INTERVAL", [1])[0])


def _times_a_day(rule: vRecur) -> int:
    hourly = _frequency(rule) == "HOURLY"
    parts = ("BYMINUTE", "BYSECOND") if hourly else ("BYHOUR", "BYMINUTE", "BYSECOND")
    return (ceil(24 / _interval(rule)) if hourly else 1) * prod(len(set(rule.get(part, [0]))) for part in parts)


def _has_days(rule: vRecur) -> bool:
    """Return whether a month in BYMONTH has a day in BYMONTHDAY: a search for 30 February would not end."""
    longest = max((_MONTHS.get(month, 0) for month in rule.get("BYMONTH", _MONTHS)), default=0)
    return any(1 <= abs(day) <= longest for day in rule.get("BYMONTHDAY", [1]))


def expandable(events: Sequence[VEvent], begins: datetime, ends: datetime) -> bool:
    """Return whether the occurrences between two times can be computed within the limits of this module."""
    series = [event for event in events if "RECURRENCE-ID" not in event]
    changed = [event for event in events if "RECURRENCE-ID" in event]
    rules = [rule for event in series for rule in event.rrules]
    if len(rules) > _MOST_RULES or not all(is_expandable_rule(rule) for rule in rules):
        return False
    reach = max((_max_displacement(event) for event in (*series, *filter(_moves_others, changed))), default=timedelta())
    found = sum(_max_occurrences(event, ends - begins + 2 * reach) for event in series) + len(changed)
    looked_for = [_by_rule(event) for event in changed if any(name in event for name in ("RRULE", "RDATE", "EXDATE"))]
    last = max([ends + reach, *looked_for])  # the library expands the rule anew up to each of these
    walked = sum(_max_occurrences(event, last - moments.to_aware(event.start)) for event in series) * (
        1 + len(looked_for)
    )
    return found <= MAX_OCCURRENCES and walked <= MAX_CANDIDATES


def _max_displacement(event: VEvent) -> timedelta:
    """Return how far an occurrence reaches from its time by rule: its length plus the distance of an override."""
    start = moments.to_aware(event.start)
    return abs(moments.to_aware(event.end) - start) + abs(_by_rule(event) - start)


def _by_rule(event: VEvent) -> datetime:
    """Return the time of an event by rule: the RECURRENCE-ID of an override, else the start."""
    identity: Any = event.get("RECURRENCE-ID")
    return moments.to_aware(identity.dt if identity else event.start)


def _moves_others(event: VEvent) -> bool:
    identity: Any = event["RECURRENCE-ID"]
    return "RANGE" in identity.params


def _max_occurrences(event: VEvent, during: timedelta) -> int:
    """Return an upper bound of the occurrences in a range of this length."""
    days = max(during.days, 0) + 1
    return _listed(event) + sum(
        min(days * _times_a_day(rule), _count(rule) or MAX_CANDIDATES + 1) for rule in event.rrules
    )


def _count(rule: vRecur) -> int:
    return max(int(rule.get("COUNT", [0])[0]), 0)  # the library that expands ignores a COUNT below 1


def _listed(component: Component) -> int:
    dates: Any = component.get("RDATE", [])
    return sum(len(each.dts) for each in (dates if isinstance(dates, list) else [dates]))


def has_bounded_transitions(zone: Timezone) -> bool:
    """Return whether a zone has few transitions: each rule gives one day a year, and all at most `_MAX_CHANGES`."""
    return sum(_changes(each) for each in (*zone.standard, *zone.daylight)) <= _MAX_CHANGES


def _changes(observance: Any) -> int:
    """Return the number of transitions to an observance; more than `_MAX_CHANGES` if a rule is not yearly."""
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
        and set(rule) <= _VTIMEZONE_PARTS
        and is_expandable_rule(rule)
        and len(rule.get("BYMONTH", ())) <= 1
        and len(weekdays) <= 1
        and len(days) <= (_A_WEEK if weekdays else 1)
        and (not weekdays or bool(days) or weekdays[0].relative is not None)
    )
