"""`apps.calendar.tools.events`: the tools for events, called through MCP."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from tests.support.calendars import (
    EVENT,
    NEW,
    NEW_UID,
    THEIRS,
    WORK,
    by_query,
    calendar,
    has_calendar,
    has_calendars,
    holds,
    knows_address,
    sent,
    takes_all,
    tells_etag,
)
from tests.support.ics import APPLE, GOOGLE, OUTLOOK, THUNDERBIRD, ics, unfolded
from tests.support.issuer import answer
from tests.support.nextcloud import USER_PATH, dav_error, ocs_user
from tests.support.server import Server


async def test_creates_an_event(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event gets the user's zone and a fresh UID; the result has the ETag for the next change."""
    has_calendar(server.nextcloud)
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=7))
    server.nextcloud.on("GET", USER_PATH, ocs_user("alice", timezone="Europe/Berlin"))
    server.nextcloud.on("PUT", NEW, answer(201, headers={"OC-ETag": '"e1"'}))
    arguments = {"calendar_name": "work", "title": "Lunch", "start_datetime": "2030-10-07T12:00:00"}
    result = await server.use("nc_calendar_create_event", arguments)
    assert {name: result[name] for name in ("uid", "href", "etag", "status_code", "message")} == {
        "uid": NEW_UID,
        "href": NEW,
        "etag": "e1",
        "status_code": 201,
        "message": None,
    }
    request = sent(server.nextcloud)
    assert (request.headers["If-None-Match"], "If-Match" in request.headers) == ("*", False)
    assert {"DTSTART;TZID=Europe/Berlin:20301007T120000", "PRIORITY:5", "STATUS:CONFIRMED"} <= set(
        unfolded(request.content.decode())
    )


async def test_event_without_readable_etag_is_reported_as_stored(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If reading the ETag fails, the error has the name of the new event, so that nobody creates it twice."""
    has_calendar(server.nextcloud)
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=7))
    server.nextcloud.on("PUT", NEW, answer(201))
    server.nextcloud.on("PROPFIND", NEW, answer(423))
    arguments = {"calendar_name": "work", "title": "Lunch", "start_datetime": "2030-10-07"}
    said = await server.misuse("nc_calendar_create_event", arguments)
    assert said.startswith(
        f"Calendar object '{NEW_UID}.ics' in calendar 'work' is stored, but reading its ETag failed. "
    )
    assert said.endswith(": read it, and do not write it again.")


@pytest.mark.parametrize("timezone", ["", "Mars/Phobos"])
async def test_warns_of_missing_zone_and_invalid_attendees(
    server: Server, monkeypatch: pytest.MonkeyPatch, timezone: str
) -> None:
    """The event is created; a warning names the missing zone and the attendees that can't be invited."""
    has_calendar(server.nextcloud)
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=7))
    server.nextcloud.on("GET", USER_PATH, ocs_user("alice", timezone=timezone))
    server.nextcloud.on("PUT", NEW, answer(201))
    tells_etag(server.nextcloud, NEW, "e9")
    knows_address(server.nextcloud, None)
    meeting = {
        "title": "M",
        "date": "2030-10-07",
        "time": "14:00",
        "calendar_name": "work",
        "attendees": "bob@example.org",
    }
    result = await server.use("nc_calendar_create_meeting", meeting)
    assert "The event has no time zone" in result["message"]
    assert "Nobody is invited" in result["message"]
    assert result["etag"] == "e9"
    assert {"DTSTART:20301007T140000", "DTEND:20301007T150000"} <= set(
        unfolded(sent(server.nextcloud).content.decode())
    )


