"""A value that one tool reads can be passed unchanged to the tool that writes it, whichever program wrote it."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcloud_mcp.apps import deck
from nextcloud_mcp.apps.calendar.ical.event import Event
from nextcloud_mcp.apps.calendar.ical.event_changes import Author, Change, changed
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.apps.contacts import vcard
from tests.support.calendars import WORK, calendar, has_calendar, has_calendars, holds, sent
from tests.support.deck import BOARDS, card, stack
from tests.support.ics import TASKS, WRITTEN_BY, ics, stored
from tests.support.issuer import answer
from tests.support.nextcloud import USER_PATH, multistatus, ocs
from tests.support.server import Server
from tests.support.vcards import CARDS
from tests.unit.apps.contacts.test_api import BOOK, dav_card

THEIRS: Final = f"{WORK}theirs.ics"
STAMPS: Final = ("DTSTAMP:", "LAST-MODIFIED:", "SEQUENCE:")
EVENT_FIELDS: Final = tuple(vars(Change()).keys() & Event.model_fields.keys())
TASK_FIELDS: Final = (
    *("summary", "description", "status", "priority", "percent_complete", "due", "dtstart", "completed", "categories"),
)


def kept(ical: str) -> list[str]:
    """All lines as they are written, but those that say when something was changed."""
    return [line for line in ical.replace("\r\n", "\n").splitlines() if not line.startswith(STAMPS)]


def parts(told: dict[str, Any], fields: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """All fields of what was read, and each alone."""
    there = {name: told[name] for name in fields if name in told}
    yield there
    yield from ({name: value} for name, value in there.items() if value is not None)


@pytest.mark.parametrize("ical", WRITTEN_BY.values(), ids=WRITTEN_BY.keys())
async def test_event_round_trips(server: Server, ical: str) -> None:
    """The result of nc_calendar_get_event, zone included, can be passed back."""
    holds(server.nextcloud, {"theirs": ical})
    server.nextcloud.on("PUT", THEIRS, answer(204, headers={"ETag": '"e2"'}))
    event = {"calendar_name": "work", "event_uid": "theirs"}
    told = await server.use("nc_calendar_get_event", event)
    for fields in parts(told, EVENT_FIELDS):
        result = await server.use(
            "nc_calendar_update_event", {**event, **fields, "time_zone": told["time_zone"] or "", "etag": told["etag"]}
        )
        assert kept(sent(server.nextcloud).content.decode()) == kept(ical), fields
        assert result["message"] is None


@pytest.mark.parametrize("ical", WRITTEN_BY.values(), ids=WRITTEN_BY.keys())
async def test_occurrence_round_trips(server: Server, ical: str) -> None:
    """The result of listing or reading it can be passed back, and it stays an ordinary occurrence."""
    holds(server.nextcloud, {"theirs": ical})
    server.nextcloud.on("PUT", THEIRS, answer(204, headers={"ETag": '"e2"'}))
    event = {"calendar_name": "work", "event_uid": "theirs"}
    autumn = {"calendar_name": "work", "start_date": "2030-09-01", "end_date": "2030-12-31"}
    for listed in (await server.use("nc_calendar_list_events", autumn))["events"]:
        one = {**event, "recurrence_id": listed["recurrence_id"] or ""}
        for told in (listed, await server.use("nc_calendar_get_event", one)):
            fields = {name: told[name] for name in EVENT_FIELDS if name in told}
            await server.use("nc_calendar_update_event", {**one, **fields})
            assert kept(sent(server.nextcloud).content.decode()) == kept(ical), told


@given(program=st.sampled_from(sorted(WRITTEN_BY)), names=st.sets(st.sampled_from(EVENT_FIELDS), min_size=1))
def test_every_subset_of_event_fields_round_trips(program: str, names: set[str]) -> None:
    """Every combination of fields can be passed back."""
    ical = WRITTEN_BY[program]
    series = Series(stored(ical))
    told = series.event(series.main).model_dump()
    assert kept(changed(series, Change(**{name: told[name] for name in names}), Author(None))) == kept(ical)


@pytest.mark.parametrize("ical", TASKS.values(), ids=TASKS.keys())
async def test_task_round_trips(server: Server, ical: str) -> None:
    """A listed task can be passed back; a recurring one does not advance."""
    has_calendar(server.nextcloud, takes="VTODO")
    has_calendars(server.nextcloud, calendar("work", takes="VTODO"))
    holds(server.nextcloud, {"theirs": ical})
    server.nextcloud.on("PUT", THEIRS, answer(204, headers={"ETag": '"e2"'}))
    (told,) = (await server.use("nc_calendar_list_todos", {"calendar_name": "work"}))["todos"]
    for fields in parts(told, TASK_FIELDS):
        await server.use("nc_calendar_update_todo", {"calendar_name": "work", "todo_uid": "theirs", **fields})
        assert kept(sent(server.nextcloud).content.decode()) == kept(ical), fields
    assert len([each for each in server.nextcloud.asked("PUT") if each != f"PUT {THEIRS}"]) == 0


TIMES: Final[dict[str, tuple[str, ...]]] = {
    "floating": ("DTSTART:20301006T100000", "{end}:20301007T100000"),
    "floating, with its kind": ("DTSTART;VALUE=DATE-TIME:20301006T100000", "{end};VALUE=DATE-TIME:20301007T100000"),
    "in UTC": ("DTSTART:20301006T100000Z", "{end}:20301007T100000Z"),
    "days": ("DTSTART;VALUE=DATE:20301006", "{end};VALUE=DATE:20301007"),
    "in two zones": (
        "DTSTART;TZID=Europe/Berlin:20301006T100000",
        "{end};TZID=America/New_York:20301007T100000",
    ),
    "in a zone that nobody knows": (
        "DTSTART;TZID=Mars/Phobos:20301006T100000",
        "{end};TZID=Mars/Phobos:20301007T100000",
    ),
}
ALARM: Final = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER;VALUE=DATE-TIME:20301006T090000", "END:VALARM")


def spellings(told: str) -> list[str]:
    """A time as clients write it who have read it."""
    return [told, told.replace("T", " "), told.replace("T10:00:00", "T10:00"), told.replace("+00:00", "Z")]


def timed(kind: str, end: str, lines: tuple[str, ...]) -> str:
    """An event or a task with these times, and a reminder at a time that floats."""
    return ics(*(line.format(end=end) for line in lines), *ALARM, kind=kind)


@pytest.mark.parametrize("lines", TIMES.values(), ids=TIMES.keys())
async def test_event_time_round_trips_in_any_spelling(server: Server, lines: tuple[str, ...]) -> None:
    """A floating time gets no zone, even if other fields change; the user's zone differs from the event's."""
    server.nextcloud.on("GET", USER_PATH, ocs({"id": "alice", "timezone": "Asia/Tokyo"}))
    server.nextcloud.on("PUT", THEIRS, answer(204, headers={"ETag": '"e2"'}))
    ical = timed("VEVENT", "DTEND", lines)
    holds(server.nextcloud, {"theirs": ical})
    event = {"calendar_name": "work", "event_uid": "theirs"}
    told = await server.use("nc_calendar_get_event", event)
    for start, end in zip(spellings(told["start_datetime"]), spellings(told["end_datetime"]), strict=True):
        for times in ({"start_datetime": start}, {"end_datetime": end}, {"start_datetime": start, "end_datetime": end}):
            await server.use("nc_calendar_update_event", {**event, **times, "location": "Here"})
            written = sent(server.nextcloud).content.decode()
            assert [line for line in kept(written) if line != "LOCATION:Here"] == kept(ical), times


@pytest.mark.parametrize("lines", TIMES.values(), ids=TIMES.keys())
async def test_task_time_round_trips_in_any_spelling(server: Server, lines: tuple[str, ...]) -> None:
    """The rules are the same as for events."""
    server.nextcloud.on("GET", USER_PATH, ocs({"id": "alice", "timezone": "Asia/Tokyo"}))
    server.nextcloud.on("PUT", THEIRS, answer(204, headers={"ETag": '"e2"'}))
    has_calendar(server.nextcloud, takes="VTODO")
    ical = timed("VTODO", "DUE", (*lines, "COMPLETED:20301007T100000", "STATUS:x-deferred"))
    holds(server.nextcloud, {"theirs": ical})
    (told,) = (await server.use("nc_calendar_list_todos", {"calendar_name": "work"}))["todos"]
    for start, due in zip(spellings(told["dtstart"]), spellings(told["due"]), strict=True):
        for times in ({"dtstart": start}, {"due": due}, {"dtstart": start, "due": due}):
            task = {"calendar_name": "work", "todo_uid": "theirs", "description": "Here"}
            await server.use("nc_calendar_update_todo", {**task, **times})
            written = sent(server.nextcloud).content.decode()
            assert [line for line in kept(written) if line != "DESCRIPTION:Here"] == kept(ical), times


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
async def test_contact_round_trips(server: Server, card: str) -> None:
    """A listed contact can be passed back, and each line stays byte for byte."""
    written = card.replace("\n", "\r\n")
    uid = vcard.uid_of(written)
    path = f"{BOOK}/{uid.replace(':', '%3A')}.vcf"
    escaped = written.replace("&", "&amp;").replace("<", "&lt;")
    server.nextcloud.on("REPORT", f"{BOOK}/", answer(207, content=multistatus(dav_card(path, escaped))))
    server.nextcloud.on("PROPFIND", path, answer(207, content=multistatus(dav_card(path, escaped))))
    server.nextcloud.on("PUT", path, answer(204, headers={"ETag": '"e2"'}))
    (told,) = (await server.use("nc_contacts_list_contacts", {"addressbook": "contacts"}))["contacts"]
    data = told["contact_data"]
    for fields in parts(data, tuple(data)):
        arguments = {"addressbook": "contacts", "uid": told["uid"], "contact_data": fields}
        await server.use("nc_contacts_update_contact", arguments)
        assert sent(server.nextcloud).content.decode() == written, fields
    more = {name: [*data[name], {"value": "https://new.example"}] for name in ("url", "tel", "email") if name in data}
    if more:
        await server.use(
            "nc_contacts_update_contact", {"addressbook": "contacts", "uid": told["uid"], "contact_data": more}
        )
    lines = sent(server.nextcloud).content.decode().split("\r\n")
    assert [line for line in written.split("\r\n") if line not in lines and not line.startswith("REV")] == []


DECK_STACK: Final = f"{BOARDS}/2/stacks/9"
ALICE: Final = {"primaryKey": "alice", "uid": "alice", "displayname": "Alice Liddell", "type": 0}
DECK: Final = {
    "card": (
        {"board_id": 2, "stack_id": 9, "card_id": 11},
        f"{DECK_STACK}/cards/11",
        card(startdate="2027-01-30T08:00:00+00:00", color="31CC7C", done="2027-01-31T08:00:00+00:00"),
    ),
    "stack": ({"board_id": 2, "stack_id": 9}, DECK_STACK, stack()),
    "label": (
        {"board_id": 2, "label_id": 6},
        f"{BOARDS}/2/labels/6",
        {"id": 6, "title": "Soon", "color": "f0", "boardId": 2, "cardId": None},  # Deck takes any six characters
    ),
}
DECK_FIELDS: Final = {tool.name: frozenset(tool.arguments.names) for tool in deck.APP.tools}


@pytest.mark.parametrize("kind", DECK)
@pytest.mark.parametrize("changes", [{}, {"owner": "alice"}, {"archived": True}], ids=str)
async def test_deck_fields_round_trip(server: Server, kind: str, changes: dict[str, Any]) -> None:
    """Every field that reading returns and the update takes is accepted, including the owner object."""
    where, path, row = DECK[kind]
    row = {**row, **{name: value for name, value in changes.items() if name in row}}
    server.nextcloud.on("GET", DECK_STACK, answer(json=stack()))
    server.nextcloud.on("GET", path, answer(json=row))
    server.nextcloud.on("GET", f"{BOARDS}/2/stacks", answer(json=[row]))
    server.nextcloud.on("PUT", path, answer(json=row))
    told = await server.use(f"deck_get_{kind}", where)
    update = f"deck_update_{kind}"
    etag = {"etag": told["ETag"]} if "etag" in DECK_FIELDS[update] else {}
    for fields in parts(told, tuple(DECK_FIELDS[update] & told.keys())):
        await server.use(update, {**where, **fields, **etag})
        body = json.loads(sent(server.nextcloud).content)
        assert {**row, "owner": "alice", **body} == {**row, "owner": "alice"}, fields


@pytest.mark.parametrize("tool", ["deck_assign_user_to_card", "deck_unassign_user_from_card"])
@pytest.mark.parametrize(
    "given", [ALICE, {"id": 1, "participant": ALICE, "cardId": 11, "type": 0}], ids=["user", "row"]
)
async def test_deck_users_round_trip(server: Server, tool: str, given: dict[str, Any]) -> None:
    """Users are accepted as boards and cards list them."""
    path = f"{DECK_STACK}/cards/11"
    people = [{"id": 1, "participant": ALICE, "cardId": 11, "type": 0}] if "unassign" in tool else []
    server.nextcloud.on("GET", DECK_STACK, answer(json=stack()))
    server.nextcloud.on("GET", path, answer(json=card(assignedUsers=people)))
    server.nextcloud.on("PUT", f"{path}/{tool.split('_')[1]}User", answer(json={}))
    await server.use(tool, {"board_id": 2, "stack_id": 9, "card_id": 11, "user_id": given})
    assert json.loads(server.nextcloud.requests[-1].content) == {"userId": "alice"}
