"""Setting how an event repeats: RRULE and its exceptions (RFC 5545 sections 3.8.4.4 and 3.8.5).

An exception is known by the time that its occurrence has by rule. So when a series is moved, what says that one
occurrence was deleted (EXDATE), added (RDATE) or changed (RECURRENCE-ID) moves along: otherwise deleted occurrences
would come back, and changed ones appear twice.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

from icalendar import Component, vDDDLists, vRecur
from icalendar import Event as VEvent

from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import A_DAY, Moment
from nextcloud_mcp.nextcloud.vevent import Series, Timed, at, timed
from nextcloud_mcp.nextcloud.vevent_often import meant
from nextcloud_mcp.nextcloud.vevent_times import day_of, value, zone_of

Shift = Callable[[Any], Any]


def set_rule(event: VEvent, *, recurring: bool | None, rule: str | None, last_day: str | None) -> None:
    """Set the rule of an event; None and empty leave it as it is.

    Raises:
        InvalidArgumentError: it is none, or the arguments contradict each other.
    """
    if rule:
        if recurring is False:
            raise InvalidArgumentError("recurrence_rule and recurring=false contradict each other: pass one of them.")
        event["RRULE"] = _rule(rule, last_day, at(event, "DTSTART").dt)
    elif last_day or (recurring and "RRULE" not in event and "RDATE" not in event):
        raise InvalidArgumentError("A series needs a recurrence_rule, such as FREQ=WEEKLY;BYDAY=MO,WE: pass one.")


def _rule(text: str, last_day: str | None, start: Moment) -> vRecur:
    rule: vRecur
    try:
        rule = vRecur.from_ical(text.strip().removeprefix("RRULE:"))
    except ValueError:
        rule = vRecur()
    if not meant(rule) or ("COUNT" in rule and "UNTIL" in rule):
        raise InvalidArgumentError(
            f"recurrence_rule {text!r} is no rule as in RFC 5545, or never happens, or more than once an hour: write "
            "FREQ=WEEKLY;BYDAY=MO;COUNT=10, with HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY, and COUNT or UNTIL but not "
            "both."
        )
    if last_day:
        if "COUNT" in rule:
            raise InvalidArgumentError("recurrence_end_date and COUNT in recurrence_rule exclude each other: pass one.")
        rule["UNTIL"] = [moments.read(last_day, "recurrence_end_date")]
    if "UNTIL" in rule:
        rule["UNTIL"] = [_until(rule["UNTIL"][0], start)]
    return rule


def _until(last: Moment, start: Moment) -> Moment:
    """Return the UNTIL of a rule in the kind that the start has: a day, a floating time, or one in UTC."""
    if not isinstance(start, datetime):
        return day_of(last)
    if not isinstance(last, datetime):
        last = datetime.combine(last, time(23, 59, 59))
    if start.tzinfo is None:
        return last.replace(tzinfo=None)
    return moments.instant(last, start.tzinfo).astimezone(UTC)


def end_repetition(series: Series) -> None:
    """Make an event of a series that happens once: when the first occurrence did."""
    for name in ("RRULE", "RDATE", "EXDATE", "EXRULE"):
        series.main.pop(name, None)
    series.drop(lambda each: each is not series.main and "RECURRENCE-ID" in each)


def without(series: Series, recurrence_id: str) -> bool:
    """Take one occurrence out of a series; False if nothing of it is left.

    Raises:
        NotFoundError: there is no such occurrence.
    """
    gone = at(series.single_out(recurrence_id), "RECURRENCE-ID")
    series.drop(lambda each: _is_occurrence(each, gone.dt))
    if "RECURRENCE-ID" not in series.main:
        series.main.add("exdate", _dates([gone.dt], gone))
    return bool(series.calendar.events)


def _is_occurrence(component: Component, moment: Moment) -> bool:
    identity = timed(component, "RECURRENCE-ID")
    return identity is not None and moments.same_occurrence(moment, identity.dt)


def keep_exceptions(series: Series, old: Timed) -> None:
    """Move the exceptions of a series whose start was at `old` along with it.

    Raises:
        InvalidArgumentError: they can't, for it became all day, or timed.
    """
    new = at(series.main, "DTSTART")
    if new.dt == old.dt and new.params == old.params:
        return
    if moments.is_day(new.dt) == moments.is_day(old.dt):
        _move_exceptions(series, _shift(old.dt, new.dt), new)
    elif series.changed_occurrences or "EXDATE" in series.main or "RDATE" in series.main:
        raise InvalidArgumentError(
            "Single occurrences of this series were changed or deleted, which all_day would undo: create a new one."
        )
    _move_until(series, old.dt, new.dt)


def _move_exceptions(series: Series, shift: Shift, like: Timed) -> None:
    for name in ("EXDATE", "RDATE"):
        if name in series.main:
            series.main[name] = [_shifted(each, shift, like) for each in _as_list(series.main[name])]
    for event in series.changed_occurrences:
        if event is not series.main:
            _move_occurrence(event, shift, like)


def _move_occurrence(event: VEvent, shift: Shift, like: Timed) -> None:
    """Move the name of a changed occurrence, and its time too if that is the one it had by rule."""
    by_rule = at(event, "DTSTART").dt == at(event, "RECURRENCE-ID").dt
    for name in ("RECURRENCE-ID", "DTSTART", "DTEND") if by_rule else ("RECURRENCE-ID",):
        if moment := timed(event, name):
            event[name] = value(shift(moment.dt), like)


def _move_until(series: Series, old: Moment, new: Moment) -> None:
    """Keep the last occurrence, if the series was moved within the day; if further, the end stays where it is."""
    distance = _by_the_clock(new) - _by_the_clock(old)
    for rule in series.main.rrules:
        if "UNTIL" in rule:
            last = rule["UNTIL"][0]
            within_the_day = isinstance(last, datetime) and isinstance(new, datetime) and abs(distance) < A_DAY
            rule["UNTIL"] = [_until(last + distance if within_the_day else last, new)]


def _shift(old: Moment, new: Moment) -> Shift:
    """Return what moves a time as far as `old` was moved to `new`, by the clock on the wall."""
    distance = _by_the_clock(new) - _by_the_clock(old)

    def shift(moment: Any) -> Any:
        if isinstance(moment, datetime):
            there = moment.astimezone(zone_of(old)) if moment.tzinfo and zone_of(old) else moment
            return (there.replace(tzinfo=None) + distance).replace(tzinfo=zone_of(new))
        return moment + distance if isinstance(moment, date) else moment

    return shift


def _by_the_clock(moment: Moment) -> datetime:
    return moment.replace(tzinfo=None) if isinstance(moment, datetime) else datetime.combine(moment, time())


def _shifted(dates: Any, shift: Shift, like: Timed) -> vDDDLists:
    moments_or_periods = [each.dt for each in dates.dts]
    return _dates(
        [tuple(map(shift, each)) if isinstance(each, tuple) else shift(each) for each in moments_or_periods], like
    )


def _dates(values: list[Any], like: Timed) -> vDDDLists:
    dates = vDDDLists(values)
    if isinstance(values[0], tuple):
        dates.params["VALUE"] = "PERIOD"
    elif moments.is_day(values[0]):
        dates.params["VALUE"] = "DATE"
    if "TZID" in like.params:
        dates.params["TZID"] = like.params["TZID"]
    return dates


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
