"""`apps.calendar.ical.moved` and `rules`: a series is moved completely or not at all."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from icalendar import vRecur

from nextcloud_mcp.apps.calendar.ical.event_changes import Author, Change, changed
from nextcloud_mcp.apps.calendar.ical.rule_moves import Move, moved_rule
from nextcloud_mcp.apps.calendar.ical.rules import is_same_rule
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.errors import InvalidArgumentError
from tests.support.ics import ics, stored, unfolded

BERLIN: Final = ZoneInfo("Europe/Berlin")
ALICE: Final = Author(BERLIN)
TUESDAYS: Final = (
    "DTSTART;TZID=Europe/Berlin:20261006T101500",
    "DTEND;TZID=Europe/Berlin:20261006T111500",
    "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=6",
    "EXDATE;TZID=Europe/Berlin:20261013T101500",
)


def override(by_rule: str, start: str, *, params: str = "") -> tuple[str, ...]:
    """A changed occurrence, in Berlin, as the lines that go on after a series'."""
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


def listed(ical: str, year: int = 2026, years: int = 1) -> list[str]:
    """When something happens, by day and hour, with a star where it was changed."""
    series = Series(stored(ical))
    begins = datetime(year, 1, 1, tzinfo=UTC)
    found = [series.summary(each) for each in series.occurrences(begins, begins + timedelta(days=366 * years))]
    return sorted(f"{each.start_datetime[:16]}{'*' if each.title else ''}" for each in found)


def after(ical: str, *, author: Author = ALICE, **fields: Any) -> str:
    """The object after a change of all of it."""
    return changed(Series(stored(ical)), Change(**fields), author)


def rule(ical: str) -> str:
    """The rule of a series, its parts in order."""
    return next(line for line in unfolded(ical) if line.startswith("RRULE:")).removeprefix("RRULE:")


def test_moving_to_another_weekday_keeps_exceptions() -> None:
    """Deleted occurrences stay deleted, a changed one appears once, and the count stays the same."""
    ical = ics(*TUESDAYS, *override("20261020T101500", "20261020T101500"))
    moved = after(ical, start_datetime="2026-10-07T10:15")
    assert rule(moved) == "BYDAY=WE;COUNT=6;FREQ=WEEKLY"
    assert listed(moved) == [
        "2026-10-07T10:15",
        "2026-10-21T10:15*",
        "2026-10-28T10:15",
        "2026-11-04T10:15",
        "2026-11-11T10:15",
    ]
    assert after(moved, start_datetime="2026-10-06T10:15").count("20261013T101500") == 1


OVERRIDES: Final[Mapping[str, tuple[str, str]]] = {
    "the hour stays that was changed": ("20261020T140000", "2026-10-21T14:00*"),
    "the date stays that was changed": ("20261022T101500", "2026-10-22T11:30*"),
    "both stay": ("20261023T160000", "2026-10-23T16:00*"),
}


@pytest.mark.parametrize(("start", "there"), OVERRIDES.values(), ids=OVERRIDES.keys())
def test_moving_series_keeps_changes_of_occurrence(start: str, there: str) -> None:
    """What the occurrence inherits from the rule moves along: the date, the time, or both."""
    moved = after(ics(*TUESDAYS, *override("20261020T101500", start)), start_datetime="2026-10-07T11:30")
    assert [each for each in listed(moved) if each.endswith("*")] == [there]
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20261021T113000" in unfolded(moved)


def test_changed_time_is_kept_in_new_zone() -> None:
    """An occurrence moved to 12:00 UTC stays at that instant when the series changes from UTC to Berlin."""
    moved = after(
        ics(
            *("DTSTART:20261006T080000Z", "DTEND:20261006T090000Z", "RRULE:FREQ=WEEKLY;COUNT=3", "END:VEVENT"),
            *("BEGIN:VEVENT", "UID:theirs", "DTSTAMP:20300101T000000Z", "SUMMARY:Changed"),
            *("RECURRENCE-ID:20261013T080000Z", "DTSTART:20261013T120000Z", "DTEND:20261013T130000Z"),
        ),
        start_datetime="2026-10-06T11:00",
    )
    assert listed(moved) == ["2026-10-06T11:00", "2026-10-13T14:00*", "2026-10-20T11:00"]


