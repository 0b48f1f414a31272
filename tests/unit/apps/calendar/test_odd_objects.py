"""Events and tasks with unusual values: a readable one is served, and each unreadable one is a separate error."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.support.calendars import WORK, has_calendar, holds, sent
from tests.support.ics import APPLE, ics, unfolded
from tests.support.issuer import answer
from tests.support.nextcloud import USER_PATH
from tests.support.server import Server

START: Final = "DTSTART:20301007T080000Z"
OCTOBER: Final = {"calendar_name": "work", "start_date": "2030-10-01", "end_date": "2030-10-31"}
EVENT: Final = {"calendar_name": "work", "event_uid": "theirs"}
TASK: Final = {"calendar_name": "work", "todo_uid": "theirs"}
NOT_READABLE: Final = "theirs.ics in calendar 'work' is not readable iCalendar: open it in Nextcloud and save it."

READ: Final[Mapping[str, tuple[tuple[str, ...], str, int]]] = {
    "Outlook's own zone, and an end in UTC": (
        ("DTSTART;TZID=Customized Time Zone:20301007T080000", "DTEND:20301007T090000Z"),
        "2030-10-07T09:00:00+00:00",
        1,
    ),
    "a series of the same": (
        ("DTSTART;TZID=Customized Time Zone:20301007T080000", "DTEND:20301007T090000Z", "RRULE:FREQ=DAILY;COUNT=3"),
        "2030-10-07T09:00:00+00:00",
        3,
    ),
    "an end at the end of time": ((START, "DTEND:99991231T235959Z"), "9999-12-31T23:59:59+00:00", 1),
    "a start at the end of time": (("DTSTART:99991231T235959Z",), "9999-12-31T23:59:59+00:00", 0),
    "a start at the beginning of time": (
        ("DTSTART;TZID=Europe/Berlin:00010101T000000",),
        "0001-01-01T00:00:00+00:53:28",
        0,
    ),
    "a rule up to the end of time": (
        (START, "RRULE:FREQ=WEEKLY;UNTIL=99991231T235959Z"),
        "2030-10-07T08:00:00+00:00",
        4,
    ),
    "an exception at the end of time": (
        (START, "RRULE:FREQ=WEEKLY", "EXDATE:99991231T235959Z"),
        "2030-10-07T08:00:00+00:00",
        4,
    ),
    "an exception that is a day": (
        (START, "RRULE:FREQ=WEEKLY", "EXDATE;VALUE=DATE:20301014"),
        "2030-10-07T08:00:00+00:00",
        3,
    ),
    "an end before its start": ((START, "DTEND:20301007T070000Z"), "2030-10-07T08:00:00+00:00", 1),
    "a series that ends before it starts": (
        (START, "DTEND:20301007T070000Z", "RRULE:FREQ=WEEKLY"),
        "2030-10-07T08:00:00+00:00",
        4,
    ),
    "an invalid SEQUENCE": ((START, "SEQUENCE:first"), "2030-10-07T08:00:00+00:00", 1),
    "a sequence without end": ((START, f"SEQUENCE:{'9' * 5000}"), "2030-10-07T08:00:00+00:00", 1),
    "a priority that is one to people": ((START, "PRIORITY:²"), "2030-10-07T08:00:00+00:00", 1),
    "a calendar of other people": ((START, "RRULE:RSCALE=CHINESE;FREQ=YEARLY"), "2030-10-07T08:00:00+00:00", 1),
    "a rule of no frequency": ((START, "RRULE:COUNT=3"), "2030-10-07T08:00:00+00:00", 1),
    "a zone that is a file": (
        ("DTSTART;TZID=../../../etc/passwd:20301007T080000",),
        "2030-10-07T08:00:00",
        1,
    ),
}


def has(server: Server, ical: str, *others: str) -> None:
    """Let the calendar hold an odd object and others, and take what is written."""
    server.nextcloud.on("GET", USER_PATH, answer(json={"ocs": {"meta": {"status": "ok"}, "data": {"id": "alice"}}}))
    has_calendar(server.nextcloud, takes="VEVENT VTODO")
    holds(server.nextcloud, {"theirs": ical, **{f"other{number}": each for number, each in enumerate(others)}})
    server.nextcloud.on("PUT", f"{WORK}theirs.ics", answer(204, headers={"ETag": '"e2"'}))


@pytest.mark.parametrize(("lines", "end", "in_october"), READ.values(), ids=READ.keys())
async def test_unusual_event_can_be_listed_and_changed(
    server: Server, lines: tuple[str, ...], end: str, in_october: int
) -> None:
    """The event is listed with all its occurrences, and can be read and changed."""
    has(server, ics("SUMMARY:odd", *lines), APPLE.replace("UID:theirs", "UID:trip"))
    listed = await server.use("nc_calendar_list_events", {"calendar_name": "work"})
    assert sorted((event["uid"], event["title"]) for event in listed["events"]) == [("theirs", "odd"), ("trip", "Trip")]
    happening = await server.use("nc_calendar_list_events", OCTOBER)
    assert sorted(event["uid"] for event in happening["events"]) == ["theirs"] * in_october + ["trip"]
    assert listed["unreadable"] == happening["unreadable"] == []
    assert (await server.use("nc_calendar_get_event", EVENT))["end_datetime"] == end
    await server.use("nc_calendar_update_event", {**EVENT, "title": "new"})
    assert "SUMMARY:new" in sent(server.nextcloud).content.decode()


BROKEN: Final[Mapping[str, tuple[str, ...]]] = {
    "a length of 270,000 years": (START, "DURATION:P99999999D"),
    "a DURATION that is too long": (START, "DURATION:P999999999999D"),
    "an end and a length": (START, "DTEND:20301007T090000Z", "DURATION:PT1H"),
    "two starts": (START, "DTSTART:20301008T080000Z"),
    "a zone that is a folder": ("DTSTART;TZID=America:20301007T080000",),
    "a zone with a name too long": (f"DTSTART;TZID={'a' * 300}:20301007T080000",),
    "an invalid hour": ("DTSTART:20301007T240000Z",),
    "an invalid rule": (START, "RRULE:FREQ=DAILY;INTERVAL="),
    "an interval out of bounds": (START, "RRULE:FREQ=DAILY;INTERVAL=99999999999999"),
    "the occurrence of two times": (START, "RECURRENCE-ID:20301007T080000Z", "RECURRENCE-ID:20301008T080000Z"),
    "the occurrence of no time": (START, "RECURRENCE-ID:soon"),
}


@pytest.mark.parametrize("lines", BROKEN.values(), ids=BROKEN.keys())
async def test_malformed_event_is_isolated_error(server: Server, lines: tuple[str, ...]) -> None:
    """Lists report it and show the other events; reading or changing it fails, and nothing is written."""
    has(server, ics("SUMMARY:odd", *lines), APPLE.replace("UID:theirs", "UID:trip"))
    for arguments in ({"calendar_name": "work"}, OCTOBER):
        listed = await server.use("nc_calendar_list_events", arguments)
        assert [event["uid"] for event in listed["events"]] == ["trip"]
        assert listed["unreadable"] == [f"{WORK}theirs.ics"]
    assert await server.misuse("nc_calendar_get_event", EVENT) == NOT_READABLE
    assert await server.misuse("nc_calendar_update_event", {**EVENT, "title": "new"}) == NOT_READABLE
    assert server.nextcloud.asked("PUT") == []


NOT_EXPANDED: Final[Mapping[str, tuple[str, ...]]] = {
    "an invalid SEQUENCE": (START, "SEQUENCE:first", "RRULE:FREQ=DAILY"),
    "occurrences without end": (START, "DTEND:99991231T235959Z", "RRULE:FREQ=DAILY"),
    "an invalid date": (START, "RDATE:soon"),
    "a period that ends before it begins": (START, "RDATE;VALUE=PERIOD:20301008T080000Z/20301008T070000Z"),
    "an invalid hour": (START, "RRULE:FREQ=DAILY;BYHOUR=99"),
    "an interval that meets no hour": (START, "RRULE:FREQ=HOURLY;INTERVAL=28;BYHOUR=1"),
}


@pytest.mark.parametrize("lines", NOT_EXPANDED.values(), ids=NOT_EXPANDED.keys())
async def test_series_with_malformed_rule_is_listed_as_event(server: Server, lines: tuple[str, ...]) -> None:
    """Without dates it is listed; where occurrences are requested, it is listed as unreadable."""
    has(server, ics("SUMMARY:odd", *lines), APPLE.replace("UID:theirs", "UID:trip"))
    listed = await server.use("nc_calendar_list_events", {"calendar_name": "work"})
    assert (len(listed["events"]), listed["unreadable"]) == (2, [])
    happening = await server.use("nc_calendar_list_events", OCTOBER)
    assert [event["uid"] for event in happening["events"]] == ["trip"]
    assert happening["unreadable"] == [f"{WORK}theirs.ics"]
    for tool in ("nc_calendar_update_event", "nc_calendar_delete_event"):
        arguments = {**EVENT, "recurrence_id": "2030-10-08T08:00:00Z"}
        arguments |= {"title": "new"} if tool == "nc_calendar_update_event" else {}
        assert await server.misuse(tool, arguments) == NOT_READABLE


MOVED: Final[Mapping[str, tuple[tuple[str, ...], set[str]]]] = {
    "a floating one": (
        ("DTSTART:20301007T080000", "DTEND:20301007T090000"),
        {"DTSTART:20301009T100000Z", "DTEND:20301009T110000Z"},
    ),
    "in an unknown zone": (
        ("DTSTART;TZID=Customized Time Zone:20301007T080000", "DTEND:20301007T083000Z"),
        {"DTSTART:20301009T100000Z", "DTEND:20301009T103000Z"},
    ),
}


@pytest.mark.parametrize(("lines", "times"), MOVED.values(), ids=MOVED.keys())
async def test_floating_event_moved_to_zoned_time_is_utc(
    server: Server, lines: tuple[str, ...], times: set[str]
) -> None:
    """The event keeps its duration and is stored in UTC."""
    has(server, ics(*lines))
    await server.use("nc_calendar_update_event", {**EVENT, "start_datetime": "2030-10-09T10:00:00Z"})
    assert times <= set(unfolded(sent(server.nextcloud).content.decode()))


async def test_move_beyond_last_date_is_refused(server: Server) -> None:
    """An exception can't move beyond the last representable date, so the series stays unchanged."""
    has(server, ics(START, "RRULE:FREQ=DAILY", "EXDATE:99991231T235959Z"))
    arguments = {**EVENT, "start_datetime": "2030-10-09T10:00:00Z", "end_datetime": "2030-10-09T11:00:00Z"}
    assert await server.misuse("nc_calendar_update_event", arguments) == NOT_READABLE
    assert server.nextcloud.asked("PUT") == []


