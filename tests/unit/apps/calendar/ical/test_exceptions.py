"""`apps.calendar.ical.exceptions`: EXDATE, RDATE and overrides move with their series."""

from collections.abc import Mapping
from typing import Final

import pytest

from nextcloud_mcp.errors import InvalidArgumentError
from tests.support.event_changes import TUESDAYS, change_event, changed_lines, list_starts, override_lines
from tests.support.ics import ics, unfolded


def test_zone_change_converts_exceptions() -> None:
    """The exceptions of a series are written in its new zone."""
    ical = ics(
        "DTSTART:20301007T080000Z",
        "DTEND:20301007T090000Z",
        "RRULE:FREQ=DAILY",
        "EXDATE:20301008T080000Z,20301109T080000Z",
        "RDATE;VALUE=PERIOD:20301201T080000Z/PT3H",
    )
    _, come = changed_lines(ical, start_datetime="2030-10-07T11:00")
    assert "EXDATE;TZID=Europe/Berlin:20301008T110000,20301109T110000" in come
    assert any(line.startswith("RDATE") and "20301201T110000" in line for line in come)


OVERRIDES: Final[Mapping[str, tuple[str, str]]] = {
    "a changed hour stays": ("20261020T140000", "2026-10-21T14:00*"),
    "a changed date stays": ("20261022T101500", "2026-10-22T11:30*"),
    "both stay": ("20261023T160000", "2026-10-23T16:00*"),
}


@pytest.mark.parametrize(("start", "there"), OVERRIDES.values(), ids=OVERRIDES.keys())
def test_moving_series_keeps_changes_of_occurrence(start: str, there: str) -> None:
    """What the occurrence inherits from the rule moves along: the date, the time, or both."""
    moved = change_event(ics(*TUESDAYS, *override_lines("20261020T101500", start)), start_datetime="2026-10-07T11:30")
    assert [each for each in list_starts(moved) if each.endswith("*")] == [there]
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20261021T113000" in unfolded(moved)


def test_changed_time_is_kept_in_new_zone() -> None:
    """An occurrence moved to 12:00 UTC stays at that instant when the series changes from UTC to Berlin."""
    moved = change_event(
        ics(
            *("DTSTART:20261006T080000Z", "DTEND:20261006T090000Z", "RRULE:FREQ=WEEKLY;COUNT=3", "END:VEVENT"),
            *("BEGIN:VEVENT", "UID:theirs", "DTSTAMP:20300101T000000Z", "SUMMARY:Changed"),
            *("RECURRENCE-ID:20261013T080000Z", "DTSTART:20261013T120000Z", "DTEND:20261013T130000Z"),
        ),
        start_datetime="2026-10-06T11:00",
    )
    assert list_starts(moved) == ["2026-10-06T11:00", "2026-10-13T14:00*", "2026-10-20T11:00"]


def test_date_recurrence_id_moves_with_series() -> None:
    """Some programs write a date as RECURRENCE-ID of a timed series."""
    named = ("RECURRENCE-ID;VALUE=DATE:20261020", "DTSTART;TZID=Europe/Berlin:20261020T140000")
    head = ("END:VEVENT", "BEGIN:VEVENT", "UID:theirs", "DTSTAMP:20300101T000000Z", "SUMMARY:Changed")
    moved = change_event(ics(*TUESDAYS, *head, *named), start_datetime="2026-10-07T10:15")
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20261021T101500" in unfolded(moved)
    assert "2026-10-21T14:00*" in list_starts(moved)


def test_thisandfuture_override_moves_with_series() -> None:
    """RANGE=THISANDFUTURE stays, and following occurrences keep their distance to it."""
    ical = ics(*TUESDAYS, *override_lines("20261027T101500", "20261027T140000", params="RANGE=THISANDFUTURE;"))
    moved = change_event(ical, start_datetime="2026-10-07T10:15")
    assert [each[:16] for each in list_starts(moved)] == [
        "2026-10-07T10:15",
        "2026-10-21T10:15",
        "2026-10-28T14:00",
        "2026-11-04T14:00",
        "2026-11-11T14:00",
    ]


