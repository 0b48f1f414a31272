"""`apps.calendar.tools.events`: the tools for calendars and events, called through MCP."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from tests.support.calendars import (
    HOME,
    WORK,
    calendar,
    has_calendar,
    has_calendars,
    holds,
    knows_address,
    one,
    sent,
    tells_etag,
)
from tests.support.ics import APPLE, GOOGLE, OUTLOOK, THUNDERBIRD, ics, unfolded
from tests.support.issuer import Answer, answer
from tests.support.nextcloud import OWNED_BY_BOB, USER_PATH, FakeNextcloud, dav_error, dav_folder, multistatus
from tests.support.server import Server

THEIRS: Final = f"{WORK}theirs.ics"
DELETED: Final = '<x2:deleted-at xmlns:x2="http://nextcloud.com/ns">2026-11-23T18:46:10+00:00</x2:deleted-at>'
NEW_UID: Final = str(UUID(int=7))
NEW: Final = f"{WORK}{NEW_UID}.ics"
EVENT: Final = {"calendar_name": "work", "event_uid": "theirs"}


def user(**fields: str) -> Answer:
    """Answer as OCS `/cloud/user` does, of alice."""
    data = {"id": "alice", "displayname": "Alice", **fields}
    return answer(json={"ocs": {"meta": {"status": "ok", "statuscode": 200, "message": "OK"}, "data": data}})


def takes_all(server: Server, *paths: str) -> None:
    """Let Nextcloud take whatever is written there."""
    for path in paths or (THEIRS,):
        server.nextcloud.on("PUT", path, answer(204, headers={"ETag": '"e2"'}))
        server.nextcloud.on("DELETE", path, answer(204))
        server.nextcloud.on("MOVE", path, answer(201))


async def test_lists_calendars(server: Server) -> None:
    """Only calendars are listed, each with its components, whether it is writable, and its zone."""
    more = (
        "<x1:calendar-color>#00679e</x1:calendar-color><cs:getctag>c7</cs:getctag>"
        "<oc:calendar-enabled>0</oc:calendar-enabled><cal:calendar-description>Ours</cal:calendar-description>"
        "<cal:calendar-timezone>BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Europe/Berlin\nEND:VTIMEZONE\nEND:VCALENDAR"
        "</cal:calendar-timezone>"
    )
    has_calendars(
        server.nextcloud,
        calendar("work", takes="VEVENT VTODO", more=more),
        calendar("contact_birthdays", privileges="<d:read/>"),
        calendar("gone", more=DELETED),
    )
    result = await server.use("nc_calendar_list_calendars")
    work, birthdays = result["calendars"]
    assert work == {
        "name": "work",
        "display_name": "Work",
        "description": "Ours",
        "color": "#00679e",
        "href": WORK,
        "timezone": "Europe/Berlin",
        "enabled": False,
        "ctag": "c7",
        "components": ["VEVENT", "VTODO"],
        "read_only": False,
        "shared_by": None,
    }
    assert (birthdays["read_only"], birthdays["enabled"], birthdays["timezone"]) == (True, True, None)
    assert result["total_count"] == 2


async def test_creates_an_event(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event gets the user's zone and a fresh UID; the result has the ETag for the next change."""
    has_calendar(server.nextcloud)
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=7))
    server.nextcloud.on("GET", USER_PATH, user(timezone="Europe/Berlin"))
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


@pytest.mark.parametrize("timezone", ["", "Mars/Phobos"])
async def test_warns_of_missing_zone_and_invalid_attendees(
    server: Server, monkeypatch: pytest.MonkeyPatch, timezone: str
) -> None:
    """The event is created; a warning names the missing zone and the attendees that can't be invited."""
    has_calendar(server.nextcloud)
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=7))
    server.nextcloud.on("GET", USER_PATH, user(timezone=timezone))
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
    server.nextcloud.on("GET", USER_PATH, user(timezone="Europe/Berlin"))
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


