"""Changing events: from the plain fields of tools to a VEVENT (RFC 5545 section 3.6.1).

What a change does not name stays as another program wrote it: unknown properties and components, parameters,
VTIMEZONEs, additional rules and reminders. A change only removes what it invalidates, such as vendor duplicates.
"""

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from icalendar import Alarm, Component, vCalAddress, vDDDTypes, vRecur, vText, vUri
from icalendar import Calendar as VCalendar
from icalendar import Event as VEvent

from nextcloud_mcp.apps.calendar.ical.colors import color_name
from nextcloud_mcp.apps.calendar.ical.event import (
    Series,
    Timed,
    address,
    alarms,
    at,
    before,
    categories,
    format_rule,
    format_rules,
    number,
    text,
    timed,
)
from nextcloud_mcp.apps.calendar.ical.moved import is_on_the_day_of_its_start, occurrences
from nextcloud_mcp.apps.calendar.ical.parsed import own_zones, parsed, readable
from nextcloud_mcp.apps.calendar.ical.rules import (
    end_repetition,
    is_same_rule,
    last_by_rule,
    move_exceptions_to_new_rule,
    move_series_with_start,
    set_rule,
)
from nextcloud_mcp.apps.calendar.ical.times import set_times
from nextcloud_mcp.errors import InvalidArgumentError, NextcloudError, quoted
from nextcloud_mcp.nextcloud import content_lines, moments
from nextcloud_mcp.nextcloud.moments import Moment

MAX_PARTS: Final = 1_000
"""The most items in a comma-separated list that a caller passes, such as the attendees of an event."""

PRODID: Final = "-//nextcloud-mcp//EN"
USUAL_REMINDER: Final = 15
NO_REMINDER: Final = -1
EARLIEST_REMINDER: Final = 366 * 24 * 60
_ONE_OF: Final = {
    "STATUS": ("status", ("CONFIRMED", "TENTATIVE", "CANCELLED")),
    "CLASS": ("privacy", ("PUBLIC", "PRIVATE", "CONFIDENTIAL")),
}
_VENDOR_DUPLICATES: Final = {"DESCRIPTION": ("X-ALT-DESC",), "LOCATION": ("X-APPLE-STRUCTURED-LOCATION",)}
"""Properties that duplicate a standard one, and that other programs show instead of it."""


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
    _set_when(event, change, author)
    _set_rule(event, change)
    _set_fields(event, change, author)
    return written(calendar)


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
        told = series.event(event)
    except NextcloudError:  # the caller cannot have read the event either
        return change
    if change.recurrence_rule and is_same_rule(change.recurrence_rule, told.recurrence_rule):
        change = replace(change, recurrence_rule=told.recurrence_rule)
    named = {name: value for name, value in vars(change).items() if value is not None}
    others = {name for name, value in named.items() if not _is_present_value(name, value, getattr(told, name, None))}
    if others & {"start_datetime", "all_day"}:  # the caller may pass the others to keep their values
        also = {"start_datetime", "end_datetime", "all_day"}
        others |= named.keys() & (also if recurrence_id else also | {"recurrence_rule"})
    return Change(**{name: value for name, value in named.items() if name in others})


def _is_present_value(name: str, value: object, told: object) -> bool:
    if name in {"start_datetime", "end_datetime"} and isinstance(value, str) and isinstance(told, str):
        return moments.is_same(value, told)
    return told == value


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
            return written(series.calendar, missing_tzids=series.missing_tzids, original=series.stored.text)
        return _changed(series, change, author, recurrence_id)


