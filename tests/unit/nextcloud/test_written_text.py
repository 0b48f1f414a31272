"""Text of a caller stays in its field: in events, tasks, free/busy queries, XML and headers.

Cards are tested in tests/unit/apps/contacts/test_vcard.py.
"""

import dataclasses
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from nextcloud_mcp.apps.calendar import freebusy
from nextcloud_mcp.apps.calendar.caldav import management
from nextcloud_mcp.apps.calendar.ical import event_changes, task_changes
from nextcloud_mcp.apps.calendar.ical.attendees import mail_addresses
from nextcloud_mcp.apps.calendar.ical.event_changes import Author
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.apps.files import search, webdav
from nextcloud_mcp.apps.files.search import FileFilter
from nextcloud_mcp.errors import InvalidArgumentError
from nextcloud_mcp.nextcloud import dav, moments
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.ics import ics, stored
from tests.support.nextcloud import FakeNextcloud

ENDS_A_LINE: Final = (
    *("\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"),
    *("\0", "\x1b", "\x7f", "\ud800", "\\n", "\n "),
)
USUAL: Final = {
    "start_datetime": "2030-10-07T10:00",
    "end_datetime": "2030-10-07T11:00",
    "recurrence_rule": "FREQ=WEEKLY;WKST=MO",
    "recurrence_end_date": "2030-12-24",
    "status": "CONFIRMED",
    "privacy": "PUBLIC",
    "attendees": "bob@example.org",
    "due": "2030-10-07",
    "dtstart": "2030-10-07",
    "completed": "2030-10-07",
}
"""What a field of a certain form has, so that what follows it is looked at."""

NAMES: Final = {
    *("BEGIN", "END", "VERSION", "PRODID", "METHOD", "UID", "CREATED", "DTSTAMP", "LAST-MODIFIED", "SEQUENCE"),
    *("DTSTART", "DTEND", "DUE", "COMPLETED", "RRULE", "SUMMARY", "DESCRIPTION", "LOCATION", "URL", "COLOR", "STATUS"),
    *("CLASS", "CATEGORIES", "ATTENDEE", "ORGANIZER", "PERCENT-COMPLETE", "ACTION", "TRIGGER"),
}
"""The properties that this server writes."""

ANY_TEXT: Final = st.text(alphabet=st.characters(exclude_categories=[]), max_size=12)
SUFFIXES: Final = st.one_of(
    ANY_TEXT,
    st.sampled_from(ENDS_A_LINE).map("{}X-EVIL:1".format),
    st.sampled_from(ENDS_A_LINE).map("{}END:VEVENT".format),
    st.sampled_from(['";X-EVIL=1:', ";X-EVIL=1", ",b@example.org"]),
    ANY_TEXT.map(',"{}" <b@example.org>'.format),
)


def texts_of(change: type) -> list[str]:
    """Return the names of the fields of a change that are texts."""
    return [field.name for field in dataclasses.fields(change) if "str" in str(field.type)]


def check(ical: str, components: int) -> None:
    """Assert that iCalendar has lines of ours alone, for readers of every kind of line end, and as many components."""
    ical.encode()
    lines = ical.replace("\r\n ", "").splitlines()
    names = {line.partition(":")[0].partition(";")[0] for line in lines}
    assert names <= NAMES
    assert sum(line.startswith("BEGIN:") for line in lines) == components
    assert sum(line.startswith("END:") for line in lines) == components


@given(field=st.sampled_from(texts_of(event_changes.Change)), suffix=SUFFIXES)
def test_event_field_can_not_inject_another_line(field: str, suffix: str) -> None:
    """This covers new events, with reminders that repeat the title, and changed events."""
    usual = {"title": "T", "start_datetime": USUAL["start_datetime"], "recurrence_rule": USUAL["recurrence_rule"]}
    fields: dict[str, Any] = usual | {field: USUAL.get(field, "x") + suffix}
    whose = Author(None, "mailto:alice@example.org")
    change = event_changes.Change(reminder_minutes=10, reminder_email=True, **fields)
    with suppress(InvalidArgumentError):
        check(event_changes.new("theirs", change, whose), 4)
    with suppress(InvalidArgumentError):
        series = Series(stored(ics("DTSTART:20301007T100000Z", "SUMMARY:old")))
        check(event_changes.changed(series, event_changes.Change(**{field: fields[field]}), whose), 2)


