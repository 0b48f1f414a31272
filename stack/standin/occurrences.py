"""Recurring events that Nextcloud misses in a time-range query, because of sabre/vobject's EventIterator."""

from datetime import UTC, date, datetime, time
from itertools import islice

import recurring_ical_events  # type: ignore[import-untyped]
from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from icalendar import Calendar, vRecur
from icalendar import Event as VEvent

MAX_OCCURRENCES = 3500
"""The number of occurrences after which Nextcloud stops expanding a series."""

INDEX_ENDS = datetime(2038, 1, 1, tzinfo=UTC)
"""The end of an endless series in Nextcloud's index."""


def is_missed(ical: str, start: str, end: str) -> bool:
    """Return whether Nextcloud misses an object that has an occurrence between two times.

    Nextcloud evaluates only RDATE if an event has RDATE and RRULE, and ignores RDATE if there is no RRULE.
    """
    try:
        events = Calendar.from_ical(ical).events
    except ValueError:
        return False
    begins, ends = _time(start), _time(end)
    series = [event for event in events if "RRULE" in event or "RDATE" in event]
    return bool(series) and len(events) == 1 and not _is_found(series[0], begins, ends)


def has_no_occurrence(ical: str) -> bool:
    """Return whether exceptions remove every occurrence of a series, which Nextcloud then refuses.

    Nextcloud checks only events with RRULE. It evaluates only RDATE if the event has both; DTSTART always counts.
    """
    try:
        events = Calendar.from_ical(ical).events
    except ValueError:
        return False
    if len(events) != 1 or "RRULE" not in events[0]:
        return False
    left_away = {_instant(each) for each in events[0].exdates}
    starts = _dates_seen(events[0]) if "RDATE" in events[0] else _first_starts(events[0], len(left_away) + 1)
    return left_away.issuperset(starts)


def _first_starts(event: VEvent, number: int) -> list[datetime]:
    start = _instant(event.start)
    try:
        rule: bytes = event.rrules[0].to_ical()
        local = event.start if isinstance(event.start, datetime) else start
        walked = rrulestr(rule.decode(), dtstart=local)
        return [start, *(_instant(each) for each in islice(walked, number))]
    except ValueError:
        return [start]


def missed_starts(ical: str, start: str, end: str) -> set[str]:
    """Return the start times of the occurrences that Nextcloud's free/busy responses miss, as UTC date-times.

    The responses come from the same iterator; series with RDATE were measured on Nextcloud 32 and 34.
    """
    try:
        calendar = Calendar.from_ical(ical)
    except ValueError:
        return set()
    begins, ends = _time(start), _time(end)
    series = [event for event in calendar.events if "RRULE" in event or "RDATE" in event]
    if len(calendar.events) > 1 or not series:
        return set()
    if "RDATE" in series[0]:
        seen = _dates_seen(series[0])
    elif _is_found(series[0], begins, ends):
        return set()
    else:
        seen = []
    found = [_instant(each.start) for each in recurring_ical_events.of(calendar).between(begins, ends)]
    return {f"{each:%Y%m%dT%H%M%SZ}" for each in found if each not in seen}


def _dates_seen(event: VEvent) -> list[datetime]:
    dates = [event.start, *(event.rdates if "RRULE" in event else [])]
    return [_instant(each[0] if isinstance(each, tuple) else each) for each in dates]


def _is_found(event: VEvent, begins: datetime, ends: datetime) -> bool:
    length = _instant(event.end) - _instant(event.start)
    if "RDATE" in event:
        return any(each < ends and each + length > begins for each in _dates_seen(event))
    rule = event.rrules[0]
    if begins >= INDEX_ENDS and "COUNT" not in rule and "UNTIL" not in rule:
        return False
    return not _too_many(rule, _instant(event.start), begins)


def _too_many(rule: vRecur, start: datetime, begins: datetime) -> bool:
    """Return whether a time comes after `MAX_OCCURRENCES` occurrences; False for a rule that cannot be expanded."""
    endless = vRecur({part: values for part, values in rule.items() if part != "UNTIL"})
    try:
        ical: bytes = endless.to_ical()  # type: ignore[no-untyped-call]
        walked = rrulestr(ical.decode(), dtstart=start)
        last = next(islice(walked, MAX_OCCURRENCES, None), None)
    except ValueError:
        return False
    return last is not None and bool(last < begins)


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _instant(moment: date) -> datetime:
    there = moment if isinstance(moment, datetime) else datetime.combine(moment, time())
    return (there if there.tzinfo else there.replace(tzinfo=UTC)).astimezone(UTC)
