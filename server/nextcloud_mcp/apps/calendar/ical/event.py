"""Reading events: the fields of a VEVENT (RFC 5545 section 3.6.1), and its occurrences in a range.

One calendar object holds a whole series: the main event with its rule, and an override (a VEVENT with a RECURRENCE-ID)
for each changed occurrence. Objects come from many programs; a broken one is an error of that object alone.
"""

from collections.abc import Callable, Iterable, MutableMapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, Protocol, cast

from icalendar import Alarm, Component, vDDDTypes, vRecur
from icalendar import Event as VEvent
from pydantic import BaseModel
from recurring_ical_events import CalendarQuery  # type: ignore[import-untyped]

from nextcloud_mcp.apps.calendar.calendar_object import CalendarObject
from nextcloud_mcp.apps.calendar.ical.often import expandable, is_expandable_rule
from nextcloud_mcp.apps.calendar.ical.parsed import parsed, readable
from nextcloud_mcp.errors import InvalidArgumentError, NotFoundError, quoted
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import Moment

_DIGITS: Final = 10


class EventSummary(BaseModel):
    """An event, or one occurrence of a series, which `recurrence_id` tells from the others.

    Times are ISO 8601; one without an offset is meant wherever one is. The end of an all-day event is the day after.
    `expanded` is false for a series that happens too often to list its occurrences: it is there once, as it starts,
    and may have none in the time that was asked for.
    """

    uid: str
    title: str
    start_datetime: str
    end_datetime: str
    all_day: bool
    location: str
    status: str
    categories: str
    recurring: bool
    recurrence_id: str | None
    calendar_name: str
    etag: str
    expanded: bool = True


class Event(EventSummary):
    """An event with all that a tool can change; `participation` says what each attendee has answered."""

    time_zone: str | None
    description: str
    priority: int
    privacy: str
    url: str
    color: str
    organizer: str
    attendees: str
    participation: dict[str, str]
    recurrence_rule: str
    reminder_minutes: int | None
    reminder_email: bool
    href: str