def by_query(**objects: str) -> Answer:
    """Answer each REPORT with the objects for what it has: a time-range, or a property's name."""

    def respond(request: httpx.Request) -> httpx.Response:
        asked = request.content.decode()
        kind = next((name for name in ("RDATE", "RRULE") if f'name="{name}"' in asked), "time")
        fake = FakeNextcloud()
        holds(fake, {each: ical for each, ical in objects.items() if each.startswith(kind.lower())})
        return fake.answer(request)

    return respond


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


NIGHTLY: Final = ics(
    "DTSTART;TZID=Europe/Berlin:20261020T023000", "DURATION:PT20M", "SUMMARY:Backup", "RRULE:FREQ=DAILY;COUNT=10"
)


@pytest.mark.parametrize("operation", ["update", "delete"])
async def test_bulk_change_works_across_dst_change(server: Server, operation: str) -> None:
    """Events in the repeated hour on 25 October 2026 can be changed."""
    server.nextcloud.on("GET", USER_PATH, user(timezone="Europe/Berlin"))
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
    "a change of nothing": ("nc_calendar_update_event", EVENT, "Nothing is to be changed: pass at least one field"),
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
        "Nothing is to be changed: pass display_name, description or another color.",
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
    server.nextcloud.on("GET", USER_PATH, user(timezone="Europe/Berlin"))
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
    server.nextcloud.on("GET", USER_PATH, user())
    holds(server.nextcloud, {})
    await server.use("nc_calendar_list_events", {"calendar_name": "work", **dates})
    assert f'start="{start}"' in sent(server.nextcloud, "REPORT").content.decode()


@pytest.mark.parametrize(
    ("dates", "edge"),
    [({"start_date": "2200-06-01"}, 'end="22010102T'), ({"end_date": "1900-06-01"}, 'start="18991231T')],
)
async def test_open_range_is_clamped_to_valid_dates(server: Server, dates: dict[str, str], edge: str) -> None:
    """The implied end stays in the valid range, so no error mentions a date that was not passed."""
    server.nextcloud.on("GET", USER_PATH, user())
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


@pytest.mark.parametrize(
    "address", [WORK, WORK.rstrip("/"), "work/", f"https://cloud.test{WORK}", f"HTTPS://Cloud.test{WORK}"]
)
async def test_calendar_address_is_accepted(server: Server, address: str) -> None:
    """The address may come from the calendar list or from a CalDAV client."""
    holds(server.nextcloud, {"theirs": GOOGLE})
    event = await server.use("nc_calendar_get_event", {**EVENT, "calendar_name": address})
    assert event["calendar_name"] == "work"


@pytest.mark.parametrize(
    "address",
    [
        WORK.replace("alice", "bob"),
        f"https://cloud.test.example.org{WORK}",
        f"{HOME}app%2Dgenerated--deck--board-7/",
        f"{WORK}theirs.ics",
    ],
)
async def test_foreign_address_is_refused(server: Server, address: str) -> None:
    """Addresses of other users, other servers, other resources and encoded detours are refused."""
    said = await server.misuse("nc_calendar_get_event", {**EVENT, "calendar_name": address})
    assert said.startswith("Invalid calendar name")


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


async def test_warns_of_missing_zone_when_day_becomes_timed(server: Server) -> None:
    """The warning is the same as on creation."""
    server.nextcloud.on("GET", USER_PATH, user())
    holds(server.nextcloud, {"theirs": ics("DTSTART;VALUE=DATE:20301007")})
    takes_all(server)
    timed = {**EVENT, "all_day": False, "start_datetime": "2030-10-07T10:00"}
    said = (await server.use("nc_calendar_update_event", timed))["message"]
    assert said.startswith("The event has no time zone, because none is set in Nextcloud")
    assert "DTSTART:20301007T100000" in unfolded(sent(server.nextcloud).content.decode())


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


