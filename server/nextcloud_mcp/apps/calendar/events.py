"""Finding, reading, creating, changing and deleting events in the user's calendars.

A change reads the event, merges the new values and writes the result with If-Match and the ETag that it read. Fields
that the caller does not pass keep their values. If somebody else changes the event meanwhile, the caller gets a
ConflictError and has to read the event again.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import partial
from typing import Final

from icalendar import Event as VEvent

from nextcloud_mcp.apps.calendar.caldav import objects, queries, scheduling
from nextcloud_mcp.apps.calendar.caldav.objects import Written
from nextcloud_mcp.apps.calendar.calendar_object import EVENT, CalendarObject
from nextcloud_mcp.apps.calendar.ical.comma_lists import split_argument
from nextcloud_mcp.apps.calendar.ical.event import Event, EventSummary, end_of, name_of_zone
from nextcloud_mcp.apps.calendar.ical.event_changes import Author, Change, changed, differing, new
from nextcloud_mcp.apps.calendar.ical.occurrences import months_of, number_of_occurrences
from nextcloud_mcp.apps.calendar.ical.parsing import read_all, readable
from nextcloud_mcp.apps.calendar.ical.properties import categories, format_rules, stamp, text
from nextcloud_mcp.apps.calendar.ical.removals import delete_occurrence
from nextcloud_mcp.apps.calendar.ical.serialization import serialize
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.apps.calendar.ical.series_moves import describe_moved_rule
from nextcloud_mcp.apps.calendar.ical.times import skipped_in, zone_of
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import folded
from nextcloud_mcp.nextcloud.worker_threads import run_in_worker_thread

Range = tuple[datetime, datetime]


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Conditions that events must meet; None and "" accept any event. Texts are compared without case."""

    min_attendees: int | None = None
    min_duration_minutes: int | None = None
    categories: str | None = None
    status: str | None = None
    title_contains: str | None = None
    location_contains: str | None = None

    def accepts(self, event: VEvent) -> bool:
        """Return whether an event meets all conditions."""
        own = {folded(category) for category in categories(event)}
        minutes = moments.between(event.start, end_of(event)).total_seconds() / 60
        return (
            len(event.attendees) >= (self.min_attendees or 0)
            and (not self.min_duration_minutes or minutes >= self.min_duration_minutes)
            and (not self.categories or bool(own & {folded(each) for each in split_argument(self.categories)}))
            and (not self.status or (text(event, "STATUS") or "CONFIRMED") == self.status.upper())
            and folded(self.title_contains or "") in folded(text(event, "SUMMARY"))
            and folded(self.location_contains or "") in folded(text(event, "LOCATION"))
        )


@dataclass(frozen=True)
class Found:
    """The events that match, sorted by start, and the hrefs of objects that are not readable."""

    events: list[EventSummary]
    unreadable: list[str]


@dataclass(frozen=True)
class Match:
    """A calendar object, and its events or occurrences that match."""

    stored: CalendarObject
    events: list[EventSummary]


async def search(nextcloud: Nextcloud, calendars: Iterable[str], within: Range | None, wanted: Filter) -> Found:
    """Find events: with `within`, each occurrence in that range; without it, each event and each series once."""
    matches, unreadable = await matching(nextcloud, calendars, within, wanted)
    found = [event for match in matches for event in match.events]
    return Found(sorted(found, key=lambda event: (_begin(event, within), event.uid)), unreadable)


def _begin(event: EventSummary, within: Range | None) -> datetime:
    kind = date if event.all_day else datetime
    return moments.to_aware(kind.fromisoformat(event.start_datetime), within[0].tzinfo if within else None)


async def matching(
    nextcloud: Nextcloud, calendars: Iterable[str], within: Range | None, wanted: Filter
) -> tuple[list[Match], list[str]]:
    """Return the matches by object, and the hrefs of objects that are not readable."""
    matches: list[Match] = []
    unreadable: list[str] = []
    around = (within[0] - moments.A_DAY, within[1] + moments.A_DAY) if within else None
    for calendar in calendars:
        stored = await queries.find_all(nextcloud, calendar, EVENT, between=around)
        read, broken = await read_all(stored, partial(_match, within=within, wanted=wanted))
        matches += [match for match in read if match.events]
        unreadable += broken
    return matches, unreadable


def _match(stored: CalendarObject, within: Range | None, wanted: Filter) -> Match:
    series = Series(stored)
    with readable(stored):
        events = series.occurrences(*within) if within else [series.main]
        return Match(stored, [_summary(series, event, within) for event in events if wanted.accepts(event)])


def _summary(series: Series, event: VEvent, within: Range | None) -> EventSummary:
    expanded = within is None or series.is_expanded(event)
    return series.summary(event).model_copy(update={"expanded": expanded})


