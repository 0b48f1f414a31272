"""`apps.deck.tools`: the tools for Nextcloud Deck, called through MCP."""

import json
from typing import Any, Final

import pytest

from nextcloud_mcp.apps.deck.tools import MAX_LISTED_DESCRIPTION
from tests.support.deck import BOARDS, board, card, stack
from tests.support.issuer import answer
from tests.support.nextcloud import SHAREES, sharees
from tests.support.server import Server

STACKS: Final = f"{BOARDS}/2/stacks"
STACK: Final = f"{STACKS}/9"
CARD: Final = f"{STACK}/cards/11"
AT: Final = {"board_id": 2, "stack_id": 9, "card_id": 11}
LABEL: Final = {"id": 6, "title": "Soon", "color": "aa00aa", "boardId": 2, "cardId": None}


@pytest.fixture(autouse=True)
def stack_is_there(server: Server) -> None:
    """The stack of the card; before a card is changed, its stack is read too."""
    server.nextcloud.on("GET", STACK, answer(json=stack()))


def cards(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Return so many cards."""
    return [card(id=number, **fields) for number in range(1, count + 1)]


async def test_lists_boards_in_pages(server: Server) -> None:
    """A cursor leads to the next page."""
    server.nextcloud.on("GET", BOARDS, answer(json=[board(id=number) for number in (1, 2, 3)]))
    first = await server.use("deck_get_boards", {"limit": 2})
    last = await server.use("deck_get_boards", {"limit": 2, "cursor": first["next_cursor"]})
    assert [each["id"] for each in first["result"] + last["result"]] == [1, 2, 3]
    assert last["next_cursor"] is None


async def test_reads_a_board(server: Server) -> None:
    """The fields have Deck's own names."""
    server.nextcloud.on("GET", f"{BOARDS}/2", answer(json=board(labels=[LABEL])))
    read = await server.use("deck_get_board", {"board_id": 2})
    assert (read["title"], read["ETag"], read["permissions"]["PERMISSION_EDIT"]) == ("Project", "e2", True)
    assert read["settings"]["notify-due"] == "assigned"
    assert (await server.use("deck_get_labels", {"board_id": 2}))["result"] == [LABEL]


async def test_board_is_paged_by_cards(server: Server) -> None:
    """Pages count cards, and every page has all stacks, so that empty stacks are visible."""
    both = [stack(order=1, cards=cards(3)), stack(id=10, order=2), stack(id=12, order=3, cards=[card(id=99)])]
    server.nextcloud.on("GET", STACKS, answer(json=both))
    pages, cursor = [], ""
    while cursor is not None:
        result = await server.use("deck_get_stacks", {"board_id": 2, "limit": 2, "cursor": cursor})
        pages.append([[each["id"] for each in shown["cards"]] for shown in result["result"]])
        cursor = result["next_cursor"]
    assert pages == [[[1, 2], [], []], [[3], [], [99]]]


@pytest.mark.parametrize("tool", ["deck_get_stack", "deck_get_cards"])
async def test_a_stack_in_pages(server: Server, tool: str) -> None:
    """Cards of a stack come in pages of a hundred; an empty stack has none."""
    server.nextcloud.on("GET", STACKS, answer(json=[stack(cards=cards(150)), stack(id=10)]))
    where = {"board_id": 2, "stack_id": 9}
    field = "result" if tool == "deck_get_cards" else "cards"
    first = await server.use(tool, where)
    rest = await server.use(tool, where | {"cursor": first["next_cursor"]})
    assert [len(each[field]) for each in (first, rest)] == [100, 50]
    assert rest["next_cursor"] is None
    assert (await server.use(tool, where | {"stack_id": 10}))[field] == []


async def test_lists_omit_long_descriptions(server: Server) -> None:
    """Descriptions are whole or absent, since a cut one could be written back; the card itself has it."""
    texts = ["", "x" * (MAX_LISTED_DESCRIPTION - 1), "x" * MAX_LISTED_DESCRIPTION]
    listed = [card(id=number, description=text) for number, text in enumerate(texts)]
    server.nextcloud.on("GET", STACKS, answer(json=[stack(cards=listed)]))
    server.nextcloud.on("GET", CARD, answer(json=card(description="x" * MAX_LISTED_DESCRIPTION)))
    shown = await server.use("deck_get_cards", {"board_id": 2, "stack_id": 9})
    assert [each["description"] for each in shown["result"]] == [texts[0], texts[1], None]
    assert (await server.use("deck_get_card", AT))["description"] == "x" * MAX_LISTED_DESCRIPTION


async def test_page_of_cards_is_small(server: Server) -> None:
    """A hundred cards with descriptions, a label and an assignee stay under 100 kB."""
    full = cards(
        500,
        description="x" * (MAX_LISTED_DESCRIPTION - 1),
        labels=[LABEL],
        assignedUsers=[{"id": 1, "type": 0, "cardId": 1} | PARTICIPANT],
    )
    server.nextcloud.on("GET", STACKS, answer(json=[stack(cards=full)]))
    assert len(json.dumps(await server.use("deck_get_stacks", {"board_id": 2}))) < 100_000


PARTICIPANT: Final = {"participant": {"primaryKey": "bob", "uid": "bob", "displayname": "Bob Builder"}}


@pytest.mark.parametrize(
    ("tool", "arguments", "path", "row", "expected"),
    [
        pytest.param(
            "deck_create_board",
            {"title": "Project", "color": "#0082c9"},
            BOARDS,
            board(),
            {"id": 2, "title": "Project", "color": "0082c9"},
            id="board",
        ),
        pytest.param(
            "deck_create_stack",
            {"board_id": 2, "title": "To do", "order": 5},
            STACKS,
            stack(),
            {"id": 9, "title": "To do", "order": 5},
            id="stack",
        ),
        pytest.param(
            "deck_create_card",
            {"board_id": 2, "stack_id": 9, "title": "Write"},
            f"{STACK}/cards",
            card(),
            {"id": 11, "title": "Write", "description": "# Draft", "stackId": 9},
            id="card",
        ),
        pytest.param(
            "deck_create_label",
            {"board_id": 2, "title": "Soon", "color": "aa00aa"},
            f"{BOARDS}/2/labels",
            LABEL,
            {"id": 6, "title": "Soon", "color": "aa00aa"},
            id="label",
        ),
    ],
)
async def test_creation_returns_created_object(
    server: Server, tool: str, arguments: dict[str, Any], path: str, row: dict[str, Any], expected: dict[str, Any]
) -> None:
    """One request creates it, after the stack is read for a card; the result has the created object."""
    server.nextcloud.on("POST", path, answer(json=row))
    result = await server.use(tool, arguments)
    assert {name: result[name] for name in expected} == expected
    assert server.nextcloud.asked("POST") == [f"POST {path}"]
    assert server.nextcloud.asked("GET") == ([f"GET {STACK}"] if "card" in tool else [])


async def test_resource_lists_all_entries(server: Server) -> None:
    """A resource has no pages and no cursor, and includes long descriptions."""
    long = "x" * MAX_LISTED_DESCRIPTION
    server.nextcloud.on("GET", STACKS, answer(json=[stack(cards=cards(150, description=long))]))
    read = json.loads((await server.contents("nc://Deck/boards/2/stacks/9/cards"))["text"])
    assert len(read) == 150
    assert {each["description"] for each in read} == {long}


async def test_new_card_has_defaults_of_deck(server: Server) -> None:
    """The request has Deck's names and defaults; an invalid due date is refused before."""
    server.nextcloud.on("POST", f"{STACK}/cards", answer(json=card()))
    where = {"board_id": 2, "stack_id": 9, "title": "Write"}
    await server.use("deck_create_card", where | {"duedate": "2027-01-31"})
    assert json.loads(server.nextcloud.requests[-1].content) == {
        "title": "Write",
        "type": "plain",
        "order": 999,
        "description": "",
        "duedate": "2027-01-31T00:00:00+00:00",
    }
    assert "Invalid duedate 'soon': pass a date or a time" in await server.misuse(
        "deck_create_card", where | {"duedate": "soon"}
    )


@pytest.mark.parametrize(
    ("tool", "arguments", "method", "action", "body"),
    [
        ("deck_update_card", {"title": "New"}, "PUT", "", None),
        ("deck_delete_card", {}, "DELETE", "", None),
        ("deck_archive_card", {}, "PUT", "/archive", None),
        ("deck_unarchive_card", {}, "PUT", "/unarchive", None),
        ("deck_assign_label_to_card", {"label_id": 6}, "PUT", "/assignLabel", {"labelId": 6}),
        ("deck_remove_label_from_card", {"label_id": 6}, "PUT", "/removeLabel", {"labelId": 6}),
        ("deck_assign_user_to_card", {"user_id": "bob"}, "PUT", "/assignUser", {"userId": "bob"}),
        ("deck_unassign_user_from_card", {"user_id": "eve"}, "PUT", "/unassignUser", {"userId": "eve"}),
    ],
)
async def test_updates_a_card(
    server: Server, tool: str, arguments: dict[str, Any], method: str, action: str, body: dict[str, Any] | None
) -> None:
    """The card and its stack are read, the card is changed, and the result names it."""
    assigned = {
        "id": 1,
        "type": 0,
        "cardId": 11,
        "participant": {"primaryKey": "eve", "uid": "eve", "displayname": "E"},
    }
    server.nextcloud.on(
        "GET", CARD, answer(json=card(assignedUsers=[assigned], labels=[LABEL] if "remove" in action else []))
    )
    server.nextcloud.on(method, CARD + action, answer(json=None))
    result = await server.use(tool, AT | arguments)
    assert {name: result[name] for name in AT} == AT
    assert (result["status_code"], "11" in result["message"]) == (200, True)
    assert server.nextcloud.asked() == [f"GET {CARD}", f"GET {STACK}", f"{method} {CARD}{action}"]
    assert body is None or json.loads(server.nextcloud.requests[-1].content) == body


ON_BOARD: Final = [{"primaryKey": "bob", "uid": "bob", "displayname": "Bob Builder", "type": 0}]
NOT_ON_BOARD: Final = answer(400, json={"status": 400, "message": "The user is not part of the board"})


@pytest.mark.parametrize("called", ["Bob Builder", "BOB", "bob@example.org"])
async def test_assigns_users_by_name_or_address(server: Server, called: str) -> None:
    """Names on the board and mail addresses are accepted; Deck itself accepts user ids only."""
    server.nextcloud.on("GET", SHAREES, sharees(bob="Bob Builder"))
    server.nextcloud.on("GET", CARD, answer(json=card()))
    server.nextcloud.on("GET", f"{BOARDS}/2", answer(json=board(users=ON_BOARD)))
    refused_first = [NOT_ON_BOARD] if "@" not in called else []
    server.nextcloud.on("PUT", f"{CARD}/assignUser", *refused_first, answer(json={}))
    result = await server.use("deck_assign_user_to_card", AT | {"user_id": called})
    assert result["message"] == "Card 11 is assigned to bob."
    assert json.loads(server.nextcloud.requests[-1].content) == {"userId": "bob"}


@pytest.mark.parametrize("called", ["Bob Builder", "bob@example.org"])
async def test_unassigns_users_by_name(server: Server, called: str) -> None:
    """Names are looked up on the card, since assignees may have left the board."""
    server.nextcloud.on("GET", SHAREES, sharees(bob="Bob Builder"))
    assignment = {"id": 1, "type": 0, "cardId": 11, "participant": ON_BOARD[0]}
    server.nextcloud.on("GET", CARD, answer(json=card(assignedUsers=[assignment])))
    server.nextcloud.on("PUT", f"{CARD}/unassignUser", answer(json={}))
    await server.use("deck_unassign_user_from_card", AT | {"user_id": called})
    assert json.loads(server.nextcloud.requests[-1].content) == {"userId": "bob"}


async def test_unassigning_without_assignees_is_an_error(server: Server) -> None:
    """The error says that the card has no assignee."""
    server.nextcloud.on("GET", CARD, answer(json=card()))
    said = await server.misuse("deck_unassign_user_from_card", AT | {"user_id": "alice"})
    assert said == "No assignee 'alice': no assignee exists here."


async def test_assigning_non_member_is_refused(server: Server) -> None:
    """The error lists the board's members, unless the token may not read boards."""
    server.nextcloud.on("GET", CARD, answer(json=card()))
    server.nextcloud.on("GET", f"{BOARDS}/2", answer(json=board(users=ON_BOARD)))
    server.nextcloud.on("PUT", f"{CARD}/assignUser", NOT_ON_BOARD)
    eve = AT | {"user_id": "eve"}
    said = await server.misuse("deck_assign_user_to_card", eve)
    assert said == "No person on the board 'eve': choose from bob (Bob Builder)."
    token = server.keycloak.mint(scope="deck:write")
    said = (await server.call("deck_assign_user_to_card", eve, token=token)).text
    assert "No person on the board 'eve': pass the id of a person on the board." in said


async def test_user_lookup_requires_sharing_scope(server: Server) -> None:
    """Without that scope a mail address is passed on unchanged and not looked up."""
    server.nextcloud.on("GET", CARD, answer(json=card()))
    server.nextcloud.on("GET", f"{BOARDS}/2", answer(json=board(users=ON_BOARD)))
    server.nextcloud.on("PUT", f"{CARD}/assignUser", NOT_ON_BOARD)
    token = server.keycloak.mint(scope="deck:read deck:write")
    said = await server.call("deck_assign_user_to_card", AT | {"user_id": "bob@example.org"}, token=token)
    assert "No person on the board 'bob@example.org': choose from bob (Bob Builder)." in said.text


async def test_moves_a_card(server: Server) -> None:
    """The result has the card's new stack."""
    server.nextcloud.on("GET", STACKS, answer(json=[stack(cards=[card()]), stack(id=10)]))
    server.nextcloud.on("PUT", f"{STACKS}/10/cards/11/reorder", answer(json=[]))
    result = await server.use("deck_reorder_card", AT | {"order": 0, "target_stack_id": 10})
    assert {name: result[name] for name in AT} == AT | {"stack_id": 10}


@pytest.mark.parametrize(
    ("tool", "thing", "fields", "path", "row", "method"),
    [
        ("deck_update_stack", {"stack_id": 9}, {"title": "New"}, STACK, stack(), "PUT"),
        ("deck_delete_stack", {"stack_id": 9}, {}, STACK, stack(), "DELETE"),
        ("deck_update_label", {"label_id": 6}, {"title": "New"}, f"{BOARDS}/2/labels/6", LABEL, "PUT"),
        ("deck_delete_label", {"label_id": 6}, {}, f"{BOARDS}/2/labels/6", LABEL, "DELETE"),
    ],
)
async def test_updates_stacks_and_labels(
    server: Server,
    tool: str,
    thing: dict[str, int],
    fields: dict[str, Any],
    path: str,
    row: dict[str, Any],
    method: str,
) -> None:
    """They are read first, and the result names them."""
    server.nextcloud.on("GET", path, answer(json=row))
    server.nextcloud.on(method, path, answer(json=row))
    result = await server.use(tool, {"board_id": 2} | thing | fields)
    assert {name: result[name] for name in thing} == thing
    assert result["board_id"] == 2
    assert server.nextcloud.asked() == [f"GET {path}", f"{method} {path}"]


async def test_reads_a_label(server: Server) -> None:
    """The result has the one label."""
    server.nextcloud.on("GET", f"{BOARDS}/2/labels/6", answer(json=LABEL))
    assert await server.use("deck_get_label", {"board_id": 2, "label_id": 6}) == LABEL


@pytest.mark.parametrize(
    ("uri", "path", "row", "title"),
    [
        ("nc://Deck/boards", BOARDS, [board()], "Project"),
        ("nc://Deck/boards/2", f"{BOARDS}/2", board(), "Project"),
        ("nc://Deck/boards/2/stacks", STACKS, [stack()], "To do"),
        ("nc://Deck/boards/2/stacks/9", STACKS, [stack()], "To do"),
        ("nc://Deck/boards/2/stacks/9/cards", STACKS, [stack(cards=[card()])], "Write"),
        ("nc://Deck/boards/2/stacks/9/cards/11", CARD, card(), "Write"),
        ("nc://Deck/boards/2/labels", f"{BOARDS}/2", board(labels=[LABEL]), "Soon"),
        ("nc://Deck/boards/2/labels/6", f"{BOARDS}/2/labels/6", LABEL, "Soon"),
    ],
)
async def test_resources_return_the_contracts_json(server: Server, uri: str, path: str, row: Any, title: str) -> None:
    """Lists are bare JSON lists as in the seed project; other resources equal the tool's result."""
    server.nextcloud.on("GET", path, answer(json=row))
    read = json.loads((await server.contents(uri))["text"])
    is_list = not uri.rpartition("/")[2].isdecimal()
    assert isinstance(read, list) is is_list
    (first,) = read if is_list else [read]
    assert first["title"] == title
    assert server.nextcloud.asked() == [f"GET {path}"]


@pytest.mark.parametrize(
    ("variable", "value", "proposed"),
    [
        pytest.param("board_id", "", ["2"], id="a board"),
        pytest.param("board_id", "PROJ", ["2"], id="a board by its title"),
        pytest.param("board_id", "9", [], id="no board"),
        pytest.param("stack_id", "to", ["9"], id="a stack"),
        pytest.param("card_id", "1", ["11"], id="a card"),
        pytest.param("label_id", "soon", ["6"], id="a label"),
    ],
)
async def test_ids_are_completed_by_id_or_name(server: Server, variable: str, value: str, proposed: list[str]) -> None:
    """Completion matches the start of the id or the title."""
    server.nextcloud.on("GET", BOARDS, answer(json=[board()]))
    server.nextcloud.on("GET", f"{BOARDS}/2", answer(json=board(labels=[LABEL])))
    server.nextcloud.on("GET", STACKS, answer(json=[stack(cards=[card()])]))
    known = {"board_id": {}, "card_id": {"board_id": "2", "stack_id": "9"}}.get(variable, {"board_id": "2"})
    last = "labels/{label_id}" if variable == "label_id" else "stacks/{stack_id}/cards/{card_id}"
    found = await server.completions(f"nc://Deck/boards/{{board_id}}/{last}", variable, value, **known)
    assert found == proposed