async def test_deletes_all_occurrences_in_range(server: Server) -> None:
    """If no other occurrence remains, the event is deleted."""
    server.nextcloud.on("GET", USER_PATH, user(timezone="Europe/Berlin"))
    holds(server.nextcloud, {"theirs": ics("DTSTART:20301007T100000Z", "RRULE:FREQ=DAILY;COUNT=3")})
    takes_all(server)
    october = {"calendar_name": "work", "start_date": "2030-10-01", "end_date": "2030-10-31"}
    result = await server.use("nc_calendar_bulk_operations", {"operation": "delete", **october})
    assert (result["deleted_count"], server.nextcloud.asked("PUT")) == (3, [])
    assert server.nextcloud.asked("DELETE") == [f"DELETE {THEIRS}"]


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


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        pytest.param(403, "Nextcloud does not allow this for calendar 'work'", id="read only"),
        pytest.param(404, "Nextcloud did not find calendar 'work'", id="gone"),
        pytest.param(507, "There is no room for calendar 'work'", id="full"),
    ],
)
async def test_refusing_calendar_error_says_why(
    server: Server, monkeypatch: pytest.MonkeyPatch, status: int, sentence: str
) -> None:
    """The error gives the cause and the next step."""
    has_calendar(server.nextcloud)
    has_calendars(server.nextcloud, calendar("work"))
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=7))
    server.nextcloud.on("PUT", NEW, answer(status))
    arguments = {"calendar_name": "work", "title": "x", "start_datetime": "2030-10-07"}
    assert sentence in await server.misuse("nc_calendar_create_event", arguments)


NO_PLACE: Final[Mapping[str, tuple[Answer, str]]] = {
    "missing": (answer(404), "No calendar 'work': choose from home (Home)."),
    "deleted, which answers nevertheless": (
        answer(207, content=one(calendar("work", more=DELETED))),
        "No calendar 'work': choose from home (Home).",
    ),
    "for tasks": (
        answer(207, content=one(calendar("work", takes="VTODO"))),
        "The calendar 'work' takes no events: use one that nc_calendar_list_calendars shows with VEVENT in components",
    ),
}


@pytest.mark.parametrize(("told", "sentence"), NO_PLACE.values(), ids=NO_PLACE.keys())
async def test_creating_in_deleted_calendar_is_refused(server: Server, told: Answer, sentence: str) -> None:
    """Nextcloud accepts events in deleted calendars, so the calendar is checked first."""
    server.nextcloud.on("PROPFIND", WORK, told)
    has_calendars(server.nextcloud, calendar("home"), calendar("work", more=DELETED))
    arguments = {"calendar_name": "work", "title": "x", "start_datetime": "2030-10-07"}
    assert sentence in await server.misuse("nc_calendar_create_event", arguments)
    assert server.nextcloud.asked("PUT") == []


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
    server.nextcloud.on("GET", USER_PATH, user(timezone="Europe/Berlin"))
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
    server.nextcloud.on("GET", USER_PATH, user())
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


async def test_creates_a_calendar(server: Server) -> None:
    """The calendar takes events and tasks, and has the name, description and color."""
    server.nextcloud.on("MKCALENDAR", f"{HOME}new%20one/", answer(201))
    arguments = {"action": "create", "calendar_name": "new one", "display_name": "A & B"}
    result = await server.use("nc_calendar_manage_calendar", arguments)
    assert (result["status_code"], result["message"]) == (201, "Calendar new one is created.")
    body = sent(server.nextcloud, "MKCALENDAR").content.decode()
    assert all(part in body for part in ("A &amp; B", "#1976D2", 'name="VEVENT"', 'name="VTODO"'))


NEW_NAMES: Final = {
    **dict.fromkeys(
        ("inbox", "outbox", "trashbin", "app-generated--x", "app-generatedx"),
        "Nextcloud reserves inbox, outbox, trashbin and names that begin with app-generated; choose another name.",
    ),
    **dict.fromkeys(
        ("a/b", ".", "..", "", "a\n"), "a new calendar needs a name that is not '.' or '..', without slashes"
    ),
    **dict.fromkeys(("a" * 256, "é" * 128), "is too long: pass at most 255 bytes, and a longer text as display_name."),
}