async def get(nextcloud: Nextcloud, calendar: str, uid: str, *, recurrence_id: str = "") -> Event:
    """Return an event, or one occurrence of a series.

    Raises:
        NotFoundError: the event or the occurrence does not exist.
    """
    return await run_in_worker_thread(_event, await queries.find(nextcloud, calendar, EVENT, uid), recurrence_id)


def _event(stored: CalendarObject, recurrence_id: str) -> Event:
    series = Series(stored)
    return series.event(series.occurrence(recurrence_id) if recurrence_id else series.main)


@dataclass(frozen=True)
class Created:
    """A new event; `remark` tells the caller about results that they may not expect."""

    uid: str
    written: Written
    remark: str | None


async def create(nextcloud: Nextcloud, calendar: str, change: Change, *, time_zone: str = "") -> Created:
    """Create an event. Nextcloud invites the attendees.

    Raises:
        InvalidArgumentError: a field has an impossible value, or the calendar takes no events.
    """
    uid = str(uuid.uuid4())
    person = await resolve_author(nextcloud, change, time_zone)
    ical = await run_in_worker_thread(new, uid, change, person)
    stored = await objects.create(nextcloud, calendar, EVENT, uid, ical)
    return Created(uid, stored, _remark(change, person))


_NO_TIME_ZONE: Final = (
    "The event has no time zone, because none is set in Nextcloud: pass time_zone or an offset to set one."
)


def _remark(change: Change, person: Author) -> str | None:
    remarks = []
    start = moments.read(change.start_datetime or "", "start_datetime")
    is_floating = isinstance(start, datetime) and start.tzinfo is None and not change.all_day
    if is_floating and person.zone is None:
        remarks.append(_NO_TIME_ZONE)
    if skipped := _remark_on_skipped(change, person.zone):
        remarks.append(skipped)
    if change.attendees and person.mailto is None:
        remarks.append("Nobody is invited, because Nextcloud does not know your mail address: enter it there.")
    return " ".join(remarks) or None


def _remark_on_dropped(count: int) -> str | None:
    """Return the remark about overrides that were removed because they are after the new end of the series."""
    if count <= 0:
        return None
    were = "1 occurrence that was changed is" if count == 1 else f"{count} occurrences that were changed are"
    return f"{were} gone, for the series ends before."


def _remark_on_number(event: VEvent, before: int | None) -> str | None:
    """Return the remark about a series that has more or fewer occurrences now, such as one that only starts later."""
    now = number_of_occurrences(event)
    if before == now or None in {before, now}:
        return None
    return f"The series has {now} occurrences now instead of {before}: recurrence_rule can give it another end."


def _remark_on_months(event: VEvent, before: list[int]) -> str | None:
    """Return the remark about a series that happens in other months now, because not all months have its former day."""
    now = months_of(event)
    if all(one == other for one, other in zip(before, now, strict=False)):
        return None
    return "The series happens in other months now, because not every month has its former or its new day."


def _remark_on_skipped(change: Change, where: tzinfo | None) -> str | None:
    """Return the remark about a start that the clock skips in the zone of the event."""
    start = moments.read(change.start_datetime or "", "start_datetime") if change.start_datetime else None
    if change.all_day or start is None or not skipped_in(start, where):
        return None
    there = moments.skip_clock_gap(moments.in_zone(start, where))
    return (
        f"The clock in {where} skips {start.isoformat()}, so the event starts at {there.isoformat()}, and lasts as "
        "long as it would have."
    )


@dataclass(frozen=True)
class Changed:
    """A change; `remark` tells the caller about effects that they did not ask for."""

    written: Written
    remark: str | None = None


async def update(
    nextcloud: Nextcloud,
    calendar: str,
    uid: str,
    change: Change,
    *,
    etag: str = "",
    recurrence_id: str = "",
    time_zone: str = "",
) -> Changed:
    """Change the fields that differ from the present values, of the event or whole series, or of one occurrence.

    Raises:
        ConflictError: the ETag of the event is no longer `etag`.
        NotFoundError: the event or the occurrence does not exist.
        InvalidArgumentError: a field has an impossible value.
    """
    stored = await queries.find(nextcloud, calendar, EVENT, uid, etag=etag)
    different, own_zone = await run_in_worker_thread(_differing, stored, change, recurrence_id)
    person = await resolve_author(nextcloud, different, "" if time_zone == own_zone != "UTC" else time_zone)
    done = await change_stored(nextcloud, stored, different, person, [recurrence_id])
    if person.named and own_zone and own_zone != time_zone and different.start_datetime is None:
        stays = (
            f"The event stays in the time zone {own_zone}: pass time_zone together with a new start_datetime to move "
            "the event into it."
        )
        return Changed(done.written, " ".join(filter(None, [done.remark, stays])))
    return done


