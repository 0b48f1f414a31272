"""`apps.calendar.ical.series_moves`: a series is moved completely or not at all."""

from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from nextcloud_mcp.apps.calendar.ical.event_changes import Author
from nextcloud_mcp.errors import InvalidArgumentError
from tests.support.event_changes import TUESDAYS, change_event, changed_lines, list_starts, override_lines, rule_of
from tests.support.ics import THUNDERBIRD, ics, unfolded


def test_moving_series_moves_exceptions_and_end() -> None:
    """Deleted occurrences stay deleted, changed ones stay changed, and the last one stays the last."""
    gone, come = changed_lines(THUNDERBIRD, start_datetime="2030-09-30T09:30")
    assert come == {
        "DTSTART;TZID=Europe/Berlin:20300930T093000",
        "DTEND;TZID=Europe/Berlin:20300930T103000",
        "EXDATE;TZID=Europe/Berlin:20301014T093000",
        "RECURRENCE-ID;TZID=Europe/Berlin:20301007T093000",
        "DTSTART;TZID=Europe/Berlin:20301007T093000",
        "DTEND;TZID=Europe/Berlin:20301007T123000",
        "RRULE:BYDAY=MO;FREQ=WEEKLY;UNTIL=20301231T083000Z",
    }
    assert len(gone) == len(come)


def test_series_with_exceptions_keeps_value_type() -> None:
    """A series with exceptions can't become all-day; without exceptions it can, and UNTIL follows."""
    with pytest.raises(InvalidArgumentError, match="Single occurrences of this series were changed or deleted"):
        changed_lines(THUNDERBIRD, all_day=True)
    plain = ics("DTSTART:20301007T080000Z", "DTEND:20301007T090000Z", "RRULE:FREQ=DAILY;UNTIL=20301031T080000Z")
    assert "RRULE:FREQ=DAILY;UNTIL=20301031" in changed_lines(plain, all_day=True)[1]


def test_moving_to_another_weekday_keeps_exceptions() -> None:
    """Deleted occurrences stay deleted, a changed one appears once, and the count stays the same."""
    ical = ics(*TUESDAYS, *override_lines("20261020T101500", "20261020T101500"))
    moved = change_event(ical, start_datetime="2026-10-07T10:15")
    assert rule_of(moved) == "BYDAY=WE;COUNT=6;FREQ=WEEKLY"
    assert list_starts(moved) == [
        "2026-10-07T10:15",
        "2026-10-21T10:15*",
        "2026-10-28T10:15",
        "2026-11-04T10:15",
        "2026-11-11T10:15",
    ]
    assert change_event(moved, start_datetime="2026-10-06T10:15").count("20261013T101500") == 1


def test_new_start_with_new_rule_is_not_deleted() -> None:
    """The caller asks for an occurrence on a day that was deleted before."""
    ical = ics(*TUESDAYS)
    moved = change_event(ical, start_datetime="2026-10-13T10:15", recurrence_rule="FREQ=WEEKLY;INTERVAL=2;COUNT=3")
    assert list_starts(moved) == ["2026-10-13T10:15", "2026-10-27T10:15", "2026-11-10T10:15"]


def test_all_day_series_moves_by_days() -> None:
    """The series moves by days with its exceptions and stays all-day."""
    ical = ics("DTSTART;VALUE=DATE:20261006", "RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20261103", "EXDATE;VALUE=DATE:20261013")
    moved = change_event(ical, start_datetime="2026-10-07")
    assert list_starts(moved) == ["2026-10-07", "2026-10-21", "2026-10-28", "2026-11-04"]
    assert "EXDATE;VALUE=DATE:20261014" in unfolded(moved)


TOKYO: Final = Author(ZoneInfo("Asia/Tokyo"), named=True)


@pytest.mark.parametrize("start", ["2026-10-07T05:00", "2026-10-06T22:00+02:00"])
def test_start_with_zone_moves_event_to_zone(start: str) -> None:
    """Rule, UNTIL and exceptions follow: 05:00 on Wednesday in Tokyo."""
    ical = ics(*TUESDAYS, *override_lines("20261020T101500", "20261020T140000"))
    moved = change_event(ical, start_datetime=start, author=TOKYO)
    lines = set(unfolded(moved))
    assert {"DTSTART;TZID=Asia/Tokyo:20261007T050000", "DTEND;TZID=Asia/Tokyo:20261007T060000"} <= lines
    assert {"EXDATE;TZID=Asia/Tokyo:20261014T050000", "RECURRENCE-ID;TZID=Asia/Tokyo:20261021T050000"} <= lines
    assert rule_of(moved) == "BYDAY=WE;COUNT=6;FREQ=WEEKLY"
    assert len(list_starts(moved)) == len(list_starts(ical))


