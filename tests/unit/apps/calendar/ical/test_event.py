"""`apps.calendar.ical.event`: the start and the end of an event."""

from datetime import UTC, datetime
from typing import Final

import pytest

from nextcloud_mcp.apps.calendar.ical.series import Series
from tests.support.ics import ics, stored

IN_THE_GAP: Final = {
    "the start": ("20270328T023000", "20270328T040000", "03:30:00+02:00", "04:00:00+02:00"),
    "the end": ("20270328T013000", "20270328T023000", "01:30:00+01:00", "03:30:00+02:00"),
    "both": ("20270328T021500", "20270328T024500", "03:15:00+02:00", "03:45:00+02:00"),
    "the start, and the end is before that": (
        *("20270328T023000", "20270328T031500", "03:30:00+02:00", "03:30:00+02:00"),
    ),
    "neither": ("20270328T033000", "20270328T040000", "03:30:00+02:00", "04:00:00+02:00"),
    "no gap, and an end before the start": (
        *("20270329T033000", "20270329T030000", "03:30:00+02:00", "03:30:00+02:00"),
    ),
}


@pytest.mark.parametrize(("start", "end", "starts", "ends"), IN_THE_GAP.values(), ids=IN_THE_GAP.keys())
def test_event_in_dst_gap_uses_offset_before_gap(start: str, end: str, starts: str, ends: str) -> None:
    """The offset before the gap applies (RFC 5545 section 3.3.5), and the event does not end before it starts."""
    series = Series(stored(ics(f"DTSTART;TZID=Europe/Berlin:{start}", f"DTEND;TZID=Europe/Berlin:{end}")))
    (found,) = series.occurrences(datetime(2027, 3, 28, tzinfo=UTC), datetime(2027, 3, 30, tzinfo=UTC))
    read = series.summary(found)
    day = "2027-03-29" if start.startswith("20270329") else "2027-03-28"
    assert (read.start_datetime, read.end_datetime) == (f"{day}T{starts}", f"{day}T{ends}")


DURATIONS: Final = {
    "the skipped hour": ("20270328T013000", "PT1H", "01:30:00+01:00", "03:30:00+02:00"),
    "from the skipped hour": ("20270328T023000", "PT30M", "03:30:00+02:00", "04:00:00+02:00"),
    "the repeated hour": ("20271031T013000", "PT2H", "01:30:00+02:00", "02:30:00+01:00"),
    "a day of 23 hours": ("20270327T120000", "P1DT1H", "12:00:00+01:00", "13:00:00+02:00"),
}


@pytest.mark.parametrize("rule", ["", "RRULE:FREQ=WEEKLY;COUNT=2"])
@pytest.mark.parametrize(("start", "duration", "starts", "ends"), DURATIONS.values(), ids=DURATIONS.keys())
def test_duration_counts_elapsed_hours(start: str, duration: str, starts: str, ends: str, rule: str) -> None:
    """Days are days of local time, and hours are elapsed time (RFC 5545 section 3.3.6), in a series too."""
    lines = (f"DTSTART;TZID=Europe/Berlin:{start}", f"DURATION:{duration}", *filter(None, [rule]))
    series = Series(stored(ics(*lines)))
    found = series.occurrences(datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 11, 2, tzinfo=UTC))
    read = series.summary(found[0])
    assert (read.start_datetime[11:], read.end_datetime[11:]) == (starts, ends)
    assert series.summary(series.main).end_datetime == read.end_datetime