def _changed(series: Series, change: Change, author: Author, recurrence_id: str) -> str:
    if change.recurring is False and not recurrence_id:
        end_repetition(series)
    event = _own_occurrence(series, change, recurrence_id) if recurrence_id else series.main
    old, old_rules = at(event, "DTSTART"), list(event.rrules)
    _set_when(event, change, author)
    if not recurrence_id:
        if _is_left_behind(event, change, old_rules):
            change = replace(change, recurrence_rule=None)
        change = _with_stored_end(change, old.dt, old_rules)
        _set_rule(event, change)
        _move_rest(series, change, old, old_rules)
    _set_fields(event, change, author)
    if change != Change(reminder_minutes=change.reminder_minutes, reminder_email=change.reminder_email):
        event["SEQUENCE"] = number(text(event, "SEQUENCE")) + 1  # RFC 5546 section 2.1.4: newer than what was sent
    return written(series.calendar, missing_tzids=series.missing_tzids, original=series.stored.text)


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


def _own_occurrence(series: Series, change: Change, recurrence_id: str) -> VEvent:
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


def _set_when(event: VEvent, change: Change, author: Author) -> None:
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


def written(calendar: VCalendar, *, missing_tzids: AbstractSet[str] = frozenset(), original: str = "") -> str:
    """Serialize iCalendar in its order; add a VTIMEZONE for each zone that lacks one and is not in `missing_tzids`.

    Content lines with the same meaning as in the `original` keep the text of the original.
    """
    starts = [start.dt.year for each in calendar.subcomponents if (start := timed(each, "DTSTART"))]
    if calendar.get_missing_tzids() - missing_tzids:
        with own_zones():
            calendar.add_missing_timezones(first_date=date(max(min(starts, default=1971) - 1, 1), 1, 1))
    text = _text(calendar)
    return content_lines.restore(text, _text(parsed(original)), original) if original else text


def _text(calendar: VCalendar) -> str:
    ical: bytes = calendar.to_ical(sorted=False)
    return ical.decode()


def stamp(component: Component) -> None:
    """Set DTSTAMP and LAST-MODIFIED to the present time."""
    for name in ("DTSTAMP", "LAST-MODIFIED"):
        component[name] = vDDDTypes(datetime.now(UTC).replace(microsecond=0))


def _set_fields(event: VEvent, change: Change, author: Author) -> None:
    texts = {
        "SUMMARY": change.title,
        "DESCRIPTION": change.description,
        "LOCATION": change.location,
        "COLOR": color_name(change.color) if change.color is not None else None,
        "STATUS": _one_of("STATUS", change.status),
        "CLASS": _one_of("CLASS", change.privacy),
    }
    for name, value in texts.items():
        if value is not None:
            set_text(event, name, value)
    _set_url(event, change.url)
    set_priority(event, change.priority)
    set_categories(event, change.categories)
    _set_attendees(event, change.attendees, author.mailto)
    _set_reminders(event, change, author.mailto)
    stamp(event)


def _one_of(name: str, value: str | None) -> str | None:
    argument, choices = _ONE_OF[name]
    if value is not None and value.upper() not in choices:
        raise InvalidArgumentError(
            "Invalid {argument} {given}",
            "use one of {choices}",
            argument=argument,
            given=quoted(value),
            choices=", ".join(choices),
        )
    return value.upper() if value is not None else None


def set_text(component: Component, name: str, value: str) -> None:
    """Set a text property, or remove it if `value` is empty. Control characters in `value` become spaces."""
    for other in (name, *_VENDOR_DUPLICATES.get(name, ())):
        component.pop(other, None)
    if text := content_lines.text(value):
        component[name] = vText(text)


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


def set_priority(component: Component, priority: int | None) -> None:
    """Set PRIORITY: 1 is the highest, 9 the lowest, 0 none.

    Raises:
        InvalidArgumentError: `priority` is not from 0 to 9.
    """
    if priority is None:
        return
    if not 0 <= priority <= 9:  # noqa: PLR2004 - RFC 5545 section 3.8.1.9
        raise InvalidArgumentError(
            "Invalid priority {priority}",
            "use 1 (highest) to 9 (lowest), or 0 for no priority",
            argument="priority",
            priority=priority,
        )
    component.pop("PRIORITY", None)
    component.add("priority", priority)


