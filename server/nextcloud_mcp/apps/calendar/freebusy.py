"""Find times in which several people are free, from Nextcloud's free/busy answers (RFC 6638 section 5).

Nextcloud derives the busy times of each person from their calendars and working hours, and does not disclose the
events. A free/busy request needs the mail address of the user. Without one, this module queries each of the user's own
calendars (RFC 4791 section 7.10) and cannot check attendees.

Nextcloud's answers miss the occurrences of some series (`queries.find_missed`). This module reads these series from the
user's calendars and adds their occurrences. It cannot do so for attendees, because their calendars are not readable.
"""

import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import partial
from typing import Any, Final

from icalendar import Calendar as VCalendar
from icalendar import Component, FreeBusy, vCalAddress
from icalendar import Event as VEvent
from pydantic import BaseModel

from nextcloud_mcp.apps.calendar.caldav import calendars, queries, scheduling
from nextcloud_mcp.apps.calendar.calendar_object import EVENT, CalendarObject
from nextcloud_mcp.apps.calendar.ical.attendees import address, mail_addresses
from nextcloud_mcp.apps.calendar.ical.comma_lists import split_argument
from nextcloud_mcp.apps.calendar.ical.event import start_and_end
from nextcloud_mcp.apps.calendar.ical.parsing import UNREADABLE, parse, read_all, readable
from nextcloud_mcp.apps.calendar.ical.properties import text
from nextcloud_mcp.apps.calendar.ical.serialization import PRODID
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.errors import InvalidArgumentError, NextcloudUnavailableError, quoted
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.moments import Moment
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread

Span = tuple[datetime, datetime]
Hours = list[tuple[time, time]]

BUSINESS_HOURS: Final[Hours] = [(time(9), time(17))]
WHOLE_DAY: Final[Hours] = [(time.min, time.max)]
SATURDAY: Final = 5
MAX_RANGE: Final = timedelta(days=93)
"""The longest range of one request."""


class Slot(BaseModel):
    """A time in which everybody is free throughout; `duration_minutes` is its whole length."""

    start: str
    end: str
    duration_minutes: int


@dataclass(frozen=True)
class Availability:
    """The result of `find`.

    Attributes:
        slots: The times in which everybody is free.
        checked: The mail addresses, or the names of the calendars, whose busy times were considered.
        unknown: The mail addresses whose busy times this Nextcloud does not know.
    """

    slots: list[Slot]
    checked: list[str]
    unknown: list[str]


async def find(
    nextcloud: Nextcloud, attendees: str, within: Span, *, minutes: int, hours: Hours, weekends: bool
) -> Availability:
    """Return the times of at least `minutes` in which the user and `attendees` are all free.

    Only times in `hours` of each day count; `weekends` includes Saturdays and Sundays.

    Raises:
        InvalidArgumentError: the range is too long, `minutes` is out of range, or there are attendees and the user has
            no mail address.
    """
    if within[1] - within[0] > MAX_RANGE:
        raise InvalidArgumentError(
            "The range from date_range_start to date_range_end is longer than three months", "pass a shorter one"
        )
    if not 0 < minutes <= MAX_RANGE / timedelta(minutes=1):
        raise InvalidArgumentError(
            "Invalid duration_minutes {minutes}",
            "pass a number from 1 to {longest}",
            argument="duration_minutes",
            minutes=minutes,
            longest=MAX_RANGE // timedelta(minutes=1),
        )
    own = await scheduling.mail_address(nextcloud)
    replies = (
        await _ask(nextcloud, own, mail_addresses(attendees), within)
        if own
        else await _ask_own(nextcloud, attendees, within)
    )
    busy = await run_in_worker_thread(_busy, [reply for reply in replies.values() if reply is not None])
    busy += await _busy_in_missed_series(nextcloud, within)
    wanted = _candidate_spans(within, hours, weekends=weekends)
    free = [each for each in _subtract(wanted, busy) if each[1] - each[0] >= timedelta(minutes=minutes)]
    return Availability(
        slots=[_slot(each, within[0].tzinfo) for each in free],
        checked=[address(name) for name, reply in replies.items() if reply is not None],
        unknown=[address(name) for name, reply in replies.items() if reply is None],
    )


async def _ask(nextcloud: Nextcloud, own: str, attendees: list[str], within: Span) -> dict[str, str | None]:
    mailto = [own, *(f"mailto:{each}" for each in attendees)]
    return await scheduling.ask_outbox(nextcloud, _question(own, dict.fromkeys(mailto), within))


async def _ask_own(nextcloud: Nextcloud, attendees: str, within: Span) -> dict[str, str | None]:
    """Query each of the user's own calendars, for a user without a mail address.

    Raises:
        InvalidArgumentError: there are attendees, whom Nextcloud only checks for users with a mail address.
    """
    if split_argument(attendees):
        raise InvalidArgumentError(
            "Nextcloud does not know your mail address, by which it asks for attendees",
            "enter it in the personal settings there, or leave attendees out",
        )
    own = await calendars.list_calendars(nextcloud, takes=EVENT, writable=True, opaque=True)
    return {calendar.name: await scheduling.ask_calendar(nextcloud, calendar.name, within) for calendar in own}


async def _busy_in_missed_series(nextcloud: Nextcloud, within: Span) -> list[Span]:
    """Return the busy times of the user from series that Nextcloud's free/busy answers miss."""
    spans: list[Span] = []
    for calendar in await calendars.list_calendars(nextcloud, takes=EVENT, opaque=True):
        missed = await queries.find_missed(nextcloud, calendar.name, EVENT, until=within[1])
        found, _ = await read_all(missed, partial(_occurrences, within=within))  # Nextcloud counts no unreadable ones
        spans += [span for each in found for span in each]
    return spans


