"""`apps.calendar.ical.series`: events of other programs as fields and occurrences."""

from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from nextcloud_mcp.apps.calendar.ical.event_changes import Change, changed
from nextcloud_mcp.apps.calendar.ical.removals import delete_occurrence
from nextcloud_mcp.apps.calendar.ical.serialization import serialize
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.errors import InvalidArgumentError, NextcloudError, NotFoundError
from tests.support.event_changes import ALICE
from tests.support.ics import APPLE, DAVX5, GOOGLE, OUTLOOK, THUNDERBIRD, TWO_RULES, ics, stored, unfolded

READ: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "Thunderbird": (
        THUNDERBIRD,
        {
            "title": "Team meeting",
            "start_datetime": "2030-09-30T10:00:00+02:00",
            "end_datetime": "2030-09-30T11:00:00+02:00",
            "time_zone": "Europe/Berlin",
            "location": "Room 1",
            "categories": "Work, Team",
            "recurring": True,
            "recurrence_rule": "FREQ=WEEKLY;UNTIL=20301231T090000Z;BYDAY=MO",
            "reminder_minutes": 15,
        },
    ),
    "Google": (
        GOOGLE,
        {
            "title": "Interview",
            "start_datetime": "2030-10-07T08:00:00+00:00",
            "time_zone": None,
            "organizer": "carol@example.com",
            "attendees": "carol@example.com, alice@example.org",
            "participation": {"carol@example.com": "ACCEPTED", "alice@example.org": "TENTATIVE"},
            "recurring": False,
            "recurrence_id": None,
            "reminder_minutes": 30,
            "reminder_email": True,
        },
    ),
    "Outlook": (
        OUTLOOK,
        {
            "title": "Jour fixe",
            "start_datetime": "2030-10-07T10:00:00+02:00",
            "time_zone": "W. Europe Standard Time",
            "priority": 5,
            "reminder_minutes": 1440,
            "description": "Agenda\n",
        },
    ),
    "Apple": (
        APPLE,
        {
            "title": "Trip",
            "all_day": True,
            "start_datetime": "2030-10-07",
            "end_datetime": "2030-10-10",
            "location": "Hotel, Berlin",
            "url": "https://example.org/trip",
            "reminder_minutes": None,
        },
    ),
    "DAVx5": (
        DAVX5,
        {
            "title": "Dentist",
            "start_datetime": "2030-10-07T15:30:00+02:00",
            "end_datetime": "2030-10-07T16:15:00+02:00",
            "status": "TENTATIVE",
            "color": "darkgreen",
            "categories": "Health, Private",
            "recurrence_rule": "FREQ=YEARLY;COUNT=2",
            "reminder_minutes": None,
        },
    ),
    "two rules": (TWO_RULES, {"recurrence_rule": "FREQ=MONTHLY;COUNT=3\nFREQ=YEARLY;COUNT=2"}),
    "only required properties": (
        ics("DTSTART:20301007T080000"),
        {
            "title": "",
            "start_datetime": "2030-10-07T08:00:00",
            "end_datetime": "2030-10-07T08:00:00",
            "status": "CONFIRMED",
            "privacy": "PUBLIC",
            "priority": 0,
            "categories": "",
        },
    ),
    "a day without an end": (ics("DTSTART;VALUE=DATE:20301007"), {"end_datetime": "2030-10-08", "all_day": True}),
    "an unknown zone": (
        ics("DTSTART;TZID=Mars/Phobos:20301007T080000"),
        {"start_datetime": "2030-10-07T08:00:00", "time_zone": "Mars/Phobos"},
    ),
    "a title that occurs twice": (ics("DTSTART:20301007T080000Z", "SUMMARY:a", "SUMMARY:b"), {"title": "a"}),
}


@pytest.mark.parametrize(("ical", "fields"), READ.values(), ids=READ.keys())
def test_reads_fields_times_and_zones(ical: str, fields: dict[str, Any]) -> None:
    """Fields of events of several programs are read; times have their offset and zone name."""
    series = Series(stored(ical))
    event = series.event(series.main).model_dump()
    assert (event["uid"], event["calendar_name"], event["etag"]) == ("theirs", "work", "e1")
    assert {name: event[name] for name in fields} == fields


BROKEN: Final = {
    "nothing": "",
    "text that is not iCalendar": "hello",
    "a card": "BEGIN:VCARD\nVERSION:4.0\nFN:Carol\nEND:VCARD\n",
    "no event": ics("SUMMARY:x", kind="VJOURNAL"),
    "no start": ics("SUMMARY:x"),
    "an invalid start": ics("DTSTART:soon"),
    "an invalid rule": ics("DTSTART:20301007T100000Z", "RRULE:FREQ=OFTEN"),
    "an end of another value type": ics("DTSTART:20301007T080000Z", "DTEND;VALUE=DATE:20301008"),
}


