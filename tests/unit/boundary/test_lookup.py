"""`boundary.lookup`: display names are accepted if unambiguous; otherwise the error lists the candidates."""

from collections.abc import Mapping
from typing import Final
from unicodedata import normalize
from urllib.parse import quote

import pytest

from tests.support.calendars import HOME, WORK, calendar, has_calendars, holds
from tests.support.deck import BOARDS, board, card, stack
from tests.support.issuer import answer
from tests.support.nextcloud import SHAREES, SHARES, ocs, share, sharees
from tests.support.server import Server

READ_WORK: Final = {"calendar_name": "Büro", "start_date": "2030-10-01"}


@pytest.mark.parametrize("name", ["Büro", "büro", " BÜRO ", normalize("NFD", "Büro"), "WORK"])
async def test_calendar_is_found_by_display_name(server: Server, name: str) -> None:
    """Case and Unicode spelling are ignored; calendars are listed only if the name is no id."""
    has_calendars(server.nextcloud, calendar("home"), calendar("work", display_name="Büro"))
    holds(server.nextcloud, {})
    given = f"{HOME}{quote(name, safe='')}/"
    server.nextcloud.on("REPORT", given, answer(404))
    found = await server.use("nc_calendar_list_events", {"calendar_name": name, "start_date": "2030-10-01"})
    assert found["total_found"] == 0
    assert set(server.nextcloud.asked("REPORT")) == {f"REPORT {given}", f"REPORT {WORK}"}
    assert server.nextcloud.asked("PROPFIND") == [f"PROPFIND {HOME}"]


@pytest.mark.parametrize(
    ("calendars", "scope", "sentence"),
    [
        pytest.param(
            {"home": "Home", "x-1": "Private"},
            "calendar:read",
            "No calendar 'Büro': choose from home (Home), x-1 (Private).",
            id="none",
        ),
        pytest.param(
            {"a": "Büro", "b": "Büro", "c": "Home"},
            "calendar:read",
            "More than one calendar is called 'Büro': pass one of a (Büro), b (Büro).",
            id="two",
        ),
        pytest.param(
            {"app-generated--deck--board-7": "Büro"},
            "calendar:read deck:read",
            "No calendar 'Büro': no calendar exists here.",
            id="a board of Deck, for which its own name is needed",
        ),
    ],
)
async def test_ambiguous_name_is_refused(
    server: Server, calendars: Mapping[str, str], scope: str, sentence: str
) -> None:
    """The error lists the candidates."""
    has_calendars(server.nextcloud, *(calendar(name, display_name=shown) for name, shown in calendars.items()))
    server.nextcloud.on("REPORT", f"{HOME}B%C3%BCro/", answer(404))
    token = server.keycloak.mint(scope=scope)
    assert sentence in (await server.call("nc_calendar_list_events", READ_WORK, token=token)).text


async def test_candidates_are_not_listed_without_reading_scope(server: Server) -> None:
    """A token for writing only does not see which objects exist."""
    has_calendars(server.nextcloud, calendar("home", display_name="Private"))
    server.nextcloud.on("PROPFIND", f"{HOME}x/", answer(404))
    token = server.keycloak.mint(scope="calendar:write")
    arguments = {"calendar_name": "x", "title": "a", "start_datetime": "2030-10-07"}
    said = (await server.call("nc_calendar_create_event", arguments, token=token)).text
    assert "No calendar 'x': pass the id of a calendar." in said
    assert "Private" not in said


async def test_failed_listing_keeps_original_error(server: Server) -> None:
    """The error is the one of the call itself."""
    server.nextcloud.on("REPORT", f"{HOME}x/", answer(404))
    server.nextcloud.on("PROPFIND", HOME, answer(500))
    said = await server.misuse("nc_calendar_list_events", {"calendar_name": "x", "start_date": "2030-10-01"})
    assert said.startswith("Nextcloud did not find calendar 'x'")


async def test_board_is_found_by_title(server: Server) -> None:
    """Text that is no number is a title where an id is expected."""
    server.nextcloud.on("GET", BOARDS, answer(json=[board(id=3, title="Roadmap"), board(id=4, title="Home")]))
    server.nextcloud.on("GET", f"{BOARDS}/3", answer(json=board(id=3, title="Roadmap")))
    assert (await server.use("deck_get_board", {"board_id": "roadmap"}))["id"] == 3
    assert (await server.use("deck_get_board", {"board_id": "3"}))["id"] == 3
    assert server.nextcloud.asked() == [f"GET {BOARDS}", f"GET {BOARDS}/3", f"GET {BOARDS}/3"]
    assert await server.misuse("deck_get_board", {"board_id": "Roads"}) == (
        "No board 'Roads': choose from 3 (Roadmap), 4 (Home)."
    )


