"""`apps.calendar.ical.properties`: categories with commas."""

from nextcloud_mcp.apps.calendar.ical.series import Series
from tests.support.event_changes import change_event
from tests.support.ics import ics, stored, unfolded


def test_category_with_comma_stays_one() -> None:
    """A category with a comma survives reading and writing back with another category added."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", r"CATEGORIES:Sports\, indoor,Health")
    read = Series(stored(ical)).event(Series(stored(ical)).main).categories
    assert read == "Sports, indoor, Health"
    (line,) = (
        line for line in unfolded(change_event(ical, categories=f"{read}, New")) if line.startswith("CATEGORIES")
    )
    assert line == r"CATEGORIES:Sports\, indoor,Health,New"
