"""Convert dates and times between ISO 8601 (arguments) and the value types of RFC 5545 section 3.3 (calendars).

A time is in UTC, in a named zone, or floating (without a zone); an all-day event has dates. A caller's time with an
offset is an instant. A time without an offset is in the zone that the call names, else in the zone of the event that
is changed, else in the zone that the user has set in Nextcloud. If none of these exists, the time stays floating.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud.client import Nextcloud

Moment: TypeAlias = date | datetime
"""A day, or a time with or without a zone; a `datetime` is a `date` for Python, so use `is_day`."""

A_DAY = timedelta(days=1)

FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2200, 12, 31)
"""Range of the dates in arguments: Python's dates end in 9999, and arithmetic needs room on both sides."""

MAX_RANGE = timedelta(days=3 * 366)
"""Longest range in which recurring events are expanded."""


def read(text: str, argument: str) -> Moment:
    """Parse a date or a time from an argument.

    Raises:
        InvalidArgumentError: the text is not a date or a time, or its year is not from 1900 to 2200.
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
    if "W" in text.upper():  # a week date, which Python would read as a time at midnight
        raise ValueError("a week date")
    return datetime.fromisoformat(text).replace(microsecond=0)


def is_day(moment: Moment) -> bool:
    """Return whether a moment is a whole day, not a time."""
    return not isinstance(moment, datetime)


def zone(name: str) -> ZoneInfo:
    """Return the zone of the argument `time_zone`.

    Raises:
        InvalidArgumentError: the zone does not exist.
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
    """Return whether two texts are the same date or time: `T10:00Z` is `T12:00:00+02:00`.

    A time without an offset never equals a time with an offset.
    """
    try:
        one, other = _read(text.strip()), _read(told)
    except ValueError:
        return text == told
    aware = [isinstance(each, datetime) and each.tzinfo is not None for each in (one, other)]
    return is_day(one) == is_day(other) and aware[0] == aware[1] and one == other


def in_zone(moment: Moment, where: tzinfo | None) -> Moment:
    """Return a time in a zone: attach the zone to a time without an offset, convert any other time to the zone."""
    if not isinstance(moment, datetime):
        return moment
    if moment.tzinfo is None:
        return moment.replace(tzinfo=where)
    return moment.astimezone(where or UTC)


def wall_clock(moment: Moment) -> datetime:
    """Return the local time without its zone; midnight for a day."""
    return moment.replace(tzinfo=None) if isinstance(moment, datetime) else datetime.combine(moment, time())


def skip_clock_gap(moment: Moment) -> Moment:
    """Return a time in the gap of a clock change as the instant by the offset before the gap; keep any other time.

    RFC 5545 section 3.3.5 defines this.
    """
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return moment
    try:
        shown = moment.astimezone(UTC).astimezone(moment.tzinfo)
    except OverflowError:  # at the first or the last dates that Python supports
        return moment
    return moment if wall_clock(shown) == wall_clock(moment) else shown


def with_default_zone(moment: Moment | None, where: tzinfo | None) -> Moment | None:
    """Attach the zone to a time without an offset; return any other value unchanged."""
    floats = isinstance(moment, datetime) and moment.tzinfo is None
    return moment.replace(tzinfo=where) if isinstance(moment, datetime) and floats else moment


def to_aware(moment: Moment, where: tzinfo | None = None) -> datetime:
    """Return a time with a zone; days and floating times are in `where`, or in UTC if `where` is None."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=where or UTC)


def between(start: Moment, end: Moment) -> timedelta:
    """Return the elapsed time between two moments, including clock changes.

    Python subtracts local times if both are in the same zone.
    """
    first, last = to_aware(start), to_aware(end)
    change = (last.utcoffset() or timedelta()) - (first.utcoffset() or timedelta())
    return wall_clock(last) - wall_clock(first) - change


def later(moment: Moment, length: timedelta) -> Moment:
    """Return `moment` plus the elapsed time `length`, also across clock changes."""
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return moment + length
    return (moment.astimezone(UTC) + length).astimezone(moment.tzinfo)


async def in_utc(nextcloud: Nextcloud, moment: Moment) -> datetime:
    """Return a moment in UTC.

    A time without an offset is in the zone that the user has set in Nextcloud, else in UTC. A day becomes midnight.
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
    """Parse a range from two arguments; an end date includes that whole day. The results have a zone.

    Raises:
        InvalidArgumentError: an argument is no date or time, the end is not after the start, or the range is too long.
    """
    first, last = read(start, names[0]), read(end, names[1])
    begins, ends = to_aware(first, where), to_aware(last + A_DAY if is_day(last) else last, where)
    if ends == begins and not is_day(last):
        raise InvalidArgumentError(
            f"{names[0]} and {names[1]} are the same time, {{start}}",
            f"pass a later {names[1]}",
            argument=names[1],
            start=quoted(start),
        )
    if ends <= begins:
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
    """Return whether `asked` is the occurrence that starts at `there`; `asked` may lack the time or the zone."""
    if not isinstance(there, datetime) or not isinstance(asked, datetime):
        return _day(asked) == _day(there)
    if there.tzinfo is None or asked.tzinfo is None:
        return asked.replace(tzinfo=None) == there.replace(tzinfo=None)
    # Python never treats times in two zones as equal during an hour that a clock change repeats or skips
    return asked.astimezone(UTC) == there.astimezone(UTC)


def _day(moment: Moment) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