DENIED: Final = answer(403, json={"status": 403, "message": "Permission denied"})


@pytest.mark.parametrize("given", ["2027", 2027])
async def test_numeric_title_is_found_if_id_is_unknown(server: Server, given: object) -> None:
    """The id takes precedence; Deck denies access to missing and to read-only boards alike."""
    server.nextcloud.on("GET", BOARDS, answer(json=[board(id=3, title="2027"), board(id=4, title="3")]))
    server.nextcloud.on("GET", f"{BOARDS}/2027", DENIED)
    server.nextcloud.on("GET", f"{BOARDS}/2028", DENIED)
    server.nextcloud.on("GET", f"{BOARDS}/3", answer(json=board(id=3, title="2027")))
    server.nextcloud.on("GET", f"{BOARDS}/4", DENIED)
    assert (await server.use("deck_get_board", {"board_id": given}))["id"] == 3
    assert (await server.use("deck_get_board", {"board_id": 3}))["id"] == 3
    said = await server.misuse("deck_get_board", {"board_id": 2028})
    assert said == "No board '2028': choose from 3 (2027), 4 (3)."
    assert (await server.misuse("deck_get_board", {"board_id": 4})).startswith("Deck has no board 4 that you may see")


@pytest.mark.parametrize(("given", "is_changed"), [("2027", True), (2027, False)])
async def test_number_is_never_a_title_in_changes(server: Server, given: object, *, is_changed: bool) -> None:
    """The id of a deleted board must not match another board's title: only text can be a title."""
    server.nextcloud.on("GET", BOARDS, answer(json=[board(id=3, title="2027")]))
    server.nextcloud.on("POST", f"{BOARDS}/2027/stacks", DENIED)
    server.nextcloud.on("GET", f"{BOARDS}/2027", DENIED)
    server.nextcloud.on("POST", f"{BOARDS}/3/stacks", answer(json=stack(id=9, title="New")))
    call = server.use if is_changed else server.misuse
    await call("deck_create_stack", {"board_id": given, "title": "New", "order": 1})
    assert (f"POST {BOARDS}/3/stacks" in server.nextcloud.asked("POST")) == is_changed


async def test_numeric_titles_are_found_at_every_level(server: Server) -> None:
    """The titles of board, stack and card are found, then the user by name."""
    path = f"{BOARDS}/3/stacks/9"
    row = card(title="7")
    server.nextcloud.on("GET", BOARDS, answer(json=[board(id=3, title="2027")]))
    server.nextcloud.on(
        "GET", f"{BOARDS}/3", answer(json=board(users=[{"primaryKey": "bob", "uid": "bob", "displayname": "Bob B"}]))
    )
    server.nextcloud.on("GET", f"{BOARDS}/3/stacks", answer(json=[stack(boardId=3, title="1", cards=[row])]))
    server.nextcloud.on("GET", path, answer(json=stack(boardId=3)))
    for missing in (f"{BOARDS}/2027", f"{BOARDS}/2027/stacks/1/cards/7", f"{BOARDS}/3/stacks/1", f"{path}/cards/7"):
        server.nextcloud.on("GET", missing, DENIED)
    server.nextcloud.on("GET", f"{path}/cards/11", answer(json=row))
    refused = answer(400, json={"status": 400, "message": "The user is not part of the board"})
    server.nextcloud.on("PUT", f"{path}/cards/11/assignUser", refused, answer(json={}))
    where = {"board_id": "2027", "stack_id": "1", "card_id": "7"}
    result = await server.use("deck_assign_user_to_card", {**where, "user_id": "Bob B"})
    assert (result["board_id"], result["stack_id"], result["card_id"]) == (3, 9, 11)
    assert server.nextcloud.requests[-1].content == b'{"userId":"bob"}'


