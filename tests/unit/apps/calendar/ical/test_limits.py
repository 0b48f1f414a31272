"""`apps.calendar.ical.limits`: limits for events whose expansion would exhaust CPU time or memory."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.errors import NextcloudError
from tests.support.ics import ics, stored

START: Final = "DTSTART:20301007T000000Z"
DAY: Final = (datetime(2030, 10, 7, tzinfo=UTC), datetime(2030, 10, 8, tzinfo=UTC))
AT_MOST: Final = 5.0
"""Seconds of computing; each of these took minutes, or all memory, or never ended."""


def numbers(end: int) -> str:
    """Return the numbers below, with commas between."""
    return ",".join(map(str, range(end)))


def times(count: int, every: timedelta = timedelta(seconds=1)) -> list[str]:
    """Return times in iCalendar, from the start on."""
    return [f"{DAY[0] + every * number:%Y%m%dT%H%M%SZ}" for number in range(count)]


def changed(ical: str, occurrences: list[str], *lines: str, parameter: str = "") -> str:
    """Add changed occurrences at these times to an object."""
    components = [
        "\n".join(("BEGIN:VEVENT", "UID:theirs", f"RECURRENCE-ID{parameter}:{each}", f"DTSTART:{each}", *lines))
        + "\nEND:VEVENT\n"
        for each in occurrences
    ]
    return ical.replace("END:VCALENDAR", "".join(components) + "END:VCALENDAR")


TOO_OFTEN: Final = {
    "every second": ics(START, "RRULE:FREQ=SECONDLY"),
    "every second of each day": ics(
        START, f"RRULE:FREQ=DAILY;BYHOUR={numbers(24)};BYMINUTE={numbers(60)};BYSECOND={numbers(60)}"
    ),
    "every second of each hour": ics(START, f"RRULE:FREQ=HOURLY;BYMINUTE={numbers(60)};BYSECOND={numbers(60)}"),
    "over and over at the same time": ics(START, "RRULE:FREQ=DAILY;INTERVAL=0"),
    "backwards": ics(START, "RRULE:FREQ=DAILY;INTERVAL=-1"),
    "a rule too many": ics(START, *[f"RRULE:FREQ=DAILY;BYHOUR={hour}" for hour in range(24)]),
    "in a second series of the object": ics(START).replace(
        "END:VCALENDAR",
        f"BEGIN:VEVENT\nUID:theirs\nSEQUENCE:1\n{START}\nRRULE:FREQ=SECONDLY\nEND:VEVENT\nEND:VCALENDAR",
    ),
    "never, looked for in each hour": ics(START, "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"),
    "never, looked for on each day": ics(START, "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"),
    "never, for there is no such position": ics(START, "RRULE:FREQ=DAILY;BYSETPOS=2"),
    "the same position again and again": ics(START, f"RRULE:FREQ=YEARLY;BYDAY=MO;BYSETPOS={'1,' * 1000}1"),
    "every hour for two thousand years": ics("DTSTART:00010101T000000Z", "RRULE:FREQ=HOURLY"),
    "each one a thousand years long": ics("DTSTART:10301007T000000Z", "DTEND:20301007T000000Z", "RRULE:FREQ=DAILY"),
    "ten thousand dates": ics(START, f"RDATE:{','.join(times(10_000))}"),
    "moved by a thousand years with all that follow": changed(
        ics("DTSTART:10301007T000000Z", "RRULE:FREQ=DAILY"),
        ["10301007T000000Z"],
        parameter=";RANGE=THISANDFUTURE",
    ).replace("DTSTART:10301007T000000Z\nEND", "DTSTART:20301007T000000Z\nEND"),
    "a thousand occurrences with rules of their own": changed(
        ics("DTSTART:20250101T000000Z", "SEQUENCE:5", "RRULE:FREQ=HOURLY"), times(1000), "EXDATE:20301008T000000Z"
    ),
    "an occurrence with a rule of its own in a thousand years": changed(
        ics(START, "SEQUENCE:5", "RRULE:FREQ=HOURLY"), ["30301008T000000Z"], "EXDATE:20301008T000000Z"
    ),
}


@pytest.mark.parametrize("ical", TOO_OFTEN.values(), ids=TOO_OFTEN.keys())
def test_unexpandable_series_is_listed_once(ical: str) -> None:
    """The series is not expanded: the event itself is listed, without delay."""
    began = time.process_time()
    series = Series(stored(ical))
    assert series.occurrences(*DAY) == [series.main]
    assert time.process_time() - began < AT_MOST


OFTEN: Final = {
    "every hour": (ics("DTSTART:20250101T000000Z", "RRULE:FREQ=HOURLY"), 24),
    "at working hours": (ics(START, "RRULE:FREQ=HOURLY;BYDAY=MO,TU;BYHOUR=0,9,10,11"), 4),
    "every other hour": (ics(START, "RRULE:FREQ=HOURLY;INTERVAL=2"), 12),
    "24 times a day": (ics(START, f"RRULE:FREQ=DAILY;BYHOUR={numbers(12)};BYMINUTE=0,30"), 24),
    "a birthday in an unknown year": (ics("DTSTART;VALUE=DATE:16041007", "RRULE:FREQ=YEARLY"), 1),
    "the last working day of a month": (
        ics("DTSTART:20300930T000000Z", "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
        0,
    ),
    "a count out of reach": (ics("DTSTART:20000101T000000Z", "RRULE:FREQ=DAILY;COUNT=1000000000"), 1),
    "a few of a century ago": (ics("DTSTART:19301007T000000Z", "RRULE:FREQ=HOURLY;COUNT=5"), 0),
    "many dates": (ics(START, f"RDATE:{','.join(times(1000))}"), 1000),
    "many changed": (changed(ics(START, "RRULE:FREQ=DAILY"), times(20, timedelta(days=1))), 1),
}


@pytest.mark.parametrize(("ical", "count"), OFTEN.values(), ids=OFTEN.keys())
def test_ordinary_series_is_expanded(ical: str, count: int) -> None:
    """All occurrences are listed, however long ago the series began."""
    series = Series(stored(ical))
    found = series.occurrences(DAY[0], DAY[1] - timedelta(seconds=1))
    assert len(found) == count


def in_zone(name: str, *standard: str, offset: str = "+0100") -> str:
    """Return an event in a zone of its own, with these rules for its standard time."""
    observance = (f"TZOFFSETFROM:{offset}", f"TZOFFSETTO:{offset}")
    zone = (
        *("BEGIN:VTIMEZONE", f"TZID:{name}"),
        *("BEGIN:STANDARD", "DTSTART:16011028T030000", *observance, *standard, "END:STANDARD"),
        *("BEGIN:DAYLIGHT", "DTSTART:16010325T020000", *observance, "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3"),
        *("END:DAYLIGHT", "END:VTIMEZONE"),
    )
    event = ics(f"DTSTART;TZID={name}:20301007T100000")
    return event.replace("BEGIN:VEVENT", "\n".join((*zone, "BEGIN:VEVENT")))


ODD_ZONES: Final = {
    "every second": ("RRULE:FREQ=SECONDLY",),
    "every day": ("RRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU",),
    "every Sunday": ("RRULE:FREQ=YEARLY;BYDAY=SU",),
    "over and over": ("RRULE:FREQ=YEARLY;INTERVAL=0",),
    "never": ("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",),
    "at ten thousand times": (f"RDATE:{','.join(times(10_000))}",),
    "by many rules": tuple(f"RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY={n}SU" for n in (1, 2, 3, 4)) * 2,
}


@pytest.mark.parametrize("rules", ODD_ZONES.values(), ids=ODD_ZONES.keys())
def test_zone_with_too_many_transitions_is_unreadable(rules: tuple[str, ...]) -> None:
    """The event is reported as unreadable without delay."""
    began = time.process_time()
    with pytest.raises(NextcloudError, match=r"theirs\.ics in calendar 'work' is not readable"):
        Series(stored(in_zone("Odd", *rules)))
    assert time.process_time() - began < AT_MOST


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", id="as Outlook writes it"),
        pytest.param(
            "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=SU;BYMONTHDAY=25,26,27,28,29,30,31",
            id="the week by its days of the month",
        ),
        pytest.param("RRULE:FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=31;UNTIL=19700101T000000Z", id="on one day, up to then"),
        pytest.param("RDATE:20301027T010000,20311026T010000", id="by dates"),
    ],
)
def test_vtimezones_of_common_programs_are_read(rule: str) -> None:
    """The VTIMEZONE rules that programs write are understood."""
    series = Series(stored(in_zone("Office", rule, offset="+0330")))
    assert series.summary(series.main).start_datetime == "2030-10-07T10:00:00+03:30"


def test_vtimezone_applies_to_its_object_only() -> None:
    """Two objects may define the same TZID differently without affecting each other."""
    rule = "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10"
    objects = [in_zone("Customized Time Zone", rule, offset=offset) for offset in ("+0100", "+0500")]
    objects.append(ics("DTSTART;TZID=Customized Time Zone:20301007T100000"))
    read = [Series(stored(ical)) for ical in objects]
    assert [series.summary(series.main).start_datetime for series in read] == [
        "2030-10-07T10:00:00+01:00",
        "2030-10-07T10:00:00+05:00",
        "2030-10-07T10:00:00",
    ]