def test_date_recurrence_id_moves_with_series() -> None:
    """Some programs write a date as RECURRENCE-ID of a timed series."""
    named = ("RECURRENCE-ID;VALUE=DATE:20261020", "DTSTART;TZID=Europe/Berlin:20261020T140000")
    head = ("END:VEVENT", "BEGIN:VEVENT", "UID:theirs", "DTSTAMP:20300101T000000Z", "SUMMARY:Changed")
    moved = after(ics(*TUESDAYS, *head, *named), start_datetime="2026-10-07T10:15")
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20261021T101500" in unfolded(moved)
    assert "2026-10-21T14:00*" in listed(moved)


def test_thisandfuture_override_moves_with_series() -> None:
    """RANGE=THISANDFUTURE stays, and following occurrences keep their distance to it."""
    ical = ics(*TUESDAYS, *override("20261027T101500", "20261027T140000", params="RANGE=THISANDFUTURE;"))
    moved = after(ical, start_datetime="2026-10-07T10:15")
    assert [each[:16] for each in listed(moved)] == [
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
    changed_one = (*override("20261020T101500", "20261020T101500")[:6], *lines.split())
    moved = after(ics(*TUESDAYS, *changed_one), start_datetime="2026-10-07T11:30")
    assert [each for each in listed(moved) if each.endswith("*")] == [there]
    assert len(listed(moved)) == len(listed(ics(*TUESDAYS)))
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
        for line in override("20261020T101500", start)
    ]
    moved = after(ics(*days, *one), start_datetime="2026-10-07")
    assert listed(moved) == sorted(["2026-10-07", "2026-10-14", there, "2026-10-28"])
    assert f"DTSTART;TZID=Europe/Berlin:{there[:10].replace('-', '')}T140000" in unfolded(moved)