@given(field=st.sampled_from(texts_of(task_changes.Change)), suffix=SUFFIXES)
def test_task_field_can_not_inject_another_line(field: str, suffix: str) -> None:
    """Any text is the value of its field, or refused."""
    with suppress(InvalidArgumentError):
        check(task_changes.new("theirs", task_changes.Change(**{field: USUAL.get(field, "x") + suffix}), None), 2)  # type: ignore[arg-type]


@given(suffix=SUFFIXES)
def test_attendee_can_not_inject_into_free_busy_query(suffix: str) -> None:
    """Lines of a free/busy query that contain an attendee's text are ATTENDEE lines."""
    within = (datetime(2030, 10, 7, tzinfo=UTC), datetime(2030, 10, 8, tzinfo=UTC))
    with suppress(InvalidArgumentError):
        attendees = mail_addresses(f"bob@example.org{suffix}")
        check(freebusy._question("mailto:a@b", [f"mailto:{each}" for each in attendees], within), 2)  # noqa: SLF001


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x0b", "\x85", "\u2028", "\0", "\ud800"])
def test_attendee_with_line_end_is_refused(end: str) -> None:
    """An address is written without escaping, so line ends are refused."""
    with pytest.raises(InvalidArgumentError, match="attendees contains a line end"):
        mail_addresses(f"a@example.org{end}X-EVIL:1")


@given(text=st.one_of(ANY_TEXT, SUFFIXES))
def test_invalid_times_and_zones_are_refused(text: str) -> None:
    """The error names the argument, and no text opens a file."""
    with suppress(InvalidArgumentError):
        assert moments.zone(text).key == text
    with suppress(InvalidArgumentError):
        assert moments.read(f"2030-10-07T10:00{text}", "start").isoformat().isascii()


@given(text=st.one_of(ANY_TEXT, st.just("]]></d:displayname><d:x/>"), st.just("</d:literal>&e;")))
def test_text_can_not_inject_xml_elements(text: str) -> None:
    """Calendar names and search patterns are text of their element, or refused."""
    harmless, hostile = Element(f"{dav.D}r"), Element(f"{dav.D}r")
    management._set_properties(harmless, display_name="x", description="x", color="")  # noqa: SLF001
    management._set_properties(hostile, display_name=f"x{text}", description=f"x{text}", color="")  # noqa: SLF001
    frame = '<r xmlns:d="DAV:">{}</r>'
    conditions = [
        search._conditions(FileFilter(name_pattern=f"x{each}\u00fc", mime_type="image/png"))  # noqa: SLF001
        for each in ("", text)
    ]
    with suppress(InvalidArgumentError):
        read = fromstring(dav.body(hostile))
        assert [each.tag for each in read.iter()] == [each.tag for each in harmless.iter()]
    with suppress(InvalidArgumentError):
        first, second = (fromstring(dav.body(frame.format(each))) for each in conditions)
        assert [each.tag for each in first.iter()] == [each.tag for each in second.iter()]


@pytest.mark.parametrize("end", [each for each in ENDS_A_LINE if each != "\\n"])
async def test_header_value_can_not_inject_header(nextcloud: Nextcloud, fake: FakeNextcloud, end: str) -> None:
    """A media type or ETag with a control character is refused, and no request is sent."""
    for content_type, etag in ((f"text/plain{end}X-Evil: 1", None), ("text/plain", f"e{end}X-Evil: 1")):
        with pytest.raises(InvalidArgumentError):
            await webdav.write_file(nextcloud, "a", b"", content_type=content_type, etag=etag)
    assert fake.asked() == []