@pytest.mark.parametrize("ical", BROKEN.values(), ids=BROKEN.keys())
def test_malformed_event_error_names_object(ical: str) -> None:
    """The error names the object and the next step, and quotes none of its content."""
    with pytest.raises(NextcloudError, match=r"theirs\.ics in calendar 'work' is not readable iCalendar: open it"):
        Series(stored(ical))


OCCURRENCES: Final[dict[str, tuple[str, list[str]]]] = {
    "a series, one occurrence deleted and one changed": (
        THUNDERBIRD,
        ["2030-10-07T10:00:00+02:00 Team meeting (long)", "2030-10-21T10:00:00+02:00 Team meeting"],
    ),
    "in a zone of its own": (
        OUTLOOK,
        [f"2030-10-{day}T10:00:00+02:00 Jour fixe" for day in ("07", "14", "21")],
    ),
    "across the change to winter time": (
        ics("DTSTART;TZID=Europe/Berlin:20301020T100000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=2"),
        ["2030-10-20T10:00:00+02:00 "],
    ),
    "several days": (APPLE, ["2030-10-07 Trip"]),
    "two rules": (TWO_RULES, ["2030-10-07T15:30:00+02:00 Dentist"]),
    "once": (GOOGLE, ["2030-10-07T08:00:00+00:00 Interview"]),
    "before": (ics("DTSTART:20301006T100000Z", "DTEND:20301006T110000Z"), []),
    "the day after": (ics("DTSTART;VALUE=DATE:20301026"), []),
    "floating, on the last evening": (
        ics("DTSTART:20301025T233000", "DTEND:20301025T234500"),
        ["2030-10-25T23:30:00 "],
    ),
    "every second, which is not expanded": (
        ics("DTSTART:20301001T000000Z", "DTEND:20301001T000001Z", "RRULE:FREQ=SECONDLY"),
        ["2030-10-01T00:00:00+00:00 "],
    ),
    "moved here from another week": (
        ics("DTSTART:20300901T100000Z", "DTEND:20300901T110000Z", "RRULE:FREQ=DAILY;COUNT=2").replace(
            "END:VCALENDAR",
            "BEGIN:VEVENT\nUID:theirs\nDTSTAMP:20300101T000000Z\nRECURRENCE-ID:20300902T100000Z\n"
            "DTSTART:20301008T100000Z\nDTEND:20301008T110000Z\nSUMMARY:late\nEND:VEVENT\nEND:VCALENDAR",
        ),
        ["2030-10-08T10:00:00+00:00 late"],
    ),
}


@pytest.mark.parametrize(("ical", "expected"), OCCURRENCES.values(), ids=OCCURRENCES.keys())
def test_series_expands_in_local_time(ical: str, expected: list[str]) -> None:
    """Occurrences from 7 to 25 October 2030 in Berlin keep their local time across the DST change."""
    berlin = ZoneInfo("Europe/Berlin")
    series = Series(stored(ical))
    events = list(series.occurrences(datetime(2030, 10, 7, tzinfo=berlin), datetime(2030, 10, 26, tzinfo=berlin)))
    summaries = [series.summary(event) for event in events]
    assert sorted(f"{each.start_datetime} {each.title}" for each in summaries) == expected