def set_categories(component: Component, listed: str | None) -> None:
    """Set CATEGORIES from a comma-separated list; an empty list removes them.

    A present category that contains a comma stays one category.
    """
    if listed is None:
        return
    known = {", ".join(parts(each)): each for each in categories(component) if "," in each}
    component.pop("CATEGORIES", None)
    if names := _joined(split(content_lines.text(listed)), known):
        component.add("categories", names)


def _joined(names: list[str], known: Mapping[str, str], *, as_key: Callable[[str], str] = str) -> list[str]:
    """Join consecutive items that together form a known name, which itself contains commas."""
    result, start = [], 0
    sizes = sorted({each.count(",") + 1 for each in known}, reverse=True)
    while start < len(names):
        keys = ((size, as_key(", ".join(names[start : start + size]))) for size in sizes)
        taken, name = next(((size, known[key]) for size, key in keys if key in known), (1, names[start]))
        result.append(name)
        start += taken
    return result


def parts(listed: str) -> list[str]:
    """Split a comma-separated list; empty items are dropped."""
    return [part.strip() for part in listed.split(",") if part.strip()]


def split(listed: str) -> list[str]:
    """Split a comma-separated list that a caller passes.

    Raises:
        InvalidArgumentError: the list has more than `MAX_PARTS` items.
    """
    _check_length(listed)
    return parts(listed)


def _check_length(listed: str) -> None:
    if listed.count(",") >= MAX_PARTS:
        raise InvalidArgumentError(f"A list has more than {MAX_PARTS} parts", "pass fewer")


def mail_addresses(listed: str, known: AbstractSet[str] = frozenset()) -> list[str]:
    """Return the mail addresses in the argument `attendees`; `known` and the exceptions are as for `invited`."""
    return list(invited(listed, known))


def invited(listed: str, known: AbstractSet[str] = frozenset()) -> dict[str, str]:
    """Parse the argument `attendees`; return names by mail address, without `mailto:`.

    Each attendee is an address, or a name and an address as in mail headers: `Bob <bob@example.org>`. A name with a
    comma is in quotes (RFC 5322 section 3.4). Items that are in `known`, in lower case, are accepted unchanged, because
    attendees whom another program invited may have no mail address.

    Raises:
        InvalidArgumentError: the list is too long, or an attendee has no mail address or contains a line break.
    """
    text = content_lines.one_line(listed, "attendees")
    _check_length(text)
    items = [item for found in _ATTENDEE.findall(text) if (item := found.strip())]
    together = {", ".join(parts(each)): each for each in known if "," in each}
    people: dict[str, str] = {}
    for item in _joined(items, together, as_key=str.lower):
        name, address = _named(item)
        is_address = "@" in address.strip("@") and not any(each in address for each in ' "<>')
        if item.lower() not in known and not (is_address and not any(each in name for each in "<>")):
            raise InvalidArgumentError(
                "Invalid mail address {item!r} in attendees",
                (
                    "pass addresses separated by commas, or names with addresses, in quotes where they have a comma: "
                    '"Doe, Jane" <jane@example.org>'
                ),
                argument="attendees",
                item=item[:100],
            )
        people.setdefault(item if item.lower() in known else address, name)
    return people


_ATTENDEE: Final = re.compile(r'((?:"[^"]*+"|[^,])++),?')
"""Matches one item of a comma-separated list; commas in quotes do not separate."""


def _named(item: str) -> tuple[str, str]:
    """Return the name, which may be "", and the address of one attendee."""
    name, _, address = item.removesuffix(">").rpartition("<") if item.endswith(">") else ("", "", item)
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return name.replace('"', "'").strip(), address.strip().removeprefix("mailto:")