async def test_event_in_dst_gap_keeps_duration(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event keeps its requested duration, and the result has its actual start."""
    has_calendar(server.nextcloud)
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=7))
    server.nextcloud.on("GET", USER_PATH, ocs_user("alice", timezone="Europe/Berlin"))
    takes_all(server, NEW, THEIRS)
    meeting = {"title": "M", "date": "2027-03-28", "time": "02:30", "calendar_name": "work", "duration_minutes": 30}
    said = (
        "The clock in Europe/Berlin skips 2027-03-28T02:30:00, so the event starts at 2027-03-28T03:30:00+02:00, and "
        "lasts as long as it would have."
    )
    assert (await server.use("nc_calendar_create_meeting", meeting))["message"] == said
    lines = unfolded(sent(server.nextcloud).content.decode())
    assert {"DTSTART;TZID=Europe/Berlin:20270328T033000", "DTEND;TZID=Europe/Berlin:20270328T040000"} <= set(lines)
    holds(server.nextcloud, {"theirs": ics("DTSTART;TZID=Europe/Berlin:20270327T120000", "DURATION:PT1H")})
    there = {**EVENT, "start_datetime": "2027-03-28T02:30"}
    assert (await server.use("nc_calendar_update_event", there))["message"] == said


async def test_finds_occurrences_that_nextcloud_omits(server: Server) -> None:
    """Occurrences from RDATE, after thousands of others or far in the future are listed, each once."""
    once = ics("DTSTART:20301105T100000Z", "SUMMARY:Once", uid="once")
    more = ics("DTSTART:20301001T100000Z", "SUMMARY:More", "RRULE:FREQ=WEEKLY", "RDATE:20301004T100000Z", uid="more")
    daily = ics("DTSTART:20150101T100000Z", "SUMMARY:Daily", "RRULE:FREQ=DAILY", uid="daily")
    monthly = ics("DTSTART:20150110T100000Z", "SUMMARY:Monthly", "RRULE:FREQ=MONTHLY", uid="monthly")
    found = {"time_once": once, "rdate_more": more, "rrule_more": more, "rrule_daily": daily, "rrule_monthly": monthly}
    server.nextcloud.on("REPORT", WORK, by_query(**found))
    november = {"calendar_name": "work", "start_date": "2030-11-01", "end_date": "2030-11-30"}
    events = (await server.use("nc_calendar_list_events", november))["events"]
    titles = [event["title"] for event in events]
    assert {title: titles.count(title) for title in titles} == {"Once": 1, "More": 4, "Daily": 30}
    later = {"calendar_name": "work", "start_date": "2039-11-01", "end_date": "2039-11-30"}
    events = (await server.use("nc_calendar_list_events", later))["events"]
    assert sum(event["title"] == "Monthly" for event in events) == 1


NOT_EXPANDED: Final[Mapping[str, tuple[tuple[str, ...], list[bool]]]] = {
    "began before": (("DTSTART:20300101T000000Z", "RRULE:FREQ=MINUTELY"), [False]),
    "ended before": (("DTSTART:20300101T000000Z", "RRULE:FREQ=MINUTELY;UNTIL=20300301T000000Z"), []),
    "begins after": (("DTSTART:20310101T000000Z", "RRULE:FREQ=MINUTELY"), []),
    "is expanded": (("DTSTART:20301005T000000Z", "RRULE:FREQ=DAILY;COUNT=2"), [True, True]),
}


@pytest.mark.parametrize(("lines", "expanded"), NOT_EXPANDED.values(), ids=NOT_EXPANDED.keys())
async def test_unexpandable_series_is_marked(server: Server, lines: tuple[str, ...], expanded: list[bool]) -> None:
    """It is listed once if it can occur in the range, and is marked as not expanded."""
    holds(server.nextcloud, {"theirs": ics(*lines)})
    october = {"calendar_name": "work", "start_date": "2030-10-01", "end_date": "2030-10-31"}
    events = (await server.use("nc_calendar_list_events", october))["events"]
    assert [event["expanded"] for event in events] == expanded


async def test_explicit_time_zone_skips_user_lookup(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an explicit zone the user's zone is not requested; attendees are invited in the user's name."""
    has_calendar(server.nextcloud)
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=7))
    server.nextcloud.on("PUT", NEW, answer(201, headers={"ETag": '"e1"'}))
    knows_address(server.nextcloud)
    meeting = {"title": "M", "date": "2030-10-07", "time": "14:00", "calendar_name": "work", "duration_minutes": 30}
    more = {"time_zone": "America/New_York", "attendees": "bob@example.org"}
    assert (await server.use("nc_calendar_create_meeting", meeting | more))["message"] is None
    lines = unfolded(sent(server.nextcloud).content.decode())
    assert {"DTEND;TZID=America/New_York:20301007T143000", "ORGANIZER:mailto:alice@example.org"} <= set(lines)


