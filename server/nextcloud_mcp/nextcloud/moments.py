"""Dates and times: ISO 8601 on our side, the kinds of RFC 5545 section 3.3 on the calendar's.

A time is in UTC, in a named zone, or in none ("floating": ten o'clock wherever one is); an all-day event has dates.
A time that a caller writes with an offset is that instant. Without one it is meant in the zone that the call names,
else in that of the event which is changed, else in the one that the person has set in Nextcloud; if there is none
it stays floating, as in the calendar app of somebody who has not said where they are.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud.client import Nextcloud

Moment: TypeAlias = date | datetime
"""A day, or a time with or without a zone; a `datetime` is a `date` for Python, so ask `is_day`."""

A_DAY = timedelta(days=1)

FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2200, 12, 31)
"""What an argument may name: Python's calendar ends in 9999, and arithmetic needs room on both sides."""

MAX_RANGE = timedelta(days=3 * 366)
"""Between the start and the end of what is expanded at once."""


def read(text: str, argument: str) -> Moment:
    """Read a date or a time of an argument.

    Raises:
        InvalidArgumentError: it is not one, or is outside of the years 1900 to 2200; names the argument.
    """
    try:
        found = _read(text.strip())
    except ValueError:
        raise InvalidArgumentError(
            "Invalid {argument} {text}",
            (
                "pass a date or a time, such as 2026-12-24 or 2026-12-24T18:30, with an offset such as +01:00 or Z "
                "if needed"
            ),
            argument=argument,
            text=quoted(text),
        ) from None
    if not FIRST_DAY.year <= found.year <= LAST_DAY.year:
        raise InvalidArgumentError(
            "{argument} {text} is out of range",
            f"pass a year from {FIRST_DAY.year} to {LAST_DAY.year}",
            argument=argument,
            text=quoted(text),
        )
    return found


def _read(text: str) -> Moment:
    if re.fullmatch(r"\d{4}-?\d\d-?\d\d", text, re.ASCII):
        return date.fromisoformat(text)
    return datetime.fromisoformat(text).replace(microsecond=0)


def is_day(moment: Moment) -> bool:
    """Tell a whole day from a time."""
    return not isinstance(moment, datetime)


def zone(name: str) -> ZoneInfo:
    """Return the zone of the argument `time_zone`.

    Raises:
        InvalidArgumentError: there is no zone of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidArgumentError(
            "Unknown time_zone {name}",
            "use a name such as Europe/Berlin, or UTC",
            argument="time_zone",
            name=quoted(name),
        ) from None


async def zone_for(nextcloud: Nextcloud, time_zone: str = "") -> ZoneInfo | None:
    """Return the zone of the argument `time_zone`, else the one that the person has set in Nextcloud, if any."""
    if time_zone:
        return zone(time_zone)
    set_by_person = (await nextcloud.user()).timezone
    try:
        return ZoneInfo(set_by_person) if set_by_person else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # PHP knows names that Python does not
        return None


def is_same(text: str, told: str) -> bool:
    """Tell whether two texts are one date or time, in whatever spelling: `T10:00Z` is `T12:00:00+02:00`.

    A time without an offset is another than one with an offset.
    """
    try:
        one, other = _read(text.strip()), _read(told)
    except ValueError:
        return text == told
    aware = [isinstance(each, datetime) and each.tzinfo is not None for each in (one, other)]
    return is_day(one) == is_day(other) and aware[0] == aware[1] and one == other


def in_zone(moment: Moment, where: tzinfo | None) -> Moment:
    """Put a time into a zone: one without an offset is meant there, another is the same instant, told there."""
    if not isinstance(moment, datetime):
        return moment
    if moment.tzinfo is None:
        return moment.replace(tzinfo=where)
    return moment.astimezone(where or UTC)


def wall_clock(moment: Moment) -> datetime:
    """Return what the clock on the wall shows, and midnight for a day."""
    return moment.replace(tzinfo=None) if isinstance(moment, datetime) else datetime.combine(moment, time())


def skip_clock_gap(moment: Moment) -> Moment:
    """Return a time that the clock skips as the one that it is by the offset before the gap; any other as it is.

    RFC 5545 section 3.3.5 reads such times so.
    """
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return moment
    try:
        shown = moment.astimezone(UTC).astimezone(moment.tzinfo)
    except OverflowError:  # at the beginning or the end of Python's calendar
        return moment
    return moment if wall_clock(shown) == wall_clock(moment) else shown


def with_default_zone(moment: Moment | None, where: tzinfo | None) -> Moment | None:
    """Give a time without an offset the zone in which it is meant; leave all else as it is."""
    floats = isinstance(moment, datetime) and moment.tzinfo is None
    return moment.replace(tzinfo=where) if isinstance(moment, datetime) and floats else moment


def to_aware(moment: Moment, where: tzinfo | None = None) -> datetime:
    """Return a time that can be compared with any other; days and floating times are taken to be in `where`, or UTC."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=where or UTC)


def between(start: Moment, end: Moment) -> timedelta:
    """Return how long it is from one time to another, also where the clock changes.

    Python subtracts what the clock shows if both are in the same zone.
    """
    first, last = to_aware(start), to_aware(end)
    change = (last.utcoffset() or timedelta()) - (first.utcoffset() or timedelta())
    return wall_clock(last) - wall_clock(first) - change


async def in_utc(nextcloud: Nextcloud, moment: Moment) -> datetime:
    """Return when a moment is.

    Without an offset it is meant in the zone that the person has set in Nextcloud, else in UTC; a day stands for its
    first moment.
    """
    is_aware = isinstance(moment, datetime) and moment.tzinfo is not None
    where = None if is_aware else await zone_for(nextcloud)
    try:
        return to_aware(moment, where).astimezone(UTC)
    except OverflowError:
        raise InvalidArgumentError(
            "The time {moment} is out of range", "pass a year from 1 to 9999", moment=moment.isoformat()
        ) from None


def span(start: str, end: str, where: tzinfo | None, *, names: tuple[str, str]) -> tuple[datetime, datetime]:
    """Read a range of two arguments; a date as its end is that whole day. The result has a zone.

    Raises:
        InvalidArgumentError: one is no date or time, the end is not after the start, or the range is too long.
    """
    first, last = read(start, names[0]), read(end, names[1])
    begins, ends = to_aware(first, where), to_aware(last + A_DAY if is_day(last) else last, where)
    if ends == begins:
        raise InvalidArgumentError(
            f"{names[0]} and {names[1]} are the same time, {{start}}",
            f"pass a later {names[1]}",
            argument=names[1],
            start=quoted(start),
        )
    if ends < begins:
        raise InvalidArgumentError(
            f"{names[1]} {{end}} is before {names[0]} {{start}}",
            "swap them, or leave one out",
            argument=names[1],
            start=quoted(start),
            end=quoted(end),
        )
    if ends - begins > MAX_RANGE:
        raise InvalidArgumentError(
            f"The range from {names[0]} to {names[1]} is longer than three years",
            "pass a shorter one",
            argument=names[1],
        )
    return begins, ends


def same_occurrence(asked: Moment, there: Moment) -> bool:
    """Tell whether `asked`, which may lack what `there` has of time or zone, is the occurrence that starts then."""
    if not isinstance(there, datetime) or not isinstance(asked, datetime):
        return _day(asked) == _day(there)
    if there.tzinfo is None or asked.tzinfo is None:
        return asked.replace(tzinfo=None) == there.replace(tzinfo=None)
    # of times in two zones Python takes no two for equal in an hour that a change of the clock repeats or skips
    return asked.astimezone(UTC) == there.astimezone(UTC)


def _day(moment: Moment) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