class Series:
    """An event or a series: the content of one calendar object.

    Attributes:
        stored: The object as stored in the calendar.
        calendar: The parsed iCalendar, which callers may change and serialize.
        main: The main event; an override if the object has no main event, as in an invitation to single occurrences.
        missing_tzids: The TZIDs for which the stored object has no VTIMEZONE. Writing the object adds none for them.
    """

    def __init__(self, stored: CalendarObject) -> None:
        """Parse an object.

        Raises:
            NextcloudError: the object is not readable iCalendar with an event.
        """
        self.stored = stored
        with readable(stored):
            self.calendar = parsed(stored.text)
            self.main: VEvent = min(self.calendar.events, key=lambda event: "RECURRENCE-ID" in event)
            for event in self.calendar.events:  # so that broken values raise here
                _ = self.summary(event), [is_expandable_rule(rule) for rule in event.rrules]
            self.missing_tzids = self.calendar.get_missing_tzids()

    @property
    def recurring(self) -> bool:
        """Whether the event is a series, or an occurrence of one."""
        return any(name in self.main for name in ("RRULE", "RDATE", "RECURRENCE-ID"))

    @property
    def changed_occurrences(self) -> list[VEvent]:
        """The overrides of the series."""
        return [event for event in self.calendar.events if "RECURRENCE-ID" in event]

    def drop(self, unwanted: Callable[[Component], bool]) -> None:
        """Remove the components for which `unwanted` is true."""
        self.calendar.subcomponents[:] = [each for each in self.calendar.subcomponents if not unwanted(each)]

    def occurrences(self, begins: datetime, ends: datetime) -> list[VEvent]:
        """Return the occurrences between two times, each with its own values.

        For a series that would take too much time or memory to expand, this returns the main event alone.

        Raises:
            NextcloudError: the rule is not valid.
        """
        with readable(self.stored):
            if not (self.recurring or self.changed_occurrences):
                return [self.main] if _overlaps(self.main, begins, ends) else []
            if not expandable(self.calendar.events, begins, ends):
                return [self.main] if self._may_happen(begins, ends) else []
            # not recurring_ical_events.of(), which converts times in UTC to the zone of X-WR-TIMEZONE
            found = CalendarQuery(self.calendar, components=["VEVENT"]).between(begins, ends)
            return [self._corrected(each) for each in found if isinstance(each, VEvent)]

    def _may_happen(self, begins: datetime, ends: datetime) -> bool:
        """Return whether a series that is not expanded can have an occurrence between two times."""
        if self.changed_occurrences or "RDATE" in self.main:
            return True
        reach = moments.to_aware(end_of(self.main)) - moments.to_aware(self.main.start) + moments.A_DAY
        untils = [rule["UNTIL"][0] if "UNTIL" in rule else None for rule in self.main.rrules]
        ended = all(each is not None and moments.to_aware(each) < begins - reach for each in untils)
        return moments.to_aware(self.main.start) < ends + moments.A_DAY and not ended

    def is_expanded(self, event: VEvent) -> bool:
        """Return whether an event from `occurrences` is one occurrence, not a series that was not expanded."""
        return not self.recurring or event is not self.main or "RECURRENCE-ID" in event

    def _corrected(self, occurrence: VEvent) -> VEvent:
        """Correct what the library changes in an occurrence.

        It replaces DURATION by a DTEND that is wrong if the clock changes between start and end. It gives all
        occurrences that follow an override with RANGE (RFC 5545 section 3.2.13) the RECURRENCE-ID of the override.
        """
        identity = timed(occurrence, "RECURRENCE-ID")
        if identity is None:
            return occurrence
        same = (each for each in self.changed_occurrences if at(each, "RECURRENCE-ID").dt == identity.dt)
        source = next(same, self.main)
        if "DURATION" in source:
            occurrence.pop("DTEND", None)
            occurrence["DURATION"] = source["DURATION"]
        further = moments.wall_clock(occurrence.start) - moments.wall_clock(source.start)
        if "RANGE" in identity.params and further:
            occurrence["RECURRENCE-ID"] = vDDDTypes(identity.dt + further)
            if "TZID" in identity.params:
                occurrence["RECURRENCE-ID"].params["TZID"] = identity.params["TZID"]
        return occurrence

    def occurrence(self, recurrence_id: str) -> VEvent:
        """Return one occurrence: its override, or as the rule gives it.

        Raises:
            InvalidArgumentError: `recurrence_id` is not a date or time, or is a day with several occurrences, or the
                event is not a series.
            NotFoundError: the series has no such occurrence.
        """
        asked = moments.read(recurrence_id, "recurrence_id")
        if not self.recurring:
            raise InvalidArgumentError("recurrence_id is for series, and this event happens once", "leave it out")
        around = moments.to_aware(moments.in_zone(asked, _zone(self.main)))
        moved = max(map(_moved, self.changed_occurrences), default=timedelta())
        near = timedelta(days=2) + min(moved, moments.MAX_RANGE)
        expanded = self.occurrences(around - near, around + near)
        found: dict[datetime, VEvent] = {}
        for each in (*self.changed_occurrences, *expanded):
            identity = timed(each, "RECURRENCE-ID")
            if identity and moments.same_occurrence(asked, identity.dt):
                found.setdefault(moments.to_aware(identity.dt).astimezone(UTC), each)
        if moments.is_day(asked) and len(found) > 1:
            raise InvalidArgumentError(
                "The series has {count} occurrences on {recurrence_id}",
                "pass the time too, as nc_calendar_list_events shows it in recurrence_id",
                argument="recurrence_id",
                count=len(found),
                recurrence_id=asked.isoformat(),
            )
        if found:
            return next(iter(found.values()))
        raise NotFoundError(
            "The series has no occurrence at {recurrence_id}",
            "nc_calendar_list_events shows which there are",
            recurrence_id=quoted(recurrence_id),
        )

    def separately_changeable_occurrence(self, recurrence_id: str) -> VEvent:
        """Return one occurrence that the caller can change without changing others.

        Raises:
            InvalidArgumentError: as for `occurrence`, or an override has RANGE (RFC 5545 section 3.2.13) and therefore
                also applies to the occurrences that follow.
            NotFoundError: as for `occurrence`.
        """
        if any("RANGE" in at(event, "RECURRENCE-ID").params for event in self.changed_occurrences):
            raise InvalidArgumentError(
                "Some occurrences of this series were changed together with all that follow",
                "change it in the program that did, or leave recurrence_id out to change the whole series",
            )
        return self.occurrence(recurrence_id)

    def summary(self, event: VEvent) -> EventSummary:
        """Return the fields of an event or an occurrence that lists show."""
        start, end = start_and_end(event)
        identity = timed(event, "RECURRENCE-ID") if self.recurring else None
        return EventSummary(
            uid=text(event, "UID"),
            title=text(event, "SUMMARY"),
            start_datetime=start.isoformat(),
            end_datetime=end.isoformat(),
            all_day=moments.is_day(start),
            location=text(event, "LOCATION"),
            status=text(event, "STATUS") or "CONFIRMED",
            categories=", ".join(categories(event)),
            recurring=self.recurring,
            recurrence_id=identity.dt.isoformat() if identity else None,
            calendar_name=self.stored.calendar,
            etag=self.stored.etag,
        )

    def event(self, event: VEvent) -> Event:
        """Return all fields of an event or an occurrence.

        Raises:
            NextcloudError: a field that lists do not show is not readable.
        """
        with readable(self.stored):
            return self._event(event)

    def _event(self, event: VEvent) -> Event:
        return Event(
            **self.summary(event).model_dump(),
            time_zone=name_of_zone(event),
            description=text(event, "DESCRIPTION"),
            priority=number(text(event, "PRIORITY")),
            privacy=text(event, "CLASS") or "PUBLIC",
            url=text(event, "URL"),
            color=text(event, "COLOR"),
            organizer=address(text(event, "ORGANIZER")),
            attendees=", ".join(address(each) for each in event.attendees),
            participation={address(each): each.params.get("PARTSTAT", "NEEDS-ACTION") for each in event.attendees},
            recurrence_rule=format_rules(self.main.rrules),
            reminder_minutes=next((minutes for alarm in alarms(event) if (minutes := before(alarm)) is not None), None),
            reminder_email=any(text(alarm, "ACTION") == "EMAIL" for alarm in alarms(event)),
            href=self.stored.href,
        )


