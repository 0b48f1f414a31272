"""`apps.calendar.tools.tasks`: the tools for tasks, called through MCP."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import pytest

from tests.support.calendars import NEW, THEIRS, WORK, calendar, has_calendar, has_calendars, holds, sent
from tests.support.ics import ics, unfolded
from tests.support.issuer import answer
from tests.support.nextcloud import USER_PATH, FakeNextcloud
from tests.support.server import Server

TASK: Final = {"calendar_name": "work", "todo_uid": "theirs"}

NEXTCLOUDS_OWN: Final = ics(
    "CREATED:20300901T080000Z",
    "SUMMARY:Tax return",
    "DESCRIPTION:Forms\\, receipts",
    "PRIORITY:1",
    "PERCENT-COMPLETE:40",
    "STATUS:IN-PROCESS",
    "CATEGORIES:Home,Money",
    "DTSTART;TZID=Europe/Berlin:20301001T090000",
    "DUE;TZID=Europe/Berlin:20301031T180000",
    "X-OC-HIDESUBTASKS:1",
    "RELATED-TO:parent",
    "SEQUENCE:3",
    kind="VTODO",
)
DONE: Final = ics(
    "SUMMARY:Milk", "STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20301001T080000Z", kind="VTODO", uid="done"
)
WEEKLY: Final = ics("SUMMARY:Water", "DUE;VALUE=DATE:20301005", "RRULE:FREQ=WEEKLY", kind="VTODO", uid="weekly")


def zone(fake: FakeNextcloud, name: str) -> None:
    """Let alice have set her time zone."""
    data = {"id": "alice", "timezone": name}
    fake.on("GET", USER_PATH, answer(json={"ocs": {"meta": {"status": "ok"}, "data": data}}))


async def test_lists_tasks(server: Server) -> None:
    """Open tasks come first, by due date; each has all task fields of the contract."""
    has_calendar(server.nextcloud, takes="VEVENT VTODO")
    holds(server.nextcloud, {"done": DONE, "theirs": NEXTCLOUDS_OWN, "weekly": WEEKLY, "bad": "?"})
    result = await server.use("nc_calendar_list_todos", {"calendar_name": "work"})
    weekly, tax, milk = result["todos"]
    assert tax == {
        "uid": "theirs",
        "summary": "Tax return",
        "description": "Forms, receipts",
        "status": "IN-PROCESS",
        "priority": 1,
        "percent_complete": 40,
        "due": "2030-10-31T18:00:00+01:00",
        "dtstart": "2030-10-01T09:00:00+02:00",
        "completed": None,
        "categories": "Home, Money",
        "href": THEIRS,
        "etag": "e1",
        "calendar_name": "work",
        "calendar_display_name": "Work",
        "recurrence_rule": None,
    }
    assert (weekly["due"], weekly["recurrence_rule"], weekly["status"]) == ("2030-10-05", "FREQ=WEEKLY", "NEEDS-ACTION")
    assert (milk["completed"], milk["percent_complete"]) == ("2030-10-01T08:00:00+00:00", 100)
    assert (result["total_count"], result["calendar_name"], result["unreadable"]) == (3, "work", [f"{WORK}bad.ics"])


FILTERS: Final[Mapping[str, tuple[dict[str, Any], set[str]]]] = {
    "status": ({"status": "completed"}, {"done"}),
    "priority": ({"min_priority": 3}, {"theirs"}),
    "a higher priority than any": ({"min_priority": 0}, set()),
    "category": ({"categories": "money,work"}, {"theirs"}),
    "summary": ({"summary_contains": "WAT"}, {"weekly"}),
}


@pytest.mark.parametrize("tool", ["nc_calendar_list_todos", "nc_calendar_search_todos"])
@pytest.mark.parametrize(("arguments", "uids"), FILTERS.values(), ids=FILTERS.keys())
async def test_filters_tasks(server: Server, tool: str, arguments: dict[str, Any], uids: set[str]) -> None:
    """Filters work in one calendar or in all calendars that take tasks."""
    has_calendar(server.nextcloud, takes="VTODO")
    has_calendars(server.nextcloud, calendar("work", takes="VTODO"), calendar("personal"))
    holds(server.nextcloud, {"done": DONE, "theirs": NEXTCLOUDS_OWN, "weekly": WEEKLY})
    where = {"calendar_name": "work"} if tool == "nc_calendar_list_todos" else {}
    assert {todo["uid"] for todo in (await server.use(tool, {**where, **arguments}))["todos"]} == uids


async def test_tasks_come_in_pages(server: Server) -> None:
    """A cursor continues where the previous page ended."""
    has_calendars(server.nextcloud, calendar("work", takes="VTODO"))
    holds(server.nextcloud, {"done": DONE, "theirs": NEXTCLOUDS_OWN})
    first = await server.use("nc_calendar_search_todos", {"limit": 1})
    second = await server.use("nc_calendar_search_todos", {"limit": 1, "cursor": first["next_cursor"]})
    assert [todo["uid"] for todo in first["todos"] + second["todos"]] == ["theirs", "done"]
    assert (first["total_count"], second["next_cursor"]) == (2, None)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("nc_calendar_list_todos", {}), ("nc_calendar_create_todo", {"summary": "Milk"})],
    ids=["list", "create"],
)
async def test_calendar_without_tasks_is_an_error(server: Server, tool: str, arguments: dict[str, str]) -> None:
    """An empty list would suggest that nothing is to do; the error names calendars that take tasks."""
    has_calendar(server.nextcloud, "personal")
    assert await server.misuse(tool, {"calendar_name": "personal", **arguments}) == (
        "The calendar 'personal' takes no tasks: use one that nc_calendar_list_calendars shows with VTODO in "
        "components, or create one with nc_calendar_manage_calendar."
    )


CREATED: Final[Mapping[str, tuple[dict[str, Any], set[str]]]] = {
    "the least": ({}, {"SUMMARY:Milk", "STATUS:NEEDS-ACTION", "PRIORITY:0"}),
    "due on a day": ({"due": "2030-10-05"}, {"DUE;VALUE=DATE:20301005"}),
    "due at a time in the user's zone": (
        {"due": "2030-10-05T18:00", "dtstart": "2030-10-05T10:00:00Z"},
        {"DUE;TZID=Europe/Berlin:20301005T180000", "DTSTART;TZID=Europe/Berlin:20301005T120000"},
    ),
    "more": (
        {"description": "2 l", "categories": "Home, Shop", "priority": 9, "status": "in-process"},
        {"DESCRIPTION:2 l", "CATEGORIES:Home,Shop", "PRIORITY:9", "STATUS:IN-PROCESS"},
    ),
}


@pytest.mark.parametrize(("arguments", "lines"), CREATED.values(), ids=CREATED.keys())
async def test_creates_a_task(
    server: Server, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], lines: set[str]
) -> None:
    """Each argument becomes its property."""
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=7))
    zone(server.nextcloud, "Europe/Berlin")
    has_calendar(server.nextcloud, takes="VTODO")
    server.nextcloud.on("PUT", NEW, answer(201, headers={"ETag": '"e1"'}))
    result = await server.use("nc_calendar_create_todo", {"calendar_name": "work", "summary": "Milk", **arguments})
    assert (result["uid"], result["href"], result["etag"], result["status_code"]) == (str(UUID(int=7)), NEW, "e1", 201)
    assert lines <= set(unfolded(sent(server.nextcloud).content.decode()))


BEGUN: Final = {"STATUS:IN-PROCESS", "PERCENT-COMPLETE:10"}
CHANGED: Final[Mapping[str, tuple[str, dict[str, Any], set[str], set[str]]]] = {
    "a text": (NEXTCLOUDS_OWN, {"summary": "Taxes"}, {"SUMMARY:Tax return"}, {"SUMMARY:Taxes"}),
    "a text is taken away": (NEXTCLOUDS_OWN, {"description": ""}, {"DESCRIPTION:Forms\\, receipts"}, set()),
    "due at another time, in its zone": (
        NEXTCLOUDS_OWN,
        {"due": "2030-11-30T18:00"},
        {"DUE;TZID=Europe/Berlin:20301031T180000"},
        {"DUE;TZID=Europe/Berlin:20301130T180000"},
    ),
    "due at a time and no longer on a day": (
        ics("DUE;VALUE=DATE:20301031", kind="VTODO"),
        {"due": "2030-11-30T18:00Z"},
        {"DUE;VALUE=DATE:20301031"},
        {"DUE:20301130T180000Z"},
    ),
    "half done, as it was written": (
        ics("STATUS:in-process", "PERCENT-COMPLETE:40", kind="VTODO"),
        {"status": "IN-PROCESS", "percent_complete": 50},
        {"PERCENT-COMPLETE:40"},
        {"PERCENT-COMPLETE:50"},
    ),
    "all done, when it was": (
        ics("STATUS:COMPLETED", "PERCENT-COMPLETE:90", "COMPLETED:20301001T080000", kind="VTODO"),
        {"status": "COMPLETED", "percent_complete": 100, "completed": "2030-10-01T08:00"},
        {"PERCENT-COMPLETE:90"},
        {"PERCENT-COMPLETE:100"},
    ),
    "done, with the progress that was read": (
        NEXTCLOUDS_OWN,
        {"status": "COMPLETED", "percent_complete": 40, "completed": "2030-10-02T10:00Z"},
        {"STATUS:IN-PROCESS", "PERCENT-COMPLETE:40"},
        {"STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20301002T100000Z"},
    ),
    "not done after all, with the progress that was read": (
        DONE,
        {"status": "NEEDS-ACTION", "percent_complete": 100, "completed": "2030-10-01T08:00:00+00:00"},
        {"STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20301001T080000Z"},
        {"STATUS:NEEDS-ACTION", "PERCENT-COMPLETE:0"},
    ),
    "half done after all, with the status that was read": (
        DONE,
        {"status": "COMPLETED", "percent_complete": 50},
        {"STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20301001T080000Z"},
        {"STATUS:IN-PROCESS", "PERCENT-COMPLETE:50"},
    ),
    "never due": (NEXTCLOUDS_OWN, {"due": ""}, {"DUE;TZID=Europe/Berlin:20301031T180000"}, set()),
    "due instead of lasting": (
        ics("DTSTART:20301001T100000Z", "DURATION:PT1H", kind="VTODO"),
        {"due": "2030-10-01T12:00Z"},
        {"DURATION:PT1H"},
        {"DUE:20301001T120000Z"},
    ),
    "started": (
        NEXTCLOUDS_OWN,
        {"percent_complete": 50},
        {"PERCENT-COMPLETE:40"},
        {"PERCENT-COMPLETE:50"},
    ),
    "done, at a time": (
        NEXTCLOUDS_OWN,
        {"status": "COMPLETED", "completed": "2030-10-02T12:00+02:00"},
        {"STATUS:IN-PROCESS", "PERCENT-COMPLETE:40"},
        {"STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20301002T100000Z"},
    ),
    "done, by its time": (
        NEXTCLOUDS_OWN,
        {"completed": "2030-10-02T12:00Z"},
        {"STATUS:IN-PROCESS", "PERCENT-COMPLETE:40"},
        {"STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20301002T120000Z"},
    ),
    "done again stays done when it was": (DONE, {"status": "COMPLETED"}, set(), set()),
    "not done after all": (
        DONE,
        {"status": "NEEDS-ACTION"},
        {"STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20301001T080000Z"},
        {"STATUS:NEEDS-ACTION", "PERCENT-COMPLETE:0"},
    ),
    "half done after all": (
        DONE,
        {"percent_complete": 50},
        {"STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20301001T080000Z"},
        {"STATUS:IN-PROCESS", "PERCENT-COMPLETE:50"},
    ),
    "not begun after all": (
        DONE,
        {"percent_complete": 0},
        {"STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20301001T080000Z"},
        {"STATUS:NEEDS-ACTION", "PERCENT-COMPLETE:0"},
    ),
    "at no time after all": (
        DONE,
        {"completed": ""},
        {"STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20301001T080000Z"},
        {"STATUS:NEEDS-ACTION", "PERCENT-COMPLETE:0"},
    ),
    "begun": (WEEKLY.replace("UID:weekly", "UID:theirs"), {"percent_complete": 10}, set(), BEGUN),
    "dropped when half done": (
        ics("STATUS:CANCELLED", kind="VTODO"),
        {"percent_complete": 50},
        set(),
        {"PERCENT-COMPLETE:50"},
    ),
    "categories": (NEXTCLOUDS_OWN, {"categories": "Work"}, {"CATEGORIES:Home,Money"}, {"CATEGORIES:Work"}),
}
ALWAYS: Final = ("DTSTAMP:", "LAST-MODIFIED:", "SEQUENCE:")


@pytest.mark.parametrize(("ical", "arguments", "gone", "come"), CHANGED.values(), ids=CHANGED.keys())
async def test_changes_a_task(
    server: Server, ical: str, arguments: dict[str, Any], gone: set[str], come: set[str]
) -> None:
    """Named properties change, related ones stay consistent, and all others stay as they were."""
    zone(server.nextcloud, "")
    uid = "done" if ical is DONE else "theirs"
    holds(server.nextcloud, {"theirs": ical})
    server.nextcloud.on("PUT", THEIRS, answer(204, headers={"ETag": '"e2"'}))
    result = await server.use("nc_calendar_update_todo", {**TASK, "todo_uid": uid, **arguments})
    assert (result["etag"], sent(server.nextcloud).headers["If-Match"]) == ("e2", '"e1"')
    old, new = set(unfolded(ical)), set(unfolded(sent(server.nextcloud).content.decode()))
    assert {line for line in old - new if not line.startswith(ALWAYS)} == gone
    assert {line for line in new - old if not line.startswith(ALWAYS)} == come


KEPT_ZONES: Final[Mapping[str, tuple[tuple[str, ...], dict[str, str], str]]] = {
    "floating": (
        ("DTSTART:20301001T090000", "DUE:20301031T180000"),
        {"due": "2030-11-30T18:00"},
        "DUE:20301130T180000",
    ),
    "floating, from its start on": (("DTSTART:20301001T090000",), {"due": "2030-11-30T18:00"}, "DUE:20301130T180000"),
    "where it starts": (
        ("DTSTART;TZID=/mozilla.org/20050126_1/Europe/Berlin:20301001T090000",),
        {"due": "2030-11-30T18:00"},
        "DUE;TZID=/mozilla.org/20050126_1/Europe/Berlin:20301130T180000",
    ),
    "in an unknown zone": (
        ("DUE;TZID=Mars/Phobos:20301031T180000",),
        {"dtstart": "2030-10-30T18:00"},
        "DTSTART;TZID=Mars/Phobos:20301030T180000",
    ),
    "in the user's zone": (
        ("DUE;VALUE=DATE:20301031",),
        {"due": "2030-11-30T18:00"},
        "DUE;TZID=Asia/Tokyo:20301130T180000",
    ),
}


@pytest.mark.parametrize(("lines", "arguments", "expected"), KEPT_ZONES.values(), ids=KEPT_ZONES.keys())
async def test_time_without_offset_uses_zone_of_task(
    server: Server, lines: tuple[str, ...], arguments: dict[str, str], expected: str
) -> None:
    """The time floats if the task's times do; the user's zone is for tasks without times."""
    zone(server.nextcloud, "Asia/Tokyo")
    holds(server.nextcloud, {"theirs": ics(*lines, kind="VTODO")})
    server.nextcloud.on("PUT", THEIRS, answer(204, headers={"ETag": '"e2"'}))
    await server.use("nc_calendar_update_todo", {**TASK, **arguments})
    assert expected in unfolded(sent(server.nextcloud).content.decode())


async def test_completed_status_sets_completion_time(server: Server) -> None:
    """`COMPLETED` without a time sets the current time."""
    holds(server.nextcloud, {"theirs": NEXTCLOUDS_OWN})
    server.nextcloud.on("PUT", THEIRS, answer(204, headers={"ETag": '"e2"'}))
    await server.use("nc_calendar_update_todo", {**TASK, "status": "COMPLETED"})
    lines = unfolded(sent(server.nextcloud).content.decode())
    assert any(line.startswith("COMPLETED:") and line.endswith("Z") for line in lines)
    assert "SEQUENCE:4" in lines


REPEATED: Final[Mapping[str, tuple[tuple[str, ...], dict[str, Any], set[str], set[str]]]] = {
    "by its due date": (
        ("DUE;VALUE=DATE:20301005", "RRULE:FREQ=WEEKLY"),
        {"status": "COMPLETED"},
        {"DUE;VALUE=DATE:20301012", "RRULE:FREQ=WEEKLY"},
        {"DUE;VALUE=DATE:20301005"},
    ),
    "by its start, over a change of the clock": (
        (
            "DTSTART;TZID=Europe/Berlin:20301022T090000",
            "DUE;TZID=Europe/Berlin:20301023T180000",
            "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=3",
            "BEGIN:VALARM",
            "ACTION:DISPLAY",
            "TRIGGER;VALUE=DATE-TIME:20301022T060000Z",
            "END:VALARM",
        ),
        {"percent_complete": 100},
        {
            "DTSTART;TZID=Europe/Berlin:20301029T090000",
            "DUE;TZID=Europe/Berlin:20301030T180000",
            "RRULE:BYDAY=TU;COUNT=2;FREQ=WEEKLY",
            "TRIGGER;VALUE=DATE-TIME:20301029T070000Z",
        },
        {"DTSTART;TZID=Europe/Berlin:20301022T090000", "DUE;TZID=Europe/Berlin:20301023T180000"},
    ),
    "past what was deleted": (
        ("DUE:20301005T100000Z", "RRULE:FREQ=DAILY;COUNT=5", "EXDATE:20301006T100000Z", "EXDATE;VALUE=DATE:20301007"),
        {"completed": "2030-10-05T12:00Z"},
        {"DUE:20301008T100000Z", "RRULE:COUNT=2;FREQ=DAILY"},
        {"DUE:20301005T100000Z", "COMPLETED:20301005T120000Z"},
    ),
    "to a date that is further": (
        ("DUE:20301005T100000Z", "RDATE:20301105T100000Z,20301009T100000Z"),
        {"status": "completed"},
        {"DUE:20301009T100000Z"},
        {"DUE:20301005T100000Z"},
    ),
    "begun": (
        ("DUE;VALUE=DATE:20301031", "RRULE:FREQ=MONTHLY", "STATUS:IN-PROCESS", "PERCENT-COMPLETE:40"),
        {"status": "COMPLETED", "summary": "Rent"},
        {"DUE;VALUE=DATE:20301231", "SUMMARY:Rent"},
        {"DUE;VALUE=DATE:20301031", "SUMMARY:Rent"},
    ),
}


@pytest.mark.parametrize(("lines", "arguments", "open_again", "kept"), REPEATED.values(), ids=REPEATED.keys())
async def test_completing_recurring_task_advances_it(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    lines: tuple[str, ...],
    arguments: dict[str, Any],
    open_again: set[str],
    kept: set[str],
) -> None:
    """The task advances to its next date with its reminders; a copy is completed, and the result says so."""
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=7))
    has_calendar(server.nextcloud, takes="VTODO")
    holds(server.nextcloud, {"theirs": ics("SUMMARY:Water", *lines, kind="VTODO")})
    server.nextcloud.on("PUT", THEIRS, answer(204, headers={"ETag": '"e2"'}))
    server.nextcloud.on("PUT", NEW, answer(201, headers={"ETag": '"e1"'}))
    result = await server.use("nc_calendar_update_todo", {**TASK, **arguments})
    task, done = (unfolded(each.content.decode()) for each in server.nextcloud.requests if each.method == "PUT")
    assert open_again | {"STATUS:NEEDS-ACTION", "UID:theirs"} <= set(task)
    assert not [line for line in task if line.startswith(("COMPLETED", "PERCENT-COMPLETE"))]
    assert kept | {"STATUS:COMPLETED", "PERCENT-COMPLETE:100", f"UID:{UUID(int=7)}"} <= set(done)
    assert not [line for line in done if line.startswith(("RRULE", "RDATE", "EXDATE", "BEGIN:VALARM"))]
    assert "is open again, for 2030-1" in result["message"]
    assert str(UUID(int=7)) in result["message"]


@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY;COUNT=1", "FREQ=DAILY;UNTIL=20301005T120000Z", "FREQ=DAILY;UNTIL=20301006"]
)
async def test_last_occurrence_of_recurring_task_is_completed(server: Server, rule: str) -> None:
    """No next date exists: the task is completed, and the result says why."""
    holds(server.nextcloud, {"theirs": ics("DUE:20301005T100000Z", f"RRULE:{rule}", kind="VTODO")})
    server.nextcloud.on("PUT", THEIRS, answer(204, headers={"ETag": '"e2"'}))
    result = await server.use("nc_calendar_update_todo", {**TASK, "status": "COMPLETED"})
    assert "STATUS:COMPLETED" in unfolded(sent(server.nextcloud).content.decode())
    assert result["message"] == "This was the last time that the task repeats."


NOT_ROLLED: Final = {
    "single occurrences were done": (
        "DUE:20301005T100000Z",
        "RRULE:FREQ=DAILY",
        "END:VTODO",
        "BEGIN:VTODO",
        "UID:theirs",
        "RECURRENCE-ID:20301005T100000Z",
        "STATUS:COMPLETED",
    ),
    "no start": ("RRULE:FREQ=DAILY",),
    "too often": ("DUE:20301005T100000Z", "RRULE:FREQ=SECONDLY"),
}


@pytest.mark.parametrize("lines", NOT_ROLLED.values(), ids=NOT_ROLLED.keys())
async def test_task_with_unknown_next_date_is_not_completed(server: Server, lines: tuple[str, ...]) -> None:
    """Nothing is written, and the error says where the task can be completed."""
    holds(server.nextcloud, {"theirs": ics(*lines, kind="VTODO")})
    refusal = await server.misuse("nc_calendar_update_todo", {**TASK, "status": "COMPLETED"})
    assert "complete it in the program that made it" in refusal
    assert not server.nextcloud.asked("PUT")


async def test_failed_copy_of_advanced_task_is_reported(server: Server) -> None:
    """The task itself has already advanced, so the result says that the completed copy was not stored."""
    server.nextcloud.on("PROPFIND", WORK, answer(503))
    holds(server.nextcloud, {"theirs": ics("DUE:20301005T100000Z", "RRULE:FREQ=DAILY", kind="VTODO")})
    server.nextcloud.on("PUT", THEIRS, answer(204, headers={"ETag": '"e2"'}))
    result = await server.use("nc_calendar_update_todo", {**TASK, "status": "COMPLETED"})
    assert "could not be kept as a task of its own" in result["message"]
    assert result["etag"] == "e2"


async def test_moving_recurring_task_moves_rule(server: Server) -> None:
    """As for events: weekday and exceptions move, and several weekdays require a new rule."""
    lines = ("DUE;VALUE=DATE:20261006", "RRULE:FREQ=WEEKLY;BYDAY=TU", "EXDATE;VALUE=DATE:20261013")
    holds(server.nextcloud, {"theirs": ics(*lines, kind="VTODO")})
    server.nextcloud.on("PUT", THEIRS, answer(204, headers={"ETag": '"e2"'}))
    await server.use("nc_calendar_update_todo", {**TASK, "due": "2026-10-07"})
    moved = {"DUE;VALUE=DATE:20261007", "RRULE:BYDAY=WE;FREQ=WEEKLY", "EXDATE;VALUE=DATE:20261014"}
    assert moved <= set(unfolded(sent(server.nextcloud).content.decode()))
    holds(server.nextcloud, {"theirs": ics(*lines, kind="VTODO").replace("BYDAY=TU", "BYDAY=TU,TH")})
    refusal = await server.misuse("nc_calendar_update_todo", {**TASK, "due": "2026-10-07"})
    assert refusal.endswith("as it has several weekdays: move the task in the program that made it.")
    assert "which has to stay" in await server.misuse("nc_calendar_update_todo", {**TASK, "due": ""})


async def test_moving_recurring_task_with_overrides_is_refused(server: Server) -> None:
    """The override would keep its date, and would be completed and open at once."""
    series = ics("DUE:20261006T100000Z", "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=5", kind="VTODO")
    done = ics("RECURRENCE-ID:20261013T100000Z", "DUE:20261013T100000Z", "STATUS:COMPLETED", kind="VTODO")
    one = done[done.index("BEGIN:VTODO") : done.index("END:VCALENDAR")]
    holds(server.nextcloud, {"theirs": series.replace("END:VCALENDAR", f"{one}END:VCALENDAR")})
    refusal = await server.misuse("nc_calendar_update_todo", {**TASK, "due": "2026-10-07T12:00"})
    assert "move it in the program that made it" in refusal
    assert server.nextcloud.asked("PUT") == []


REFUSED: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "nothing": ({}, "Nothing to change"),
    "a status": (
        {"status": "LATER"},
        "Invalid status 'LATER': use one of NEEDS-ACTION, IN-PROCESS, COMPLETED, CANCELLED",
    ),
    "too much": ({"percent_complete": 101}, "Invalid percent_complete 101: use 0 to 100"),
    "half completed": ({"status": "COMPLETED", "percent_complete": 50}, "leave out what contradicts that"),
    "completed at a time, and not": (
        {"status": "CANCELLED", "completed": "2030-10-02"},
        "leave out what contradicts that",
    ),
    "a priority": ({"priority": -1}, "Invalid priority -1: use 1 (highest)"),
    "no date": ({"due": "soon"}, "Invalid due 'soon': pass a date or a time"),
    "due before it starts": ({"due": "2030-09-01T10:00"}, "is before dtstart"),
    "due on a day, started at a time": ({"due": "2030-12-01"}, "due and dtstart must both be dates, or both"),
    "an old ETag": ({"summary": "x", "etag": "old"}, "Task 'theirs' in calendar 'work' has changed since you read it"),
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED.values(), ids=REFUSED.keys())
async def test_invalid_arguments_write_nothing(server: Server, arguments: dict[str, Any], sentence: str) -> None:
    """The error names the argument, and nothing is written."""
    zone(server.nextcloud, "Europe/Berlin")
    holds(server.nextcloud, {"theirs": NEXTCLOUDS_OWN})
    assert sentence in await server.misuse("nc_calendar_update_todo", {**TASK, **arguments})
    assert server.nextcloud.asked("PUT") == []


async def test_reports_moved_rule_of_task(server: Server) -> None:
    """The rule's weekday moves with the due date, as for events."""
    zone(server.nextcloud, "")
    days = ("DTSTART;VALUE=DATE:20301005", "DUE;VALUE=DATE:20301006", "RRULE:FREQ=WEEKLY;BYDAY=SA")
    holds(server.nextcloud, {"theirs": ics(*days, kind="VTODO")})
    server.nextcloud.on("PUT", THEIRS, answer(204, headers={"ETag": '"e2"'}))
    moved = {**TASK, "dtstart": "2030-10-06", "due": "2030-10-07"}
    said = (await server.use("nc_calendar_update_todo", moved))["message"]
    assert said == "The task repeats by FREQ=WEEKLY;BYDAY=SU now."