@pytest.mark.parametrize(("name", "sentence"), NEW_NAMES.items())
async def test_invalid_calendar_name_is_refused(server: Server, name: str, sentence: str) -> None:
    """The error gives the reason, and no request is sent."""
    said = await server.misuse("nc_calendar_manage_calendar", {"action": "create", "calendar_name": name})
    assert sentence in said
    assert "nc_calendar_list_calendars" not in said
    assert server.nextcloud.asked("MKCALENDAR") == []


async def test_used_calendar_name_is_conflict(server: Server) -> None:
    """A deleted calendar can still hold the name: the error says where it may be."""
    server.nextcloud.on("MKCALENDAR", WORK, answer(405))
    arguments = {"action": "create", "calendar_name": "work"}
    assert "The calendar 'work' exists already, perhaps in the trash bin" in await server.misuse(
        "nc_calendar_manage_calendar", arguments
    )


async def test_changes_a_calendar(server: Server) -> None:
    """Omitted properties stay; so does the color if it has the default value that clients may omit."""
    server.nextcloud.on("PROPPATCH", WORK, answer(207, content=one(calendar("work"))))
    arguments = {"action": "update", "calendar_name": "work", "display_name": "Other"}
    assert (await server.use("nc_calendar_manage_calendar", arguments))["message"] == "Calendar work is updated."
    body = sent(server.nextcloud, "PROPPATCH").content.decode()
    assert ("Other" in body, "color" in body, "description" in body) == (True, False, False)


async def test_read_only_property_is_an_error(server: Server) -> None:
    """Nextcloud reports the refusal for each property inside a 207 response."""
    refused = one(calendar("work")).replace(b"200 OK", b"403 Forbidden")
    server.nextcloud.on("PROPPATCH", WORK, answer(207, content=refused))
    has_calendar(server.nextcloud)
    arguments = {"action": "update", "calendar_name": "work", "display_name": "Other"}
    assert "does not let you change calendar 'work'" in await server.misuse("nc_calendar_manage_calendar", arguments)


async def test_deletes_and_lists_calendars(server: Server) -> None:
    """The actions `delete` and `list` of the calendar tool."""
    server.nextcloud.on("DELETE", WORK, answer(204))
    has_calendar(server.nextcloud)
    has_calendars(server.nextcloud, calendar("home"))
    deleted = await server.use("nc_calendar_manage_calendar", {"action": "delete", "calendar_name": "work"})
    assert (deleted["status_code"], deleted["calendars"]) == (204, None)
    listed = await server.use("nc_calendar_manage_calendar", {"action": "list"})
    assert [each["name"] for each in listed["calendars"]] == ["home"]


async def test_deleting_shared_calendar_leaves_share(server: Server) -> None:
    """Nextcloud only removes the share; the list names the owner, and the result says so."""
    shared = calendar("work", more=OWNED_BY_BOB)
    has_calendars(server.nextcloud, shared)
    has_calendar(server.nextcloud, more=OWNED_BY_BOB)
    server.nextcloud.on("DELETE", WORK, answer(204))
    (listed,) = (await server.use("nc_calendar_list_calendars"))["calendars"]
    left = await server.use("nc_calendar_manage_calendar", {"action": "delete", "calendar_name": "work"})
    assert listed["shared_by"] == "Bob Example (bob)"
    assert left["message"].startswith("You have left the calendar work, which Bob Example (bob) shared with you.")


async def test_own_calendar_with_owner_is_not_shared(server: Server) -> None:
    """Nextcloud names the user as owner of a calendar that is not shared."""
    own = OWNED_BY_BOB.replace("bob", "alice").replace("Bob", "Alice")
    has_calendars(server.nextcloud, calendar("work", more=own))
    (listed,) = (await server.use("nc_calendar_list_calendars"))["calendars"]
    assert listed["shared_by"] is None


async def test_deleted_calendar_is_not_deleted_again(server: Server) -> None:
    """Nextcloud still answers for it, and a second DELETE would delete it permanently."""
    server.nextcloud.on("PROPFIND", WORK, answer(207, content=multistatus(dav_folder(WORK))))
    has_calendars(server.nextcloud)
    sentence = await server.misuse("nc_calendar_manage_calendar", {"action": "delete", "calendar_name": "work"})
    assert "No calendar 'work'" in sentence
    assert server.nextcloud.asked("DELETE") == []


