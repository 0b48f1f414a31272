"""`apps.calendar.ical.times`: a new start or end keeps the zone and the length of an event."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from nextcloud_mcp.apps.calendar.ical.event_changes import Author, Change, changed
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.errors import InvalidArgumentError
from tests.support.event_changes import ALICE, BERLIN, changed_lines, new_event_lines
from tests.support.ics import APPLE, OUTLOOK, ics, stored, unfolded

WHEN: Final[Mapping[str, tuple[str, dict[str, Any], set[str], set[str]]]] = {
    "a new start keeps the length": (
        ics("DTSTART;TZID=Europe/Berlin:20301007T100000", "DTEND;TZID=Europe/Berlin:20301007T103000"),
        {"start_datetime": "2030-10-08T12:00"},
        {"DTSTART;TZID=Europe/Berlin:20301007T100000", "DTEND;TZID=Europe/Berlin:20301007T103000"},
        {"DTSTART;TZID=Europe/Berlin:20301008T120000", "DTEND;TZID=Europe/Berlin:20301008T123000"},
    ),
    "a zone keeps its name": (
        OUTLOOK,
        {"end_datetime": "2030-10-07T12:00"},
        {"DTEND;TZID=W. Europe Standard Time:20301007T110000"},
        {"DTEND;TZID=W. Europe Standard Time:20301007T120000"},
    ),
    "an unknown zone keeps its name": (
        ics("DTSTART;TZID=Mars/Phobos:20301007T100000", "DTEND;TZID=Mars/Phobos:20301007T110000"),
        {"start_datetime": "2030-10-08T10:00"},
        {"DTSTART;TZID=Mars/Phobos:20301007T100000", "DTEND;TZID=Mars/Phobos:20301007T110000"},
        {"DTSTART;TZID=Mars/Phobos:20301008T100000", "DTEND;TZID=Mars/Phobos:20301008T110000"},
    ),
    "each end keeps its zone": (
        ics("DTSTART;TZID=Europe/Berlin:20301007T100000", "DTEND;TZID=America/New_York:20301007T130000"),
        {"start_datetime": "2030-10-07T11:00"},
        {"DTSTART;TZID=Europe/Berlin:20301007T100000", "DTEND;TZID=America/New_York:20301007T130000"},
        {"DTSTART;TZID=Europe/Berlin:20301007T110000", "DTEND;TZID=America/New_York:20301007T140000"},
    ),
    "UTC is replaced by the user's zone": (
        ics("DTSTART:20301007T080000Z", "DTEND:20301007T083000Z"),
        {"start_datetime": "2030-10-07T11:00"},
        {"DTSTART:20301007T080000Z", "DTEND:20301007T083000Z"},
        {"DTSTART;TZID=Europe/Berlin:20301007T110000", "DTEND;TZID=Europe/Berlin:20301007T113000"},
    ),
    "a floating time stays floating": (
        ics("DTSTART:20301007T080000", "DTEND:20301007T083000"),
        {"start_datetime": "2030-10-07T11:00"},
        {"DTSTART:20301007T080000", "DTEND:20301007T083000"},
        {"DTSTART:20301007T110000", "DTEND:20301007T113000"},
    ),
    "an end in place of a duration": (
        ics("DTSTART:20301007T080000", "DURATION:PT45M"),
        {"end_datetime": "2030-10-07T11:00"},
        {"DURATION:PT45M"},
        {"DTEND:20301007T110000"},
    ),
    "a trip a day later": (
        APPLE,
        {"start_datetime": "2030-10-08"},
        {"DTSTART;VALUE=DATE:20301007", "DTEND;VALUE=DATE:20301010"},
        {"DTSTART;VALUE=DATE:20301008", "DTEND;VALUE=DATE:20301011"},
    ),
    "a meeting all day": (
        ics("DTSTART:20301007T080000Z", "DTEND:20301007T083000Z"),
        {"all_day": True},
        {"DTSTART:20301007T080000Z", "DTEND:20301007T083000Z"},
        {"DTSTART;VALUE=DATE:20301007", "DTEND;VALUE=DATE:20301008"},
    ),
    "a day that gets a time": (
        ics("DTSTART;VALUE=DATE:20301007"),
        {"all_day": False, "start_datetime": "2030-10-07T10:00"},
        {"DTSTART;VALUE=DATE:20301007"},
        {"DTSTART;TZID=Europe/Berlin:20301007T100000", "DTEND;TZID=Europe/Berlin:20301007T110000"},
    ),
}


@pytest.mark.parametrize(("ical", "fields", "gone", "come"), WHEN.values(), ids=WHEN.keys())
def test_new_start_keeps_type_zone_and_duration(
    ical: str, fields: dict[str, Any], gone: set[str], come: set[str]
) -> None:
    """A moved event keeps its value type, zone and duration unless the caller changes them."""
    went, came = changed_lines(ical, **fields)
    assert went == gone
    assert {line for line in came if line.startswith(("DTSTART;", "DTSTART:2", "DTEND"))} >= come


SKIPPED: Final[Mapping[str, tuple[tuple[str, ...], dict[str, Any], str, str]]] = {
    "moved there": (
        ("DTSTART;TZID=Europe/Berlin:20270327T023000", "DTEND;TZID=Europe/Berlin:20270327T030000"),
        {"start_datetime": "2027-03-28T02:30"},
        "DTSTART;TZID=Europe/Berlin:20270328T033000",
        "DTEND;TZID=Europe/Berlin:20270328T040000",
    ),
    "moved there, with a duration": (
        ("DTSTART;TZID=Europe/Berlin:20270327T023000", "DURATION:PT30M"),
        {"start_datetime": "2027-03-28T02:30"},
        "DTSTART;TZID=Europe/Berlin:20270328T033000",
        "DURATION:PT30M",
    ),
    "its end moved there": (
        ("DTSTART;TZID=Europe/Berlin:20270328T010000", "DTEND;TZID=Europe/Berlin:20270328T013000"),
        {"end_datetime": "2027-03-28T02:30"},
        "DTSTART;TZID=Europe/Berlin:20270328T010000",
        "DTEND;TZID=Europe/Berlin:20270328T033000",
    ),
    "moved across it": (
        ("DTSTART;TZID=Europe/Berlin:20270327T013000", "DTEND;TZID=Europe/Berlin:20270327T030000"),
        {"start_datetime": "2027-03-28T01:30"},
        "DTSTART;TZID=Europe/Berlin:20270328T013000",
        "DTEND;TZID=Europe/Berlin:20270328T040000",
    ),
    "days that go across it": (
        ("DTSTART;TZID=Europe/Berlin:20270320T090000", "DTEND;TZID=Europe/Berlin:20270322T170000"),
        {"start_datetime": "2027-03-27T09:00"},
        "DTSTART;TZID=Europe/Berlin:20270327T090000",
        "DTEND;TZID=Europe/Berlin:20270329T170000",
    ),
    "moved out of the hour that the clock skips, with an end before its start": (
        ("DTSTART;TZID=Europe/Berlin:20270328T023000", "DTEND;TZID=Europe/Berlin:20270328T031500"),
        {"start_datetime": "2027-03-29T02:30"},
        "DTSTART;TZID=Europe/Berlin:20270329T023000",
        "DTEND;TZID=Europe/Berlin:20270329T031500",
    ),
    "moved into the hour that comes twice": (
        ("DTSTART;TZID=Europe/Berlin:20261024T023000", "DTEND;TZID=Europe/Berlin:20261024T030000"),
        {"start_datetime": "2026-10-25T02:30"},
        "DTSTART;TZID=Europe/Berlin:20261025T023000",
        "DTEND:20261025T010000Z",
    ),
}


@pytest.mark.parametrize(("lines", "fields", "start", "end"), SKIPPED.values(), ids=SKIPPED.keys())
def test_duration_is_kept_across_dst_change(
    lines: tuple[str, ...], fields: dict[str, Any], start: str, end: str
) -> None:
    """A nonexistent local time uses the offset before the gap (RFC 5545 section 3.3.5)."""
    assert {start, end} <= set(unfolded(changed(Series(stored(ics(*lines))), Change(**fields), ALICE)))


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        pytest.param({}, "043000", id="an hour"),
        pytest.param({"duration_minutes": 30}, "040000", id="a duration"),
        pytest.param({"end_datetime": "2027-03-28T03:00"}, "040000", id="an end before it"),
        pytest.param({"end_datetime": "2027-03-28T03:30"}, "043000", id="an end at the same time"),
        pytest.param({"end_datetime": "2027-03-28T10:00"}, "100000", id="an end after it"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_event_in_dst_gap_starts_an_hour_later(fields: dict[str, Any], end: str, *, named: bool) -> None:
    """An event created in the skipped hour starts one hour later, and ends after its start."""
    made = new_event_lines(start_datetime="2027-03-28T02:30", author=Author(BERLIN, named=named), **fields)
    assert {"DTSTART;TZID=Europe/Berlin:20270328T033000", f"DTEND;TZID=Europe/Berlin:20270328T{end}"} <= made


def test_series_starting_in_dst_gap_is_refused() -> None:
    """Otherwise all occurrences would shift by the hour that only the first one needs."""
    start = "2027-03-28T02:30"
    with pytest.raises(InvalidArgumentError, match="The clock in Europe/Berlin skips 2027-03-28T02:30:00"):
        new_event_lines(recurrence_rule="FREQ=DAILY", start_datetime=start)
    with pytest.raises(InvalidArgumentError, match="pass a start_datetime on another day"):
        changed_lines(ics("DTSTART;TZID=Europe/Berlin:20270327T023000", "RRULE:FREQ=DAILY"), start_datetime=start)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        pytest.param({"start_datetime": "2030-10-08T10:00"}, "The event is all day, and a time was given", id="a time"),
        pytest.param({"all_day": False}, "needs a start_datetime with a time", id="no time"),
    ],
)
def test_all_day_becomes_timed_only_on_request(fields: dict[str, Any], sentence: str) -> None:
    """A time for an all-day event is refused unless the caller asks for a timed event."""
    with pytest.raises(InvalidArgumentError, match=sentence):
        changed_lines(APPLE, **fields)


NO_LENGTH: Final[Mapping[str, tuple[str, ...]]] = {
    "without an end": ("DTSTART;TZID=Europe/Berlin:20301007T100000",),
    "which ends as it starts": (
        "DTSTART;TZID=Europe/Berlin:20301007T100000",
        "DTEND;TZID=Europe/Berlin:20301007T100000",
    ),
    "of a length of zero": ("DTSTART;TZID=Europe/Berlin:20301007T100000", "DURATION:PT0S"),
}


@pytest.mark.parametrize("lines", NO_LENGTH.values(), ids=NO_LENGTH.keys())
def test_event_without_length_moves_with_both_of_its_times(lines: tuple[str, ...]) -> None:
    """Its end is listed as its start, and can be passed back so; the event then has no length at its new time either.

    Other events cannot end as they start.
    """
    ical = ics(*lines)
    told = Series(stored(ical)).summary(Series(stored(ical)).main)
    assert told.start_datetime == told.end_datetime
    same = changed_lines(ical, start_datetime=told.start_datetime, end_datetime=told.end_datetime)
    assert same == (set(), set())
    _, come = changed_lines(ical, start_datetime="2030-10-08T11:00", end_datetime="2030-10-08T09:00:00+00:00")
    assert come == {line.replace("20301007T100000", "20301008T110000") for line in lines if "DURATION" not in line}
    with pytest.raises(InvalidArgumentError, match="end_datetime is not after"):
        changed_lines(ical, start_datetime="2030-10-08T11:00", end_datetime="2030-10-08T10:59")
    with pytest.raises(InvalidArgumentError, match="end_datetime is not after"):
        changed_lines(
            ics(lines[0], "DURATION:PT1H"), start_datetime="2030-10-08T11:00", end_datetime="2030-10-08T11:00"
        )