def start_and_end(event: VEvent) -> tuple[Moment, Moment]:
    """Return the start and the end of an event, shifted to local times that exist; the end is not before the start.

    A program may write a start that the clock skips. The shift of such a start can move it after the end.
    """
    start, end = moments.skip_clock_gap(event.start), moments.skip_clock_gap(end_of(event))
    is_floating = [not isinstance(each, datetime) or each.tzinfo is None for each in (start, end)]
    is_before = is_floating[0] == is_floating[1] and moments.to_aware(end) < moments.to_aware(start)
    return start, start if is_before else end


def end_of(event: VEvent) -> Moment:
    """Return the end of an event. In a DURATION, days are days of local time, and hours are elapsed time.

    RFC 5545 section 3.3.6 defines this; `VEvent.end` counts the hours on the local clock.
    """
    start: Moment = event.start
    end: Moment = event.end
    if "DURATION" not in event or moments.is_day(start):
        return end
    length: timedelta = event.DURATION
    days = timedelta(length.days)
    return moments.later(moments.skip_clock_gap(moments.skip_clock_gap(start) + days), length - days)


def text(component: Component, name: str) -> str:
    """Return the first property of this name as text, or "" without one."""
    value = component.get(name, "")
    return str(value[0] if isinstance(value, list) else value)


def categories(component: Component) -> list[str]:
    """Return the categories. icalendar's own property is not used, because reading it rewrites CATEGORIES."""
    found: Any = component.get("CATEGORIES", [])
    return [str(name) for each in (found if isinstance(found, list) else [found]) for name in each.cats]


class Timed(Protocol):
    """A property whose value is a date or a time."""

    dt: Moment
    params: MutableMapping[str, str]


def timed(component: Component, name: str) -> Timed | None:
    """Return a date or time property, or None if it is missing, with a narrower type than icalendar's."""
    value: Any = component.get(name)
    return cast("Timed | None", value)


def at(component: Component, name: str) -> Timed:
    """Return a date or time property that is present, with a narrower type than icalendar's."""
    value: Any = component[name]
    return cast("Timed", value)


def address(uri: str) -> str:
    """Return the mail address in a `mailto:` URI; any other URI as it is."""
    return uri[len("mailto:") :] if uri.lower().startswith("mailto:") else uri


def alarms(event: Component) -> list[Alarm]:
    """Return the reminders of an event."""
    return [each for each in event.subcomponents if isinstance(each, Alarm)]


def before(alarm: Alarm) -> int | None:
    """Return how many minutes before the start an alarm is due; None for one at a fixed time or relative to the end."""
    trigger: Any = alarm.get("TRIGGER")
    if trigger is None or not isinstance(trigger.dt, timedelta) or trigger.params.get("RELATED") == "END":
        return None
    return round(-trigger.dt.total_seconds() / 60)


def format_rules(rules: Iterable[vRecur]) -> str:
    """Return the rules of a series as text, one a line; nearly all series have one."""
    return "\n".join(format_rule(rule) for rule in rules)


def format_rule(rule: vRecur) -> str:
    """Return a rule in the format of RFC 5545 section 3.3.10."""
    ical: bytes = rule.to_ical()  # type: ignore[no-untyped-call]
    return ical.decode()


def _moved(event: VEvent) -> timedelta:
    """Return the distance between an override's start and its RECURRENCE-ID."""
    return abs(moments.to_aware(event.start) - moments.to_aware(at(event, "RECURRENCE-ID").dt))


def _overlaps(event: VEvent, begins: datetime, ends: datetime) -> bool:
    start, end = (moments.to_aware(each, begins.tzinfo) for each in start_and_end(event))
    return begins <= start < ends if start == end else start < ends and begins < end


def name_of_zone(event: VEvent) -> str | None:
    """Return the TZID of an event's DTSTART, which may be any text; None if it has none."""
    start = timed(event, "DTSTART")
    return start.params.get("TZID") if start else None


def _zone(event: VEvent) -> tzinfo | None:
    start: Moment = event.start
    return start.tzinfo if isinstance(start, datetime) else None


def number(value: str) -> int:
    """Parse a whole number of fewer than `_DIGITS` digits; return 0 for any other text."""
    return int(value) if value.isdecimal() and len(value) < _DIGITS else 0