WEEKLY: Final = "FREQ=WEEKLY;"
MOVED: Final[Mapping[str, tuple[str, str, str, str]]] = {
    "a weekday": ("20261006T101500", "FREQ=WEEKLY;BYDAY=TU", "2026-10-09T10:15", "BYDAY=FR;FREQ=WEEKLY"),
    "a weekday back": ("20261006T101500", "FREQ=WEEKLY;BYDAY=TU", "2026-10-05T10:15", "BYDAY=MO;FREQ=WEEKLY"),
    "every other week": (
        "20261006T101500",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;WKST=SU",
        "2026-10-11T10:15",
        "BYDAY=SU;FREQ=WEEKLY;INTERVAL=2;WKST=SU",
    ),
    "several weekdays by a week": (
        "20261006T101500",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
        "2026-10-13T10:15",
        "BYDAY=TU,SU;FREQ=WEEKLY;INTERVAL=2;WKST=SU",
    ),
    "several weekdays by an hour": (
        "20261006T101500",
        "FREQ=WEEKLY;BYDAY=TU,TH",
        "2026-10-06T11:15",
        "BYDAY=TU,TH;FREQ=WEEKLY",
    ),
    "a day of the month": ("20261006T101500", "FREQ=MONTHLY;BYMONTHDAY=6", "2026-10-07T10:15", "BYMONTHDAY=7"),
    "to another month": ("20261006T101500", "FREQ=MONTHLY;BYMONTHDAY=6", "2026-11-07T10:15", "BYMONTHDAY=7"),
    "several days of the month by a month": (
        "20261006T101500",
        "FREQ=MONTHLY;BYMONTHDAY=6,20",
        "2026-11-06T10:15",
        "BYMONTHDAY=6,20",
    ),
    "the last day": ("20261031T101500", "FREQ=MONTHLY;BYMONTHDAY=-1", "2026-10-30T10:15", "BYMONTHDAY=-2"),
    "the last day of another month": (
        "20261031T101500",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "2026-11-30T10:15",
        "BYMONTHDAY=-1",
    ),
    "a day counted from the end": (
        "20261008T101500",
        "FREQ=MONTHLY;BYMONTHDAY=-24",
        "2026-10-09T10:15",
        "BYMONTHDAY=-23",
    ),
    "the same day from the end of another month": (
        "20261008T101500",
        "FREQ=MONTHLY;BYMONTHDAY=-24",
        "2026-11-07T10:15",
        "BYMONTHDAY=-24",
    ),
    "several days from the end by a month": (
        "20261029T101500",
        "FREQ=MONTHLY;BYMONTHDAY=-3,-1",
        "2026-11-28T10:15",
        "BYMONTHDAY=-3,-1",
    ),
    "the first of a weekday": ("20261006T101500", "FREQ=MONTHLY;BYDAY=1TU", "2026-10-14T10:15", "BYDAY=2WE"),
    "the last of a weekday": ("20261030T101500", "FREQ=MONTHLY;BYDAY=-1FR", "2026-10-29T10:15", "BYDAY=-1TH"),
    "the same by position": (
        "20261006T101500",
        "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=1",
        "2026-10-14T10:15",
        "BYDAY=WE;BYSETPOS=2;FREQ=MONTHLY",
    ),
    "the last by position": (
        "20261027T101500",
        "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=-1",
        "2026-10-26T10:15",
        "BYDAY=MO;BYSETPOS=-1;FREQ=MONTHLY",
    ),
    "a day of the year": (
        "20261006T101500",
        "FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=6",
        "2026-11-07T10:15",
        "BYMONTH=11;BYMONTHDAY=7;FREQ=YEARLY",
    ),
    "days in several months": (
        "20261006T101500",
        "FREQ=YEARLY;BYMONTH=4,10;BYMONTHDAY=6",
        "2026-10-07T10:15",
        "BYMONTH=4,10;BYMONTHDAY=7",
    ),
    "a weekday of a month of the year": (
        "20261025T101500",
        "FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
        "2026-11-28T10:15",
        "BYDAY=-1SA;BYMONTH=11;FREQ=YEARLY",
    ),
    "a day by its number": ("20261006T101500", "FREQ=YEARLY;BYYEARDAY=279", "2026-10-08T10:15", "BYYEARDAY=281"),
    "a day of a week": (
        "20261006T101500",
        "FREQ=YEARLY;BYWEEKNO=41;BYDAY=TU",
        "2026-10-14T10:15",
        "BYDAY=WE;BYWEEKNO=42;FREQ=YEARLY",
    ),
    "an hour": (
        "20261006T101500",
        "FREQ=DAILY;BYHOUR=10;BYMINUTE=15",
        "2026-10-06T11:30",
        "BYHOUR=11;BYMINUTE=30;FREQ=DAILY",
    ),
    "an hour and a day": (
        "20261006T101500",
        "FREQ=WEEKLY;BYDAY=TU;BYHOUR=10",
        "2026-10-07T00:15",
        "BYDAY=WE;BYHOUR=0;FREQ=WEEKLY",
    ),
    "minutes of several hours": (
        "20261006T101500",
        "FREQ=DAILY;BYHOUR=10,16",
        "2026-10-06T10:30",
        "BYHOUR=10,16;FREQ=DAILY",
    ),
    "every Tuesday, by the month": (
        "20261006T101500",
        "FREQ=MONTHLY;BYDAY=TU",
        "2026-10-13T10:15",
        "BYDAY=TU;FREQ=MONTHLY",
    ),
}


@pytest.mark.parametrize(("start", "before", "to", "parts"), MOVED.values(), ids=MOVED.keys())
def test_by_parts_of_rule_follow_new_start(start: str, before: str, to: str, parts: str) -> None:
    """All occurrences get the new day and time, and their number stays the same."""
    ical = ics(f"DTSTART;TZID=Europe/Berlin:{start}", f"RRULE:{before};COUNT=12")
    moved = after(ical, start_datetime=to)
    assert set(parts.split(";")) <= set(rule(moved).split(";"))
    assert len(listed(moved, years=15)) == len(listed(ical, years=15)) == 12
    assert listed(moved, years=15)[0] == to


@pytest.mark.parametrize(("start", "before", "to"), [each[:3] for each in MOVED.values()], ids=MOVED.keys())
def test_exceptions_of_each_rule_move(start: str, before: str, to: str) -> None:
    """The second occurrence stays deleted and the fourth stays changed, under each kind of rule."""
    plain = ics(f"DTSTART;TZID=Europe/Berlin:{start}", f"RRULE:{before};COUNT=8")
    wall = [each.replace("-", "").replace(":", "") + "00" for each in listed(plain, years=12)]
    exceptions = (f"EXDATE;TZID=Europe/Berlin:{wall[1]}", *override(wall[3], wall[3]))
    ical = ics(f"DTSTART;TZID=Europe/Berlin:{start}", f"RRULE:{before};COUNT=8", *exceptions)
    wanted = listed(after(plain, start_datetime=to), years=12)
    wanted[3] += "*"
    assert listed(after(ical, start_datetime=to), years=12) == [each for each in wanted if each != wanted[1]]


