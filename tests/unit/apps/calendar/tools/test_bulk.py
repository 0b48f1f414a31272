"""`apps.calendar.tools.bulk`: the bulk tool, called through MCP."""

from collections.abc import Mapping
from typing import Final

import pytest

from tests.support.calendars import (
    HOME,
    THEIRS,
    WORK,
    calendar,
    has_calendar,
    has_calendars,
    holds,
    sent,
    takes_all,
    tells_etag,
)
from tests.support.ics import APPLE, GOOGLE, OUTLOOK, THUNDERBIRD, ics, unfolded
from tests.support.issuer import Answer, answer
from tests.support.nextcloud import USER_PATH, ocs_user
from tests.support.server import Server

NIGHTLY: Final = ics(
    "DTSTART;TZID=Europe/Berlin:20261020T023000", "DURATION:PT20M", "SUMMARY:Backup", "RRULE:FREQ=DAILY;COUNT=10"
)


@pytest.mark.parametrize("operation", ["update", "delete"])
async def test_bulk_change_works_across_dst_change(server: Server, operation: str) -> None:
    """Events in the repeated hour on 25 October 2026 can be changed."""
    server.nextcloud.on("GET", USER_PATH, ocs_user("alice", timezone="Europe/Berlin"))
    holds(server.nextcloud, {"theirs": NIGHTLY})
    takes_all(server)
    week = {"calendar_name": "work", "start_date": "2026-10-24", "end_date": "2026-10-26"}
    result = await server.use("nc_calendar_bulk_operations", {"operation": operation, **week, "new_title": "x"})
    assert [item["recurrence_id"] for item in result["results"]] == [
        "2026-10-24T02:30:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]
    assert result["failed_count"] == 0
    name = "EXDATE" if operation == "delete" else "RECURRENCE-ID"
    assert f"{name};TZID=Europe/Berlin:20261025T023000" in unfolded(sent(server.nextcloud).content.decode())


async def test_deletes_all_occurrences_in_range(server: Server) -> None:
    """If no other occurrence remains, the event is deleted."""
    server.nextcloud.on("GET", USER_PATH, ocs_user("alice", timezone="Europe/Berlin"))
    holds(server.nextcloud, {"theirs": ics("DTSTART:20301007T100000Z", "RRULE:FREQ=DAILY;COUNT=3")})
    takes_all(server)
    october = {"calendar_name": "work", "start_date": "2030-10-01", "end_date": "2030-10-31"}
    result = await server.use("nc_calendar_bulk_operations", {"operation": "delete", **october})
    assert (result["deleted_count"], server.nextcloud.asked("PUT")) == (3, [])
    assert server.nextcloud.asked("DELETE") == [f"DELETE {THEIRS}"]


BULK: Final = {"operation": "update", "calendar_name": "work", "new_location": "Room 9"}


async def test_bulk_change_reports_each_event(server: Server) -> None:
    """Each event has its own result, and one failure does not stop the others."""
    holds(server.nextcloud, {"theirs": GOOGLE, "trip": APPLE.replace("UID:theirs", "UID:trip")})
    takes_all(server)
    server.nextcloud.on("PUT", f"{WORK}trip.ics", answer(423))
    result = await server.use("nc_calendar_bulk_operations", BULK)
    assert (result["total_found"], result["updated_count"], result["failed_count"]) == (2, 1, 1)
    outcomes = {item["uid"]: (item["status"], item["error"]) for item in result["results"]}
    assert outcomes["theirs"] == ("updated", None)
    assert not any(b"CATEGORIES" in request.content for request in server.nextcloud.requests)
    assert outcomes["trip"][0] == "failed"
    assert "locked" in outcomes["trip"][1]


EMPTY: Final = {"new_title": "", "new_description": "", "new_location": "", "new_categories": ""}


async def test_bulk_change_ignores_empty_text(server: Server) -> None:
    """Some clients send "" for omitted arguments; an empty text alone is an error, for it changes nothing."""
    holds(server.nextcloud, {"theirs": THUNDERBIRD})
    takes_all(server)
    await server.use("nc_calendar_bulk_operations", BULK | {name: "" for name in EMPTY if name != "new_location"})
    lines = set(unfolded(sent(server.nextcloud).content.decode()))
    assert {"SUMMARY:Team meeting", "CATEGORIES:Work,Team", "LOCATION:Room 9"} <= lines
    server.nextcloud.requests.clear()
    nothing = {"operation": "update", "calendar_name": "work", **EMPTY}
    assert "pass at least one of the new_" in await server.misuse("nc_calendar_bulk_operations", nothing)
    assert server.nextcloud.asked("PUT") == []


async def test_range_change_affects_only_its_occurrences(server: Server) -> None:
    """A series is not changed as a whole because one of its occurrences is in the range."""
    server.nextcloud.on("GET", USER_PATH, ocs_user("alice", timezone="Europe/Berlin"))
    holds(server.nextcloud, {"theirs": OUTLOOK})
    takes_all(server)
    dates = {"start_date": "2030-10-14", "end_date": "2030-10-21"}
    result = await server.use("nc_calendar_bulk_operations", {**BULK, **dates})
    assert [item["recurrence_id"] for item in result["results"]] == [
        "2030-10-14T10:00:00+02:00",
        "2030-10-21T10:00:00+02:00",
    ]
    assert unfolded(sent(server.nextcloud).content.decode()).count("LOCATION:Room 9") == 2
    assert len(server.nextcloud.asked("PUT")) == 1

    result = await server.use("nc_calendar_bulk_operations", {**BULK, **dates, "operation": "delete"})
    assert result["deleted_count"] == 2
    assert server.nextcloud.asked("DELETE") == []
    assert sum(line.startswith("EXDATE") for line in unfolded(sent(server.nextcloud).content.decode())) == 2


async def test_bulk_deletion_without_range_deletes_series(server: Server) -> None:
    """Without a range the whole series is deleted."""
    holds(server.nextcloud, {"theirs": OUTLOOK})
    takes_all(server)
    arguments = {"operation": "delete", "calendar_name": "work", "title_contains": "jour"}
    assert (await server.use("nc_calendar_bulk_operations", arguments))["deleted_count"] == 1
    assert server.nextcloud.asked("DELETE") == [f"DELETE {THEIRS}"]


async def test_moves_events(server: Server) -> None:
    """Events move unchanged from all other writable calendars, and nothing in the target is overwritten."""
    has_calendars(server.nextcloud, calendar("work"), calendar("home"), calendar("birthdays", privileges="<d:read/>"))
    has_calendar(server.nextcloud, "home")
    holds(server.nextcloud, {"theirs": GOOGLE})
    takes_all(server)
    arguments = {"operation": "move", "title_contains": "inter", "target_calendar": "home"}
    assert (await server.use("nc_calendar_bulk_operations", arguments))["moved_count"] == 1
    request = sent(server.nextcloud, "MOVE")
    assert request.headers["Destination"] == f"https://cloud.test{HOME}home/theirs.ics"
    assert (request.headers["Overwrite"], request.headers["If-Match"]) == ("F", '"e1"')


NOT_MOVED: Final[Mapping[str, tuple[Answer, str, str]]] = {
    "no calendar": (
        answer(409),
        "e1",
        "The event can't be moved: no calendar 'home'. nc_calendar_list_calendars shows the names",
    ),
    "the same UID": (answer(400), "e1", "calendar 'home' has one of the same UID. Delete that one"),
    "the same UID in the trash bin": (
        answer(500, text="<s:message>SQLSTATE[23000]: Integrity constraint violation: 19 UNIQUE</s:message>"),
        "e1",
        "calendar 'home' has one of the same UID in its trash bin. Delete that one permanently",
    ),
    "the same name": (answer(412), "e1", "calendar 'home' has one of the same name. Delete that one"),
    "changed meanwhile": (answer(412), "e9", "has changed since you read it, and nothing was written: read it again"),
    "a fault": (answer(500, text="<s:message>SQLSTATE[HY000]: disk full"), "e1", "Nextcloud failed with HTTP 500"),
    "not allowed": (answer(403), "e1", "Nextcloud does not allow this"),
}


@pytest.mark.parametrize(("told", "present", "sentence"), NOT_MOVED.values(), ids=NOT_MOVED.keys())
async def test_failed_move_says_why(server: Server, told: Answer, present: str, sentence: str) -> None:
    """Each cause has its own next step: 412 also follows a concurrent change, and 500 any defect."""
    has_calendar(server.nextcloud)
    has_calendar(server.nextcloud, "home")
    holds(server.nextcloud, {"theirs": GOOGLE})
    server.nextcloud.on("MOVE", THEIRS, told)
    tells_etag(server.nextcloud, THEIRS, present)
    arguments = {"operation": "move", "calendar_name": "work", "target_calendar": "home"}
    result = await server.use("nc_calendar_bulk_operations", arguments)
    (item,) = result["results"]
    assert sentence in item["error"]


async def test_moving_part_of_series_is_refused(server: Server) -> None:
    """Part of a series can't be in another calendar."""
    server.nextcloud.on("GET", USER_PATH, ocs_user("alice"))
    has_calendar(server.nextcloud, "home")
    holds(server.nextcloud, {"theirs": OUTLOOK, "bad": "?"})
    arguments = {"operation": "move", "calendar_name": "work", "target_calendar": "home", "start_date": "2030-10-14"}
    result = await server.use("nc_calendar_bulk_operations", arguments)
    assert {item["status"] for item in result["results"]} == {"failed"}
    assert {item["error"] for item in result["results"]} == {
        "A series can only be moved whole: leave start_date and end_date out.",
        f"{WORK}bad.ics is not readable iCalendar: open it in Nextcloud and save it again.",
    }


async def test_too_large_bulk_change_is_refused(server: Server) -> None:
    """A bulk operation on too many events is refused before it starts."""
    holds(server.nextcloud, {str(number): ics("DTSTART:20301007T100000Z", uid=str(number)) for number in range(101)})
    arguments = {"operation": "delete", "calendar_name": "work", "start_date": "2030-01-01", "end_date": "2030-12-31"}
    assert "101 events match, and one call changes at most 100" in await server.misuse(
        "nc_calendar_bulk_operations", arguments
    )
    assert server.nextcloud.asked("DELETE") == []


async def test_bulk_deletion_needs_a_filter_besides_the_calendar(server: Server) -> None:
    """Filters that are empty by accident do not empty a calendar."""
    holds(server.nextcloud, {"theirs": ics("DTSTART:20301007T100000Z")})
    arguments = {"operation": "delete", "calendar_name": "work", "title_contains": "", "start_date": "", "end_date": ""}
    refusal = await server.misuse("nc_calendar_bulk_operations", arguments)
    assert refusal.startswith("The only filter is the calendar, which would lose all its events: ")
    assert server.nextcloud.asked("DELETE") == []
