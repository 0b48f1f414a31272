"""`apps.calendar.ical.occurrence_moves`: a moved series keeps the number of its occurrences."""

from collections.abc import Mapping
from typing import Final

import pytest

from nextcloud_mcp.apps.calendar.ical.event_changes import Author
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.errors import InvalidArgumentError
from tests.support.event_changes import change_event, changed_lines, list_starts, override_lines, rule_of
from tests.support.ics import ics, stored


def test_date_until_is_kept_when_moved_by_days() -> None:
    """UNTIL is a date that the author chose, so it stays."""
    plain = ics("DTSTART:20301007T080000Z", "DTEND:20301007T090000Z", "RRULE:FREQ=DAILY;UNTIL=20301031T080000Z")
    _, come = changed_lines(plain, start_datetime="2030-10-14T08:00Z", author=Author(None))
    assert not any(line.startswith("RRULE") for line in come)


UNTIL: Final[Mapping[str, tuple[str, str, int]]] = {
    "the last day": ("UNTIL=20261110T091500Z", "2026-10-07T10:15", 6),
    "the end of that day": ("UNTIL=20261110T225959Z", "2026-10-07T10:15", 6),
    "some days after": ("UNTIL=20261115T225959Z", "2026-10-07T10:15", 6),
    "back": ("UNTIL=20261116T225959Z", "2026-10-05T10:15", 6),
}


@pytest.mark.parametrize(("until", "to", "count"), UNTIL.values(), ids=UNTIL.keys())
@pytest.mark.parametrize("pinned", ["FREQ=WEEKLY;BYDAY=TU", "FREQ=WEEKLY"])
def test_until_moves_if_occurrences_would_change(pinned: str, until: str, to: str, count: int) -> None:
    """UNTIL moves if an occurrence would otherwise be lost or added."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", f"RRULE:{pinned};{until}")
    assert len(list_starts(ical)) == count
    assert len(list_starts(change_event(ical, start_datetime=to))) == count


OTHER_END: Final[Mapping[str, tuple[str, str, str, str]]] = {
    "a day, for times": ("TZID=Europe/Berlin:20261006T101500", "20261027", "2026-10-07T10:15", "20261026T230000Z"),
    "a day, by an hour": ("TZID=Europe/Berlin:20261006T101500", "20261027", "2026-10-06T11:15", "20261027T000000Z"),
    "a day, for floating times": ("VALUE=DATE-TIME:20261006T101500", "20261027", "2026-10-07T10:15", "20261027T000000"),
    "a time, for days": ("VALUE=DATE:20261006", "20261027T215959Z", "2026-10-07", "20261028"),
    "midnight, for days": ("VALUE=DATE:20261006", "20261027T000000Z", "2026-10-07", "20261028"),
    "a floating time, for a zone": (
        "TZID=Europe/Berlin:20261006T101500",
        "20261027T101500",
        "2026-10-07T10:15",
        "20261028T091500Z",
    ),
    "a time in UTC, for floating times": (
        "VALUE=DATE-TIME:20261006T101500",
        "20261027T101500Z",
        "2026-10-07T10:15",
        "20261028T101500",
    ),
    "a day, and the series stays": (
        "TZID=Europe/Berlin:20261006T101500",
        "20261028",
        "2026-10-06T10:30",
        "20261027T231500Z",
    ),
}


@pytest.mark.parametrize(("start", "until", "to", "end"), OTHER_END.values(), ids=OTHER_END.keys())
def test_until_is_written_in_value_type_of_start(start: str, until: str, to: str, end: str) -> None:
    """RFC 5545 section 3.3.10 requires it; the number of occurrences stays the same."""
    ical = ics(f"DTSTART;{start}", f"RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL={until}")
    moved = change_event(ical, start_datetime=to)
    assert f"UNTIL={end}" in rule_of(moved).split(";")
    assert len(list_starts(moved)) == len(list_starts(ical))
    told = Series(stored(ical)).event(Series(stored(ical)).main)
    again = change_event(ical, start_datetime=to, recurrence_rule=told.recurrence_rule)
    assert list_starts(again) == list_starts(moved)
    assert f"UNTIL={until}" in rule_of(change_event(ical, title="New", recurrence_rule=told.recurrence_rule)).split(";")


@pytest.mark.parametrize("until", ["20261027", "20261027T215959Z"])
def test_until_follows_change_of_value_type(until: str) -> None:
    """A series that changes between timed and all-day keeps its occurrences."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", f"RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL={until}")
    days = change_event(ical, all_day=True)
    assert list_starts(days) == [each[:10] for each in list_starts(ical)]
    assert list_starts(change_event(days, all_day=False, start_datetime="2026-10-06T10:15")) == list_starts(ical)


PAST_ITS_END: Final[Mapping[str, tuple[str, str]]] = {
    "daily": ("FREQ=DAILY;UNTIL=20261010T225959Z", "2026-10-20T10:15"),
    "weekly": ("FREQ=WEEKLY;BYDAY=TU;UNTIL=20261027T225959Z", "2026-11-10T10:15"),
}


