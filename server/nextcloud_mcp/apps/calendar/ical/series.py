"""A series of events: the content of one calendar object, and its occurrences in a range.

One calendar object holds a whole series: the main event with its rule, and an override (a VEVENT with a RECURRENCE-ID)
for each changed occurrence. Objects come from many programs; a broken one is an error of that object alone.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from icalendar import Component, vDDDTypes
from icalendar import Event as VEvent
from recurring_ical_events import CalendarQuery  # type: ignore[import-untyped]

from nextcloud_mcp.apps.calendar.calendar_object import CalendarObject
from nextcloud_mcp.apps.calendar.ical.alarms import alarms, minutes_before
from nextcloud_mcp.apps.calendar.ical.attendees import address
from nextcloud_mcp.apps.calendar.ical.event import Event, EventSummary, end_of, name_of_zone, start_and_end
from nextcloud_mcp.apps.calendar.ical.limits import expandable, is_expandable_rule
from nextcloud_mcp.apps.calendar.ical.parsing import parse, readable
from nextcloud_mcp.apps.calendar.ical.properties import at, categories, format_rules, number, text, timed
from nextcloud_mcp.errors import InvalidArgumentError, NotFoundError, quoted
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import Moment


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
            self.calendar = parse(stored.text)
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
        moved = max(map(_displacement, self.changed_occurrences), default=timedelta())
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
            reminder_minutes=next(
                (minutes for alarm in alarms(event) if (minutes := minutes_before(alarm)) is not None), None
            ),
            reminder_email=any(text(alarm, "ACTION") == "EMAIL" for alarm in alarms(event)),
            href=self.stored.href,
        )


def _displacement(event: VEvent) -> timedelta:
    """Return the distance between an override's start and its RECURRENCE-ID."""
    return abs(moments.to_aware(event.start) - moments.to_aware(at(event, "RECURRENCE-ID").dt))


def _overlaps(event: VEvent, begins: datetime, ends: datetime) -> bool:
    start, end = (moments.to_aware(each, begins.tzinfo) for each in start_and_end(event))
    return begins <= start < ends if start == end else start < ends and begins < end


def _zone(event: VEvent) -> tzinfo | None:
    start: Moment = event.start
    return start.tzinfo if isinstance(start, datetime) else None
