"""Setting the rule of a series: RRULE (RFC 5545 section 3.8.5.3)."""

from datetime import UTC, datetime, time

from icalendar import Event as VEvent
from icalendar import vRecur

from nextcloud_mcp.apps.calendar.ical.limits import has_valid_values, is_expandable_rule
from nextcloud_mcp.apps.calendar.ical.occurrences import occurrences, to_wall_clock
from nextcloud_mcp.apps.calendar.ical.properties import at
from nextcloud_mcp.apps.calendar.ical.times import day_of
from nextcloud_mcp.errors import InvalidArgumentError, quoted
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import Moment, wall_clock


def set_rule(event: VEvent, *, recurring: bool | None, rule: str | None, last_day: str | None) -> None:
    """Set the rule of an event. None leaves the rule as it is, and so does "" for an event that is no series.

    Raises:
        InvalidArgumentError: `rule` is not valid or missing, or the arguments contradict each other.
    """
    if rule == "" and recurring is not False and "RRULE" in event:
        raise InvalidArgumentError(
            "recurrence_rule is empty, and the event is a series",
            "pass recurring=false to have it happen once, or leave recurrence_rule out to keep its rule",
            argument="recurrence_rule",
        )
    if rule:
        if recurring is False:
            raise InvalidArgumentError(
                "recurrence_rule and recurring=false contradict each other",
                "pass one of them",
                argument="recurrence_rule",
            )
        event["RRULE"] = _parse_rule(rule, last_day, at(event, "DTSTART").dt)
    elif last_day or (recurring and "RRULE" not in event and "RDATE" not in event):
        raise InvalidArgumentError("A series needs a recurrence_rule, such as FREQ=WEEKLY;BYDAY=MO,WE", "pass one")


def _parse_rule(text: str, last_day: str | None, start: Moment) -> vRecur:
    rule: vRecur
    try:
        rule = vRecur.from_ical(text.strip().removeprefix("RRULE:"))
    except ValueError:
        rule = vRecur()
    if not (is_expandable_rule(rule) and has_valid_values(rule)) or (
        "COUNT" in rule and ("UNTIL" in rule or rule["COUNT"][0] < 1)
    ):
        raise InvalidArgumentError(
            "Invalid recurrence_rule {text}",
            (
                "it is not a rule of RFC 5545, never happens, or happens more than once an hour. Use a rule such as "
                "FREQ=WEEKLY;BYDAY=MO;COUNT=10, with HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY, and COUNT or UNTIL "
                "but not both"
            ),
            argument="recurrence_rule",
            text=quoted(text),
        )
    if last_day:
        if "COUNT" in rule:
            raise InvalidArgumentError(
                "recurrence_end_date and COUNT in recurrence_rule exclude each other",
                "pass one of them",
                argument="recurrence_end_date",
            )
        rule["UNTIL"] = [moments.read(last_day, "recurrence_end_date")]
    if "UNTIL" in rule:
        rule["UNTIL"] = [to_until(rule["UNTIL"][0], start)]
        first = next(occurrences(rule, wall_clock(start)), None)
        if first is None or to_wall_clock(rule["UNTIL"][0], start) < first:
            raise InvalidArgumentError(
                "The series would end before it happens once",
                "pass a later recurrence_end_date, or a later UNTIL in recurrence_rule",
            )
    return rule


def is_same_rule(text: str, other: str) -> bool:
    """Return whether two texts are the same rule, regardless of the order of parts, case and INTERVAL=1."""
    return _parts(text) == _parts(other)


def _parts(text: str) -> set[tuple[str, frozenset[str]]]:
    parts = text.strip().upper().removeprefix("RRULE:").split(";")
    pairs = (part.partition("=") for part in parts if part.strip() not in {"", "INTERVAL=1"})
    return {(name.strip(), frozenset(values.split(","))) for name, _, values in pairs}


def to_until(last: Moment, start: Moment) -> Moment:
    """Return an UNTIL that matches the type of the start: a date, a floating time, or a time in UTC."""
    if not isinstance(start, datetime):
        return day_of(last)
    if not isinstance(last, datetime):
        last = datetime.combine(last, time(23, 59, 59))
    if start.tzinfo is None:
        return last.replace(tzinfo=None)
    return moments.to_aware(last, start.tzinfo).astimezone(UTC)
