"""The occurrences of events and tasks: RRULE, RDATE and EXDATE (RFC 5545 section 3.8.5).

"Wall-clock time" means a naive `datetime` with the local time in the zone of the series. A series keeps its local time
when the clock changes.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from datetime import datetime, time
from heapq import merge
from itertools import islice
from typing import Final

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from icalendar import Event as VEvent
from icalendar import Todo, vRecur

from nextcloud_mcp.apps.calendar.ical.limits import MAX_CANDIDATES, MAX_OCCURRENCES, is_expandable_rule
from nextcloud_mcp.apps.calendar.ical.properties import at, format_rule
from nextcloud_mcp.apps.calendar.ical.times import zone_of
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import Moment, wall_clock

NO_END: Final = datetime.max  # noqa: DTZ901 - of the clock on the wall, which has no zone
"""Later than every occurrence."""


def occurrences(rule: vRecur, start: datetime) -> Iterator[datetime]:
    """Return the occurrences of a rule from `start` on, as wall-clock times, at most `MAX_CANDIDATES`.

    COUNT applies, unless it is below 1. UNTIL does not, because it is in UTC: the caller applies it.
    """
    endless = deepcopy(rule)
    endless.pop("UNTIL", None)
    if endless.get("COUNT", [1])[0] < 1:
        endless.pop("COUNT")
    return islice(rrulestr(format_rule(endless), dtstart=start), MAX_CANDIDATES)


def up_to(moments: Iterable[datetime], last: datetime) -> Iterator[datetime]:
    """Yield the sorted `moments` up to and including `last`."""
    for moment in moments:
        if moment > last:
            return
        yield moment


def remaining_occurrences(component: VEvent | Todo, start: Moment) -> Iterator[datetime]:
    """Yield the occurrences of an event or a task by RRULE and RDATE, without EXDATEs, as wall-clock times in order.

    Args:
        component: The event or the task. Each of its rules must satisfy `limits.is_expandable_rule`.
        start: The time from which it recurs, which is its first occurrence (RFC 5545 section 3.8.2.4).
    """
    first = wall_clock(start)
    deleted = {to_wall_clock(each, start) for each in component.exdates}
    days = {each for each in component.exdates if moments.is_day(each)}
    dates = sorted(to_wall_clock(each[0] if isinstance(each, tuple) else each, start) for each in component.rdates)
    walks = [_up_to_end(rule, first, start) for rule in component.rrules]
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
    return merge(*(_up_to_end(rule, wall_clock(start), start) for rule in event.rrules))


def _up_to_end(rule: vRecur, first: datetime, start: Moment) -> Iterator[datetime]:
    walked = occurrences(rule, first)
    return up_to(walked, last_by_rule(rule["UNTIL"][0], start)) if "UNTIL" in rule else walked


def last_by_rule(until: Moment, start: Moment) -> datetime:
    """Return a stored UNTIL as wall-clock time of the series that starts at `start`.

    RFC 5545 section 3.3.10 requires UNTIL to have the value type of DTSTART. If UNTIL is a date in a timed series, both
    the library that expands here and sabre/vobject, which Nextcloud uses, take it as midnight of that day.
    """
    return to_wall_clock(wall_clock(until) if moments.is_day(until) else until, start)


def to_wall_clock(moment: Moment, start: Moment) -> datetime:
    """Return a time as wall-clock time of the series that starts at `start`.

    A date becomes midnight in an all-day series, and the last second of the day in a timed series.
    """
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time() if moments.is_day(start) else time(23, 59, 59))
    there = zone_of(start)
    return wall_clock(moment.astimezone(there) if moment.tzinfo and there else moment)