def test_end_with_zone_is_converted() -> None:
    """The event keeps its own zone: 19:00 in Tokyo is noon in Berlin."""
    moved = change_event(ics(*TUESDAYS[:2]), end_datetime="2026-10-06T19:00", author=TOKYO)
    assert "DTEND;TZID=Europe/Berlin:20261006T120000" in unfolded(moved)


def test_utc_event_becomes_all_day_in_user_zone() -> None:
    """23:00 UTC is the next day in Berlin, and the rule's weekday follows."""
    moved = change_event(ics("DTSTART:20261006T230000Z", "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=3"), all_day=True)
    assert list_starts(moved) == ["2026-10-07", "2026-10-14", "2026-10-21"]


def test_new_rule_keeps_matching_exceptions() -> None:
    """With a new start the exceptions move; with the same rule alone they stay."""
    ical = ics(*TUESDAYS, *override_lines("20261020T101500", "20261020T101500"))
    moved = change_event(ical, start_datetime="2026-10-07T10:15", recurrence_rule="FREQ=WEEKLY;BYDAY=WE;COUNT=6")
    assert list_starts(moved) == list_starts(change_event(ical, start_datetime="2026-10-07T10:15"))
    workdays = ics(
        "DTSTART;TZID=Europe/Berlin:20261005T101500",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        "EXDATE;TZID=Europe/Berlin:20261008T101500",
    )
    later = change_event(
        workdays, start_datetime="2026-10-06T10:30", recurrence_rule="FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
    )
    assert "EXDATE;TZID=Europe/Berlin:20261008T103000" in unfolded(later)


def test_new_rule_keeps_rdates() -> None:
    """Dates added by RDATE and their overrides do not depend on the rule."""
    added = ("RDATE;TZID=Europe/Berlin:20261022T101500", *override_lines("20261022T101500", "20261022T140000"))
    told = change_event(ics(*TUESDAYS, *added), recurrence_rule="FREQ=MONTHLY;BYMONTHDAY=6;COUNT=2")
    assert list_starts(told) == ["2026-10-06T10:15", "2026-10-22T14:00*", "2026-11-06T10:15"]


def test_new_rule_reports_orphaned_overrides() -> None:
    """An override that matches no occurrence is reported; one after the new end is removed."""
    ical = ics(*TUESDAYS, *override_lines("20261020T101500", "20261020T101500"))
    with pytest.raises(InvalidArgumentError, match=r"The occurrence 2026-10-20T10:15:00.02:00 was changed"):
        change_event(ical, recurrence_rule="FREQ=MONTHLY;BYMONTHDAY=6")
    assert list_starts(change_event(ical, recurrence_rule="FREQ=WEEKLY;BYDAY=TU;UNTIL=20261018")) == [
        "2026-10-06T10:15"
    ]
    assert list_starts(change_event(ical, recurrence_rule="FREQ=WEEKLY;BYDAY=TU;COUNT=2")) == ["2026-10-06T10:15"]


def test_move_between_all_weekdays_keeps_occurrences() -> None:
    """Moves between all weekdays by up to three weeks lose and duplicate no occurrence."""
    first = date(2026, 10, 5)
    for weekday in range(7):
        start = first + timedelta(days=weekday)
        ical = ics(
            f"DTSTART;VALUE=DATE:{start:%Y%m%d}",
            f"RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY={('MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU')[weekday]};COUNT=5",
            f"EXDATE;VALUE=DATE:{start + timedelta(days=14):%Y%m%d}",
        )
        for further in range(-10, 21):
            to = start + timedelta(days=further)
            wanted = [(to + timedelta(days=14 * number)).isoformat() for number in (0, 2, 3, 4)]
            assert list_starts(change_event(ical, start_datetime=to.isoformat())) == wanted