REFUSALS: Final[Mapping[str, tuple[str, dict[str, Any], str]]] = {
    "a zone": (
        "nc_calendar_create_event",
        {"calendar_name": "work", "title": "x", "start_datetime": "2030-10-07T10:00", "time_zone": "Berlin"},
        "Unknown time_zone 'Berlin': use a name such as Europe/Berlin, or UTC.",
    ),
    "a calendar's name": (
        "nc_calendar_create_event",
        {"calendar_name": "../bob/personal", "title": "x", "start_datetime": "2030-10-07"},
        "Invalid calendar name '../bob/personal': nc_calendar_list_calendars shows the names, such as 'personal'.",
    ),
    "a line end in a calendar's name": (
        "nc_calendar_get_event",
        {"calendar_name": "work\n", "event_uid": "x"},
        "Invalid calendar name 'work\\n': nc_calendar_list_calendars shows the names",
    ),
    "a character that XML can't hold": (
        "nc_calendar_get_event",
        {"calendar_name": "work", "event_uid": "<a\0b>"},
        "'<a\\x00b>' contains a control character that WebDAV does not allow: leave it out.",
    ),
    "a time of a meeting": (
        "nc_calendar_create_meeting",
        {"title": "x", "date": "2030-10-07", "time": "noon"},
        "Invalid date and time '2030-10-07Tnoon': pass a date or a time, such as ",
    ),
    "a meeting of no length": (
        "nc_calendar_create_meeting",
        {"title": "x", "date": "2030-10-07", "time": "12:00", "duration_minutes": 0},
        "duration_minutes 0",
    ),
    "a change of nothing": ("nc_calendar_update_event", EVENT, "Nothing to change: pass at least one field"),
    "a range that ends before it starts": (
        "nc_calendar_list_events",
        {"calendar_name": "work", "start_date": "2030-10-07", "end_date": "2030-10-01"},
        "end_date '2030-10-01' is before start_date '2030-10-07'",
    ),
    "a range that ends the day before it starts": (
        "nc_calendar_list_events",
        {"calendar_name": "work", "start_date": "2030-10-07", "end_date": "2030-10-06"},
        "end_date '2030-10-06' is before start_date '2030-10-07'",
    ),
    "a date of a week": (
        "nc_calendar_list_events",
        {"calendar_name": "work", "start_date": "2030-W41-1"},
        "Invalid start_date '2030-W41-1': pass a date or a time",
    ),
    "a range of no length": (
        "nc_calendar_list_events",
        {"calendar_name": "work", "start_date": "2030-10-07T10:00", "end_date": "2030-10-07T10:00"},
        "start_date and end_date are the same time, '2030-10-07T10:00': pass a later end_date.",
    ),
    "a year that is too late": (
        "nc_calendar_list_events",
        {"calendar_name": "work", "start_date": "2300-01-01"},
        "start_date '2300-01-01' is out of range: pass a year from 1900 to 2200.",
    ),
    "a year that is too early": (
        "nc_calendar_list_events",
        {"calendar_name": "work", "end_date": "1066-10-14T09:00"},
        "end_date '1066-10-14T09:00' is out of range: pass a year from 1900 to 2200.",
    ),
    "free times that end in the past": (
        "nc_calendar_find_availability",
        {"duration_minutes": 5, "date_range_end": "2020-01-02"},
        "date_range_end '2020-01-02' is in the past: pass a later one, or leave it out.",
    ),
    "free times that start in the past": (
        "nc_calendar_find_availability",
        {"duration_minutes": 5, "date_range_start": "2020-01-02"},
        "date_range_start '2020-01-02' is in the past: pass a later one, or leave it out.",
    ),
    "a range of ages": (
        "nc_calendar_list_events",
        {"calendar_name": "work", "start_date": "1990-01-01", "end_date": "2030-10-01"},
        "The range from start_date to end_date is longer than three years",
    ),
    "a cursor": (
        "nc_calendar_list_events",
        {"calendar_name": "work", "cursor": "x"},
        "Invalid cursor: pass next_cursor of the previous page",
    ),
    "days": ("nc_calendar_get_upcoming_events", {"days_ahead": 0}, "Invalid days_ahead 0: use 1 to 366"),
    "an action": ("nc_calendar_manage_calendar", {"action": "empty"}, "Invalid action 'empty': use create, update"),
    "a color": (
        "nc_calendar_manage_calendar",
        {"action": "create", "calendar_name": "new", "color": "blue"},
        "Invalid color 'blue': use #RRGGBB",
    ),
    "an update of nothing": (
        "nc_calendar_manage_calendar",
        {"action": "update", "calendar_name": "work"},
        "Nothing to change: pass display_name, description or another color.",
    ),
    "all events of all calendars": (
        "nc_calendar_bulk_operations",
        {"operation": "delete"},
        "No filter says which events to change",
    ),
    "an operation": (
        "nc_calendar_bulk_operations",
        {"operation": "copy", "calendar_name": "work"},
        "Invalid operation 'copy': use update, delete, or move",
    ),
    "a move to nowhere": (
        "nc_calendar_bulk_operations",
        {"operation": "move", "calendar_name": "work"},
        "or move with a target_calendar",
    ),
    "a bulk change of nothing": (
        "nc_calendar_bulk_operations",
        {"operation": "update", "calendar_name": "work"},
        "pass at least one of the new_",
    ),
    "free times that last nothing": (
        "nc_calendar_find_availability",
        {"duration_minutes": 0},
        "Invalid duration_minutes 0: pass a number from 1 to ",
    ),
    "free times that last for ever": (
        "nc_calendar_find_availability",
        {"duration_minutes": 10**12},
        "Invalid duration_minutes 1000000000000: pass a number from 1 to ",
    ),
    "a meeting that lasts for ever": (
        "nc_calendar_create_meeting",
        {"title": "x", "date": "2030-01-01", "time": "12:00", "duration_minutes": 10**12},
        "Invalid duration_minutes 1000000000000: pass a number from 1 to ",
    ),
    "free times of a year": (
        "nc_calendar_find_availability",
        {"duration_minutes": 5, "date_range_start": "2030-01-01", "date_range_end": "2030-12-31"},
        "longer than three months",
    ),
    "free times in the past": (
        "nc_calendar_find_availability",
        {"duration_minutes": 5, "date_range_start": "2020-01-01", "date_range_end": "2020-01-02"},
        "date_range_end '2020-01-02' is in the past",
    ),
    "hours": (
        "nc_calendar_find_availability",
        {"duration_minutes": 5, "preferred_times": "mornings"},
        "Invalid preferred_times 'mornings': use ranges such as 09:00-12:00,14:00-17:00",
    ),
    "hours that end before they start": (
        "nc_calendar_find_availability",
        {"duration_minutes": 5, "preferred_times": "22:00-02:00"},
        "Invalid preferred_times '22:00-02:00'",
    ),
}