def test_non_gregorian_rscale_is_an_error() -> None:
    """Only Gregorian rules can be expanded."""
    series = Series(stored(THUNDERBIRD.replace("VERSION:2.0", "VERSION:2.0\nCALSCALE:HEBREW")))
    with pytest.raises(NextcloudError, match="not readable"):
        series.occurrences(datetime(2030, 10, 1, tzinfo=UTC), datetime(2030, 11, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("ical", "recurrence_id", "title"),
    [
        pytest.param(THUNDERBIRD, "2030-10-21T10:00:00+02:00", "Team meeting", id="as listed"),
        pytest.param(THUNDERBIRD, "2030-10-21T08:00:00Z", "Team meeting", id="the same instant in UTC"),
        pytest.param(THUNDERBIRD, "2030-10-21T10:00", "Team meeting", id="by the clock of its zone"),
        pytest.param(THUNDERBIRD, "2030-10-21", "Team meeting", id="by its day"),
        pytest.param(THUNDERBIRD, "2030-10-07", "Team meeting (long)", id="one that was changed"),
        pytest.param(
            ics("DTSTART;VALUE=DATE:20301001", "RRULE:FREQ=DAILY", "SUMMARY:day"), "2030-10-05", "day", id="a day"
        ),
        pytest.param(
            ics("DTSTART:20301001T100000", "RRULE:FREQ=DAILY", "SUMMARY:x"), "2030-10-05T10:00Z", "x", id="floating"
        ),
    ],
)
def test_occurrence_is_found_by_recurrence_id(ical: str, recurrence_id: str, title: str) -> None:
    """A recurrence id is accepted in every valid spelling of the original time."""
    series = Series(stored(ical))
    found = series.event(series.occurrence(recurrence_id))
    assert found.title == title
    assert (found.recurrence_id or "")[:10] == recurrence_id[:10]


@pytest.mark.parametrize(
    ("ical", "recurrence_id", "error", "sentence"),
    [
        pytest.param(THUNDERBIRD, "2030-10-14", NotFoundError, "no occurrence at .2030-10-14", id="deleted"),
        pytest.param(THUNDERBIRD, "2030-10-08", NotFoundError, "nc_calendar_list_events", id="never"),
        pytest.param(GOOGLE, "2030-10-07", InvalidArgumentError, "recurrence_id is for series", id="no series"),
        pytest.param(
            THUNDERBIRD, "monday", InvalidArgumentError, "Invalid recurrence_id 'monday': pass a date", id="no time"
        ),
    ],
)
def test_unknown_occurrence_error_says_why(
    ical: str, recurrence_id: str, error: type[Exception], sentence: str
) -> None:
    """The error gives the cause and where to look up occurrences."""
    with pytest.raises(error, match=sentence):
        Series(stored(ical)).occurrence(recurrence_id)


DESCRIBED: Final = THUNDERBIRD[: THUNDERBIRD.index("BEGIN:VEVENT")]
"""The head of an object whose program described Europe/Berlin."""

BEGINS: Final = datetime(2026, 10, 1, tzinfo=UTC)
ENDS: Final = datetime(2027, 5, 1, tzinfo=UTC)
AROUND: Final = {
    "the repeated hour": ("20261020T023000", "2026-10-25T02:30:00+02:00"),
    "the skipped hour": ("20270325T023000", "2027-03-28T02:30:00+01:00"),
}


@pytest.mark.parametrize(("start", "there"), AROUND.values(), ids=AROUND.keys())
@pytest.mark.parametrize("described", [False, True], ids=["a zone by name", "a zone that is described"])
def test_listed_recurrence_ids_are_found(start: str, there: str, *, described: bool) -> None:
    """Each listed recurrence_id finds its occurrence, also at a DST change."""
    ical = ics(f"DTSTART;TZID=Europe/Berlin:{start}", "DURATION:PT20M", "RRULE:FREQ=DAILY;COUNT=10")
    series = Series(stored(DESCRIBED + ical[ical.index("BEGIN:VEVENT") :] if described else ical))
    names = [series.summary(each).recurrence_id or "" for each in series.occurrences(BEGINS, ENDS)]
    assert (there in names, len(names)) == (True, 10)
    assert [series.summary(series.occurrence(name)).recurrence_id for name in names] == names
    assert delete_occurrence(series, there)
    left = Series(stored(serialize(series.calendar)))
    assert [series.summary(each).recurrence_id for each in left.occurrences(BEGINS, ENDS)] == [
        name for name in names if name != there
    ]


def test_thisandfuture_occurrences_have_own_ids() -> None:
    """Each occurrence that follows a RANGE=THISANDFUTURE change is listed and found by its own id."""
    series = Series(stored(THUNDERBIRD.replace("RECURRENCE-ID;TZID", "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID")))
    autumn = datetime(2030, 9, 1, tzinfo=UTC), datetime(2030, 12, 1, tzinfo=UTC)
    found = [series.summary(each) for each in series.occurrences(*autumn)]
    assert len({each.recurrence_id for each in found}) == len(found) > 5
    assert [series.summary(series.occurrence(each.recurrence_id or "")) for each in found] == found


def test_thisandfuture_override_is_not_changed_alone() -> None:
    """One occurrence of a RANGE=THISANDFUTURE override can't be changed or deleted alone."""
    ical = THUNDERBIRD.replace("RECURRENCE-ID;TZID", "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID")
    series = Series(stored(ical))
    for recurrence_id in ("2030-10-07", "2030-10-21"):
        with pytest.raises(InvalidArgumentError, match="together with all that follow"):
            changed(series, Change(title="x"), ALICE, recurrence_id=recurrence_id)
        with pytest.raises(InvalidArgumentError, match="together with all that follow"):
            delete_occurrence(series, recurrence_id)
    assert unfolded(serialize(series.calendar)) == unfolded(ical)


TWICE_A_DAY: Final = ("DTSTART:20301007T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;BYHOUR=9,15;COUNT=8")


def test_day_with_several_occurrences_needs_a_time() -> None:
    """A day alone does not say which occurrence is meant; a day with one occurrence is enough."""
    series = Series(stored(ics(*TWICE_A_DAY)))
    with pytest.raises(InvalidArgumentError, match="2 occurrences on 2030-10-08: pass the time too"):
        series.occurrence("2030-10-08")
    assert series.summary(series.occurrence("2030-10-08T15:00Z")).start_datetime == "2030-10-08T15:00:00+00:00"
    daily = Series(stored(ics("DTSTART:20301007T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3")))
    assert daily.summary(daily.occurrence("2030-10-08")).start_datetime == "2030-10-08T09:00:00+00:00"
