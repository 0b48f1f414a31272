"""`apps.calendar.ical.rules`: which rules a caller can set, and which are the same."""

import pytest

from nextcloud_mcp.apps.calendar.ical.rules import is_same_rule
from nextcloud_mcp.errors import InvalidArgumentError
from tests.support.event_changes import change_event, changed_lines, list_starts, rule_of
from tests.support.ics import TWO_RULES, ics


def test_new_rule_replaces_all_rules() -> None:
    """A new rule replaces all RRULEs of the event."""
    gone, come = changed_lines(TWO_RULES, recurrence_rule="FREQ=DAILY;COUNT=2")
    assert gone == {"RRULE:COUNT=2;FREQ=YEARLY", "RRULE:COUNT=3;FREQ=MONTHLY"}
    assert come == {"RRULE:COUNT=2;FREQ=DAILY"}


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
    assert is_same_rule(given, rule_of(ical))
    assert rule_of(change_event(ical, title="New", recurrence_rule=given)) == rule_of(ical)


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
        change_event(ical, recurrence_rule=never)


def test_empty_rule_for_series_is_refused() -> None:
    """The error names both alternatives; for a single event an empty rule is what reading returns."""
    ical = ics("DTSTART;TZID=Europe/Berlin:20261006T101500", "RRULE:FREQ=DAILY;COUNT=3")
    with pytest.raises(InvalidArgumentError, match="pass recurring=false"):
        change_event(ical, recurrence_rule="")
    assert len(list_starts(change_event(ical, recurrence_rule="", recurring=False))) == 1
    assert (
        len(
            list_starts(
                change_event(ics("DTSTART;TZID=Europe/Berlin:20261006T101500"), recurrence_rule="", title="New")
            )
        )
        == 1
    )
