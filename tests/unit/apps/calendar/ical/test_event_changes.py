"""`apps.calendar.ical.event_changes`: what a change writes and what it preserves."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from nextcloud_mcp.apps.calendar.ical.event_changes import Author, Change, changed
from nextcloud_mcp.apps.calendar.ical.properties import at
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import moments
from tests.support.event_changes import _ALWAYS_CHANGED, ALICE, BERLIN, changed_lines, differing_lines, new_event_lines
from tests.support.ics import DAVX5, GOOGLE, OUTLOOK, THUNDERBIRD, WRITTEN_BY, ics, stored, unfolded


@pytest.mark.parametrize("ical", WRITTEN_BY.values(), ids=WRITTEN_BY.keys())
def test_title_change_preserves_unknown_properties(ical: str) -> None:
    """A title change keeps all unknown properties, in their order."""
    after = changed(Series(stored(ical)), Change(title="Ours"), Author(None))
    gone, come = differing_lines(ical, after)
    assert [line.partition(":")[0].partition(";")[0] for line in gone] == ["SUMMARY"]
    assert come == {"SUMMARY:Ours"}
    kept = [line for line in unfolded(after) if not line.startswith((*_ALWAYS_CHANGED, "SUMMARY"))]
    assert kept == [line for line in unfolded(ical) if not line.startswith((*_ALWAYS_CHANGED, "SUMMARY"))]


@pytest.mark.parametrize(
    ("fields", "sequence"),
    [
        pytest.param({"location": "x"}, 3, id="the location, which attendees see"),
        pytest.param({"reminder_minutes": 5}, 2, id="a reminder, which attendees do not see"),
    ],
)
def test_change_increments_sequence_and_timestamps(fields: dict[str, Any], sequence: int) -> None:
    """Attendees' clients treat the changed event as an update."""
    event = Series(stored(changed(Series(stored(THUNDERBIRD)), Change(**fields), ALICE))).main
    assert event["SEQUENCE"] == sequence
    stamps = [moments.to_aware(at(event, name).dt) for name in ("DTSTAMP", "LAST-MODIFIED")]
    assert min(stamps) > datetime.now(UTC) - timedelta(minutes=1)


