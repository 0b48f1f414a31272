"""Changing events, and reading the result: the lines that a change removes and adds, the rule, the occurrences."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from nextcloud_mcp.apps.calendar.ical.event_changes import Author, Change, changed, new
from nextcloud_mcp.apps.calendar.ical.series import Series
from tests.support.ics import stored, unfolded

BERLIN: Final = ZoneInfo("Europe/Berlin")
ALICE: Final = Author(BERLIN, "mailto:alice@example.org")

_ALWAYS_CHANGED: Final = ("DTSTAMP:", "LAST-MODIFIED:", "SEQUENCE:")
"""The properties that every change of an event sets."""


def differing_lines(before: str, after: str) -> tuple[set[str], set[str]]:
    """Return the removed and the added lines, except the lines that every change sets."""
    old, new = set(unfolded(before)), set(unfolded(after))
    return tuple({line for line in lines if not line.startswith(_ALWAYS_CHANGED)} for lines in (old - new, new - old))  # type: ignore[return-value]


def changed_lines(
    ical: str, *, author: Author = ALICE, recurrence_id: str = "", **fields: Any
) -> tuple[set[str], set[str]]:
    """Change an event; return the removed and the added lines."""
    after = changed(Series(stored(ical)), Change(**fields), author, recurrence_id=recurrence_id)
    Series(stored(after))
    return differing_lines(ical, after)


def new_event_lines(*, author: Author = ALICE, **fields: Any) -> set[str]:
    """Create an event; return its lines, except the lines that every event has."""
    ical = new("theirs", Change(**{"title": "T", "start_datetime": "2030-10-07T10:00", **fields}), author)
    Series(stored(ical))
    lines = unfolded(ical)
    inside = lines[lines.index("BEGIN:VEVENT") + 1 : lines.index("END:VEVENT")]
    return {line for line in inside if not line.startswith(("UID:", "CREATED:", "DTSTAMP:", "LAST-MODIFIED:"))}


TUESDAYS: Final = (
    "DTSTART;TZID=Europe/Berlin:20261006T101500",
    "DTEND;TZID=Europe/Berlin:20261006T111500",
    "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=6",
    "EXDATE;TZID=Europe/Berlin:20261013T101500",
)
"""Six Tuesdays in 2026, of which the second is deleted."""


def override_lines(by_rule: str, start: str, *, params: str = "") -> tuple[str, ...]:
    """Return the lines to append to a series: a VEVENT in Berlin that overrides the occurrence at `by_rule`."""
    end = f"{start[:9]}{int(start[9:11]) + 1:02}{start[11:]}"
    zone = "TZID=Europe/Berlin"
    return (
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:theirs",
        "DTSTAMP:20300101T000000Z",
        "SUMMARY:Changed",
        f"RECURRENCE-ID;{params}{zone}:{by_rule}",
        f"DTSTART;{zone}:{start}",
        f"DTEND;{zone}:{end}",
    )


def list_starts(ical: str, year: int = 2026, years: int = 1) -> list[str]:
    """Return the starts of the occurrences in order, to the minute; overrides are marked with a star."""
    series = Series(stored(ical))
    begins = datetime(year, 1, 1, tzinfo=UTC)
    found = [series.summary(each) for each in series.occurrences(begins, begins + timedelta(days=366 * years))]
    return sorted(f"{each.start_datetime[:16]}{'*' if each.title else ''}" for each in found)


def change_event(ical: str, *, author: Author = ALICE, **fields: Any) -> str:
    """Return the object after a change of the whole event or series."""
    return changed(Series(stored(ical)), Change(**fields), author)


def rule_of(ical: str) -> str:
    """Return the RRULE of a series, with its parts in alphabetical order."""
    return next(line for line in unfolded(ical) if line.startswith("RRULE:")).removeprefix("RRULE:")
