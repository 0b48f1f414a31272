"""Setting when an event is: DTSTART and DTEND (RFC 5545 sections 3.8.2.2 and 3.8.2.4).

An event keeps its zone, under the name that its program gave it, and its length where no new end is named.
"""

from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

from icalendar import Event as VEvent
from icalendar import vDDDTypes

from nextcloud_mcp.apps.calendar.ical.event import Timed, timed
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import A_DAY, Moment

USUAL_LENGTH: Final = timedelta(hours=1)
"""Of a new event whose end is not named; all-day ones take the day."""


def set_times(
    event: VEvent, start: Moment | None, end: Moment | None, *, all_day: bool | None, zone: tzinfo | None
) -> None:
    """Set the start, the end or the kind of an event; None leaves each as it is.

    Raises:
        InvalidArgumentError: they do not fit together, or what the event is.
    """
    if start is None and end is None and all_day is None:
        return
    old = timed(event, "DTSTART")
    if old is None and start is not None and moments.is_day(start):
        all_day = True
    elif all_day is None:
        all_day = old is not None and moments.is_day(old.dt)
    if all_day:
        _set_days(event, old, start, end, zone)
    else:
        _set_hours(event, old, start, end, zone)


def _set_days(event: VEvent, old: Timed | None, start: Moment | None, end: Moment | None, zone: tzinfo | None) -> None:
    were_days = old is not None and moments.is_day(old.dt)
    if were_days and any(isinstance(each, datetime) and each.time() != time() for each in (start, end)):
        raise InvalidArgumentError("The event is all day, and a time was given: pass all_day=false with it.")
    first = day_of(start if start is not None else _where_one_is(event.start, old, zone))
    after = day_of(end) if end is not None else first + (event.end - event.start if were_days else A_DAY)
    if after == first:  # meant as the last day
        after += A_DAY
    if end is not None:
        _in_order(first, after)
    _put(event, vDDDTypes(first), None if end is None and were_days and "DTEND" not in event else vDDDTypes(after))


def _where_one_is(moment: Moment, like: Timed | None, zone: tzinfo | None) -> Moment:
    """Tell a time in UTC, which is no zone that somebody chose, in the person's zone: there it may be another day."""
    in_utc = zone_of(moment) is not None and like is not None and "TZID" not in like.params
    return moments.placed(moment, zone) if in_utc and zone else moment


def _set_hours(event: VEvent, old: Timed | None, start: Moment | None, end: Moment | None, zone: tzinfo | None) -> None:
    if any(each is not None and moments.is_day(each) for each in (start, end)):
        raise InvalidArgumentError("start_datetime and end_datetime need a time, such as T10:00, or pass all_day=true.")
    if old is not None and moments.is_day(old.dt):
        old = None
    if start is None and old is None:
        raise InvalidArgumentError("An all-day event needs a start_datetime with a time to become a timed one.")
    old_end = (timed(event, "DTEND") or old) if old else None
    begins = placed_like(start, old, zone) if start is not None or old is None else old.dt
    if end is not None:
        ends = placed_like(end, old_end, zone)
    elif old is None:
        ends = begins + USUAL_LENGTH
    elif (zone_of(begins) is None) != (zone_of(old.dt) is None):
        ends = begins + moments.between(old.dt, event.end)
    else:
        ends = event.end + (begins - old.dt)
        if zone_of(event.end) == zone_of(old.dt) is not None:
            ends = moments.placed(ends, zone_of(begins))
    if end is not None:
        _in_order(moments.instant(begins, zone), moments.instant(ends, zone))
    _put(event, value(begins, old), None if end is None and old and "DTEND" not in event else value(ends, old_end))


def placed_like(moment: Moment | None, like: Timed | None, zone: tzinfo | None) -> Moment:
    """Put a time that a caller wrote into the zone of `like`; one without an offset floats where `like` does.

    UTC is no zone that somebody chose: then it is put into `zone`.
    """
    has = like.dt.tzinfo if like and isinstance(like.dt, datetime) else None
    floats = has is None and zone_of(moment or date.min) is None
    chosen = like is not None and ("TZID" in like.params or floats)
    return moments.placed(moment or date.min, has if chosen else zone or has)


def _in_order(start: Moment, end: Moment) -> None:
    if end <= start:
        raise InvalidArgumentError(
            "end_datetime must be after start_datetime; of an all-day event it is the day after the last."
        )


def _put(event: VEvent, start: vDDDTypes, end: vDDDTypes | None) -> None:
    """Write when an event is; one that is told by its length, or has none, goes on without an end."""
    event["DTSTART"] = start
    if end is not None:
        event["DTEND"] = end
        event.pop("DURATION", None)  # RFC 5545 section 3.6.1: one of both


def value(moment: Moment, like: Timed | None) -> vDDDTypes:
    """Write a time; one in the zone of `like` under the name that this zone has there, which may be anything."""
    written = vDDDTypes(moment)
    if like and "TZID" in like.params and isinstance(moment, datetime) and moment.tzinfo == zone_of(like.dt):
        written.params["TZID"] = like.params["TZID"]
    return written


def zone_of(moment: Moment) -> tzinfo | None:
    """Return the zone of a time; None for a floating one and for a day."""
    return moment.tzinfo if isinstance(moment, datetime) else None


def day_of(moment: Moment) -> date:
    """Return the day of a time, or the day itself."""
    return moment.date() if isinstance(moment, datetime) else moment