def _set_attendees(event: VEvent, listed: str | None, mailto: str | None) -> None:
    """Replace the attendees. Present attendees keep their PARTSTAT and other parameters.

    If the user is the organizer, Nextcloud sends invitations to new attendees and cancellations to removed ones.
    """
    if listed is None:
        return
    known: dict[str, list[vCalAddress]] = {}
    for each in event.attendees:
        known.setdefault(address(each).lower(), []).append(each)
    wanted = invited(listed, known.keys())
    event.pop("ATTENDEE", None)
    for uri in dict.fromkeys(each.lower() if each.lower() in known else each for each in wanted):
        for attendee in known.get(uri) or [_invited(uri, wanted[uri])]:
            event.add("attendee", attendee)
    if wanted and mailto and "ORGANIZER" not in event:
        event["ORGANIZER"] = vCalAddress(mailto)


def _invited(address: str, name: str) -> vCalAddress:
    attendee = vCalAddress(f"mailto:{address}")
    if name:
        attendee.params["CN"] = name
    attendee.params.update({"ROLE": "REQ-PARTICIPANT", "PARTSTAT": "NEEDS-ACTION", "RSVP": "TRUE"})
    return attendee


def _set_reminders(event: VEvent, change: Change, mailto: str | None) -> None:
    """Set the time of the first reminder, and whether there is a reminder by mail; other reminders stay.

    A `reminder_minutes` of 0 means at the start, and `NO_REMINDER` removes all reminders.
    """
    minutes, email = change.reminder_minutes, change.reminder_email
    if minutes is not None and not NO_REMINDER <= minutes <= EARLIEST_REMINDER:
        raise InvalidArgumentError(
            "Invalid reminder_minutes {minutes}",
            (
                "pass how many minutes before the start it comes, from 0 (at the start) to {earliest_reminder} (a "
                "year), or {no_reminder} for no reminder"
            ),
            argument="reminder_minutes",
            minutes=minutes,
            earliest_reminder=EARLIEST_REMINDER,
            no_reminder=NO_REMINDER,
        )
    if minutes == NO_REMINDER and email:
        raise InvalidArgumentError(
            f"reminder_minutes {NO_REMINDER} (no reminder) and reminder_email=true contradict each other",
            "pass one of them",
            argument="reminder_minutes",
        )
    if minutes == NO_REMINDER:
        _keep_alarms(event, lambda _: False)
    elif minutes is not None:
        _move_first(event, minutes)
    if email is False:
        _keep_alarms(event, lambda alarm: text(alarm, "ACTION").upper() != "EMAIL")
    elif email and not any(text(alarm, "ACTION").upper() == "EMAIL" for alarm in alarms(event)):
        if mailto is None:
            raise InvalidArgumentError(
                "reminder_email needs a mail address",
                "enter one in Nextcloud's personal settings",
                argument="reminder_email",
            )
        event.add_component(_alarm("EMAIL", minutes if minutes is not None else _first(event), event, mailto))


def _first(event: VEvent) -> int:
    return next((minutes for alarm in alarms(event) if (minutes := before(alarm)) is not None), USUAL_REMINDER)


def _keep_alarms(event: VEvent, kept: Callable[[Alarm], bool]) -> None:
    event.subcomponents[:] = [each for each in event.subcomponents if not isinstance(each, Alarm) or kept(each)]


def _move_first(event: VEvent, minutes: int) -> None:
    """Move the first reminder and all at the same time, such as one by mail; add a reminder to an event without."""
    counted = [alarm for alarm in alarms(event) if before(alarm) is not None]
    if not counted:
        event.add_component(_alarm("DISPLAY", minutes, event, None))
        return
    together = before(counted[0])
    for alarm in counted:
        if before(alarm) == together:
            alarm["TRIGGER"] = vDDDTypes(-timedelta(minutes=minutes))


def _alarm(action: str, minutes: int, event: VEvent, mailto: str | None) -> Alarm:
    alarm = Alarm()
    alarm.add("action", action)
    alarm.add("trigger", -timedelta(minutes=minutes))
    alarm.add("description", text(event, "SUMMARY") or "Reminder")
    if mailto:  # RFC 5545 section 3.6.6: an EMAIL alarm needs SUMMARY and ATTENDEE
        alarm.add("summary", text(event, "SUMMARY") or "Reminder")
        alarm.add("attendee", vCalAddress(mailto))
    return alarm
