"""Changing events: from the plain fields of tools to a VEVENT (RFC 5545 section 3.6.1).

What a change does not name stays as another program wrote it: unknown properties and components, parameters,
VTIMEZONEs, additional rules and reminders. A change only removes what it invalidates, such as vendor duplicates.
"""

import re
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from icalendar import Calendar as VCalendar
from icalendar import Event as VEvent
from icalendar import vRecur, vUri

from nextcloud_mcp.apps.calendar.ical.alarms import set_reminders
from nextcloud_mcp.apps.calendar.ical.attendees import set_attendees
from nextcloud_mcp.apps.calendar.ical.colors import color_name
from nextcloud_mcp.apps.calendar.ical.occurrences import last_by_rule, occurrences
from nextcloud_mcp.apps.calendar.ical.parsing import readable
from nextcloud_mcp.apps.calendar.ical.properties import (
    Timed,
    at,
    format_rule,
    format_rules,
    number,
    set_categories,
    set_priority,
    set_text,
    stamp,
    text,
)
from nextcloud_mcp.apps.calendar.ical.removals import end_repetition
from nextcloud_mcp.apps.calendar.ical.rule_moves import is_on_the_day_of_its_start
from nextcloud_mcp.apps.calendar.ical.rules import is_same_rule, set_rule
from nextcloud_mcp.apps.calendar.ical.serialization import PRODID, serialize
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.apps.calendar.ical.series_moves import move_exceptions_to_new_rule, move_series_with_start
from nextcloud_mcp.apps.calendar.ical.times import set_times
from nextcloud_mcp.errors import InvalidArgumentError, NextcloudError, quoted
from nextcloud_mcp.nextcloud import content_lines, moments
from nextcloud_mcp.nextcloud.moments import Moment