@pytest.mark.parametrize(("until", "to"), PAST_ITS_END.values(), ids=PAST_ITS_END.keys())
def test_series_moved_past_until_keeps_its_length(until: str, to: str) -> None:
    """UNTIL moves along, so that the series still has occurrences."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", f"RRULE:{until}")
    moved = list_starts(change_event(ical, start_datetime=to))
    assert (moved[0], len(moved)) == (to, len(list_starts(ical)))


def test_later_start_keeps_count_and_deleted_occurrence() -> None:
    """UNTIL and exceptions move together: the count and the missing occurrence stay the same."""
    daily = ("DTSTART;TZID=Europe/Berlin:20261006T101500", "RRULE:FREQ=DAILY;UNTIL=20261011T225959Z")
    moved = change_event(ics(*daily, "EXDATE;TZID=Europe/Berlin:20261009T101500"), start_datetime="2026-10-08T10:15")
    assert [each[:10] for each in list_starts(moved)] == [f"2026-10-{day:02}" for day in (8, 9, 10, 12, 13)]


def test_until_covers_changed_occurrences() -> None:
    """A daily series that starts a week later keeps UNTIL, but never before a changed occurrence."""
    daily = ("DTSTART;TZID=Europe/Berlin:20261006T101500", "RRULE:FREQ=DAILY;UNTIL=20261031T225959Z")
    assert list_starts(change_event(ics(*daily), start_datetime="2026-10-13T10:15"))[-1] == "2026-10-31T10:15"
    moved = change_event(
        ics(*daily, *override_lines("20261030T101500", "20261030T101500")), start_datetime="2026-10-13T10:15"
    )
    assert list_starts(moved)[-2:] == ["2026-11-06T10:15*", "2026-11-07T10:15"]


SHORT_MONTHS: Final[Mapping[str, tuple[str, str, str]]] = {
    "a month later in the series": ("20270128T101500", "FREQ=MONTHLY;BYMONTHDAY=28;COUNT=5", "2027-01-29T10:15"),
    "without BYMONTHDAY": ("20270128T101500", "FREQ=MONTHLY;UNTIL=20270601T000000Z", "2027-01-30T10:15"),
    "back into another month": ("20270201T101500", "FREQ=MONTHLY;BYMONTHDAY=1;COUNT=4", "2027-01-31T10:15"),
    "from one that some do not have": ("20261030T101500", "FREQ=MONTHLY;BYMONTHDAY=30", "2026-10-31T10:15"),
    "29 February": ("20280228T101500", "FREQ=YEARLY", "2028-02-29T10:15"),
    "29 February, by its date": ("20280301T101500", "FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=1", "2028-02-29T10:15"),
}


@pytest.mark.parametrize(("start", "before", "to"), SHORT_MONTHS.values(), ids=SHORT_MONTHS.keys())
@pytest.mark.parametrize("is_given_back", [True, False])
def test_move_to_day_missing_in_some_months_asks_for_rule(
    start: str, before: str, to: str, *, is_given_back: bool
) -> None:
    """The series would lose an occurrence, so the error asks for the rule, even if the old one is passed."""
    ical = ics(f"DTSTART;TZID=Europe/Berlin:{start}", f"RRULE:{before}")
    given = before if is_given_back else None
    with pytest.raises(
        InvalidArgumentError, match=r"has a day \d\d, and BYMONTHDAY=-1 .*pass recurrence_rule together"
    ):
        change_event(ical, start_datetime=to, recurrence_rule=given)
    last_days = change_event(
        ical, start_datetime="2027-01-31T10:15", recurrence_rule="FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3"
    )
    assert list_starts(last_days, 2027) == ["2027-01-31T10:15", "2027-02-28T10:15", "2027-03-31T10:15"]


LONG_MONTHS: Final[Mapping[str, tuple[str, str, str, int]]] = {
    "a day of a year": ("20270128T101500", "FREQ=YEARLY;COUNT=5", "2027-01-31T10:15", 5),
    "few occurrences": ("20270728T101500", "FREQ=MONTHLY;BYMONTHDAY=28;COUNT=2", "2027-07-31T10:15", 2),
    "an end before the first short one": (
        "20270728T101500",
        "FREQ=MONTHLY;UNTIL=20270829T000000Z",
        "2027-07-31T10:15",
        2,
    ),
    "every fourth year": ("20280228T101500", "FREQ=YEARLY;INTERVAL=4;COUNT=3", "2028-02-29T10:15", 3),
    "the last day": ("20270129T101500", "FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=4", "2027-01-31T10:15", 4),
    "a day that it has": ("20270131T101500", "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=4", "2027-03-31T10:15", 4),
}


@pytest.mark.parametrize(("start", "before", "to", "count"), LONG_MONTHS.values(), ids=LONG_MONTHS.keys())
def test_move_to_day_of_all_its_months_works(start: str, before: str, to: str, count: int) -> None:
    """If all months of the rule have the day, the series keeps its occurrences."""
    moved = list_starts(
        change_event(ics(f"DTSTART;TZID=Europe/Berlin:{start}", f"RRULE:{before}"), start_datetime=to), 2027, 12
    )
    assert (moved[0], len(moved)) == (to, count)
