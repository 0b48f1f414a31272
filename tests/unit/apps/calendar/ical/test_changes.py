"""`apps.calendar.ical`: what a change writes and what it preserves."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from nextcloud_mcp.apps.calendar.ical.event_changes import Author, Change, changed, new
from nextcloud_mcp.apps.calendar.ical.properties import at
from nextcloud_mcp.apps.calendar.ical.removals import delete_occurrence, has_occurrences
from nextcloud_mcp.apps.calendar.ical.serialization import serialize
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import moments
from tests.support.ics import (
    APPLE,
    DAVX5,
    EXCHANGE,
    GOOGLE,
    OUTLOOK,
    THUNDERBIRD,
    TWO_RULES,
    WRITTEN_BY,
    ics,
    stored,
    unfolded,
)

BERLIN: Final = ZoneInfo("Europe/Berlin")
ALICE: Final = Author(BERLIN, "mailto:alice@example.org")
ALWAYS: Final = ("DTSTAMP:", "LAST-MODIFIED:", "SEQUENCE:")
"""What every change touches."""


def difference(before: str, after: str) -> tuple[set[str], set[str]]:
    """Return the lines that went and those that came, but for what every change touches."""
    old, new = set(unfolded(before)), set(unfolded(after))
    return tuple({line for line in lines if not line.startswith(ALWAYS)} for lines in (old - new, new - old))  # type: ignore[return-value]


def change(ical: str, *, author: Author = ALICE, recurrence_id: str = "", **fields: Any) -> tuple[set[str], set[str]]:
    """Change an event and return the lines that went and those that came."""
    after = changed(Series(stored(ical)), Change(**fields), author, recurrence_id=recurrence_id)
    Series(stored(after))
    return difference(ical, after)


def created(*, author: Author = ALICE, **fields: Any) -> set[str]:
    """Make an event and return its lines, without those that are in each."""
    ical = new("theirs", Change(**{"title": "T", "start_datetime": "2030-10-07T10:00", **fields}), author)
    Series(stored(ical))
    lines = unfolded(ical)
    inside = lines[lines.index("BEGIN:VEVENT") + 1 : lines.index("END:VEVENT")]
    return {line for line in inside if not line.startswith(("UID:", "CREATED:", "DTSTAMP:", "LAST-MODIFIED:"))}


@pytest.mark.parametrize("ical", WRITTEN_BY.values(), ids=WRITTEN_BY.keys())
def test_title_change_preserves_unknown_properties(ical: str) -> None:
    """A title change keeps all unknown properties, in their order."""
    after = changed(Series(stored(ical)), Change(title="Ours"), Author(None))
    gone, come = difference(ical, after)
    assert [line.partition(":")[0].partition(";")[0] for line in gone] == ["SUMMARY"]
    assert come == {"SUMMARY:Ours"}
    kept = [line for line in unfolded(after) if not line.startswith((*ALWAYS, "SUMMARY"))]
    assert kept == [line for line in unfolded(ical) if not line.startswith((*ALWAYS, "SUMMARY"))]


@pytest.mark.parametrize("ical", WRITTEN_BY.values(), ids=WRITTEN_BY.keys())
def test_unchanged_fields_write_identical_bytes(ical: str) -> None:
    """Writing back what was read changes no byte, including long lines and alternative spellings."""
    series = Series(stored(ical))
    original = series.stored.text
    assert serialize(series.calendar, missing_tzids=series.missing_tzids, original=original) == original


@pytest.mark.parametrize(
    ("fields", "sequence"),
    [
        pytest.param({"location": "x"}, 3, id="a place, which all are told"),
        pytest.param({"reminder_minutes": 5}, 2, id="a reminder, which is nobody else's business"),
    ],
)
def test_change_increments_sequence_and_timestamps(fields: dict[str, Any], sequence: int) -> None:
    """Attendees' clients treat the changed event as an update."""
    event = Series(stored(changed(Series(stored(THUNDERBIRD)), Change(**fields), ALICE))).main
    assert event["SEQUENCE"] == sequence
    stamps = [moments.to_aware(at(event, name).dt) for name in ("DTSTAMP", "LAST-MODIFIED")]
    assert min(stamps) > datetime.now(UTC) - timedelta(minutes=1)