UNCLEAR: Final[Mapping[str, tuple[str, str, str]]] = {
    "several weekdays": ("20261006T101500", "FREQ=WEEKLY;BYDAY=TU,TH", "2026-10-07T10:15"),
    "several weekdays, to one of them": ("20261006T101500", "FREQ=WEEKLY;BYDAY=TU,TH", "2026-10-08T10:15"),
    "workdays": ("20261006T101500", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "2026-10-07T10:15"),
    "several days of the month": ("20261006T101500", "FREQ=MONTHLY;BYMONTHDAY=6,20", "2026-10-07T10:15"),
    "several months": ("20261006T101500", "FREQ=YEARLY;BYMONTH=4,10;BYMONTHDAY=6", "2026-11-06T10:15"),
    "several hours": ("20261006T101500", "FREQ=DAILY;BYHOUR=10,16", "2026-10-06T11:15"),
    "the last workday": ("20261030T101500", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-10-29T10:15"),
    "first and third": ("20261006T101500", "FREQ=MONTHLY;BYDAY=1TU,3TU", "2026-10-07T10:15"),
    "first and third by position": ("20261006T101500", "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=1,3", "2026-10-07T10:15"),
    "Friday the thirteenth": ("20261113T101500", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "2026-11-14T10:15"),
    "to the fifth weekday": ("20261006T101500", "FREQ=MONTHLY;BYDAY=1TU", "2026-10-29T10:15"),
    "out of the only months": ("20260929T101500", "FREQ=WEEKLY;BYDAY=TU;BYMONTH=9,10", "2026-10-02T10:15"),
    "from a day that the rule does not give": ("20261005T101500", "FREQ=WEEKLY;BYDAY=TU", "2026-10-07T10:15"),
    "a day from the end to the first": ("20261008T101500", "FREQ=MONTHLY;BYMONTHDAY=-24", "2026-10-01T10:15"),
    "a day from the end to another month": ("20261008T101500", "FREQ=MONTHLY;BYMONTHDAY=-24", "2026-11-01T10:15"),
    "a week of the year": ("20260302T101500", "FREQ=YEARLY;BYWEEKNO=10", "2026-03-01T10:15"),
    "Tuesdays of every other month": ("20261006T101500", "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", "2026-10-07T10:15"),
}


@pytest.mark.parametrize(("start", "before", "to"), UNCLEAR.values(), ids=UNCLEAR.keys())
def test_ambiguous_move_asks_for_rule(start: str, before: str, to: str) -> None:
    """Nothing is changed; the error quotes the rule and says what the caller can do."""
    ical = ics(f"DTSTART;TZID=Europe/Berlin:{start}", f"RRULE:{before}")
    with pytest.raises(InvalidArgumentError, match=r"repeats by .*pass recurrence_rule together with start_datetime"):
        after(ical, start_datetime=to)
    told = after(ical, start_datetime=to, recurrence_rule="FREQ=DAILY;COUNT=2")
    assert listed(told)[0] == to


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
    assert len(listed(ical)) == count
    assert len(listed(after(ical, start_datetime=to))) == count


def test_move_to_february_29_asks_for_rule() -> None:
    """Otherwise a yearly series would recur only every fourth year."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20281230T101500", "RRULE:FREQ=YEARLY;BYYEARDAY=365")
    with pytest.raises(InvalidArgumentError, match=r"there is not always a day number 366: pass recurrence_rule"):
        after(ical, start_datetime="2028-12-31T10:15")


def test_day_counted_from_month_end_moves_or_is_refused() -> None:
    """A negative BYMONTHDAY of October stays counted from the end, or the move is refused."""
    refused = 0
    for day in range(4, 32):
        old = datetime(2026, 10, day, 10)  # noqa: DTZ001 - of the clock on the wall
        pinned = vRecur(FREQ=["MONTHLY"], BYMONTHDAY=[day - 32])
        for days in range(-40, 41):
            try:
                (to,) = moved_rule(pinned, Move(old, old + timedelta(days=days)))["BYMONTHDAY"]
            except InvalidArgumentError:
                refused += 1
            else:
                assert -28 <= to < 0
    assert 0 < refused < 28 * 81


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
    moved = after(ical, start_datetime=to)
    assert f"UNTIL={end}" in rule(moved).split(";")
    assert len(listed(moved)) == len(listed(ical))
    told = Series(stored(ical)).event(Series(stored(ical)).main)
    again = after(ical, start_datetime=to, recurrence_rule=told.recurrence_rule)
    assert listed(again) == listed(moved)
    assert f"UNTIL={until}" in rule(after(ical, title="New", recurrence_rule=told.recurrence_rule)).split(";")


@pytest.mark.parametrize("until", ["20261027", "20261027T215959Z"])
def test_until_follows_change_of_value_type(until: str) -> None:
    """A series that changes between timed and all-day keeps its occurrences."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", f"RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL={until}")
    days = after(ical, all_day=True)
    assert listed(days) == [each[:10] for each in listed(ical)]
    assert listed(after(days, all_day=False, start_datetime="2026-10-06T10:15")) == listed(ical)