async def test_deletes_a_task(server: Server) -> None:
    """The ETag that was read is required; a missing task is an error."""
    holds(server.nextcloud, {"theirs": NEXTCLOUDS_OWN})
    server.nextcloud.on("DELETE", THEIRS, answer(204))
    result = await server.use("nc_calendar_delete_todo", {**TASK, "etag": "e1"})
    assert (result["status_code"], result["message"]) == (204, "Task theirs is deleted.")
    assert sent(server.nextcloud, "DELETE").headers["If-Match"] == '"e1"'
    has_calendars(server.nextcloud, calendar("work", takes="VTODO"))
    gone = await server.misuse("nc_calendar_delete_todo", {**TASK, "todo_uid": "other"})
    assert "No task 'other' in " in gone


async def test_concurrent_change_is_refused(server: Server) -> None:
    """Nextcloud detects the conflict, and the error says to read the task first."""
    holds(server.nextcloud, {"theirs": NEXTCLOUDS_OWN})
    server.nextcloud.on("DELETE", THEIRS, answer(412))
    assert "Task 'theirs' in calendar 'work' has changed since you read it" in await server.misuse(
        "nc_calendar_delete_todo", TASK
    )


async def test_unreadable_task_is_not_overwritten(server: Server) -> None:
    """Nothing replaces a task that another program wrote and that can't be parsed."""
    holds(server.nextcloud, {"theirs": ics("DUE:sometime", kind="VTODO")})
    assert "theirs.ics in calendar 'work' is not readable" in await server.misuse(
        "nc_calendar_update_todo", {**TASK, "summary": "x"}
    )
    assert server.nextcloud.asked("PUT") == []
