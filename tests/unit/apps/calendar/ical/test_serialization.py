"""`apps.calendar.ical.serialization`: objects are written as other programs wrote them."""

import pytest

from nextcloud_mcp.apps.calendar.ical.event_changes import Change, new
from nextcloud_mcp.apps.calendar.ical.serialization import serialize
from nextcloud_mcp.apps.calendar.ical.series import Series
from tests.support.event_changes import ALICE
from tests.support.ics import WRITTEN_BY, stored, unfolded


@pytest.mark.parametrize("ical", WRITTEN_BY.values(), ids=WRITTEN_BY.keys())
def test_unchanged_fields_write_identical_bytes(ical: str) -> None:
    """Writing back what was read changes no byte, including long lines and alternative spellings."""
    series = Series(stored(ical))
    original = series.stored.text
    assert serialize(series.calendar, missing_tzids=series.missing_tzids, original=original) == original


def test_new_event_includes_vtimezone() -> None:
    """A VTIMEZONE that covers the start is written (RFC 5545 section 3.6.5)."""
    ical = new("theirs", Change(title="T", start_datetime="2030-10-07T10:00"), ALICE)
    assert "TZID:Europe/Berlin" in unfolded(ical)
    assert len(ical) < 2000