PAST_ITS_END: Final[Mapping[str, tuple[str, str]]] = {
    "daily": ("FREQ=DAILY;UNTIL=20261010T225959Z", "2026-10-20T10:15"),
    "weekly": ("FREQ=WEEKLY;BYDAY=TU;UNTIL=20261027T225959Z", "2026-11-10T10:15"),
}


@pytest.mark.parametrize(("until", "to"), PAST_ITS_END.values(), ids=PAST_ITS_END.keys())
def test_series_moved_past_until_keeps_its_length(until: str, to: str) -> None:
    """UNTIL moves along, so that the series still has occurrences."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", f"RRULE:{until}")
    moved = listed(after(ical, start_datetime=to))
    assert (moved[0], len(moved)) == (to, len(listed(ical)))


def test_later_start_keeps_count_and_deleted_occurrence() -> None:
    """UNTIL and exceptions move together: the count and the missing occurrence stay the same."""
    daily = ("DTSTART;TZID=Europe/Berlin:20261006T101500", "RRULE:FREQ=DAILY;UNTIL=20261011T225959Z")
    moved = after(ics(*daily, "EXDATE;TZID=Europe/Berlin:20261009T101500"), start_datetime="2026-10-08T10:15")
    assert [each[:10] for each in listed(moved)] == [f"2026-10-{day:02}" for day in (8, 9, 10, 12, 13)]


def test_new_start_with_new_rule_is_not_deleted() -> None:
    """The caller asks for an occurrence on a day that was deleted before."""
    ical = ics(*TUESDAYS)
    moved = after(ical, start_datetime="2026-10-13T10:15", recurrence_rule="FREQ=WEEKLY;INTERVAL=2;COUNT=3")
    assert listed(moved) == ["2026-10-13T10:15", "2026-10-27T10:15", "2026-11-10T10:15"]


def test_deleted_occurrence_without_place_is_refused() -> None:
    """July has a 31st, and September, two months later, has none: nothing disappears without a word."""
    months = ("DTSTART;TZID=Europe/Berlin:20260131T101500", "RRULE:FREQ=MONTHLY;COUNT=6")
    ical = ics(*months, "EXDATE;TZID=Europe/Berlin:20260731T101500")
    with pytest.raises(InvalidArgumentError, match=r"2026-07-31T10:15:00\+02:00 was deleted or added, and"):
        after(ical, start_datetime="2026-03-31T10:15")
    moved = after(ical, start_datetime="2026-03-31T10:15", recurrence_rule="FREQ=MONTHLY;COUNT=3")
    assert listed(moved) == ["2026-03-31T10:15", "2026-05-31T10:15"]


@pytest.mark.parametrize(
    "given",
    [
        "FREQ=WEEKLY;BYDAY=TU,TH;COUNT=6",
        "RRULE:FREQ=WEEKLY;COUNT=6;BYDAY=TU,TH",
        "freq=weekly;byday=th,tu;count=6",
        "FREQ=WEEKLY;INTERVAL=1;COUNT=6;BYDAY=TU,TH",
    ],
)
def test_equivalent_rule_is_unchanged_rule(given: str) -> None:
    """An equivalent spelling of the rule counts as unchanged, and is refused like the original."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", "RRULE:FREQ=WEEKLY;BYDAY=TU,TH;COUNT=6")
    assert is_same_rule(given, rule(ical))
    assert rule(after(ical, title="New", recurrence_rule=given)) == rule(ical)