async def test_range_change_skips_unexpandable_series(server: Server) -> None:
    """The occurrences in the range are unknown, and a change of the whole series was not requested."""
    has(server, ics(START, "RRULE:FREQ=MINUTELY"))
    result = await server.use("nc_calendar_bulk_operations", {"operation": "delete", **OCTOBER})
    (item,) = result["results"]
    assert item["error"].startswith("The series happens too often to change a part of it: leave start_date and")
    assert server.nextcloud.asked("PUT") == server.nextcloud.asked("DELETE") == []


TASKS: Final[Mapping[str, tuple[tuple[str, ...], dict[str, Any]]]] = {
    "due at the end of time": (("DUE:99991231T235959Z",), {"due": "9999-12-31T23:59:59+00:00"}),
    "due before it starts": (
        ("DTSTART:20301008T080000Z", "DUE:20301007T080000Z"),
        {"due": "2030-10-07T08:00:00+00:00"},
    ),
    "of two kinds of time": (
        ("DTSTART;TZID=Customized Time Zone:20301007T080000", "DUE:20301008T080000Z"),
        {"dtstart": "2030-10-07T08:00:00"},
    ),
    "a length that can't be": (("DTSTART:20301007T080000Z", "DURATION:P99999999D"), {"due": None}),
    "a rule that is too frequent": (
        ("DUE:20301007T080000Z", "RRULE:FREQ=SECONDLY"),
        {"recurrence_rule": "FREQ=SECONDLY"},
    ),
}