def replies(**busy: str | None) -> Answer:
    """Answer as the outbox does: `FREEBUSY` lines by recipient, at example.org; None for a stranger."""
    parts = []
    for name, lines in busy.items():
        ical = ics(*(lines or "").split(), kind="VFREEBUSY")
        data = f"<c:calendar-data>{ical}</c:calendar-data>" if lines is not None else ""
        parts.append(
            f"<c:response><c:recipient><d:href>mailto:{name}@example.org</d:href></c:recipient>{data}</c:response>"
        )
    namespaces = 'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"'
    return answer(content=f"<c:schedule-response {namespaces}>{''.join(parts)}</c:schedule-response>".encode())


async def slots(server: Server, **arguments: Any) -> list[str]:
    """Return when all are free on Friday 4 and Monday 7 October 2030, for half an hour, in Berlin."""
    days = {"date_range_start": "2030-10-04", "date_range_end": "2030-10-07", "time_zone": "Europe/Berlin"}
    result = await server.use("nc_calendar_find_availability", {"duration_minutes": 30, **days, **arguments})
    return [
        f"{slot['start'][8:16]}-{slot['end'][8:16]} {slot['duration_minutes']}" for slot in result["available_slots"]
    ]


FREE: Final[Mapping[str, tuple[dict[str, Any], list[str]]]] = {
    "in business hours, on working days": (
        {},
        ["04T09:00-04T10:00 60", "04T11:00-04T17:00 360", "07T12:00-07T17:00 300"],
    ),
    "for longer": ({"duration_minutes": 61}, ["04T11:00-04T17:00 360", "07T12:00-07T17:00 300"]),
    "at other times": (
        {"preferred_times": "16:00-18:00, 07:00-08:00"},
        [
            "04T07:00-04T08:00 60",
            "04T16:00-04T18:00 120",
            "07T07:00-07T08:00 60",
            "07T16:00-07T18:00 120",
        ],
    ),
    "at any time": (
        {"business_hours_only": False, "exclude_weekends": False},
        [
            "04T00:00-04T10:00 600",
            "04T11:00-05T00:00 780",
            "05T00:00-06T00:00 1440",
            "06T00:00-07T00:00 1440",
            "07T00:00-07T08:50 530",
            "07T12:00-08T00:00 720",
        ],
    ),
}


@pytest.mark.parametrize(("arguments", "expected"), FREE.values(), ids=FREE.keys())
async def test_finds_common_free_time(server: Server, arguments: dict[str, Any], expected: list[str]) -> None:
    """Busy times of all attendees are subtracted, whether they have an end or a duration."""
    knows_address(server.nextcloud)
    has_calendars(server.nextcloud)
    own = "FREEBUSY:20301004T080000Z/20301004T090000Z,20301007T065000Z/PT130M"
    busy = replies(
        alice=f"{own} FREEBUSY;FBTYPE=FREE:20301004T100000Z/PT1H",
        bob="FREEBUSY;FBTYPE=BUSY-TENTATIVE:20301007T080000Z/20301007T100000Z",
    )
    server.nextcloud.on("POST", f"{HOME}outbox/", busy)
    assert await slots(server, attendees="bob@example.org", **arguments) == expected


async def test_unknown_attendees_are_reported(server: Server) -> None:
    """Attendees without a free/busy answer are ignored, and the result names them."""
    knows_address(server.nextcloud)
    has_calendars(server.nextcloud)
    server.nextcloud.on("POST", f"{HOME}outbox/", replies(alice="", carol=None))
    arguments = {"duration_minutes": 30, "attendees": "carol@example.org", "date_range_end": "2030-01-01"}
    start = {"date_range_start": "2029-12-20"}
    result = await server.use("nc_calendar_find_availability", arguments | start)
    assert (result["attendees_checked"], result["attendees_unknown"]) == (["alice@example.org"], ["carol@example.org"])
    assert result["time_zone"] == "UTC"
    question = unfolded(sent(server.nextcloud, "POST").content.decode())
    assert {"ORGANIZER:mailto:alice@example.org", "ATTENDEE:mailto:carol@example.org", "METHOD:REQUEST"} <= set(
        question
    )