@pytest.mark.parametrize("given", ["FREQ=WEEKLY;BYDAY=TU;COUNT=6", "FREQ=WEEKLY;INTERVAL=2;COUNT=6;BYDAY=TU,TH", ""])
def test_rule_with_other_occurrences_is_new_rule(given: str) -> None:
    """A rule that changes the occurrences counts as a new rule."""
    assert not is_same_rule(given, "FREQ=WEEKLY;BYDAY=TU,TH;COUNT=6")


@pytest.mark.parametrize(
    "never", ["FREQ=WEEKLY;BYDAY=MO;UNTIL=20261010T000000Z", "FREQ=DAILY;UNTIL=20200101", "FREQ=DAILY;COUNT=0"]
)
def test_rule_without_occurrences_is_refused(never: str) -> None:
    """Such an event would be stored and appear in no list."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500")
    with pytest.raises(InvalidArgumentError, match=r"before it happens once|never happens"):
        after(ical, recurrence_rule=never)


ENDED: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "the first": (TUESDAYS, "2026-10-06T10:15"),
    "the second": ((*TUESDAYS[:3], "EXDATE;TZID=Europe/Berlin:20261006T101500"), "2026-10-13T10:15"),
    "the first, as it was changed": (
        (*TUESDAYS, *override("20261006T101500", "20261007T140000")),
        "2026-10-07T14:00*",
    ),
    "the second, as it was changed": (
        (
            *(*TUESDAYS[:3], "EXDATE;TZID=Europe/Berlin:20261006T101500"),
            *override("20261013T101500", "20261014T140000"),
        ),
        "2026-10-14T14:00*",
    ),
    "the first, of which another was changed": (
        (*TUESDAYS, *override("20261020T101500", "20261005T140000")),
        "2026-10-06T10:15",
    ),
    "one that was added before": ((*TUESDAYS, "RDATE;TZID=Europe/Berlin:20261002T101500"), "2026-10-02T10:15"),
    "a day": (("DTSTART;VALUE=DATE:20261006", "RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20261006"), "2026-10-07"),
}


@pytest.mark.parametrize(("lines", "there"), ENDED.values(), ids=ENDED.keys())
def test_ending_series_keeps_first_occurrence(lines: tuple[str, ...], there: str) -> None:
    """A deleted occurrence stays deleted, a changed one stays changed, and a new start is applied."""
    once = after(ics(*lines), recurring=False)
    assert listed(once) == [there]
    assert not any(line.startswith(("RRULE", "EXDATE", "RDATE", "RECURRENCE-ID")) for line in unfolded(once))
    if "T" in there:
        moved = after(ics(*lines), recurring=False, start_datetime="2026-12-01T09:00")
        assert [each[:16] for each in listed(moved)] == ["2026-12-01T09:00"]


def test_ending_unexpandable_series_with_exceptions_fails() -> None:
    """Its first occurrence is unknown, so the error says what to do."""
    ical = ics("DTSTART:20261006T101500Z", "RRULE:FREQ=MINUTELY", "EXDATE:20261006T101500Z")
    with pytest.raises(InvalidArgumentError, match="happens too often to find its first occurrence"):
        after(ical, recurring=False)


def test_empty_rule_for_series_is_refused() -> None:
    """The error names both alternatives; for a single event an empty rule is what reading returns."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", "RRULE:FREQ=DAILY;COUNT=3")
    with pytest.raises(InvalidArgumentError, match="pass recurring=false"):
        after(ical, recurrence_rule="")
    assert len(listed(after(ical, recurrence_rule="", recurring=False))) == 1
    assert len(listed(after(ics("DTSTART;TZID=Europe/Berlin:20261006T101500"), recurrence_rule="", title="New"))) == 1


