"""Removing occurrences from a series: one of them, or all but the first."""

from icalendar import Event as VEvent

from nextcloud_mcp.apps.calendar.ical.exceptions import in_zone_of, is_override_of, new_dates, shift_times
from nextcloud_mcp.apps.calendar.ical.limits import is_expandable_rule
from nextcloud_mcp.apps.calendar.ical.occurrences import remaining_occurrences
from nextcloud_mcp.apps.calendar.ical.properties import at
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import moments
from nextcloud_mcp.nextcloud.moments import wall_clock


def end_repetition(series: Series) -> None:
    """Reduce a series to its first occurrence that was not deleted, or to the override of that occurrence.

    Raises:
        InvalidArgumentError: the rule is not expanded, so the first occurrence is unknown.
    """
    if "RECURRENCE-ID" in series.main:
        return
    kept = _first_occurrence(series)
    for name in ("RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"):
        kept.pop(name, None)
    series.drop(lambda each: isinstance(each, VEvent) and each is not kept)
    series.main = kept


def _first_occurrence(series: Series) -> VEvent:
    """Return the first remaining occurrence: an override, or the main event moved to the time of that occurrence."""
    start = at(series.main, "DTSTART")
    if "EXDATE" not in series.main and not series.changed_occurrences and "RDATE" not in series.main:
        return series.main
    if not all(is_expandable_rule(rule) for rule in series.main.rrules):
        raise InvalidArgumentError(
            "The series happens too often to find its first occurrence",
            "pass start_datetime and recurrence_rule for a short series first, or delete it and create the event",
        )
    first = next(remaining_occurrences(series.main, start.dt), None)
    if first is None:  # only overrides are left
        return min(series.changed_occurrences, key=lambda each: moments.to_aware(each.start), default=series.main)
    by_rule = in_zone_of(first, start.dt)
    for each in series.changed_occurrences:
        if is_override_of(each, by_rule):
            return each
    if by_rule != start.dt:
        shift_times(series.main, first - wall_clock(start.dt), start)
    return series.main


def delete_occurrence(series: Series, recurrence_id: str) -> bool:
    """Delete one occurrence from a series; return False if the series has no occurrences left.

    Raises:
        NotFoundError: the occurrence does not exist.
    """
    gone = at(series.separately_changeable_occurrence(recurrence_id), "RECURRENCE-ID")
    series.drop(lambda each: is_override_of(each, gone.dt))
    if "RECURRENCE-ID" not in series.main:
        series.main.add("exdate", new_dates([gone.dt], gone))
    return has_occurrences(series)


def has_occurrences(series: Series) -> bool:
    """Return whether a series has an occurrence left. Nextcloud refuses to store a series without occurrences.

    A series with a rule that is not expanded counts as having occurrences.
    """
    if series.changed_occurrences or "RECURRENCE-ID" in series.main:
        return bool(series.changed_occurrences)
    if not all(is_expandable_rule(rule) for rule in series.main.rrules):
        return True
    return next(remaining_occurrences(series.main, at(series.main, "DTSTART").dt), None) is not None