CREATED: Final[Mapping[str, tuple[dict[str, Any], set[str]]]] = {
    "an hour, where the person is": (
        {},
        {"DTSTART;TZID=Europe/Berlin:20301007T100000", "DTEND;TZID=Europe/Berlin:20301007T110000"},
    ),
    "with an offset, told where the person is": (
        {"start_datetime": "2030-10-07T10:00Z", "end_datetime": "2030-10-07T08:30:00-03:00"},
        {"DTSTART;TZID=Europe/Berlin:20301007T120000", "DTEND;TZID=Europe/Berlin:20301007T133000"},
    ),
    "wherever one is": ({"author": Author(None)}, {"DTSTART:20301007T100000", "DTEND:20301007T110000"}),
    "an instant, no zone known": (
        {"author": Author(None), "start_datetime": "2030-10-07T10:00+02:00"},
        {"DTSTART:20301007T080000Z", "DTEND:20301007T090000Z"},
    ),
    "a day": (
        {"start_datetime": "2030-10-07"},
        {"DTSTART;VALUE=DATE:20301007", "DTEND;VALUE=DATE:20301008"},
    ),
    "a day that ends on itself": (
        {"start_datetime": "2030-10-07", "end_datetime": "2030-10-07"},
        {"DTSTART;VALUE=DATE:20301007", "DTEND;VALUE=DATE:20301008"},
    ),
    "several days": (
        {"start_datetime": "2030-10-07T00:00:00", "end_datetime": "2030-10-10T00:00:00", "all_day": True},
        {"DTSTART;VALUE=DATE:20301007", "DTEND;VALUE=DATE:20301010"},
    ),
    "a rule, to the end of a day there": (
        {"recurrence_rule": "RRULE:FREQ=WEEKLY;BYDAY=MO", "recurring": True, "recurrence_end_date": "2030-12-31"},
        {"RRULE:BYDAY=MO;FREQ=WEEKLY;UNTIL=20301231T225959Z"},
    ),
    "a rule of days": (
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
    "choices": (
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
    "nothing of what is empty": (
        {"description": "", "location": "", "attendees": "", "reminder_minutes": -1, "recurrence_rule": ""},
        set(),
    ),
    "a reminder at the start": ({"reminder_minutes": 0}, {"BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:P0D"}),
}


@pytest.mark.parametrize(("fields", "lines"), CREATED.values(), ids=CREATED.keys())
def test_new_event_has_one_property_per_field(fields: dict[str, Any], lines: set[str]) -> None:
    """Each field becomes its property, and no other property is written."""
    usual = {"SUMMARY:T", "DTSTART;TZID=Europe/Berlin:20301007T100000", "DTEND;TZID=Europe/Berlin:20301007T110000"}
    made = created(**fields)
    assert lines <= made
    extra = {line for line in made - lines - usual if not line.startswith(("BEGIN:", "END:", "ACTION", "DESC", "DT"))}
    assert extra == set()


def test_new_event_includes_vtimezone() -> None:
    """A VTIMEZONE that covers the start is written (RFC 5545 section 3.6.5)."""
    ical = new("theirs", Change(title="T", start_datetime="2030-10-07T10:00"), ALICE)
    assert "TZID:Europe/Berlin" in unfolded(ical)
    assert len(ical) < 2000


REFUSED: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "no time": (
        {"start_datetime": "tomorrow"},
        "Invalid start_datetime 'tomorrow': pass a date or a time, such as 2026-12-24",
    ),
    "a year that nobody means": ({"start_datetime": "0001-01-01"}, "start_datetime '0001-01-01'"),
    "no end": ({"end_datetime": "later"}, "end_datetime 'later'"),
    "an end before the start": ({"end_datetime": "2030-10-07T09:00"}, "end_datetime is not after start_datetime"),
    "an end before the start, in days": (
        {"start_datetime": "2030-10-07", "end_datetime": "2030-10-05"},
        "end_datetime is not after",
    ),
    "a day as the end of a time": ({"end_datetime": "2030-10-08"}, "add one, such as T10:00, or pass all_day=true"),
    "no rule": (
        {"recurrence_rule": "every monday"},
        "Invalid recurrence_rule 'every monday': it is not a rule of RFC 5545",
    ),
    "a rule of no frequency": ({"recurrence_rule": "FREQ=OFTEN"}, "recurrence_rule 'FREQ=OFTEN'"),
    "a rule that never ends its day": ({"recurrence_rule": "FREQ=SECONDLY"}, "recurrence_rule 'FREQ=SECONDLY'"),
    "a rule for every minute": (
        {"recurrence_rule": "FREQ=DAILY;BYHOUR=9,10;BYMINUTE=" + ",".join(map(str, range(60)))},
        "more than once an hour",
    ),
    "a rule that stands still": (
        {"recurrence_rule": "FREQ=DAILY;INTERVAL=0"},
        "recurrence_rule 'FREQ=DAILY;INTERVAL=0'",
    ),
    "a rule for no day": ({"recurrence_rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "never happens"),
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
    "a rule with two ends": ({"recurrence_rule": "FREQ=DAILY;COUNT=2;UNTIL=20301231"}, "COUNT or UNTIL but not both"),
    "a rule with another end": (
        {"recurrence_rule": "FREQ=DAILY;COUNT=2", "recurrence_end_date": "2030-12-31"},
        "recurrence_end_date and COUNT",
    ),
    "a series without a rule": ({"recurring": True}, "needs a recurrence_rule"),
    "an end of no rule": ({"recurrence_end_date": "2030-12-31"}, "needs a recurrence_rule"),
    "a rule for no series": ({"recurring": False, "recurrence_rule": "FREQ=DAILY"}, "contradict each other"),
    "a status": ({"status": "MAYBE"}, "Invalid status 'MAYBE': use one of CONFIRMED, TENTATIVE, CANCELLED"),
    "a privacy": ({"privacy": "SECRET"}, "Invalid privacy 'SECRET'"),
    "a priority": ({"priority": 10}, "Invalid priority 10"),
    "a color": ({"color": "bluish"}, "Invalid color 'bluish': use the name of a CSS color, such as tomato"),
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
    "an attendee": ({"attendees": "bob"}, "Invalid mail address 'bob' in attendees"),
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
    "a reminder of another life": ({"reminder_minutes": 10**12}, "Invalid reminder_minutes 1000000000000: pass how"),
    "no reminder, and one by mail": ({"reminder_minutes": -1, "reminder_email": True}, "contradict each other"),
    "a reminder by mail to nobody": (
        {"reminder_email": True, "author": Author(BERLIN)},
        "reminder_email needs a mail address",
    ),
}


@pytest.mark.parametrize(("fields", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_invalid_fields_are_refused(fields: dict[str, Any], sentence: str) -> None:
    """The error names the argument and its expected format."""
    with pytest.raises(InvalidArgumentError, match=sentence.replace("(", r"\(")):
        created(**fields)


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
    "a zone that nobody knows keeps its name": (
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
    "UTC is no place: the person's clock counts": (
        ics("DTSTART:20301007T080000Z", "DTEND:20301007T083000Z"),
        {"start_datetime": "2030-10-07T11:00"},
        {"DTSTART:20301007T080000Z", "DTEND:20301007T083000Z"},
        {"DTSTART;TZID=Europe/Berlin:20301007T110000", "DTEND;TZID=Europe/Berlin:20301007T113000"},
    ),
    "floating stays so": (
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
    went, came = change(ical, **fields)
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
    made = created(start_datetime="2027-03-28T02:30", author=Author(BERLIN, named=named), **fields)
    assert {"DTSTART;TZID=Europe/Berlin:20270328T033000", f"DTEND;TZID=Europe/Berlin:20270328T{end}"} <= made


def test_series_starting_in_dst_gap_is_refused() -> None:
    """Otherwise all occurrences would shift by the hour that only the first one needs."""
    start = "2027-03-28T02:30"
    with pytest.raises(InvalidArgumentError, match="The clock in Europe/Berlin skips 2027-03-28T02:30:00"):
        created(recurrence_rule="FREQ=DAILY", start_datetime=start)
    with pytest.raises(InvalidArgumentError, match="pass a start_datetime on another day"):
        change(ics("DTSTART;TZID=Europe/Berlin:20270327T023000", "RRULE:FREQ=DAILY"), start_datetime=start)


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
        change(APPLE, **fields)


def test_moving_series_moves_exceptions_and_end() -> None:
    """Deleted occurrences stay deleted, changed ones stay changed, and the last one stays the last."""
    gone, come = change(THUNDERBIRD, start_datetime="2030-09-30T09:30")
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


def test_zone_change_converts_exceptions() -> None:
    """The exceptions of a series are written in its new zone."""
    ical = ics(
        "DTSTART:20301007T080000Z",
        "DTEND:20301007T090000Z",
        "RRULE:FREQ=DAILY",
        "EXDATE:20301008T080000Z,20301109T080000Z",
        "RDATE;VALUE=PERIOD:20301201T080000Z/PT3H",
    )
    _, come = change(ical, start_datetime="2030-10-07T11:00")
    assert "EXDATE;TZID=Europe/Berlin:20301008T110000,20301109T110000" in come
    assert any(line.startswith("RDATE") and "20301201T110000" in line for line in come)


def test_series_with_exceptions_keeps_value_type() -> None:
    """A series with exceptions can't become all-day; without exceptions it can, and UNTIL follows."""
    with pytest.raises(InvalidArgumentError, match="Single occurrences of this series were changed or deleted"):
        change(THUNDERBIRD, all_day=True)
    plain = ics("DTSTART:20301007T080000Z", "DTEND:20301007T090000Z", "RRULE:FREQ=DAILY;UNTIL=20301031T080000Z")
    assert "RRULE:FREQ=DAILY;UNTIL=20301031" in change(plain, all_day=True)[1]


def test_date_until_is_kept_when_moved_by_days() -> None:
    """UNTIL is a date that the author chose, so it stays."""
    plain = ics("DTSTART:20301007T080000Z", "DTEND:20301007T090000Z", "RRULE:FREQ=DAILY;UNTIL=20301031T080000Z")
    _, come = change(plain, start_datetime="2030-10-14T08:00Z", author=Author(None))
    assert not any(line.startswith("RRULE") for line in come)


def test_recurring_false_keeps_first_occurrence() -> None:
    """`recurring=false` keeps the first occurrence and deletes the others."""
    gone, come = change(THUNDERBIRD, recurring=False)
    assert come == set()
    assert {line.partition(":")[0].partition(";")[0] for line in gone} >= {"RRULE", "EXDATE", "RECURRENCE-ID"}


def test_new_rule_replaces_all_rules() -> None:
    """A new rule replaces all RRULEs of the event."""
    gone, come = change(TWO_RULES, recurrence_rule="FREQ=DAILY;COUNT=2")
    assert gone == {"RRULE:COUNT=2;FREQ=YEARLY", "RRULE:COUNT=3;FREQ=MONTHLY"}
    assert come == {"RRULE:COUNT=2;FREQ=DAILY"}


def test_changed_occurrence_gets_own_vevent() -> None:
    """The new VEVENT has the reminder and zone of the series, which itself stays unchanged."""
    gone, come = change(OUTLOOK, recurrence_id="2030-10-14", title="Later", start_datetime="2030-10-14T14:00")
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
        change(OUTLOOK, recurrence_id="2030-10-14", recurrence_rule="FREQ=DAILY")


@pytest.mark.parametrize(
    ("ical", "recurrence_id", "come"),
    [
        pytest.param(OUTLOOK, "2030-10-14", "EXDATE;TZID=W. Europe Standard Time:20301014T100000", id="by rule"),
        pytest.param(THUNDERBIRD, "2030-10-07", "EXDATE;TZID=Europe/Berlin:20301007T100000", id="a changed one"),
        pytest.param(
            ics("DTSTART;VALUE=DATE:20301001", "RRULE:FREQ=DAILY"),
            "2030-10-03",
            "EXDATE;VALUE=DATE:20301003",
            id="a day",
        ),
    ],
)
def test_deleted_occurrence_is_added_to_exdate(ical: str, recurrence_id: str, come: str) -> None:
    """EXDATE uses the value type and zone of DTSTART, and the override of the occurrence is removed."""
    series = Series(stored(ical))
    assert delete_occurrence(series, recurrence_id)
    after = unfolded(serialize(series.calendar))
    assert come in after
    assert not any(line.startswith("RECURRENCE-ID") and come.partition(":")[2] in line for line in after)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(("RRULE:FREQ=DAILY",), id="it has no end"),
        pytest.param(("RRULE:FREQ=MINUTELY;COUNT=2",), id="it is not expanded"),
        pytest.param(("RRULE:FREQ=DAILY;COUNT=1", "RDATE:20301012T080000Z"), id="one was added"),
        pytest.param(("RRULE:FREQ=DAILY;UNTIL=20301008T080000Z",), id="the last one"),
    ],
)
def test_series_continues_without_first_occurrence(lines: tuple[str, ...]) -> None:
    """After the first occurrence is deleted, the others remain."""
    series = Series(stored(ics("DTSTART:20301007T080000Z", *lines)))
    series.main.add("exdate", series.main.start)
    assert has_occurrences(series)


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


def test_deleting_only_shared_occurrence_leaves_nothing() -> None:
    """An attendee of one occurrence has only its VEVENT: deleting it leaves nothing to write."""
    lines = THUNDERBIRD.splitlines()
    second = len(lines) - 1 - lines[::-1].index("BEGIN:VEVENT")
    alone = "\n".join([*lines[: lines.index("BEGIN:VEVENT")], *lines[second:], ""])
    assert not delete_occurrence(Series(stored(alone)), "2030-10-07")


FIELDS: Final[Mapping[str, tuple[str, dict[str, Any], set[str], set[str]]]] = {
    "a text is taken away": (THUNDERBIRD, {"location": ""}, {"LOCATION:Room 1"}, set()),
    "what Outlook shows instead of a description goes": (
        OUTLOOK,
        {"description": "New"},
        {"DESCRIPTION:Agenda\\n", "X-ALT-DESC;FMTTYPE=text/html:<html><body><p>Agenda</p></body></html>"},
        {"DESCRIPTION:New"},
    ),
    "categories": (DAVX5, {"categories": "Work"}, {"CATEGORIES:Health", "CATEGORIES:Private"}, {"CATEGORIES:Work"}),
    "no categories": (DAVX5, {"categories": ""}, {"CATEGORIES:Health", "CATEGORIES:Private"}, set()),
    "the first reminder, as it was otherwise": (
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
    "a color and a URL that nobody may write, passed back": (
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
    "a reminder by mail that is there": (GOOGLE, {"reminder_email": True}, set(), set()),
    "a reminder by mail with the other": (
        THUNDERBIRD,
        {"reminder_email": True},
        set(),
        {"ACTION:EMAIL", "DESCRIPTION:Team meeting", "ATTENDEE:mailto:alice@example.org"},
    ),
    "an attendee more keeps the others' answers": (
        GOOGLE,
        {"attendees": "carol@example.com,ALICE@example.org,bob@example.org"},
        set(),
        {"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.org"},
    ),
    "an attendee less": (
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
    assert change(ical, **fields) == (gone, come)


AT_START: Final = ics("DTSTART:20301007T080000Z", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:PT0S", "END:VALARM")


def test_reminder_at_start_is_zero() -> None:
    """A reminder at the start is read and written as 0; -1 removes it."""
    assert change(AT_START, title="T", reminder_minutes=0) == (set(), {"SUMMARY:T"})
    assert change(THUNDERBIRD, reminder_minutes=0) == ({"TRIGGER:-PT15M"}, {"TRIGGER:P0D"})
    assert "BEGIN:VALARM" not in changed(Series(stored(AT_START)), Change(reminder_minutes=-1), ALICE)
    copy = Series(stored(new("theirs", Change(start_datetime="2030-10-07T10:00", reminder_minutes=0), ALICE)))
    assert copy.event(copy.main).reminder_minutes == 0


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ('"Doe, Jane" <jane@example.org>', '"Doe, Jane"', "jane@example.org"),
        ("Jane Doe <mailto:jane@example.org>", '"Jane Doe"', "jane@example.org"),
        ('"Jane \\"JD\\" Doe" <jane@example.org>', "\"Jane 'JD' Doe\"", "jane@example.org"),
        ('"O\'Neill; Bob: 1st" <bob@example.org>', '"O\'Neill; Bob: 1st"', "bob@example.org"),
        ("<jane@example.org>", None, "jane@example.org"),
    ],
)
def test_attendee_name_becomes_cn(written: str, name: str | None, address: str) -> None:
    """The name of an RFC 5322 address becomes the parameter CN, quoted where RFC 5545 requires it."""
    gone, come = change(ics("DTSTART:20301007T080000Z"), attendees=f"a@example.org, {written},b@example.org")
    added = {"mailto:" + line.rpartition(":mailto:")[2]: line for line in come if line.startswith("ATTENDEE")}
    assert list(gone) == []
    assert sorted(added) == sorted(f"mailto:{each}" for each in ("a@example.org", address, "b@example.org"))
    assert ("CN=" in added[f"mailto:{address}"]) is (name is not None)
    assert name is None or f";CN={name};" in added[f"mailto:{address}"]
    series = Series(stored(ics("DTSTART:20301007T080000Z", f"ATTENDEE;CN=J:mailto:{address}")))
    assert f"ATTENDEE;CN=J:mailto:{address}" in changed(series, Change(attendees=f"{written}, c@d"), ALICE)


@pytest.mark.parametrize("uri", ["CN=Doe, Jane,OU=Sales", 'mailto:"Doe, Jane"@example.org', "mailto:doe,jane@x.org"])
def test_attendee_with_comma_is_kept_when_adding(uri: str) -> None:
    """Adding an attendee keeps one whose value contains a comma and is no mail address."""
    series = Series(stored(ics("DTSTART:20301007T080000Z", f"ATTENDEE:{uri}", "ATTENDEE:mailto:a@b.org")))
    told = series.event(series.main).attendees
    lines = changed(series, Change(attendees=f"{told}, new@example.org"), ALICE).replace("\r\n ", "").splitlines()
    kept = [line.partition(":")[2] for line in lines if line.startswith("ATTENDEE")]
    assert kept == [uri, "mailto:a@b.org", "mailto:new@example.org"]


def test_attendee_without_address_is_kept_when_adding() -> None:
    """An attendee without a mail address does not prevent adding others."""
    told = "invalid:nomail, invalid:nomail, Bob@Example.org"
    gone, come = change(EXCHANGE, attendees=f"{told}, new@example.org")
    assert (gone, len(come)) == (set(), 1)
    gone, come = change(EXCHANGE, attendees="invalid:nomail")
    assert ([line.rpartition("=")[2] for line in gone], come) == (["Bob:MAILTO:Bob@Example.org"], set())
    with pytest.raises(InvalidArgumentError, match="Invalid mail address 'invalid:nomail'"):
        change(THUNDERBIRD, attendees="invalid:nomail")


def test_unchanged_rule_follows_new_start() -> None:
    """A rule passed back unchanged follows the new start unless it fixes it; for one occurrence it is ignored."""
    told = Series(stored(THUNDERBIRD))
    rule = told.event(told.main).recurrence_rule
    _, come = change(THUNDERBIRD, start_datetime="2030-10-01T10:00", recurring=True, recurrence_rule=rule)
    assert "RRULE:BYDAY=TU;FREQ=WEEKLY;UNTIL=20301231T090000Z" in come
    workdays = "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR"
    ical = ics("DTSTART:20301007T080000Z", f"RRULE:{workdays}", "EXDATE:20301009T080000Z")
    _, come = change(ical, start_datetime="2030-10-08T08:00Z", recurrence_rule=workdays, author=Author(None))
    assert come == {"DTSTART:20301008T080000Z"}
    _, come = change(
        OUTLOOK, recurrence_id="2030-10-14", start_datetime="2030-10-15T10:00", recurring=True, recurrence_rule=RULE
    )
    assert "DTSTART;TZID=W. Europe Standard Time:20301015T100000" in come


RULE: Final = "FREQ=WEEKLY;COUNT=6;BYDAY=MO"


def test_minus_one_removes_all_reminders() -> None:
    """A reminder of -1 removes every reminder, whatever its type."""
    assert "BEGIN:VALARM" not in unfolded(changed(Series(stored(APPLE)), Change(reminder_minutes=-1), ALICE))


def test_reminder_is_added_next_to_absolute_one() -> None:
    """A reminder at a fixed time stays, and the new one is added."""
    gone, come = change(APPLE, reminder_minutes=10)
    assert (gone, come >= {"TRIGGER:-PT10M"}) == (set(), True)


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
    same = change(ical, start_datetime=told.start_datetime, end_datetime=told.end_datetime)
    assert same == (set(), set())
    _, come = change(ical, start_datetime="2030-10-08T11:00", end_datetime="2030-10-08T09:00:00+00:00")
    assert come == {line.replace("20301007T100000", "20301008T110000") for line in lines if "DURATION" not in line}
    with pytest.raises(InvalidArgumentError, match="end_datetime is not after"):
        change(ical, start_datetime="2030-10-08T11:00", end_datetime="2030-10-08T10:59")
    with pytest.raises(InvalidArgumentError, match="end_datetime is not after"):
        change(ics(lines[0], "DURATION:PT1H"), start_datetime="2030-10-08T11:00", end_datetime="2030-10-08T11:00")