CREATED: Final[Mapping[str, tuple[dict[str, Any], set[str]]]] = {
    "an hour in the user's zone": (
        {},
        {"DTSTART;TZID=Europe/Berlin:20301007T100000", "DTEND;TZID=Europe/Berlin:20301007T110000"},
    ),
    "with an offset, written in the user's zone": (
        {"start_datetime": "2030-10-07T10:00Z", "end_datetime": "2030-10-07T08:30:00-03:00"},
        {"DTSTART;TZID=Europe/Berlin:20301007T120000", "DTEND;TZID=Europe/Berlin:20301007T133000"},
    ),
    "a floating time": ({"author": Author(None)}, {"DTSTART:20301007T100000", "DTEND:20301007T110000"}),
    "an offset, and no known zone": (
        {"author": Author(None), "start_datetime": "2030-10-07T10:00+02:00"},
        {"DTSTART:20301007T080000Z", "DTEND:20301007T090000Z"},
    ),
    "a day": (
        {"start_datetime": "2030-10-07"},
        {"DTSTART;VALUE=DATE:20301007", "DTEND;VALUE=DATE:20301008"},
    ),
    "an end date that is the start date": (
        {"start_datetime": "2030-10-07", "end_datetime": "2030-10-07"},
        {"DTSTART;VALUE=DATE:20301007", "DTEND;VALUE=DATE:20301008"},
    ),
    "several days": (
        {"start_datetime": "2030-10-07T00:00:00", "end_datetime": "2030-10-10T00:00:00", "all_day": True},
        {"DTSTART;VALUE=DATE:20301007", "DTEND;VALUE=DATE:20301010"},
    ),
    "a rule with an end date": (
        {"recurrence_rule": "RRULE:FREQ=WEEKLY;BYDAY=MO", "recurring": True, "recurrence_end_date": "2030-12-31"},
        {"RRULE:BYDAY=MO;FREQ=WEEKLY;UNTIL=20301231T225959Z"},
    ),
    "a rule of an all-day event": (
        {"start_datetime": "2030-10-07", "recurrence_rule": "FREQ=DAILY;UNTIL=20301231T100000Z"},
        {"RRULE:FREQ=DAILY;UNTIL=20301231"},
    ),
    "a floating rule": (
        {"author": Author(None), "recurrence_rule": "FREQ=DAILY;UNTIL=20301231"},
        {"RRULE:FREQ=DAILY;UNTIL=20301231T235959"},
    ),
    "texts": (
        {"description": "a, b; c\nd", "location": "Room", "url": "https://example.org", "color": "tomato"},
        {"DESCRIPTION:a\\, b\\; c\\nd", "LOCATION:Room", "URL:https://example.org", "COLOR:tomato"},
    ),
    "a URL, which has no escaped characters": (
        {"url": " https://example.org/ü?a=1;b=2,3 "},
        {"URL:https://example.org/ü?a=1;b=2,3"},
    ),
    "another URI": ({"url": "mailto:bob@example.org"}, {"URL:mailto:bob@example.org"}),
    "a color in capitals": ({"color": "Tomato"}, {"COLOR:tomato"}),
    "the code of a color with a name": ({"color": "#FF6347"}, {"COLOR:tomato"}),
    "fields with fixed values": (
        {"status": "tentative", "privacy": "private", "priority": 1, "categories": "a, b,,"},
        {"STATUS:TENTATIVE", "CLASS:PRIVATE", "PRIORITY:1", "CATEGORIES:a,b"},
    ),
    "attendees": (
        {"attendees": "bob@example.org, mailto:carol@example.com"},
        {
            "ORGANIZER:mailto:alice@example.org",
            "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.org",
            "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:carol@example.com",
        },
    ),
    "a reminder": ({"reminder_minutes": 15}, {"BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "DESCRIPTION:T"}),
    "a reminder by mail": (
        {"reminder_minutes": 60, "reminder_email": True},
        {"ACTION:DISPLAY", "ACTION:EMAIL", "TRIGGER:-PT1H", "SUMMARY:T", "ATTENDEE:mailto:alice@example.org"},
    ),
    "no properties for empty fields": (
        {"description": "", "location": "", "attendees": "", "reminder_minutes": -1, "recurrence_rule": ""},
        set(),
    ),
    "a reminder at the start": ({"reminder_minutes": 0}, {"BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:P0D"}),
}


@pytest.mark.parametrize(("fields", "lines"), CREATED.values(), ids=CREATED.keys())
def test_new_event_has_one_property_per_field(fields: dict[str, Any], lines: set[str]) -> None:
    """Each field becomes its property, and no other property is written."""
    usual = {"SUMMARY:T", "DTSTART;TZID=Europe/Berlin:20301007T100000", "DTEND;TZID=Europe/Berlin:20301007T110000"}
    made = new_event_lines(**fields)
    assert lines <= made
    extra = {line for line in made - lines - usual if not line.startswith(("BEGIN:", "END:", "ACTION", "DESC", "DT"))}
    assert extra == set()


REFUSED: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "an invalid start": (
        {"start_datetime": "tomorrow"},
        "Invalid start_datetime 'tomorrow': pass a date or a time, such as 2026-12-24",
    ),
    "a year out of range": ({"start_datetime": "0001-01-01"}, "start_datetime '0001-01-01'"),
    "an invalid end": ({"end_datetime": "later"}, "end_datetime 'later'"),
    "an end before the start": ({"end_datetime": "2030-10-07T09:00"}, "end_datetime is not after start_datetime"),
    "an end date before the start date": (
        {"start_datetime": "2030-10-07", "end_datetime": "2030-10-05"},
        "end_datetime is not after",
    ),
    "an end date for a start with a time": (
        {"end_datetime": "2030-10-08"},
        "add one, such as T10:00, or pass all_day=true",
    ),
    "an invalid rule": (
        {"recurrence_rule": "every monday"},
        "Invalid recurrence_rule 'every monday': it is not a rule of RFC 5545",
    ),
    "an unknown FREQ": ({"recurrence_rule": "FREQ=OFTEN"}, "recurrence_rule 'FREQ=OFTEN'"),
    "a rule for every second": ({"recurrence_rule": "FREQ=SECONDLY"}, "recurrence_rule 'FREQ=SECONDLY'"),
    "a rule for every minute": (
        {"recurrence_rule": "FREQ=DAILY;BYHOUR=9,10;BYMINUTE=" + ",".join(map(str, range(60)))},
        "more than once an hour",
    ),
    "an INTERVAL of zero": (
        {"recurrence_rule": "FREQ=DAILY;INTERVAL=0"},
        "recurrence_rule 'FREQ=DAILY;INTERVAL=0'",
    ),
    "a rule for a day that does not exist": (
        {"recurrence_rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"},
        "never happens",
    ),
    **{
        f"a rule with {part}": ({"recurrence_rule": f"FREQ={part}"}, "Invalid recurrence_rule")
        for part in (
            "DAILY;BYHOUR=9,24",
            "DAILY;BYMINUTE=60",
            "DAILY;BYSECOND=60",
            "MONTHLY;BYDAY=MO;BYSETPOS=0",
            "MONTHLY;BYDAY=6MO",
            "WEEKLY;BYDAY=2MO",
            "YEARLY;BYWEEKNO=54;BYDAY=MO",
            "YEARLY;BYYEARDAY=367",
        )
    },
    "a COUNT and UNTIL": ({"recurrence_rule": "FREQ=DAILY;COUNT=2;UNTIL=20301231"}, "COUNT or UNTIL but not both"),
    "a COUNT and recurrence_end_date": (
        {"recurrence_rule": "FREQ=DAILY;COUNT=2", "recurrence_end_date": "2030-12-31"},
        "recurrence_end_date and COUNT",
    ),
    "a series without a rule": ({"recurring": True}, "needs a recurrence_rule"),
    "recurrence_end_date without a rule": ({"recurrence_end_date": "2030-12-31"}, "needs a recurrence_rule"),
    "a rule and recurring=false": ({"recurring": False, "recurrence_rule": "FREQ=DAILY"}, "contradict each other"),
    "an unknown status": ({"status": "MAYBE"}, "Invalid status 'MAYBE': use one of CONFIRMED, TENTATIVE, CANCELLED"),
    "an unknown privacy": ({"privacy": "SECRET"}, "Invalid privacy 'SECRET'"),
    "a priority out of range": ({"priority": 10}, "Invalid priority 10"),
    "an unknown color": ({"color": "bluish"}, "Invalid color 'bluish': use the name of a CSS color, such as tomato"),
    "the code of a color without a name": (
        {"color": "#1976D2"},
        "Invalid color '#1976D2': events have the names of CSS colors, so use royalblue or another name",
    ),
    "a URL without a scheme": (
        {"url": "www.example.org"},
        "Invalid url 'www.example.org': use a full address, such as https://example.org",
    ),
    "a URL with a blank": ({"url": "https://example.org/a b"}, "Invalid url 'https://example.org/a b'"),
    "a URL with a line break": ({"url": "https://example.org\nATTACH:x"}, "Invalid url"),
    "an attendee without an address": ({"attendees": "bob"}, "Invalid mail address 'bob' in attendees"),
    "an attendee with a name alone": ({"attendees": "Bob Builder"}, "Invalid mail address 'Bob Builder'"),
    "an attendee whose name has a comma": (
        {"attendees": "Doe, Jane <jane@example.org>"},
        "Invalid mail address 'Doe' in attendees: pass addresses separated by commas, or names with addresses, in",
    ),
    "an attendee with one quotation mark": ({"attendees": '"Doe, Jane <jane@example.org>'}, "Invalid mail address"),
    "an address with a comma": ({"attendees": '"doe, jane"@example.org'}, "Invalid mail address"),
    "an attendee with two addresses": ({"attendees": "A <a@b> <c@d>"}, "Invalid mail address"),
    "an attendee with a name and no address": ({"attendees": "Jane <jane>"}, "Invalid mail address 'Jane <jane>'"),
    "a reminder after the start": (
        {"reminder_minutes": -5},
        "Invalid reminder_minutes -5: pass how many minutes before the start it comes, from 0 ",
    ),
    "a reminder that is too early": ({"reminder_minutes": 10**12}, "Invalid reminder_minutes 1000000000000: pass how"),
    "no reminder, and one by mail": ({"reminder_minutes": -1, "reminder_email": True}, "contradict each other"),
    "a reminder by mail without an address": (
        {"reminder_email": True, "author": Author(BERLIN)},
        "reminder_email needs a mail address",
    ),
}


@pytest.mark.parametrize(("fields", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_invalid_fields_are_refused(fields: dict[str, Any], sentence: str) -> None:
    """The error names the argument and its expected format."""
    with pytest.raises(InvalidArgumentError, match=sentence.replace("(", r"\(")):
        new_event_lines(**fields)


FIELDS: Final[Mapping[str, tuple[str, dict[str, Any], set[str], set[str]]]] = {
    "a text is cleared": (THUNDERBIRD, {"location": ""}, {"LOCATION:Room 1"}, set()),
    "a new description removes Outlook's own": (
        OUTLOOK,
        {"description": "New"},
        {"DESCRIPTION:Agenda\\n", "X-ALT-DESC;FMTTYPE=text/html:<html><body><p>Agenda</p></body></html>"},
        {"DESCRIPTION:New"},
    ),
    "categories": (DAVX5, {"categories": "Work"}, {"CATEGORIES:Health", "CATEGORIES:Private"}, {"CATEGORIES:Work"}),
    "no categories": (DAVX5, {"categories": ""}, {"CATEGORIES:Health", "CATEGORIES:Private"}, set()),
    "the first reminder keeps its other properties": (
        THUNDERBIRD,
        {"reminder_minutes": 30},
        {"TRIGGER:-PT15M"},
        {"TRIGGER:-PT30M"},
    ),
    "a color as another program wrote it": (
        DAVX5,
        {"color": "darkgreen", "title": "New"},
        {"SUMMARY:Dentist"},
        {"SUMMARY:New"},
    ),
    "no color": (DAVX5, {"color": ""}, {"COLOR:darkgreen"}, set()),
    "an invalid color and URL, passed back": (
        ics("DTSTART:20301007T100000Z", "COLOR:#12345678", "URL:www.example.org"),
        {"color": "#12345678", "url": "www.example.org", "location": "Room"},
        set(),
        {"LOCATION:Room"},
    ),
    "a second reminder stays": (OUTLOOK, {"reminder_minutes": 60}, {"TRIGGER:-P1D"}, {"TRIGGER:-PT1H"}),
    "no reminder by mail": (
        GOOGLE,
        {"reminder_email": False},
        {
            "BEGIN:VALARM",
            "ACTION:EMAIL",
            "DESCRIPTION:This is an event reminder",
            "SUMMARY:Alarm notification",
            "ATTENDEE:mailto:alice@example.org",
            "TRIGGER:-PT30M",
            "END:VALARM",
        },
        set(),
    ),
    "a reminder by mail that exists already": (GOOGLE, {"reminder_email": True}, set(), set()),
    "a reminder by mail with the other": (
        THUNDERBIRD,
        {"reminder_email": True},
        set(),
        {"ACTION:EMAIL", "DESCRIPTION:Team meeting", "ATTENDEE:mailto:alice@example.org"},
    ),
    "an added attendee keeps the others' answers": (
        GOOGLE,
        {"attendees": "carol@example.com,ALICE@example.org,bob@example.org"},
        set(),
        {"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.org"},
    ),
    "an attendee is removed": (
        GOOGLE,
        {"attendees": "carol@example.com"},
        {
            'ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=OPT-PARTICIPANT;PARTSTAT=TENTATIVE;RSVP=TRUE;CN="Liddell, Alice";X-NUM-GUESTS=0:mailto:alice@example.org'  # noqa: E501
        },
        set(),
    ),
}


@pytest.mark.parametrize(("ical", "fields", "gone", "come"), FIELDS.values(), ids=FIELDS.keys())
def test_field_change_changes_one_property(ical: str, fields: dict[str, Any], gone: set[str], come: set[str]) -> None:
    """A field change changes its property and no other."""
    assert changed_lines(ical, **fields) == (gone, come)


def test_changed_occurrence_gets_own_vevent() -> None:
    """The new VEVENT has the reminder and zone of the series, which itself stays unchanged."""
    gone, come = changed_lines(OUTLOOK, recurrence_id="2030-10-14", title="Later", start_datetime="2030-10-14T14:00")
    assert gone == set()
    assert come == {
        "SUMMARY:Later",
        "RECURRENCE-ID;TZID=W. Europe Standard Time:20301014T100000",
        "DTSTART;TZID=W. Europe Standard Time:20301014T140000",
        "DTEND;TZID=W. Europe Standard Time:20301014T150000",
    }
    after = changed(Series(stored(OUTLOOK)), Change(title="Later"), ALICE, recurrence_id="2030-10-14")
    assert after.count("BEGIN:VALARM") == 4
    again = changed(Series(stored(after)), Change(title="Latest"), ALICE, recurrence_id="2030-10-14")
    assert (again.count("BEGIN:VEVENT"), "SUMMARY:Later" in again) == (2, False)


def test_rule_for_one_occurrence_is_refused() -> None:
    """Only the whole series has a rule."""
    with pytest.raises(InvalidArgumentError, match="apply to the whole series"):
        changed_lines(OUTLOOK, recurrence_id="2030-10-14", recurrence_rule="FREQ=DAILY")


RULE: Final = "FREQ=WEEKLY;COUNT=6;BYDAY=MO"


def test_unchanged_rule_follows_new_start() -> None:
    """A rule passed back unchanged follows the new start unless it fixes it; for one occurrence it is ignored."""
    told = Series(stored(THUNDERBIRD))
    rule = told.event(told.main).recurrence_rule
    _, come = changed_lines(THUNDERBIRD, start_datetime="2030-10-01T10:00", recurring=True, recurrence_rule=rule)
    assert "RRULE:BYDAY=TU;FREQ=WEEKLY;UNTIL=20301231T090000Z" in come
    workdays = "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR"
    ical = ics("DTSTART:20301007T080000Z", f"RRULE:{workdays}", "EXDATE:20301009T080000Z")
    _, come = changed_lines(ical, start_datetime="2030-10-08T08:00Z", recurrence_rule=workdays, author=Author(None))
    assert come == {"DTSTART:20301008T080000Z"}
    _, come = changed_lines(
        OUTLOOK, recurrence_id="2030-10-14", start_datetime="2030-10-15T10:00", recurring=True, recurrence_rule=RULE
    )
    assert "DTSTART;TZID=W. Europe Standard Time:20301015T100000" in come