def _differing(stored: CalendarObject, change: Change, recurrence_id: str) -> tuple[Change, str | None]:
    """Return the fields of a change that differ from the event, and the event's zone: its TZID, "UTC" or None."""
    series = Series(stored)
    event = series.occurrence(recurrence_id) if recurrence_id else series.main
    return differing(series, change, recurrence_id), name_of_zone(event) or ("UTC" if zone_of(event.start) else None)


async def change_stored(
    nextcloud: Nextcloud, stored: CalendarObject, change: Change, person: Author, recurrence_ids: list[str]
) -> Changed:
    """Change these occurrences of an object; the recurrence id "" means the whole object."""
    text, remark = await run_in_worker_thread(_changed, stored, change, person, recurrence_ids)
    return Changed(await objects.replace(nextcloud, stored, text), remark)


def _changed(
    stored: CalendarObject, change: Change, person: Author, recurrence_ids: list[str]
) -> tuple[str, str | None]:
    series = Series(stored)
    before = format_rules(series.main.rrules)
    moves = change.start_datetime is not None or change.all_day is not None
    number, months = (number_of_occurrences(series.main), months_of(series.main)) if moves else (None, [])
    exceptions, was_day = len(series.changed_occurrences), moments.is_day(series.main.start)
    text = [changed(series, change, person, recurrence_id=recurrence_id) for recurrence_id in recurrence_ids][-1]
    rule = format_rules(series.main.rrules)
    is_kept = moves and change.recurrence_rule in {None, before}
    followed = rule and rule != before and change.recurrence_rule in {None, before}
    event = series.occurrence(recurrence_ids[-1]) if recurrence_ids[-1] else series.main
    remarks = [
        f"The event happens once now, at {event.start.isoformat()}." if before and not rule else None,
        describe_moved_rule(series.main, "series", has_overrides=exceptions > 0) if followed else None,
        _remark_on_number(series.main, number) if rule and is_kept else None,
        _remark_on_months(series.main, months) if rule and is_kept else None,
        _remark_on_dropped(exceptions - len(series.changed_occurrences)) if rule else None,
        _remark_on_skipped(change, zone_of(event.start)),
        _NO_TIME_ZONE if was_day and not moments.is_day(event.start) and zone_of(event.start) is None else None,
    ]
    return text, " ".join(filter(None, remarks)) or None


@dataclass(frozen=True)
class Deleted:
    """A deletion: the HTTP status, and whether the whole object was deleted.

    Deleting the last occurrence of a series deletes the whole object.
    """

    status_code: int
    is_whole: bool


async def delete(nextcloud: Nextcloud, calendar: str, uid: str, *, etag: str = "", recurrence_id: str = "") -> Deleted:
    """Delete an event with all its occurrences, or one occurrence.

    Raises:
        ConflictError: the ETag of the event is no longer `etag`.
        NotFoundError: the event or the occurrence does not exist.
    """
    return await remove(nextcloud, await queries.find(nextcloud, calendar, EVENT, uid, etag=etag), [recurrence_id])


async def remove(nextcloud: Nextcloud, stored: CalendarObject, recurrence_ids: list[str]) -> Deleted:
    """Delete these occurrences of an object; the recurrence id "" means the whole object."""
    left = await run_in_worker_thread(_without, stored, recurrence_ids) if all(recurrence_ids) else None
    if left is None:
        return Deleted(await objects.delete(nextcloud, stored), is_whole=True)
    return Deleted((await objects.replace(nextcloud, stored, left)).status_code, is_whole=False)


def _without(stored: CalendarObject, recurrence_ids: list[str]) -> str | None:
    """Return the iCalendar without these occurrences; None if no occurrence is left."""
    series = Series(stored)
    with readable(stored):
        if not all(delete_occurrence(series, recurrence_id) for recurrence_id in recurrence_ids):
            return None
        stamp(series.main)
        return serialize(series.calendar, missing_tzids=series.missing_tzids, original=stored.text)


async def resolve_author(nextcloud: Nextcloud, change: Change, time_zone: str) -> Author:
    """Return the author of a change; ask Nextcloud only for the settings that the change needs."""
    told = {"start_datetime": change.start_datetime, "end_datetime": change.end_datetime}
    times = [moments.read(value, argument) for argument, value in told.items() if value is not None]
    needs_zone = time_zone or change.all_day or any(not moments.is_day(each) for each in times)
    needs_address = bool(change.attendees) or change.reminder_email
    return Author(
        await moments.zone_for(nextcloud, time_zone) if needs_zone else None,
        await scheduling.mail_address(nextcloud) if needs_address else None,
        named=bool(time_zone),
    )