@pytest.mark.parametrize(("lines", "fields"), TASKS.values(), ids=TASKS.keys())
async def test_unusual_task_can_be_listed_and_changed(
    server: Server, lines: tuple[str, ...], fields: dict[str, Any]
) -> None:
    """The task is listed with the others and can be changed."""
    has(server, ics("SUMMARY:odd", *lines, kind="VTODO"), ics("SUMMARY:Milk", kind="VTODO", uid="milk"))
    listed = await server.use("nc_calendar_list_todos", {"calendar_name": "work"})
    tasks = {task["uid"]: task for task in listed["todos"]}
    assert (set(tasks), listed["unreadable"]) == ({"theirs", "milk"}, [])
    assert {name: tasks["theirs"][name] for name in fields} == fields
    await server.use("nc_calendar_update_todo", {**TASK, "summary": "new"})
    assert "SUMMARY:new" in sent(server.nextcloud).content.decode()


BROKEN_TASKS: Final[Mapping[str, tuple[str, ...]]] = {
    "due at no time": ("DUE:soon",),
    "due at two times": ("DUE:20301007T080000Z", "DUE:20301008T080000Z"),
    "a zone that is a folder": ("DUE;TZID=America:20301007T080000",),
    "an invalid rule": ("RRULE:FREQ=OFTEN",),
    "an invalid SEQUENCE": ("SEQUENCE:first",),
    "an invalid PERCENT-COMPLETE": ("PERCENT-COMPLETE:half",),
}


@pytest.mark.parametrize("lines", BROKEN_TASKS.values(), ids=BROKEN_TASKS.keys())
async def test_malformed_task_is_isolated_error(server: Server, lines: tuple[str, ...]) -> None:
    """Lists report it and show the other tasks; changing it fails, and nothing is written."""
    has(server, ics("SUMMARY:odd", *lines, kind="VTODO"), ics("SUMMARY:Milk", kind="VTODO", uid="milk"))
    listed = await server.use("nc_calendar_list_todos", {"calendar_name": "work"})
    assert [task["uid"] for task in listed["todos"]] == ["milk"]
    assert listed["unreadable"] == [f"{WORK}theirs.ics"]
    assert await server.misuse("nc_calendar_update_todo", {**TASK, "summary": "new"}) == NOT_READABLE
    assert server.nextcloud.asked("PUT") == []


async def test_event_with_malformed_alarm_can_be_changed(server: Server) -> None:
    """The title of an event with an invalid reminder can be changed."""
    has(
        server,
        ics(START, "SUMMARY:Old", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:PT0S", "TRIGGER:PT5M", "END:VALARM"),
    )
    await server.use("nc_calendar_update_event", {**EVENT, "title": "New"})
    assert "SUMMARY:New" in unfolded(sent(server.nextcloud).content.decode())
