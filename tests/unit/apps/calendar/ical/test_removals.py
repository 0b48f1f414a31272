"""`apps.calendar.ical.removals`: one occurrence is removed from a series, or all but the first."""

from collections.abc import Mapping
from typing import Final

import pytest

from nextcloud_mcp.apps.calendar.ical.removals import delete_occurrence, has_occurrences
from nextcloud_mcp.apps.calendar.ical.serialization import serialize
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.errors import InvalidArgumentError
from tests.support.event_changes import TUESDAYS, change_event, changed_lines, list_starts, override_lines
from tests.support.ics import OUTLOOK, THUNDERBIRD, ics, stored, unfolded


def test_recurring_false_keeps_first_occurrence() -> None:
    """`recurring=false` keeps the first occurrence and deletes the others."""
    gone, come = changed_lines(THUNDERBIRD, recurring=False)
    assert come == set()
    assert {line.partition(":")[0].partition(";")[0] for line in gone} >= {"RRULE", "EXDATE", "RECURRENCE-ID"}


@pytest.mark.parametrize(
    ("ical", "recurrence_id", "come"),
    [
        pytest.param(OUTLOOK, "2030-10-14", "EXDATE;TZID=W. Europe Standard Time:20301014T100000", id="by rule"),
        pytest.param(THUNDERBIRD, "2030-10-07", "EXDATE;TZID=Europe/Berlin:20301007T100000", id="an override"),
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


def test_deleting_only_shared_occurrence_leaves_nothing() -> None:
    """An attendee of one occurrence has only its VEVENT: deleting it leaves nothing to write."""
    lines = THUNDERBIRD.splitlines()
    second = len(lines) - 1 - lines[::-1].index("BEGIN:VEVENT")
    alone = "\n".join([*lines[: lines.index("BEGIN:VEVENT")], *lines[second:], ""])
    assert not delete_occurrence(Series(stored(alone)), "2030-10-07")


ENDED: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "the first": (TUESDAYS, "2026-10-06T10:15"),
    "the second": ((*TUESDAYS[:3], "EXDATE;TZID=Europe/Berlin:20261006T101500"), "2026-10-13T10:15"),
    "the first, as it was changed": (
        (*TUESDAYS, *override_lines("20261006T101500", "20261007T140000")),
        "2026-10-07T14:00*",
    ),
    "the second, as it was changed": (
        (
            *(*TUESDAYS[:3], "EXDATE;TZID=Europe/Berlin:20261006T101500"),
            *override_lines("20261013T101500", "20261014T140000"),
        ),
        "2026-10-14T14:00*",
    ),
    "the first, and another was changed": (
        (*TUESDAYS, *override_lines("20261020T101500", "20261005T140000")),
        "2026-10-06T10:15",
    ),
    "one that was added before": ((*TUESDAYS, "RDATE;TZID=Europe/Berlin:20261002T101500"), "2026-10-02T10:15"),
    "a day": (("DTSTART;VALUE=DATE:20261006", "RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20261006"), "2026-10-07"),
}


@pytest.mark.parametrize(("lines", "there"), ENDED.values(), ids=ENDED.keys())
def test_ending_series_keeps_first_occurrence(lines: tuple[str, ...], there: str) -> None:
    """A deleted occurrence stays deleted, a changed one stays changed, and a new start is applied."""
    once = change_event(ics(*lines), recurring=False)
    assert list_starts(once) == [there]
    assert not any(line.startswith(("RRULE", "EXDATE", "RDATE", "RECURRENCE-ID")) for line in unfolded(once))
    if "T" in there:
        moved = change_event(ics(*lines), recurring=False, start_datetime="2026-12-01T09:00")
        assert [each[:16] for each in list_starts(moved)] == ["2026-12-01T09:00"]


def test_ending_unexpandable_series_with_exceptions_fails() -> None:
    """Its first occurrence is unknown, so the error says what to do."""
    ical = ics("DTSTART:20261006T101500Z", "RRULE:FREQ=MINUTELY", "EXDATE:20261006T101500Z")
    with pytest.raises(InvalidArgumentError, match="happens too often to find its first occurrence"):
        change_event(ical, recurring=False)
