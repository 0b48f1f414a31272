"""`apps.calendar.ical.rule_moves`: a rule follows the new start of its series, or the move is refused."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from icalendar import vRecur

from nextcloud_mcp.apps.calendar.ical.event_changes import Author
from nextcloud_mcp.apps.calendar.ical.rule_moves import Move, moved_rule
from nextcloud_mcp.errors import InvalidArgumentError
from tests.support.event_changes import change_event, list_starts, override_lines, rule_of
from tests.support.ics import ics

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
    moved = change_event(ical, start_datetime=to)
    assert set(parts.split(";")) <= set(rule_of(moved).split(";"))
    assert len(list_starts(moved, years=15)) == len(list_starts(ical, years=15)) == 12
    assert list_starts(moved, years=15)[0] == to


@pytest.mark.parametrize(("start", "before", "to"), [each[:3] for each in MOVED.values()], ids=MOVED.keys())
def test_exceptions_of_each_rule_move(start: str, before: str, to: str) -> None:
    """The second occurrence stays deleted and the fourth stays changed, under each kind of rule."""
    plain = ics(f"DTSTART;TZID=Europe/Berlin:{start}", f"RRULE:{before};COUNT=8")
    wall = [each.replace("-", "").replace(":", "") + "00" for each in list_starts(plain, years=12)]
    exceptions = (f"EXDATE;TZID=Europe/Berlin:{wall[1]}", *override_lines(wall[3], wall[3]))
    ical = ics(f"DTSTART;TZID=Europe/Berlin:{start}", f"RRULE:{before};COUNT=8", *exceptions)
    wanted = list_starts(change_event(plain, start_datetime=to), years=12)
    wanted[3] += "*"
    assert list_starts(change_event(ical, start_datetime=to), years=12) == [
        each for each in wanted if each != wanted[1]
    ]


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
        change_event(ical, start_datetime=to)
    told = change_event(ical, start_datetime=to, recurrence_rule="FREQ=DAILY;COUNT=2")
    assert list_starts(told)[0] == to


def test_move_to_february_29_asks_for_rule() -> None:
    """Otherwise a yearly series would recur only every fourth year."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20281230T101500", "RRULE:FREQ=YEARLY;BYYEARDAY=365")
    with pytest.raises(InvalidArgumentError, match=r"there is not always a day number 366: pass recurrence_rule"):
        change_event(ical, start_datetime="2028-12-31T10:15")


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


ZONES: Final[Mapping[str, tuple[str, str, str, str, str]]] = {
    "the next day in the user's zone": (
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
    moved = change_event(ical, start_datetime=to, author=Author(ZoneInfo(zone)))
    assert there in rule_of(moved)
    assert list_starts(moved, years=2)[0] == to
    assert len(list_starts(moved, years=2)) == 4
