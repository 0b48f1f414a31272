"""`apps.calendar.ical.alarms`: a change of the reminder keeps the other reminders."""

from typing import Final

from nextcloud_mcp.apps.calendar.ical.event_changes import Change, changed, new
from nextcloud_mcp.apps.calendar.ical.series import Series
from tests.support.event_changes import ALICE, changed_lines
from tests.support.ics import APPLE, THUNDERBIRD, ics, stored, unfolded

AT_START: Final = ics("DTSTART:20301007T080000Z", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:PT0S", "END:VALARM")


def test_reminder_at_start_is_zero() -> None:
    """A reminder at the start is read and written as 0; -1 removes it."""
    assert changed_lines(AT_START, title="T", reminder_minutes=0) == (set(), {"SUMMARY:T"})
    assert changed_lines(THUNDERBIRD, reminder_minutes=0) == ({"TRIGGER:-PT15M"}, {"TRIGGER:P0D"})
    assert "BEGIN:VALARM" not in changed(Series(stored(AT_START)), Change(reminder_minutes=-1), ALICE)
    copy = Series(stored(new("theirs", Change(start_datetime="2030-10-07T10:00", reminder_minutes=0), ALICE)))
    assert copy.event(copy.main).reminder_minutes == 0


def test_minus_one_removes_all_reminders() -> None:
    """A reminder of -1 removes every reminder, whatever its type."""
    assert "BEGIN:VALARM" not in unfolded(changed(Series(stored(APPLE)), Change(reminder_minutes=-1), ALICE))


def test_reminder_is_added_next_to_absolute_one() -> None:
    """A reminder at a fixed time stays, and the new one is added."""
    gone, come = changed_lines(APPLE, reminder_minutes=10)
    assert (gone, come >= {"TRIGGER:-PT10M"}) == (set(), True)
