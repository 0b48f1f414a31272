"""Setting the start and the end of an event: DTSTART and DTEND (RFC 5545 sections 3.8.2.2 and 3.8.2.4).

An event keeps its zone and its TZID. Without a new end, it also keeps its length: whole days count as days of local
time, and the remainder as elapsed time.

A local time that does not exist, because the clock skips it, is read with the offset before the gap (RFC 5545 section
3.3.5), and written as the existing local time of that instant. If an end is the second occurrence of an ambiguous local
time, it is written in UTC, because the local time means the first occurrence.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from icalendar import Event as VEvent
from icalendar import vDDDTypes

from nextcloud_mcp.apps.calendar.ical.event import end_of, start_and_end
from nextcloud_mcp.apps.calendar.ical.properties import Timed, timed
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import A_DAY, Moment

USUAL_LENGTH: Final = timedelta(hours=1)
"""The length of a new event without an end; an all-day event takes one day."""


def set_times(
    event: VEvent,
    start: Moment | None,
    end: Moment | None,
    *,
    all_day: bool | None,
    zone: tzinfo | None,
    moves_zone: bool = False,
    length: timedelta | None = None,
    repeats: bool = False,
) -> None:
    """Set the start or the end of an event, or whether it is all-day; None leaves each as it is.

    Args:
        event: The event to change.
        start: The new start.
        end: The new end.
        all_day: Whether the event becomes all-day or timed.
        zone: The zone for times without a zone, unless the event has one.
        moves_zone: Whether the event moves into `zone`, even if it has another zone.
        length: The length of a new event without `end`; default `USUAL_LENGTH`.
        repeats: Whether the event is a series, or becomes one.

    Raises:
        InvalidArgumentError: the arguments contradict each other or the event.
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
        _set_hours(event, old, start, end, zone, length or USUAL_LENGTH, moves_zone=moves_zone)
        _check_series_start(event, start, repeats=repeats)


def _check_series_start(event: VEvent, start: Moment | None, *, repeats: bool) -> None:
    """Refuse a series that starts at a local time that the clock skips.

    Every occurrence would be at the local time to which the first one is shifted.
    """
    begins: Moment = event.start
    if repeats and start is not None and skipped_in(start, zone_of(begins)):
        raise InvalidArgumentError(
            "The clock in {zone} skips {start}, so no series can start then",
            "pass a start_datetime on another day",
            zone=zone_of(begins),
            start=start.isoformat(),
        )


def _set_days(event: VEvent, old: Timed | None, start: Moment | None, end: Moment | None, zone: tzinfo | None) -> None:
    were_days = old is not None and moments.is_day(old.dt)
    if were_days and any(isinstance(each, datetime) and each.time() != time() for each in (start, end)):
        raise InvalidArgumentError("The event is all day, and a time was given", "pass all_day=false with it")
    first = day_of(start if start is not None else _utc_in_user_zone(event.start, old, zone))
    after = day_of(end) if end is not None else first + (event.end - event.start if were_days else A_DAY)
    if after == first:  # the caller passed the last day as the end
        after += A_DAY
    if end is not None:
        _in_order(first, after)
    _put(event, vDDDTypes(first), None if end is None and were_days and "DTEND" not in event else vDDDTypes(after))


def _utc_in_user_zone(moment: Moment, like: Timed | None, zone: tzinfo | None) -> Moment:
    """Convert a time in UTC to the user's zone, where it may be another day; UTC does not count as a chosen zone."""
    in_utc = zone_of(moment) is not None and like is not None and "TZID" not in like.params
    return moments.in_zone(moment, zone) if in_utc and zone else moment


def _set_hours(
    event: VEvent,
    old: Timed | None,
    start: Moment | None,
    end: Moment | None,
    zone: tzinfo | None,
    length: timedelta,
    *,
    moves_zone: bool,
) -> None:
    if any(each is not None and moments.is_day(each) for each in (start, end)):
        raise InvalidArgumentError(
            "A timed event needs start_datetime and end_datetime with a time",
            "add one, such as T10:00, or pass all_day=true",
            argument="start_datetime",
        )
    if old is not None and moments.is_day(old.dt):
        old = None
    if start is None and old is None:
        raise InvalidArgumentError(
            "An all-day event needs a start_datetime with a time to become a timed one",
            "pass it",
            argument="start_datetime",
        )
    old_end = (timed(event, "DTEND") or old) if old else None
    like, end_like = (None, None) if moves_zone else (old, old_end)
    begins = moments.skip_clock_gap(in_zone_like(start, like, zone)) if start is not None or old is None else old.dt
    if end is not None and old is not None and _stays_without_length(event, begins, end, zone):
        end = None
    if end is not None:
        ends = _given_end(moments.skip_clock_gap(in_zone_like(end, end_like, zone)), end, start, begins, zone)
    elif old is None:
        ends = moments.later(begins, length)
    else:
        ends = _kept_end(begins, old.dt, end_of(event))
    ends = _without_fold(ends)
    _put(event, value(begins, old), None if end is None and old and "DTEND" not in event else value(ends, old_end))