@pytest.mark.parametrize(("tool", "arguments", "sentence"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_invalid_arguments_write_nothing(
    server: Server, tool: str, arguments: dict[str, Any], sentence: str
) -> None:
    """The error names the argument, and nothing is written."""
    holds(server.nextcloud, {})
    assert sentence in await server.misuse(tool, arguments)
    assert {request.method for request in server.nextcloud.requests} <= {"GET", "PROPFIND", "REPORT"}


async def test_lists_occurrences_in_range(server: Server) -> None:
    """Occurrences come by time in the user's zone; the query covers one more day at each end."""
    server.nextcloud.on("GET", USER_PATH, ocs_user("alice", timezone="Europe/Berlin"))
    holds(server.nextcloud, {"theirs": THUNDERBIRD, "trip": APPLE, "gone": ics("DTSTART:20301001T100000Z"), "bad": "?"})
    arguments = {"calendar_name": "work", "start_date": "2030-10-07", "end_date": "2030-10-21"}
    result = await server.use("nc_calendar_list_events", arguments)
    assert [(event["title"], event["start_datetime"], event["recurrence_id"]) for event in result["events"]] == [
        ("Trip", "2030-10-07", None),
        ("Team meeting (long)", "2030-10-07T10:00:00+02:00", "2030-10-07T10:00:00+02:00"),
        ("Team meeting", "2030-10-21T10:00:00+02:00", "2030-10-21T10:00:00+02:00"),
    ]
    assert (result["total_found"], result["start_date"], result["end_date"]) == (3, "2030-10-07", "2030-10-21")
    assert result["unreadable"] == [f"{WORK}bad.ics"]
    query = sent(server.nextcloud, "REPORT").content.decode()
    assert 'start="20301005T220000Z" end="20301022T220000Z"' in query


@pytest.mark.parametrize(
    ("dates", "start"),
    [
        pytest.param({"start_date": "2030-10-07"}, "20301006T000000Z", id="a start alone is the start of a year"),
        pytest.param({"end_date": "2030-10-07"}, "20291005T000000Z", id="an end alone is the end of a year"),
    ],
)
async def test_open_range_is_limited_to_one_year(server: Server, dates: dict[str, str], start: str) -> None:
    """The missing end is set to one year, since rules without an end have no last occurrence."""
    server.nextcloud.on("GET", USER_PATH, ocs_user("alice"))
    holds(server.nextcloud, {})
    await server.use("nc_calendar_list_events", {"calendar_name": "work", **dates})
    assert f'start="{start}"' in sent(server.nextcloud, "REPORT").content.decode()


@pytest.mark.parametrize(
    ("dates", "edge"),
    [({"start_date": "2200-06-01"}, 'end="22010102T'), ({"end_date": "1900-06-01"}, 'start="18991231T')],
)
async def test_open_range_is_clamped_to_valid_dates(server: Server, dates: dict[str, str], edge: str) -> None:
    """The implied end stays in the valid range, so no error mentions a date that was not passed."""
    server.nextcloud.on("GET", USER_PATH, ocs_user("alice"))
    holds(server.nextcloud, {})
    result = await server.use("nc_calendar_list_events", {"calendar_name": "work", **dates})
    assert result["total_found"] == 0
    assert edge in sent(server.nextcloud, "REPORT").content.decode()


async def test_series_is_listed_once_without_range(server: Server) -> None:
    """Without dates nothing is expanded, and the user's zone is not requested."""
    holds(server.nextcloud, {"theirs": THUNDERBIRD, "trip": APPLE})
    result = await server.use("nc_calendar_list_events", {"calendar_name": "work"})
    assert [(event["title"], event["recurring"]) for event in result["events"]] == [
        ("Team meeting", True),
        ("Trip", False),
    ]
    assert "time-range" not in sent(server.nextcloud, "REPORT").content.decode()


FILTERS: Final[Mapping[str, tuple[dict[str, Any], set[str]]]] = {
    "title": ({"title_contains": "INTER"}, {"Interview"}),
    "location": ({"location_contains": "berlin"}, {"Trip"}),
    "category": ({"categories": "team, none"}, {"Team meeting"}),
    "attendees": ({"min_attendees": 2}, {"Interview"}),
    "length": ({"min_duration_minutes": 61}, {"Trip"}),
    "status": ({"status": "confirmed"}, {"Team meeting", "Interview", "Trip"}),
    "another status": ({"status": "CANCELLED"}, set()),
    "empty texts": ({"title_contains": "", "categories": ""}, {"Team meeting", "Interview", "Trip"}),
}


@pytest.mark.parametrize(("arguments", "titles"), FILTERS.values(), ids=FILTERS.keys())
async def test_filters_ignore_case(server: Server, arguments: dict[str, Any], titles: set[str]) -> None:
    """Each filter works alone and ignores case."""
    holds(server.nextcloud, {"a": THUNDERBIRD, "b": APPLE, "c": GOOGLE})
    result = await server.use("nc_calendar_list_events", {"calendar_name": "work", **arguments})
    assert {event["title"] for event in result["events"]} == titles


async def test_search_all_calendars_ignores_calendar_name(server: Server) -> None:
    """All calendars for events are searched, whatever calendar_name is; each event names its calendar."""
    has_calendars(server.nextcloud, calendar("work"), calendar("tasks", takes="VTODO"), calendar("home"))
    holds(server.nextcloud, {"theirs": GOOGLE})
    holds(server.nextcloud, {"trip": APPLE}, name="home")
    result = await server.use("nc_calendar_list_events", {"calendar_name": "", "search_all_calendars": True})
    assert [(event["calendar_name"], event["title"]) for event in result["events"]] == [
        ("home", "Trip"),
        ("work", "Interview"),
    ]
    assert result["calendar_name"] is None


async def test_listing_is_paged_and_small(server: Server) -> None:
    """500 events are ten pages of 50, each under 20 kB and without descriptions."""
    lines = (
        "DTSTART:20301007T100000Z",
        "DTEND:20301007T110000Z",
        "SUMMARY:A meeting of some kind",
        "DESCRIPTION:" + "x" * 500,
    )
    holds(server.nextcloud, {str(number): ics(*lines, uid=f"{number:036}") for number in range(500)})
    seen: list[str] = []
    cursor = ""
    while True:
        result = await server.use("nc_calendar_list_events", {"calendar_name": "work", "cursor": cursor})
        assert len(json.dumps(result)) < 20_000
        seen += [event["uid"] for event in result["events"]]
        if (cursor := result["next_cursor"] or "") == "":
            break
    assert (len(seen), len(set(seen)), result["total_found"]) == (500, 500, 500)


async def test_reads_an_event(server: Server) -> None:
    """A UID that starts like another UID finds the right event."""
    holds(server.nextcloud, {"x": ics("DTSTART:20301007T100000Z", uid="theirs-too"), "theirs": GOOGLE})
    event = await server.use("nc_calendar_get_event", EVENT)
    assert (event["title"], event["etag"], event["attendees"]) == (
        "Interview",
        "e1",
        "carol@example.com, alice@example.org",
    )


async def test_reads_one_occurrence(server: Server) -> None:
    """The occurrence is returned with its own changes."""
    holds(server.nextcloud, {"theirs": THUNDERBIRD})
    event = await server.use("nc_calendar_get_event", {**EVENT, "recurrence_id": "2030-10-07T10:00:00+02:00"})
    assert (event["title"], event["recurrence_rule"]) == (
        "Team meeting (long)",
        "FREQ=WEEKLY;UNTIL=20301231T090000Z;BYDAY=MO",
    )


async def test_missing_event_error_names_event_and_calendar(server: Server) -> None:
    """The error names the event and the calendar, and where to look."""
    holds(server.nextcloud, {})
    has_calendars(server.nextcloud, calendar("work"))
    assert await server.misuse("nc_calendar_get_event", EVENT) == (
        "No event 'theirs' in calendar 'work': check both, or list the events."
    )


async def test_changes_an_event(server: Server) -> None:
    """The write uses the ETag that was read, so that a concurrent change is not overwritten."""
    holds(server.nextcloud, {"theirs": GOOGLE})
    takes_all(server)
    result = await server.use("nc_calendar_update_event", {**EVENT, "location": "Room 2", "etag": '"e1"'})
    assert (result["etag"], result["status_code"]) == ("e2", 204)
    request = sent(server.nextcloud)
    assert request.headers["If-Match"] == '"e1"'
    assert {"LOCATION:Room 2", "SUMMARY:Interview"} <= set(unfolded(request.content.decode()))


async def test_zone_without_start_does_not_move_event(server: Server) -> None:
    """The result says how to move the event; with a start it is moved and no hint is needed."""
    holds(server.nextcloud, {"theirs": ics("DTSTART;TZID=Europe/Berlin:20301007T100000", "DURATION:PT1H")})
    takes_all(server)
    tokyo = {**EVENT, "time_zone": "Asia/Tokyo"}
    said = (await server.use("nc_calendar_update_event", {**tokyo, "title": "x"}))["message"]
    assert said.startswith("The event stays in the time zone Europe/Berlin: pass time_zone together with a new start")
    moved = await server.use("nc_calendar_update_event", {**tokyo, "start_datetime": "2030-10-07T20:00"})
    assert moved["message"] is None
    assert "DTSTART;TZID=Asia/Tokyo:20301007T200000" in unfolded(sent(server.nextcloud).content.decode())
    same = {**EVENT, "time_zone": "Europe/Berlin", "title": "y"}
    assert (await server.use("nc_calendar_update_event", same))["message"] is None


async def test_reports_overrides_removed_by_shorter_series(server: Server) -> None:
    """The result counts the changed occurrences that the new end removes."""
    holds(server.nextcloud, {"theirs": THUNDERBIRD})
    takes_all(server)
    shorter = {**EVENT, "recurrence_rule": "FREQ=WEEKLY;BYDAY=MO;COUNT=1"}
    said = (await server.use("nc_calendar_update_event", shorter))["message"]
    assert said == "1 occurrence that was changed is gone, for the series ends before."


async def test_reports_number_of_occurrences_of_moved_series(server: Server) -> None:
    """A series that only starts later has fewer occurrences, which the caller may not expect."""
    daily = ("DTSTART;TZID=Europe/Berlin:20301007T100000", "RRULE:FREQ=DAILY;UNTIL=20301010T215959Z")
    holds(server.nextcloud, {"theirs": ics(*daily)})
    takes_all(server)
    said = (await server.use("nc_calendar_update_event", {**EVENT, "start_datetime": "2030-10-09T10:00"}))["message"]
    assert said == "The series has 2 occurrences now instead of 4: recurrence_rule can give it another end."
    later = {**EVENT, "start_datetime": "2030-10-07T11:00"}
    said = (await server.use("nc_calendar_update_event", later))["message"]
    assert said == "The series repeats by FREQ=DAILY;UNTIL=20301010T225959Z now."


OTHER_MONTHS: Final = {
    "from the 31st": ("20300131T100000", "FREQ=MONTHLY;COUNT=6", "2030-01-15T10:00", True),
    "from 29 February": ("20320229T100000", "FREQ=YEARLY", "2032-03-01T10:00", True),
    "from the 15th": ("20300115T100000", "FREQ=MONTHLY;COUNT=6", "2030-01-16T10:00", False),
    "to another month": ("20300115T100000", "FREQ=YEARLY", "2030-02-16T10:00", False),
    "in the same months": ("20300131T100000", "FREQ=MONTHLY;COUNT=6", "2030-01-31T11:00", False),
    "weekly": ("20300131T100000", "FREQ=WEEKLY;COUNT=6", "2030-02-01T10:00", False),
}


@pytest.mark.parametrize(("start", "rule", "to", "differs"), OTHER_MONTHS.values(), ids=OTHER_MONTHS.keys())
async def test_reports_other_months_of_moved_series(
    server: Server, start: str, rule: str, to: str, *, differs: bool
) -> None:
    """A day that not every month has skips months, and another one does not."""
    holds(server.nextcloud, {"theirs": ics(f"DTSTART;TZID=Europe/Berlin:{start}", f"RRULE:{rule}")})
    takes_all(server)
    said = (await server.use("nc_calendar_update_event", {**EVENT, "start_datetime": to}))["message"]
    assert ("The series happens in other months now" in (said or "")) is differs


async def test_warns_of_missing_zone_when_day_becomes_timed(server: Server) -> None:
    """The warning is the same as on creation."""
    server.nextcloud.on("GET", USER_PATH, ocs_user("alice"))
    holds(server.nextcloud, {"theirs": ics("DTSTART;VALUE=DATE:20301007")})
    takes_all(server)
    timed = {**EVENT, "all_day": False, "start_datetime": "2030-10-07T10:00"}
    said = (await server.use("nc_calendar_update_event", timed))["message"]
    assert said.startswith("The event has no time zone, because none is set in Nextcloud")
    assert "DTSTART:20301007T100000" in unfolded(sent(server.nextcloud).content.decode())


@pytest.mark.parametrize(("attendee", "requests"), [("", 3), ("ATTENDEE:mailto:bob@example.org", 1)])
async def test_invitations_are_sent_once(server: Server, attendee: str, requests: int) -> None:
    """After HTTP 500 a change is repeated, unless Nextcloud sends mails for it."""
    holds(server.nextcloud, {"theirs": ics("DTSTART:20301007T100000Z", *filter(None, [attendee]))})
    server.nextcloud.on("PUT", THEIRS, answer(500))
    assert "it may have done what was asked" in await server.misuse("nc_calendar_update_event", {**EVENT, "title": "x"})
    assert len(server.nextcloud.asked("PUT")) == requests


async def test_stale_etag_is_refused(server: Server) -> None:
    """Nothing is written, and the error says to read the event first."""
    holds(server.nextcloud, {"theirs": GOOGLE})
    sentence = await server.misuse("nc_calendar_update_event", {**EVENT, "title": "x", "etag": "old"})
    assert sentence == (
        "Event 'theirs' in calendar 'work' has changed since you read it, and nothing was written: read it again, then "
        "repeat the change with the ETag from reading."
    )
    assert server.nextcloud.asked("PUT") == []


@pytest.mark.parametrize(
    ("tool", "method"), [("nc_calendar_update_event", "PUT"), ("nc_calendar_delete_event", "DELETE")]
)
async def test_concurrent_change_is_refused(server: Server, tool: str, method: str) -> None:
    """Nextcloud detects the conflict, and the error contains no ETag that would allow overwriting."""
    holds(server.nextcloud, {"theirs": GOOGLE})
    server.nextcloud.on(method, THEIRS, answer(412))
    arguments = {**EVENT, "title": "x"} if method == "PUT" else EVENT
    sentence = await server.misuse(tool, arguments)
    assert "Event 'theirs' in calendar 'work' has changed since you read it" in sentence
    assert "e1" not in sentence


async def test_changes_one_occurrence(server: Server) -> None:
    """The series stays unchanged."""
    holds(server.nextcloud, {"theirs": OUTLOOK})
    takes_all(server)
    await server.use("nc_calendar_update_event", {**EVENT, "title": "Other", "recurrence_id": "2030-10-14"})
    lines = unfolded(sent(server.nextcloud).content.decode())
    assert {"SUMMARY:Other", "SUMMARY;LANGUAGE=de:Jour fixe"} <= set(lines)


async def test_deletes_an_event(server: Server) -> None:
    """The ETag that was read is required, so that a later version is not deleted."""
    holds(server.nextcloud, {"theirs": GOOGLE})
    takes_all(server)
    result = await server.use("nc_calendar_delete_event", EVENT)
    assert (result["status_code"], result["message"]) == (204, "Event theirs is deleted.")
    assert sent(server.nextcloud, "DELETE").headers["If-Match"] == '"e1"'


async def test_deleting_missing_event_is_an_error(server: Server) -> None:
    """Deleting a missing event is an error, as it is for every other resource."""
    holds(server.nextcloud, {})
    has_calendars(server.nextcloud, calendar("work"))
    assert "No event 'theirs' in calendar 'work'" in await server.misuse("nc_calendar_delete_event", EVENT)


async def test_deletes_one_occurrence(server: Server) -> None:
    """The other occurrences are written back."""
    holds(server.nextcloud, {"theirs": THUNDERBIRD})
    takes_all(server)
    await server.use("nc_calendar_delete_event", {**EVENT, "recurrence_id": "2030-10-21"})
    assert "EXDATE;TZID=Europe/Berlin:20301021T100000" in unfolded(sent(server.nextcloud).content.decode())


async def test_deletes_only_shared_occurrence(server: Server) -> None:
    """If the object has only the one shared occurrence, the object is deleted."""
    alone = ics("RECURRENCE-ID:20301007T100000Z", "DTSTART:20301007T100000Z")
    holds(server.nextcloud, {"theirs": alone})
    takes_all(server)
    await server.use("nc_calendar_delete_event", {**EVENT, "recurrence_id": "2030-10-07"})
    assert server.nextcloud.asked("PUT") == []
    assert server.nextcloud.asked("DELETE") == [f"DELETE {THEIRS}"]


LAST_ONES: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "the only one": (("DTSTART:20301007T100000Z", "RRULE:FREQ=DAILY;COUNT=1"), "2030-10-07T10:00:00Z"),
    "all others are deleted, and it was changed": (
        (
            *("DTSTART:20301007T100000Z", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20301007T100000Z", "END:VEVENT"),
            *("BEGIN:VEVENT", "UID:theirs", "DTSTAMP:20300101T000000Z", "RECURRENCE-ID:20301008T100000Z"),
            "DTSTART:20301008T120000Z",
        ),
        "2030-10-08T10:00:00Z",
    ),
    "a whole day": (
        ("DTSTART;VALUE=DATE:20301007", "RRULE:FREQ=DAILY;UNTIL=20301008", "EXDATE;VALUE=DATE:20301008"),
        "2030-10-07",
    ),
    "one that was added": (
        ("DTSTART:20301007T100000Z", "RRULE:FREQ=DAILY;COUNT=1", "RDATE:20301012T100000Z", "EXDATE:20301007T100000Z"),
        "2030-10-12T10:00:00Z",
    ),
}


@pytest.mark.parametrize(("lines", "recurrence_id"), LAST_ONES.values(), ids=LAST_ONES.keys())
async def test_deleting_last_occurrence_deletes_event(
    server: Server, lines: tuple[str, ...], recurrence_id: str
) -> None:
    """Nextcloud stores no series without occurrences: the event is deleted, and the result says so."""
    holds(server.nextcloud, {"theirs": ics(*lines)})
    takes_all(server)
    result = await server.use("nc_calendar_delete_event", {**EVENT, "recurrence_id": recurrence_id})
    assert server.nextcloud.asked("PUT") == []
    assert server.nextcloud.asked("DELETE") == [f"DELETE {THEIRS}"]
    assert result["message"].endswith("It was the last one, so the whole event is deleted.")


INVALID: Final[Mapping[str, tuple[int, str]]] = {
    "a rule": (403, "This recurrence rule does not generate any valid instances"),
    "its size": (403, "VEvent or VTodo object exceeds 10485760 bytes"),
    "anything else": (415, "Validation error in iCalendar: RRULE MUST NOT appear more than once"),
}


@pytest.mark.parametrize(("status", "why"), INVALID.values(), ids=INVALID.keys())
async def test_rejected_object_error_has_nextclouds_reason(server: Server, status: int, why: str) -> None:
    """The error quotes Nextcloud's reason and does not mention permissions."""
    holds(server.nextcloud, {"theirs": GOOGLE})
    server.nextcloud.on("PUT", THEIRS, answer(status, content=dav_error("Sabre\\DAV\\Exception", why)))
    assert await server.misuse("nc_calendar_update_event", {**EVENT, "title": "x"}) == (
        f"Nextcloud does not store calendar object 'theirs.ics' with these values ({why}): pass other values."
    )


async def test_lists_upcoming_events(server: Server) -> None:
    """All calendars are searched from now on, current events included."""
    now = datetime.now(UTC)
    has_calendars(server.nextcloud, calendar("work"))
    going_on, soon, later = (
        ics(f"DTSTART:{now + timedelta(hours=start):%Y%m%dT%H%M%SZ}", "DURATION:PT1H", f"SUMMARY:{title}", uid=title)
        for title, start in {"now": -0.5, "soon": 5, "later": 24 * 9}.items()
    )
    holds(server.nextcloud, {"a": later, "b": soon, "c": going_on})
    result = await server.use("nc_calendar_get_upcoming_events", {"limit": 1})
    assert ([event["title"] for event in result["events"]], result["days_ahead"]) == (["now"], 7)
    second = await server.use("nc_calendar_get_upcoming_events", {"limit": 1, "cursor": result["next_cursor"]})
    assert ([event["title"] for event in second["events"]], second["next_cursor"]) == (["soon"], None)
