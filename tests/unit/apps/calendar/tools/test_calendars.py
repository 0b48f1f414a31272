"""`apps.calendar.tools.calendars`: the tools for calendars, called through MCP."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import pytest

from tests.support.calendars import (
    EVENT,
    HOME,
    NEW,
    WORK,
    calendar,
    has_calendar,
    has_calendars,
    holds,
    knows_address,
    one,
    sent,
)
from tests.support.ics import GOOGLE, ics
from tests.support.issuer import Answer, answer
from tests.support.nextcloud import OWNED_BY_BOB, dav_error, dav_folder, multistatus
from tests.support.server import Server

DELETED: Final = '<x2:deleted-at xmlns:x2="http://nextcloud.com/ns">2026-11-23T18:46:10+00:00</x2:deleted-at>'


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
    assert "does not let you change the calendar 'work'" in await server.misuse(
        "nc_calendar_manage_calendar", arguments
    )


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
    assert left["message"].startswith("You have left the calendar work, which belongs to Bob Example (bob).")


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
    "subscribed": (
        "The calendar 'subscribed' can only be read, as Nextcloud or another site fills it: take another from "
        "nc_calendar_list_calendars."
    ),
    "theirs": (
        "You may only read the calendar 'theirs', which belongs to Bob Example (bob), and this needs the "
        "permission to change it: ask Bob Example (bob) for it."
    ),
}


@pytest.mark.parametrize("name", READ_ONLY)
@pytest.mark.parametrize("status", [403, 404])
async def test_read_only_calendar_is_not_reported_missing(server: Server, name: str, status: int) -> None:
    """Nextcloud answers 404 to a write to a calendar shared for reading."""
    owner = OWNED_BY_BOB if name == "theirs" else ""
    there = calendar(name, takes="VEVENT VTODO", privileges="<d:read/>", more=owner)
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