def _stays_without_length(event: VEvent, begins: Moment, end: Moment, zone: tzinfo | None) -> bool:
    """Return whether an event without a length, which tools show as ending when it starts, is given that end again."""
    old_start, old_end = start_and_end(event)
    there = moments.skip_clock_gap(in_zone_like(end, timed(event, "DTSTART"), zone))
    return old_start == old_end and moments.to_aware(there, zone) == moments.to_aware(begins, zone)


def _given_end(ends: Moment, end: Moment, start: Moment | None, begins: Moment, zone: tzinfo | None) -> Moment:
    """Return the end that the caller passed.

    If the clock skips the start, the start is shifted and may reach the end. Then the end is shifted too, so that the
    event has the length that the caller passed.

    Raises:
        InvalidArgumentError: the end is not after the start.
    """
    first, last = (moments.to_aware(each, zone).astimezone(UTC) for each in (begins, ends))
    if last <= first and start is not None and zone_of(start) == zone_of(end) and skipped_in(start, zone_of(begins)):
        length = moments.wall_clock(end) - moments.wall_clock(start)
        ends, last = moments.later(begins, length), first + length
    _in_order(first, last)
    return ends


def _kept_end(begins: Moment, old: Moment, end: Moment) -> Moment:
    """Return the end of an event that lasted from `old` to `end`, and now starts at `begins`."""
    if zone_of(old) and zone_of(end) and moments.between(old, end) < timedelta():  # negative, but not in local time
        return moments.later(begins, max(moments.wall_clock(end) - moments.wall_clock(old), timedelta()))
    if (zone_of(begins) is None) != (zone_of(old) is None):
        return moments.later(begins, moments.between(old, end))
    if zone_of(end) is None or zone_of(old) is None:
        return end + (moments.wall_clock(begins) - moments.wall_clock(old))
    ends = _as_long(begins, old, end)
    return ends if zone_of(end) == zone_of(old) else moments.in_zone(ends, zone_of(end))


def _as_long(begins: Moment, old: Moment, end: Moment) -> Moment:
    """Return `begins` plus the length from `old` to `end`: whole days in local time, and the rest as elapsed time."""
    days = timedelta((moments.wall_clock(moments.in_zone(end, zone_of(old))) - moments.wall_clock(old)).days)
    return moments.later(moments.skip_clock_gap(begins + days), moments.between(old + days, end))


def skipped_in(moment: Moment, where: tzinfo | None) -> bool:
    """Return whether the clock skips a time: the clock of its own zone, or of `where` if the time has none."""
    there = moments.with_default_zone(moment, where) or moment
    return moments.wall_clock(moments.skip_clock_gap(there)) != moments.wall_clock(there)


def _without_fold(moment: Moment) -> Moment:
    """Return the second occurrence of an ambiguous local time in UTC, because TZID would mean the first."""
    if not isinstance(moment, datetime) or moment.tzinfo is None or not moment.fold:
        return moment
    return moment if moment.utcoffset() == moment.replace(fold=0).utcoffset() else moment.astimezone(UTC)


def in_zone_like(moment: Moment | None, like: Timed | None, zone: tzinfo | None) -> Moment:
    """Put a time that the caller passed into the zone of `like`.

    A time without an offset becomes floating if `like` is. If `like` is in UTC, `zone` is used instead, because UTC
    does not count as a chosen zone.
    """
    has = like.dt.tzinfo if like and isinstance(like.dt, datetime) else None
    floats = has is None and zone_of(moment or date.min) is None
    chosen = like is not None and ("TZID" in like.params or floats)
    return moments.in_zone(moment or date.min, has if chosen else zone or has)


def _in_order(start: Moment, end: Moment) -> None:
    if end <= start:
        raise InvalidArgumentError(
            "end_datetime is not after start_datetime",
            "pass a later end_datetime; of an all-day event it is the day after the last",
            argument="end_datetime",
        )


def _put(event: VEvent, start: vDDDTypes, end: vDDDTypes | None) -> None:
    """Set DTSTART and DTEND; without `end`, an event keeps its DURATION, or stays without an end."""
    event["DTSTART"] = start
    if end is not None:
        event["DTEND"] = end
        event.pop("DURATION", None)  # RFC 5545 section 3.6.1: DTEND and DURATION exclude each other


def value(moment: Moment, like: Timed | None) -> vDDDTypes:
    """Return a time as a property value; in the zone of `like`, it gets the TZID of `like`, which may be any text."""
    written = vDDDTypes(moment)
    if like and "TZID" in like.params and isinstance(moment, datetime) and moment.tzinfo == zone_of(like.dt):
        written.params["TZID"] = like.params["TZID"]
    return written


def zone_of(moment: Moment) -> tzinfo | None:
    """Return the zone of a time; None for a floating time and for a date."""
    return moment.tzinfo if isinstance(moment, datetime) else None


def day_of(moment: Moment) -> date:
    """Return the date of a time; a date as it is."""
    return moment.date() if isinstance(moment, datetime) else moment