async def test_free_time_starts_now(server: Server) -> None:
    """Without dates the range is one week from now in the user's zone."""
    server.nextcloud.on("GET", USER_PATH, user(timezone="Europe/Berlin"))
    knows_address(server.nextcloud)
    has_calendars(server.nextcloud)
    server.nextcloud.on("POST", f"{HOME}outbox/", replies(alice=""))
    result = await server.use("nc_calendar_find_availability", {"duration_minutes": 5, "business_hours_only": False})
    first = datetime.fromisoformat(result["available_slots"][0]["start"])
    assert first >= datetime.now(UTC) - timedelta(minutes=1)
    assert result["time_zone"] == "Europe/Berlin"


async def test_free_time_without_address_uses_own_calendars(server: Server) -> None:
    """A free/busy query needs a mail address; without one the user's own calendars are read."""
    knows_address(server.nextcloud, None)
    has_calendars(
        server.nextcloud,
        calendar("work"),
        calendar("birthdays", privileges="<d:read/>"),
        calendar("ideas", more=TRANSPARENT),
    )
    busy = ics("FREEBUSY:20301004T070000Z/20301004T150000Z", kind="VFREEBUSY")
    holds(server.nextcloud, {}, name="birthdays")
    server.nextcloud.on("REPORT", WORK, answers_busy(busy))
    assert await slots(server) == ["07T09:00-07T17:00 480"]
    asked = [request for request in server.nextcloud.requests if b"free-busy-query" in request.content]
    assert [request.url.path for request in asked] == [WORK]


async def test_free_time_with_a_busy_period_that_ends_before_it_starts(server: Server) -> None:
    """Nextcloud gives one for an event in a skipped hour; the other periods count."""
    knows_address(server.nextcloud, None)
    has_calendars(server.nextcloud, calendar("work"))
    periods = "FREEBUSY:20300331T013000Z/20300331T010000Z,20301004T070000Z/20301004T150000Z"
    server.nextcloud.on("REPORT", WORK, answers_busy(ics(periods, kind="VFREEBUSY")))
    assert await slots(server) == ["07T09:00-07T17:00 480"]


@pytest.mark.parametrize("name", ["inbox", "outbox", "trashbin"])
async def test_other_resources_of_the_home_are_no_calendars(server: Server, name: str) -> None:
    """Neither are their events listed nor their properties changed."""
    has_calendars(server.nextcloud, calendar("work"))
    for tool, arguments in (
        ("nc_calendar_list_events", {"calendar_name": name, "start_date": "2030-10-07"}),
        ("nc_calendar_manage_calendar", {"action": "update", "calendar_name": name, "display_name": "x"}),
    ):
        assert f"No calendar '{name}': choose from" in await server.misuse(tool, arguments)
    assert server.nextcloud.asked("PROPPATCH") == []


TRANSPARENT: Final = "<cal:schedule-calendar-transp><cal:transparent/></cal:schedule-calendar-transp>"


def answers_busy(busy: str, **objects: str) -> Answer:
    """Answer a free-busy-query with `busy`, and each query as `by_query` does."""

    def respond(request: httpx.Request) -> httpx.Response:
        told = answer(content=busy.encode()) if b"free-busy-query" in request.content else by_query(**objects)
        return told(request)

    return respond