@pytest.mark.parametrize(
    ("stack_id", "card_id", "sentence"),
    [
        pytest.param(9, 12, "Deck has no label 6 on the boards that you may see", id="an archived card"),
        pytest.param(10, 12, "Stack 10 is deleted: restore it in Deck first", id="a deleted stack"),
        pytest.param(9, 13, "No card '13': choose from 11 (Write).", id="no card"),
    ],
)
async def test_unlisted_object_is_not_reported_missing(
    server: Server, stack_id: int, card_id: int, sentence: str
) -> None:
    """A deleted stack or an archived card exists, although the list omits it."""
    server.nextcloud.on("GET", BOARDS, answer(json=[board()]))
    server.nextcloud.on("GET", f"{BOARDS}/2", answer(json=board(labels=[LABEL])))
    server.nextcloud.on("GET", f"{BOARDS}/2/stacks", answer(json=[stack(cards=[card()])]))
    server.nextcloud.on("GET", f"{BOARDS}/2/stacks/9", answer(json=stack()))
    server.nextcloud.on("GET", f"{BOARDS}/2/stacks/10", answer(json=stack(id=10, deletedAt=1795447683)))
    for number in (9, 10):
        archived = card(id=12, stackId=number, archived=True)
        server.nextcloud.on("GET", f"{BOARDS}/2/stacks/{number}/cards/12", answer(json=archived))
        server.nextcloud.on("PUT", f"{BOARDS}/2/stacks/{number}/cards/12/assignLabel", DENIED)
    server.nextcloud.on("GET", f"{BOARDS}/2/stacks/9/cards/13", DENIED)
    where = {"board_id": 2, "stack_id": stack_id, "card_id": card_id, "label_id": 6}
    assert (await server.misuse("deck_assign_label_to_card", where)).startswith(sentence)


LABEL: Final = {"id": 6, "title": "Soon", "color": "aa00aa", "boardId": 2, "cardId": None}


async def test_table_is_found_by_numeric_title(server: Server) -> None:
    """Tables answers 403 for a missing table."""
    api = "/index.php/apps/tables/api/1/tables"
    server.nextcloud.on("GET", api, answer(json=[{"id": 3, "title": "2027", "ownership": "alice"}]))
    for number in (2027, 2028):
        server.nextcloud.on("GET", f"{api}/{number}/scheme", answer(403, json={"message": "no"}))
    server.nextcloud.on("GET", f"{api}/3/scheme", answer(json={"title": "2027", "columns": []}))
    assert (await server.use("nc_tables_get_schema", {"table_id": "2027"}))["table_id"] == 3
    said = await server.misuse("nc_tables_get_schema", {"table_id": 2028})
    assert said == "No table '2028': choose from 3 (2027)."


@pytest.mark.parametrize("given", ["bob@example.org", "BOB", "Bob Builder"])
async def test_share_recipient_is_resolved_to_account(server: Server, given: str) -> None:
    """Nextcloud would take a mail address as id and share with nobody, so it is looked up."""
    server.nextcloud.on("GET", SHAREES, sharees(bob="Bob Builder"))
    server.nextcloud.on("POST", SHARES, ocs(share()))
    await server.use("nc_share_create", {"path": "a.txt", "share_with": given})
    assert b'"shareWith":"bob"' in server.nextcloud.requests[-1].content


@pytest.mark.parametrize("status", [500, 502])
async def test_recipient_is_kept_if_search_fails(server: Server, status: int) -> None:
    """User search fails for callers whose id has a `+`, but sharing works, as does Deck."""
    server.nextcloud.on("GET", SHAREES, answer(status))
    server.nextcloud.on("POST", SHARES, ocs(share()))
    await server.use("nc_share_create", {"path": "a.txt", "share_with": "bob"})
    assert b'"shareWith":"bob"' in server.nextcloud.requests[-1].content
    stack_path = f"{BOARDS}/2/stacks/9"
    server.nextcloud.on("GET", stack_path, answer(json=stack()))
    server.nextcloud.on("GET", f"{stack_path}/cards/11", answer(json=card()))
    server.nextcloud.on("PUT", f"{stack_path}/cards/11/assignUser", answer(json={}))
    where = {"board_id": 2, "stack_id": 9, "card_id": 11}
    await server.use("deck_assign_user_to_card", {**where, "user_id": "bob@example.org"})
    assert b'"userId":"bob@example.org"' in server.nextcloud.requests[-1].content


async def test_name_of_two_accounts_is_refused(server: Server) -> None:
    """Nothing is shared; the error lists both."""
    server.nextcloud.on("GET", SHAREES, sharees(bob="Bob Builder", bob2="Bob Builder"))
    said = await server.misuse("nc_share_create", {"path": "a.txt", "share_with": "Bob Builder"})
    assert said == "More than one user is called 'Bob Builder': pass one of bob (Bob Builder), bob2 (Bob Builder)."