_CHOICES: Final = {
    "STATUS": ("status", ("CONFIRMED", "TENTATIVE", "CANCELLED")),
    "CLASS": ("privacy", ("PUBLIC", "PRIVATE", "CONFIDENTIAL")),
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """New values for the fields of an event, in the format of tool arguments; None leaves a field as it is.

    `duration_minutes` applies to new events, and replaces `end_datetime`.
    """

    title: str | None = None
    start_datetime: str | None = None
    end_datetime: str | None = None
    duration_minutes: int | None = None
    all_day: bool | None = None
    description: str | None = None
    location: str | None = None
    categories: str | None = None
    recurring: bool | None = None
    recurrence_rule: str | None = None
    recurrence_end_date: str | None = None
    reminder_minutes: int | None = None
    reminder_email: bool | None = None
    status: str | None = None
    priority: int | None = None
    privacy: str | None = None
    attendees: str | None = None
    url: str | None = None
    color: str | None = None


@dataclass(frozen=True)
class Author:
    """The person who changes an event.

    Attributes:
        zone: The zone of times without an offset, if known.
        mailto: The person's `mailto:` URI, if known.
        named: Whether the caller passed the zone. If so, it applies even if the event has another zone, and a new start
            moves the event into it.
    """

    zone: tzinfo | None
    mailto: str | None = None
    named: bool = False


def new(uid: str, change: Change, author: Author) -> str:
    """Return the iCalendar of a new event.

    Raises:
        InvalidArgumentError: a field has an impossible value; the message names it.
    """
    calendar, event = VCalendar(), VEvent()
    calendar.add("prodid", PRODID)
    calendar.add("version", "2.0")
    calendar.add_component(event)
    event.add("uid", uid)
    event.add("created", datetime.now(UTC))
    _set_times(event, change, author)
    _set_rule(event, change)
    _set_fields(event, change, author)
    return serialize(calendar)


def differing(series: Series, change: Change, recurrence_id: str) -> Change:
    """Return the fields of a change that differ from the present values of the event, or of one occurrence.

    A caller can therefore pass back what it read. A field with the present value in another notation, or with less
    detail, changes nothing.

    Raises:
        InvalidArgumentError: `recurrence_id` is not a date or time, or the event is not a series.
        NotFoundError: the occurrence does not exist.
    """
    event = series.occurrence(recurrence_id) if recurrence_id else series.main
    try:
        present = series.event(event)
    except NextcloudError:  # the caller cannot have read the event either
        return change
    if change.recurrence_rule and is_same_rule(change.recurrence_rule, present.recurrence_rule):
        change = replace(change, recurrence_rule=present.recurrence_rule)
    named = {name: value for name, value in vars(change).items() if value is not None}
    others = {name for name, value in named.items() if not _is_present_value(name, value, getattr(present, name, None))}
    if others & {"start_datetime", "all_day"}:  # the caller may pass the others to keep their values
        also = {"start_datetime", "end_datetime", "all_day"}
        others |= named.keys() & (also if recurrence_id else also | {"recurrence_rule"})
    return Change(**{name: value for name, value in named.items() if name in others})


def _is_present_value(name: str, value: object, present: object) -> bool:
    if name in {"start_datetime", "end_datetime"} and isinstance(value, str) and isinstance(present, str):
        return moments.is_same(value, present)
    return present == value


def changed(series: Series, change: Change, author: Author, *, recurrence_id: str = "") -> str:
    """Return the iCalendar of an object after a change of the whole event or series, or of one occurrence.

    If the change contains only present values, this updates DTSTAMP and LAST-MODIFIED alone.

    Raises:
        InvalidArgumentError: a field has an impossible value; the message names the field.
        NotFoundError: the occurrence does not exist.
        NextcloudError: a value that must move with the change is not readable.
    """
    change = differing(series, change, recurrence_id)
    with readable(series.stored):
        if change == Change():
            stamp(series.main)
            return serialize(series.calendar, missing_tzids=series.missing_tzids, original=series.stored.text)
        return _changed(series, change, author, recurrence_id)


def _changed(series: Series, change: Change, author: Author, recurrence_id: str) -> str:
    if change.recurring is False and not recurrence_id:
        end_repetition(series)
    event = _override_of(series, change, recurrence_id) if recurrence_id else series.main
    old, old_rules = at(event, "DTSTART"), list(event.rrules)
    _set_times(event, change, author)
    if not recurrence_id:
        if _is_left_behind(event, change, old_rules):
            change = replace(change, recurrence_rule=None)
        change = _with_stored_end(change, old.dt, old_rules)
        _set_rule(event, change)
        _move_rest(series, change, old, old_rules)
    _set_fields(event, change, author)
    if change != Change(reminder_minutes=change.reminder_minutes, reminder_email=change.reminder_email):
        event["SEQUENCE"] = number(text(event, "SEQUENCE")) + 1  # RFC 5546 section 2.1.4: newer than what was sent
    return serialize(series.calendar, missing_tzids=series.missing_tzids, original=series.stored.text)


def _is_left_behind(event: VEvent, change: Change, old_rules: list[vRecur]) -> bool:
    """Return whether the caller passed back the present rule, which has to move along with the new start.

    It has to if it does not give the new start, or if it takes its day from the start.
    """
    if not change.recurrence_rule or change.recurrence_rule != format_rules(old_rules):
        return False
    if all(is_on_the_day_of_its_start(rule) for rule in old_rules):
        return True
    start = moments.wall_clock(event.start)
    return not all(next(occurrences(rule, start), None) == start for rule in old_rules)


def _with_stored_end(change: Change, old: Moment, old_rules: list[vRecur]) -> Change:
    """If the caller passed back the present rule, interpret its UNTIL as in the stored object (`last_by_rule`)."""
    if change.recurrence_rule != format_rules(old_rules) or len(old_rules) != 1 or "UNTIL" not in old_rules[0]:
        return change
    if moments.is_day(old) or not moments.is_day(old_rules[0]["UNTIL"][0]):
        return change
    rule = deepcopy(old_rules[0])
    rule["UNTIL"] = [last_by_rule(rule["UNTIL"][0], old)]
    return replace(change, recurrence_rule=format_rule(rule))


def _move_rest(series: Series, change: Change, old: Timed, old_rules: list[vRecur]) -> None:
    """Move the rule and the exceptions of a series to fit its new start and its new rule."""
    if change.recurrence_rule:
        move_exceptions_to_new_rule(series, old, old_rules)
    else:
        move_series_with_start(series, old)


def _override_of(series: Series, change: Change, recurrence_id: str) -> VEvent:
    """Return the override of one occurrence, which is added to the calendar if it does not exist.

    Raises:
        InvalidArgumentError: the change contains a rule, or the occurrence cannot be changed alone.
        NotFoundError: the occurrence does not exist.
    """
    if change.recurring is not None or change.recurrence_rule:
        raise InvalidArgumentError(
            "recurring and recurrence_rule apply to the whole series",
            "leave them out, or recurrence_id",
            argument="recurring",
        )
    occurrence = series.separately_changeable_occurrence(recurrence_id)
    if not any(occurrence is each for each in series.changed_occurrences):
        occurrence = deepcopy(occurrence)
        series.calendar.add_component(occurrence)
    return occurrence


def _set_times(event: VEvent, change: Change, author: Author) -> None:
    start, end = (
        moments.read(value, argument) if value is not None else None
        for argument, value in {"start_datetime": change.start_datetime, "end_datetime": change.end_datetime}.items()
    )
    if author.named:
        start, end = (moments.with_default_zone(each, author.zone) for each in (start, end))
    set_times(
        event,
        start,
        end,
        all_day=change.all_day,
        zone=author.zone,
        moves_zone=author.named and start is not None,
        length=timedelta(minutes=change.duration_minutes) if change.duration_minutes else None,
        repeats=bool(change.recurrence_rule or change.recurring or (change.recurring is None and "RRULE" in event)),
    )


def _set_rule(event: VEvent, change: Change) -> None:
    set_rule(event, recurring=change.recurring, rule=change.recurrence_rule, last_day=change.recurrence_end_date)


def _set_fields(event: VEvent, change: Change, author: Author) -> None:
    texts = {
        "SUMMARY": change.title,
        "DESCRIPTION": change.description,
        "LOCATION": change.location,
        "COLOR": color_name(change.color) if change.color is not None else None,
        "STATUS": _check_choice("STATUS", change.status),
        "CLASS": _check_choice("CLASS", change.privacy),
    }
    for name, value in texts.items():
        if value is not None:
            set_text(event, name, value)
    _set_url(event, change.url)
    set_priority(event, change.priority)
    set_categories(event, change.categories)
    set_attendees(event, change.attendees, author.mailto)
    set_reminders(event, change.reminder_minutes, author.mailto, email=change.reminder_email)
    stamp(event)


def _check_choice(name: str, value: str | None) -> str | None:
    argument, choices = _CHOICES[name]
    if value is not None and value.upper() not in choices:
        raise InvalidArgumentError(
            "Invalid {argument} {given}",
            "use one of {choices}",
            argument=argument,
            given=quoted(value),
            choices=", ".join(choices),
        )
    return value.upper() if value is not None else None


_ABSOLUTE_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:[^\s<>\"]++")
"""Matches a URI with its scheme (RFC 3986 section 3), and like browsers also letters that should be encoded."""


def _set_url(event: VEvent, url: str | None) -> None:
    """Set URL, which has no escaped characters (RFC 5545 section 3.3.13), or remove it if `url` is empty.

    Raises:
        InvalidArgumentError: `url` is not an absolute URI.
    """
    if url is None:
        return
    given = content_lines.text(url)
    if given and not _ABSOLUTE_URI.fullmatch(given):
        raise InvalidArgumentError(
            "Invalid url {url}", "use a full address, such as https://example.org", argument="url", url=quoted(url)
        )
    event.pop("URL", None)
    if given:
        event["URL"] = vUri(given)