def _occurrences(stored: CalendarObject, within: Span) -> list[Span]:
    """Return the busy times of a series in UTC; dates and floating times are in the zone of `within`."""
    series = Series(stored)
    found = [each for each in series.occurrences(*within) if series.is_expanded(each) and _is_busy(each)]
    zone = within[0].tzinfo
    with readable(stored):
        spans = [start_and_end(each) for each in found]
        return [(_in_utc(start, zone), _in_utc(end, zone)) for start, end in spans]


def _in_utc(moment: Moment, zone: tzinfo | None) -> datetime:
    return moments.to_aware(moment, zone).astimezone(UTC)


def _is_busy(event: VEvent) -> bool:
    """Return whether an event counts as busy time (RFC 4791 section 7.10)."""
    return text(event, "TRANSP").upper() != "TRANSPARENT" and text(event, "STATUS").upper() != "CANCELLED"


def hours_of(preferred_times: str, *, business_hours_only: bool) -> Hours:
    """Parse ranges such as `09:00-12:00,14:00-17:00`; empty means business hours, or the whole day.

    Raises:
        InvalidArgumentError: `preferred_times` has another format.
    """
    if not preferred_times.strip():
        return BUSINESS_HOURS if business_hours_only else WHOLE_DAY
    try:
        pairs = [part.split("-") for part in split_argument(preferred_times)]
        hours = sorted((time.fromisoformat(start.strip()), time.fromisoformat(end.strip())) for start, end in pairs)
    except ValueError:
        hours = []
    if not hours or any(start >= end or start.tzinfo or end.tzinfo for start, end in hours):
        raise InvalidArgumentError(
            "Invalid preferred_times {preferred_times}",
            "use ranges such as 09:00-12:00,14:00-17:00, each within a day",
            argument="preferred_times",
            preferred_times=quoted(preferred_times),
        )
    return hours


def _question(organizer: str, attendees: Iterable[str], within: Span) -> str:
    calendar, question = VCalendar(), FreeBusy()
    for name, value in {"prodid": PRODID, "version": "2.0", "method": "REQUEST"}.items():
        calendar.add(name, value)
    question.add("uid", str(uuid.uuid4()))
    question.add("dtstamp", datetime.now(UTC))
    question.add("dtstart", within[0].astimezone(UTC))
    question.add("dtend", within[1].astimezone(UTC))
    question["ORGANIZER"] = vCalAddress(organizer)
    for attendee in attendees:
        question.add("attendee", vCalAddress(attendee))
    calendar.add_component(question)
    ical: bytes = calendar.to_ical()
    return ical.decode()


def _busy(replies: Iterable[str]) -> list[Span]:
    try:
        return [
            span
            for reply in replies
            for answer in parse(_without_reversed_periods(reply)).walk("VFREEBUSY")
            for span in _busy_periods(answer)
        ]
    except UNREADABLE:
        raise NextcloudUnavailableError("Nextcloud's free/busy answer is not readable", "try again later") from None


_PERIOD: Final = re.compile(r"(\d{8}T\d{6}Z)/(\d{8}T\d{6}Z)")


def _without_reversed_periods(reply: str) -> str:
    """Return a reply in which no period ends before it starts; such a period becomes empty.

    Nextcloud gives such a period for an event that another program starts in a skipped hour (34.0.1).
    """
    unfolded = re.sub(r"\r?\n[ \t]", "", reply)
    return _PERIOD.sub(lambda found: found[0] if found[1] <= found[2] else f"{found[1]}/{found[1]}", unfolded)


def _busy_periods(answer: Component) -> Iterator[Span]:
    entries: Any = answer.get("FREEBUSY", [])
    for entry in entries if isinstance(entries, list) else [entries]:
        if entry.params.get("FBTYPE", "BUSY") != "FREE":
            yield (entry.start, entry.end)


def _candidate_spans(within: Span, hours: Hours, *, weekends: bool) -> Iterator[Span]:
    """Yield `hours` of each day in the zone of `within`, limited to `within`.

    The results are in UTC, so that their differences are elapsed time.
    """
    zone = within[0].tzinfo
    earliest, latest = (each.astimezone(UTC) for each in within)
    day: date = within[0].date()
    while day <= within[1].astimezone(zone).date():
        if weekends or day.weekday() < SATURDAY:
            for start, end in hours:
                last = (
                    moments.to_aware(day + moments.A_DAY, zone) if end == time.max else datetime.combine(day, end, zone)
                )
                opens = max(earliest, datetime.combine(day, start, zone).astimezone(UTC))
                closes = min(latest, last.astimezone(UTC))
                if opens < closes:
                    yield opens, closes
        day += moments.A_DAY


def _subtract(wanted: Iterable[Span], busy: Iterable[Span]) -> Iterator[Span]:
    """Yield the parts of `wanted` that no busy time overlaps."""
    taken = sorted(busy)
    for start, end in wanted:
        free_from = start
        for begins, ends in taken:
            if begins >= end:
                break
            if begins > free_from:
                yield free_from, begins
            free_from = max(free_from, ends)
        if free_from < end:
            yield free_from, end


def _slot(span: Span, zone: tzinfo | None) -> Slot:
    start, end = (each.astimezone(zone) for each in span)
    return Slot(
        start=start.isoformat(), end=end.isoformat(), duration_minutes=int((span[1] - span[0]).total_seconds() // 60)
    )