def test_category_with_comma_stays_one() -> None:
    """A category with a comma survives reading and writing back with another category added."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", r"CATEGORIES:Sports\, indoor,Health")
    read = Series(stored(ical)).event(Series(stored(ical)).main).categories
    assert read == "Sports, indoor, Health"
    (line,) = (line for line in unfolded(after(ical, categories=f"{read}, New")) if line.startswith("CATEGORIES"))
    assert line == r"CATEGORIES:Sports\, indoor,Health,New"


def test_added_rdate_period_keeps_zone() -> None:
    """Without its zone the period would float."""
    period = "RDATE;VALUE=PERIOD;TZID=Europe/Berlin:20261009T101500/PT3H"
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", "RRULE:FREQ=WEEKLY;COUNT=2", period)
    moved = unfolded(after(ical, start_datetime="2026-10-07T10:15"))
    assert "TZID=Europe/Berlin:20261010T101500/" in next(line for line in moved if line.startswith("RDATE"))


def test_until_covers_changed_occurrences() -> None:
    """A daily series that starts a week later keeps UNTIL, but never before a changed occurrence."""
    daily = ("DTSTART;TZID=Europe/Berlin:20261006T101500", "RRULE:FREQ=DAILY;UNTIL=20261031T225959Z")
    assert listed(after(ics(*daily), start_datetime="2026-10-13T10:15"))[-1] == "2026-10-31T10:15"
    moved = after(ics(*daily, *override("20261030T101500", "20261030T101500")), start_datetime="2026-10-13T10:15")
    assert listed(moved)[-2:] == ["2026-11-06T10:15*", "2026-11-07T10:15"]


def test_all_day_series_moves_by_days() -> None:
    """The series moves by days with its exceptions and stays all-day."""
    ical = ics("DTSTART;VALUE=DATE:20261006", "RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20261103", "EXDATE;VALUE=DATE:20261013")
    moved = after(ical, start_datetime="2026-10-07")
    assert listed(moved) == ["2026-10-07", "2026-10-21", "2026-10-28", "2026-11-04"]
    assert "EXDATE;VALUE=DATE:20261014" in unfolded(moved)


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
        after(ical, start_datetime=to, recurrence_rule=given)
    last_days = after(ical, start_datetime="2027-01-31T10:15", recurrence_rule="FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3")
    assert listed(last_days, 2027) == ["2027-01-31T10:15", "2027-02-28T10:15", "2027-03-31T10:15"]


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
    moved = listed(after(ics(f"DTSTART;TZID=Europe/Berlin:{start}", f"RRULE:{before}"), start_datetime=to), 2027, 12)
    assert (moved[0], len(moved)) == (to, count)


ZONES: Final[Mapping[str, tuple[str, str, str, str, str]]] = {
    "the next day, where the person is": (
        "20261006T230000Z",
        "BYDAY=TU",
        "Europe/Berlin",
        "2026-10-07T01:30",
        "BYDAY=WE",
    ),
    "the next day, by zone alone": ("20261006T223000Z", "BYDAY=TU,TH", "Europe/Berlin", "2026-10-07T01:00", "WE,FR"),
    "the day before": ("20261006T010000Z", "BYDAY=TU,TH", "America/New_York", "2026-10-05T20:00", "MO,WE"),
    "the first of the month": ("20261001T010000Z", "BYMONTHDAY=1", "America/New_York", "2026-09-30T20:00", "-1"),
    "the last of the month": ("20261031T233000Z", "BYMONTHDAY=-1", "Europe/Berlin", "2026-11-01T01:00", "BYMONTHDAY=1"),
}


@pytest.mark.parametrize(("start", "pinned", "zone", "to", "there"), ZONES.values(), ids=ZONES.keys())
def test_zone_change_across_midnight_shifts_weekday(start: str, pinned: str, zone: str, to: str, there: str) -> None:
    """If the new zone puts the start on the next day, the rule's weekday follows."""
    frequency = "MONTHLY" if "MONTH" in pinned else "WEEKLY"
    ical = ics(f"DTSTART:{start}", f"RRULE:FREQ={frequency};{pinned};COUNT=4")
    moved = after(ical, start_datetime=to, author=Author(ZoneInfo(zone)))
    assert there in rule(moved)
    assert listed(moved, years=2)[0] == to
    assert len(listed(moved, years=2)) == 4