BERLIN: Final = "TZID=Europe/Berlin"
MISSED: Final[Mapping[str, tuple[str, tuple[str, ...], list[str]]]] = {
    "with a date more": (
        "rdate",
        (f"DTSTART;{BERLIN}:20300902T090000", "DURATION:PT3H", "RRULE:FREQ=WEEKLY", "RDATE:20300905T070000Z"),
        ["04T09:00-04T17:00 480", "07T12:00-07T17:00 300"],
    ),
    "with dates and no rule": (
        "rdate",
        (f"DTSTART;{BERLIN}:20300902T090000", "DURATION:PT3H", f"RDATE;{BERLIN}:20301004T140000"),
        ["04T09:00-04T14:00 300", "07T09:00-07T17:00 480"],
    ),
    "after thousands of occurrences": (
        "rrule",
        (f"DTSTART;{BERLIN}:20150101T120000", "DURATION:PT1H", "RRULE:FREQ=DAILY"),
        ["04T09:00-04T12:00 180", "04T13:00-04T17:00 240", "07T09:00-07T12:00 180", "07T13:00-07T17:00 240"],
    ),
    "for whole days": (
        "rdate",
        ("DTSTART;VALUE=DATE:20300930", "RRULE:FREQ=WEEKLY;BYDAY=MO", "RDATE;VALUE=DATE:20300901"),
        ["04T09:00-04T17:00 480"],
    ),
    "at a time wherever one is": (
        "rdate",
        ("DTSTART:20300930T090000", "DURATION:PT2H", "RRULE:FREQ=WEEKLY", "RDATE:20300901T090000"),
        ["04T09:00-04T17:00 480", "07T11:00-07T17:00 360"],
    ),
    "that takes no time": (
        "rdate",
        (
            "DTSTART:20300930T070000Z",
            "DURATION:PT2H",
            "RRULE:FREQ=WEEKLY",
            "RDATE:20300901T090000Z",
            "TRANSP:TRANSPARENT",
        ),
        ["04T09:00-04T17:00 480", "07T09:00-07T17:00 480"],
    ),
    "that is cancelled": (
        "rdate",
        (
            "DTSTART:20300930T070000Z",
            "DURATION:PT2H",
            "RRULE:FREQ=WEEKLY",
            "RDATE:20300901T090000Z",
            "STATUS:CANCELLED",
        ),
        ["04T09:00-04T17:00 480", "07T09:00-07T17:00 480"],
    ),
    "that nobody means": (
        "rrule",
        ("DTSTART:20300930T070000Z", "RRULE:FREQ=MINUTELY"),
        ["04T09:00-04T17:00 480", "07T09:00-07T17:00 480"],
    ),
    "that is not readable": (
        "rdate",
        ("DTSTART:20300930T070000Z", "RRULE:FREQ=WEEKLY", "RDATE:sometime"),
        ["04T09:00-04T17:00 480", "07T09:00-07T17:00 480"],
    ),
}


@pytest.mark.parametrize("mail", ["alice@example.org", None])
@pytest.mark.parametrize(("kind", "lines", "free"), MISSED.values(), ids=MISSED.keys())
async def test_own_series_that_nextcloud_omits_are_busy(
    server: Server, mail: str | None, kind: str, lines: tuple[str, ...], free: list[str]
) -> None:
    """The user's own calendars are read for it, except transparent ones."""
    knows_address(server.nextcloud, mail)
    has_calendars(server.nextcloud, calendar("work"), calendar("shared", more=TRANSPARENT))
    server.nextcloud.on("POST", f"{HOME}outbox/", replies(alice=""))
    server.nextcloud.on("REPORT", WORK, answers_busy(ics(kind="VFREEBUSY"), **{f"{kind}_series": ics(*lines)}))
    assert await slots(server) == free


async def test_free_time_of_others_requires_address(server: Server) -> None:
    """The error says where to set a mail address."""
    knows_address(server.nextcloud, None)
    arguments = {"duration_minutes": 30, "attendees": "bob@example.org"}
    assert "Nextcloud does not know your mail address" in await server.misuse(
        "nc_calendar_find_availability", arguments
    )


@pytest.mark.parametrize("content", [b"BEGIN:VCALENDAR", b"", ics("FREEBUSY:sometimes", kind="VFREEBUSY").encode()])
async def test_malformed_free_busy_response_is_outage(server: Server, content: bytes) -> None:
    """A malformed response is an outage, not free time."""
    knows_address(server.nextcloud, None)
    has_calendars(server.nextcloud, calendar("work"))
    server.nextcloud.on("REPORT", WORK, answer(content=content))
    assert "free/busy answer is not readable" in await server.misuse(
        "nc_calendar_find_availability", {"duration_minutes": 30}
    )