OTHER_KIND: Final[Mapping[str, tuple[str, str]]] = {
    "all day, on its day": ("DTSTART;VALUE=DATE:20261020 DTEND;VALUE=DATE:20261022", "2026-10-21*"),
    "all day, on another": ("DTSTART;VALUE=DATE:20261022 DTEND;VALUE=DATE:20261023", "2026-10-22*"),
}


@pytest.mark.parametrize(("lines", "there"), OTHER_KIND.values(), ids=OTHER_KIND.keys())
def test_all_day_override_moves_with_timed_series(lines: str, there: str) -> None:
    """It stays all-day with its length, and its date moves if it was the rule's date."""
    changed_one = (*override_lines("20261020T101500", "20261020T101500")[:6], *lines.split())
    moved = change_event(ics(*TUESDAYS, *changed_one), start_datetime="2026-10-07T11:30")
    assert [each for each in list_starts(moved) if each.endswith("*")] == [there]
    assert len(list_starts(moved)) == len(list_starts(ics(*TUESDAYS)))
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20261021T113000" in unfolded(moved)
    length = {"2026-10-21*": "DTEND;VALUE=DATE:20261023", "2026-10-22*": "DTEND;VALUE=DATE:20261023"}
    assert length[there] in unfolded(moved)


@pytest.mark.parametrize(
    ("start", "there"), [("20261020T140000", "2026-10-21T14:00*"), ("20261022T140000", "2026-10-22T14:00*")]
)
def test_timed_override_moves_with_all_day_series(start: str, there: str) -> None:
    """The override keeps its time and zone."""
    days = ("DTSTART;VALUE=DATE:20261006", "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=4")
    one = [
        line.replace(";TZID=Europe/Berlin:20261020T101500", ";VALUE=DATE:20261020") if "RECURRENCE" in line else line
        for line in override_lines("20261020T101500", start)
    ]
    moved = change_event(ics(*days, *one), start_datetime="2026-10-07")
    assert list_starts(moved) == sorted(["2026-10-07", "2026-10-14", there, "2026-10-28"])
    assert f"DTSTART;TZID=Europe/Berlin:{there[:10].replace('-', '')}T140000" in unfolded(moved)


def test_deleted_occurrence_without_place_is_refused() -> None:
    """July has a 31st, and September, two months later, has none: nothing disappears without a word."""
    months = ("DTSTART;TZID=Europe/Berlin:20260131T101500", "RRULE:FREQ=MONTHLY;COUNT=6")
    ical = ics(*months, "EXDATE;TZID=Europe/Berlin:20260731T101500")
    with pytest.raises(InvalidArgumentError, match=r"2026-07-31T10:15:00\+02:00 was deleted or added, and"):
        change_event(ical, start_datetime="2026-03-31T10:15")
    moved = change_event(ical, start_datetime="2026-03-31T10:15", recurrence_rule="FREQ=MONTHLY;COUNT=3")
    assert list_starts(moved) == ["2026-03-31T10:15", "2026-05-31T10:15"]


def test_added_rdate_period_keeps_zone() -> None:
    """Without its zone the period would float."""
    period = "RDATE;VALUE=PERIOD;TZID=Europe/Berlin:20261009T101500/PT3H"
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", "RRULE:FREQ=WEEKLY;COUNT=2", period)
    moved = unfolded(change_event(ical, start_datetime="2026-10-07T10:15"))
    assert "TZID=Europe/Berlin:20261010T101500/" in next(line for line in moved if line.startswith("RDATE"))


def test_rdates_without_rule_move_with_start() -> None:
    """All RDATEs move by the same amount as the start."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", "RDATE;TZID=Europe/Berlin:20261020T101500")
    assert list_starts(change_event(ical, start_datetime="2026-10-07T10:15")) == [
        "2026-10-07T10:15",
        "2026-10-21T10:15",
    ]