TOKYO: Final = Author(ZoneInfo("Asia/Tokyo"), named=True)


@pytest.mark.parametrize("start", ["2026-10-07T05:00", "2026-10-06T22:00+02:00"])
def test_start_with_zone_moves_event_to_zone(start: str) -> None:
    """Rule, UNTIL and exceptions follow: 05:00 on Wednesday in Tokyo."""
    ical = ics(*TUESDAYS, *override("20261020T101500", "20261020T140000"))
    moved = after(ical, start_datetime=start, author=TOKYO)
    lines = set(unfolded(moved))
    assert {"DTSTART;TZID=Asia/Tokyo:20261007T050000", "DTEND;TZID=Asia/Tokyo:20261007T060000"} <= lines
    assert {"EXDATE;TZID=Asia/Tokyo:20261014T050000", "RECURRENCE-ID;TZID=Asia/Tokyo:20261021T050000"} <= lines
    assert rule(moved) == "BYDAY=WE;COUNT=6;FREQ=WEEKLY"
    assert len(listed(moved)) == len(listed(ical))


def test_end_with_zone_is_converted() -> None:
    """The event keeps its own zone: 19:00 in Tokyo is noon in Berlin."""
    moved = after(ics(*TUESDAYS[:2]), end_datetime="2026-10-06T19:00", author=TOKYO)
    assert "DTEND;TZID=Europe/Berlin:20261006T120000" in unfolded(moved)


def test_utc_event_becomes_all_day_in_user_zone() -> None:
    """23:00 UTC is the next day in Berlin, and the rule's weekday follows."""
    moved = after(ics("DTSTART:20261006T230000Z", "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=3"), all_day=True)
    assert listed(moved) == ["2026-10-07", "2026-10-14", "2026-10-21"]


def test_new_rule_keeps_matching_exceptions() -> None:
    """With a new start the exceptions move; with the same rule alone they stay."""
    ical = ics(*TUESDAYS, *override("20261020T101500", "20261020T101500"))
    moved = after(ical, start_datetime="2026-10-07T10:15", recurrence_rule="FREQ=WEEKLY;BYDAY=WE;COUNT=6")
    assert listed(moved) == listed(after(ical, start_datetime="2026-10-07T10:15"))
    workdays = ics(
        "DTSTART;TZID=Europe/Berlin:20261005T101500",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        "EXDATE;TZID=Europe/Berlin:20261008T101500",
    )
    later = after(workdays, start_datetime="2026-10-06T10:30", recurrence_rule="FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR")
    assert "EXDATE;TZID=Europe/Berlin:20261008T103000" in unfolded(later)


def test_new_rule_keeps_rdates() -> None:
    """Dates added by RDATE and their overrides do not depend on the rule."""
    added = ("RDATE;TZID=Europe/Berlin:20261022T101500", *override("20261022T101500", "20261022T140000"))
    told = after(ics(*TUESDAYS, *added), recurrence_rule="FREQ=MONTHLY;BYMONTHDAY=6;COUNT=2")
    assert listed(told) == ["2026-10-06T10:15", "2026-10-22T14:00*", "2026-11-06T10:15"]


def test_new_rule_reports_orphaned_overrides() -> None:
    """An override that matches no occurrence is reported; one after the new end is removed."""
    ical = ics(*TUESDAYS, *override("20261020T101500", "20261020T101500"))
    with pytest.raises(InvalidArgumentError, match=r"The occurrence 2026-10-20T10:15:00.02:00 was changed"):
        after(ical, recurrence_rule="FREQ=MONTHLY;BYMONTHDAY=6")
    assert listed(after(ical, recurrence_rule="FREQ=WEEKLY;BYDAY=TU;UNTIL=20261018")) == ["2026-10-06T10:15"]
    assert listed(after(ical, recurrence_rule="FREQ=WEEKLY;BYDAY=TU;COUNT=2")) == ["2026-10-06T10:15"]


def test_rdates_without_rule_move_with_start() -> None:
    """All RDATEs move by the same amount as the start."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", "RDATE;TZID=Europe/Berlin:20261020T101500")
    assert listed(after(ical, start_datetime="2026-10-07T10:15")) == ["2026-10-07T10:15", "2026-10-21T10:15"]


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
            assert listed(after(ical, start_datetime=to.isoformat())) == wanted