async def test_free_time_query_writes_nothing(server: Server) -> None:
    """The only POST goes to the outbox, which stores nothing (RFC 6638 section 5)."""
    knows_address(server.nextcloud)
    has_calendars(server.nextcloud)
    server.nextcloud.on("POST", f"{HOME}outbox/", replies(alice=""))
    await slots(server)
    methods = [(request.method, request.url.path) for request in server.nextcloud.requests]
    assert {each for each in methods if each[0] not in {"GET", "PROPFIND", "REPORT"}} == {("POST", f"{HOME}outbox/")}


DECK: Final = "app-generated--deck--board-7"
READ_ONLY: Final = {
    DECK: (
        f"The calendar '{DECK}' is made by the app deck and can only be read: change what it shows in that app, with "
        "the tools for Deck."
    ),
    "app-generated--plans--main": (
        "The calendar 'app-generated--plans--main' is made by the app plans and can only be read: change what it shows "
        "in that app."
    ),
    "theirs": (
        "You may only read the calendar 'theirs': ask its owner to let you write, or take another from "
        "nc_calendar_list_calendars."
    ),
}


@pytest.mark.parametrize("name", READ_ONLY)
@pytest.mark.parametrize("status", [403, 404])
async def test_read_only_calendar_is_not_reported_missing(server: Server, name: str, status: int) -> None:
    """Nextcloud answers 404 to a write to a calendar shared for reading."""
    there = calendar(name, takes="VEVENT VTODO", privileges="<d:read/>")
    has_calendars(server.nextcloud, calendar("work"), there)
    server.nextcloud.on("PROPFIND", f"{HOME}{name}/", answer(207, content=one(there)))
    has_calendar(server.nextcloud)
    knows_address(server.nextcloud, None)
    event = ics("DTSTART:20301007T080000Z", "SUMMARY:Plan")
    holds(server.nextcloud, {"theirs": event}, name=name)
    holds(server.nextcloud, {"theirs": event})
    refused = answer(status, content=dav_error("Sabre\\DAV\\Exception", "No."))
    for method in ("PUT", "DELETE", "MOVE"):
        server.nextcloud.on(method, f"{HOME}{name}/theirs.ics", refused)
    server.nextcloud.on("MOVE", f"{WORK}theirs.ics", refused)
    server.nextcloud.on("DELETE", f"{HOME}{name}/", refused)
    tools = {
        "nc_calendar_update_event": {"calendar_name": name, "event_uid": "theirs", "title": "New"},
        "nc_calendar_delete_event": {"calendar_name": name, "event_uid": "theirs"},
        "nc_calendar_manage_calendar": {"action": "delete", "calendar_name": name},
    }
    for tool, arguments in tools.items():
        assert await server.misuse(tool, arguments) == READ_ONLY[name], tool
    for source, target in ((name, "work"), ("work", name)):
        move = {"operation": "move", "title_contains": "Plan", "calendar_name": source, "target_calendar": target}
        (item,) = (await server.use("nc_calendar_bulk_operations", move))["results"]
        assert (item["status"], READ_ONLY[name]) == ("failed", item["error"])


async def test_missing_event_in_deck_calendar_is_reported(server: Server) -> None:
    """The error says that the event is missing, not the calendar of the Deck board."""
    has_calendars(server.nextcloud, calendar("work"), calendar(DECK, display_name="Deck: Plans"))
    holds(server.nextcloud, {}, name=DECK)
    said = await server.misuse("nc_calendar_get_event", {"calendar_name": DECK, "event_uid": "x"})
    assert said.startswith(f"No event 'x' in calendar '{DECK}'")
    server.nextcloud.on("REPORT", f"{HOME}Deck%3A%20Plans/", answer(404))
    said = await server.misuse("nc_calendar_get_event", {"calendar_name": "Deck: Plans", "event_uid": "x"})
    assert said == "No calendar 'Deck: Plans': choose from work (Work)."
