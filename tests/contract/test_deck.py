"""Deck: https://github.com/nextcloud/deck/blob/main/docs/API.md, and undocumented behavior."""

from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

import httpx
import pytest

from tests.contract.people import Person
from tests.contract.releases import of_release

BOARDS = "/index.php/apps/deck/api/v1.1/boards"
BOARD_FIELDS = {
    "id",
    "title",
    "owner",
    "color",
    "archived",
    "labels",
    "acl",
    "permissions",
    "users",
    "deletedAt",
    "ETag",
}
STACK_FIELDS = {"id", "title", "boardId", "order", "deletedAt", "lastModified", "ETag"}
CARD_FIELDS = {
    *("id", "title", "description", "stackId", "type", "order", "archived", "owner", "duedate", "done", "labels"),
    *(
        "assignedUsers",
        "attachmentCount",
        "lastModified",
        "createdAt",
        "deletedAt",
        "commentsUnread",
        "overdue",
        "ETag",
    ),
}
DENIED = (403, {"status": 403, "message": "Permission denied"})


class Board(NamedTuple):
    """A new board of Alice's with a stack."""

    path: str
    id: int
    stack: int
    label: int

    @property
    def stack_path(self) -> str:
        """Where the stack is."""
        return f"{self.path}/stacks/{self.stack}"


@pytest.fixture
async def board(alice: Person) -> AsyncIterator[Board]:
    """A board which goes after the test."""
    async for new in _board(alice):
        yield new


@pytest.fixture
async def other(alice: Person) -> AsyncIterator[Board]:
    """Another board of Alice's."""
    async for new in _board(alice):
        yield new


async def test_board_list_omits_details(alice: Person, board: Board) -> None:
    """The list has boards without labels, users and settings; a single board has them."""
    listed = {each["id"]: each for each in (await alice.http.get(BOARDS)).json()}[board.id]
    assert set(listed) >= BOARD_FIELDS
    assert (listed["labels"], listed["users"], listed["settings"]) == ([], [], [])
    whole = (await alice.http.get(board.path)).json()
    assert set(whole) >= BOARD_FIELDS
    assert {label["title"] for label in whole["labels"]} == {"Finished", "To review", "Action needed", "Later"}
    assert [person["uid"] for person in whole["users"]] == [whole["owner"]["uid"]] == [alice.user]
    assert whole["settings"]["calendar"] in {True, False}


async def test_deleted_board_is_still_listed(alice: Person, board: Board) -> None:
    """The list contains deleted boards with `deletedAt`; a deleted board cannot be read by its id."""
    assert (await alice.http.delete(board.path)).status_code == 200
    listed = {each["id"]: each for each in (await alice.http.get(BOARDS)).json()}[board.id]
    assert listed["deletedAt"] > 0
    assert _denied(await alice.http.get(board.path))


@pytest.mark.by_release
@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({"color": "ff0000"}, "title must be provided and must be not empty", id="no title"),
        pytest.param({"title": "", "color": "ff0000"}, "title must be provided and must be not empty", id="empty"),
        pytest.param({"title": "x"}, "color must be provided and must be not empty", id="no color"),
        pytest.param({"title": "x", "color": "#ff0000"}, "color cannot be longer than 6 characters ", id="a hash"),
        pytest.param({"title": "x" * 101, "color": "ff0000"}, "title cannot be longer than 100 characters ", id="long"),
    ],
)
async def test_invalid_board_is_400(alice: Person, release: int, body: dict[str, str], message: str) -> None:
    """The 400 names the invalid field; Deck 1.18 does not name a missing one."""
    answer = await alice.http.post(BOARDS, json=body)
    if {"title", "color"} <= body.keys():
        assert (answer.status_code, answer.json()) == (400, {"status": 400, "message": message})
    else:
        assert_missing_field(answer, release, message)


NAMES_MISSING_FIELD: Final = {32: True, 34: False}
"""Whether Deck, 1.16 or 1.18, names the missing field in its 400; else the body is empty."""


def assert_missing_field(answer: httpx.Response, release: int, message: str) -> None:
    """Check Deck's response to a request without a required field."""
    assert answer.status_code == 400
    if of_release(release, NAMES_MISSING_FIELD):
        assert answer.json()["message"].startswith(message)
    else:
        assert answer.content == b""


async def test_missing_objects_are_403(alice: Person, board: Board) -> None:
    """A missing object gets 403, like one without permission."""
    for path in (
        f"{BOARDS}/999999999",
        f"{BOARDS}/999999999/stacks",
        f"{board.path}/stacks/999999999",
        f"{board.stack_path}/cards/999999999",
        f"{board.path}/labels/999999999",
    ):
        assert _denied(await alice.http.get(path)), path


async def test_board_is_private_until_shared(alice: Person, bob: Person, board: Board) -> None:
    """Other users cannot read a board until it is shared, and read permission does not allow changes."""
    card = await _card(alice, board)
    assert _denied(await bob.http.get(board.path))
    assert _denied(await bob.http.get(f"{board.stack_path}/cards/{card['id']}"))
    share = {"type": 0, "participant": bob.user, "permissionEdit": False, "permissionShare": False}
    shared = await alice.http.post(f"{board.path}/acl", json=share | {"permissionManage": False})
    assert shared.json()["participant"]["uid"] == bob.user
    seen = (await bob.http.get(board.path)).json()
    assert seen["permissions"] == {
        "PERMISSION_READ": True,
        "PERMISSION_EDIT": False,
        "PERMISSION_MANAGE": False,
        "PERMISSION_SHARE": False,
    }
    assert seen["acl"][0].keys() == {
        *("id", "participant", "type", "boardId", "permissionEdit", "permissionShare", "permissionManage", "owner"),
    }
    assert _denied(await bob.http.post(f"{board.stack_path}/cards", json={"title": "Bob's"}))


async def test_stacks_contain_their_cards(alice: Person, board: Board) -> None:
    """Stacks are unordered, cards are ordered; archived cards are omitted, and an empty stack has no `cards`."""
    await alice.http.post(f"{board.path}/stacks", json={"title": "First", "order": 0})
    low, high, gone = [(await _card(alice, board, title=t, order=o))["id"] for t, o in (("b", 7), ("a", 3), ("c", 1))]
    await alice.http.put(f"{board.stack_path}/cards/{gone}/archive")
    stacks = {each["title"]: each for each in (await alice.http.get(f"{board.path}/stacks")).json()}
    assert set(stacks["First"]) >= STACK_FIELDS
    assert "cards" not in stacks["First"]
    assert [card["id"] for card in stacks["To do"]["cards"]] == [high, low]
    assert all(set(card) >= CARD_FIELDS for card in stacks["To do"]["cards"])


async def test_only_the_stack_list_has_card_labels(alice: Person, board: Board) -> None:
    """Cards have labels and assigned users only in the list of all stacks of a board."""
    card = await _card(alice, board)
    path = f"{board.stack_path}/cards/{card['id']}"
    await alice.http.put(f"{path}/assignLabel", json={"labelId": board.label})
    await alice.http.put(f"{path}/assignUser", json={"userId": alice.user})
    ((seen,),) = [stack["cards"] for stack in (await alice.http.get(f"{board.path}/stacks")).json()]
    assert [(label["id"], label["cardId"]) for label in seen["labels"]] == [(board.label, card["id"])]
    assert [each["participant"]["uid"] for each in seen["assignedUsers"]] == [alice.user]


async def test_stack_update_moves_it_to_the_board_in_the_path(alice: Person, board: Board, other: Board) -> None:
    """A PUT under another board's path moves the stack to that board, so clients must check the ids first."""
    moved = (await alice.http.put(f"{other.path}/stacks/{board.stack}", json={"title": "S", "order": 1})).json()
    assert moved["boardId"] == other.id


@pytest.mark.by_release
async def test_stack_update_requires_all_fields(alice: Person, board: Board, release: int) -> None:
    """A missing field in an update is an error."""
    for body, field in (({"title": "x"}, "order"), ({"order": 1}, "title")):
        answer = await alice.http.put(board.stack_path, json=body)
        assert_missing_field(answer, release, f"{field} must be provided")


async def test_deleted_stack_accepts_cards(alice: Person, board: Board) -> None:
    """Cards can be created and changed in a deleted stack, although no list contains it."""
    card = await _card(alice, board)
    await alice.http.delete(board.stack_path)
    new = await alice.http.post(f"{board.stack_path}/cards", json={"title": "Lost"})
    changed = await alice.http.put(f"{board.stack_path}/cards/{card['id']}", json=_put(card, title="Lost too"))
    assert (new.status_code, changed.status_code) == (200, 200)
    assert (await alice.http.get(f"{board.path}/stacks")).json() == []


async def test_deleted_stack_can_be_read_by_its_id(alice: Person, board: Board) -> None:
    """A deleted stack is not in the list, but can be read with `deletedAt`."""
    assert (await alice.http.delete(board.stack_path)).status_code == 200
    assert (await alice.http.get(f"{board.path}/stacks")).json() == []
    assert (await alice.http.get(board.stack_path)).json()["deletedAt"] > 0


async def test_card_needs_only_a_title(alice: Person, board: Board) -> None:
    """A new card needs only a title; `owner` is a user object."""
    card = await _card(alice, board, title="Alone")
    assert set(card) >= CARD_FIELDS
    assert (card["type"], card["order"], card["description"], card["duedate"]) == ("plain", 999, "", None)
    assert card["owner"]["uid"] == alice.user


async def test_single_card_has_attachments_and_etag(alice: Person, board: Board) -> None:
    """A single card has its attachments, and its ETag in the header and in the body."""
    card = await _card(alice, board, description="**bold**", duedate="2027-01-31T18:00:00Z")
    answer = await alice.http.get(f"{board.stack_path}/cards/{card['id']}")
    whole = answer.json()
    assert (whole["description"], whole["attachments"]) == ("**bold**", [])
    assert whole["duedate"] == "2027-01-31T18:00:00+00:00"
    assert whole["ETag"]


WITH_LABELS: Final = {32: 400, 34: 200}
"""The status for a new card with labels, of Deck 1.16 and 1.18."""


@pytest.mark.by_release
async def test_card_with_labels_is_created_despite_the_error(alice: Person, board: Board, release: int) -> None:
    """The card is created without the labels, whatever the status is: labels are assigned later."""
    answer = await alice.http.post(f"{board.stack_path}/cards", json={"title": "Half", "labels": [board.label]})
    assert answer.status_code == of_release(release, WITH_LABELS)
    (stack,) = (await alice.http.get(f"{board.path}/stacks")).json()
    assert [(card["title"], card["labels"]) for card in stack["cards"]] == [("Half", [])]


async def test_card_update_clears_omitted_fields(alice: Person, board: Board) -> None:
    """An update without description, due date, order or `done` clears them; labels, users and archived state stay."""
    card = await _card(alice, board, description="text", duedate="2027-01-31", order=7)
    path = f"{board.stack_path}/cards/{card['id']}"
    await alice.http.put(f"{path}/assignLabel", json={"labelId": board.label})
    await alice.http.put(path, json=_put(card, done="2026-11-23T12:00:00Z", archived=True))
    cleared = (await alice.http.put(path, json=_put(card, title="new"))).json()
    assert (cleared["title"], cleared["description"], cleared["duedate"]) == ("new", "", None)
    assert (cleared["order"], cleared["done"], cleared["archived"]) == (0, None, True)
    assert [label["id"] for label in cleared["labels"]] == [board.label]


async def test_read_card_can_be_sent_back(alice: Person, board: Board) -> None:
    """A card can be sent as it was read, and stays the same."""
    card = await _card(alice, board, description="text", duedate="2027-01-31T18:00:00+01:00", order=7)
    path = f"{board.stack_path}/cards/{card['id']}"
    again = (await alice.http.put(path, json=_put(card) | {name: card[name] for name in KEPT})).json()
    assert {name: again[name] for name in KEPT} == {name: card[name] for name in KEPT}


KEPT = ("title", "type", "order", "description", "duedate", "done")


WITHOUT_TYPE: Final = {32: 400, 34: 500}
"""The status for an update of a card without its type; 500 is a TypeError in Deck 1.18."""


@pytest.mark.by_release
@pytest.mark.parametrize("field", ["title", "type", "owner"])
async def test_card_update_requires_title_type_and_owner(alice: Person, board: Board, release: int, field: str) -> None:
    """An update without title, type or owner is an error."""
    card = await _card(alice, board)
    body = {name: value for name, value in _put(card).items() if name != field}
    answer = await alice.http.put(f"{board.stack_path}/cards/{card['id']}", json=body)
    assert answer.status_code == (of_release(release, WITHOUT_TYPE) if field == "type" else 400)


async def test_card_update_does_not_change_the_owner(alice: Person, bob: Person, board: Board) -> None:
    """The required `owner` of an update has no effect."""
    card = await _card(alice, board)
    changed = await alice.http.put(f"{board.stack_path}/cards/{card['id']}", json=_put(card, owner=bob.user))
    assert (changed.status_code, changed.json()["owner"]["uid"]) == (200, alice.user)


async def test_card_update_ignores_if_match(alice: Person, board: Board) -> None:
    """Deck has ETags but ignores `If-Match`, so clients must compare them."""
    card = await _card(alice, board)
    path = f"{board.stack_path}/cards/{card['id']}"
    answer = await alice.http.put(path, json=_put(card, title="new"), headers={"If-Match": '"other"'})
    assert (answer.status_code, answer.json()["title"]) == (200, "new")


async def test_card_update_moves_it_to_the_stack_in_the_path(alice: Person, board: Board, other: Board) -> None:
    """Another board's path finds the same card, and a PUT there moves the card."""
    card = await _card(alice, board)
    wrong = f"{other.stack_path}/cards/{card['id']}"
    assert (await alice.http.get(wrong)).json()["stackId"] == board.stack
    assert (await alice.http.put(wrong, json=_put(card))).json()["stackId"] == other.stack


@pytest.mark.parametrize("field", ["duedate", "done"])
async def test_invalid_time_is_500(alice: Person, board: Board, field: str) -> None:
    """An invalid time gets 500, so clients must check times first."""
    card = await _card(alice, board)
    answer = await alice.http.put(f"{board.stack_path}/cards/{card['id']}", json=_put(card, **{field: "soon"}))
    assert answer.status_code == 500
    assert answer.json()["message"].startswith("Internal server error")


async def test_archiving_and_unarchiving_cards(alice: Person, board: Board) -> None:
    """The archive endpoint can be called twice, but not an update; archived cards cannot be moved."""
    card = await _card(alice, board)
    path = f"{board.stack_path}/cards/{card['id']}"
    for _ in (1, 2):
        assert (await alice.http.put(f"{path}/archive")).json()["archived"] is True
    again = await alice.http.put(path, json=_put(card, archived=True))
    moved = await alice.http.put(f"{path}/reorder", json={"stackId": board.stack, "order": 0})
    labelled = await alice.http.put(f"{path}/assignLabel", json={"labelId": board.label})
    message = "Operation not allowed. This card is archived."
    for refused in (again, moved, labelled):
        assert (refused.status_code, refused.json()) == (500, {"status": 500, "message": message})
    for _ in (1, 2):
        assert (await alice.http.put(f"{path}/unarchive")).json()["archived"] is False


async def test_archived_board_is_read_only(alice: Person, board: Board) -> None:
    """Nothing can be created on an archived board, and the error says so."""
    await alice.http.put(board.path, json={"title": "Old", "color": "ff0000", "archived": True})
    refused = await alice.http.post(f"{board.stack_path}/cards", json={"title": "New"})
    message = "Operation not allowed. This board is archived."
    assert (refused.status_code, refused.json()) == (500, {"status": 500, "message": message})
    assert (await alice.http.get(board.path)).json()["archived"] is True


async def test_reorder_moves_a_card(alice: Person, board: Board) -> None:
    """`reorder` moves a card to a position in the stack of its path, not of its body, and shifts the others."""
    ids = [(await _card(alice, board, title=title))["id"] for title in "abcd"]
    stack = (await alice.http.post(f"{board.path}/stacks", json={"title": "Next", "order": 9})).json()["id"]
    path = f"{board.path}/stacks/{board.stack}/cards/{ids[0]}/reorder"
    for target in (board.stack, stack):
        assert (await alice.http.put(path, json={"stackId": target, "order": 2})).status_code == 200
        assert await _order(alice, board, board.stack) == [ids[1], ids[2], ids[0], ids[3]]
    path = f"{board.path}/stacks/{stack}/cards/{ids[0]}/reorder"
    assert (await alice.http.put(path, json={"stackId": stack, "order": 0})).status_code == 200
    assert await _order(alice, board, stack) == [ids[0]]


RETURNS_THE_CARD: Final = {32: False, 34: True}
"""Whether Deck, 1.16 or 1.18, returns the card to which a label was assigned; else null."""


@pytest.mark.by_release
async def test_assigned_labels(alice: Person, board: Board, other: Board, release: int) -> None:
    """A label assigned twice is there twice, and removed at once; a missing label or another board's is refused."""
    card = await _card(alice, board)
    path = f"{board.stack_path}/cards/{card['id']}"
    steps = (("assignLabel", 1), ("assignLabel", 2), ("removeLabel", 0), ("removeLabel", 0))
    for action, count in steps:
        answer = await alice.http.put(f"{path}/{action}", json={"labelId": board.label})
        assert answer.status_code == 200
        if action == "assignLabel":
            assert (answer.json() is not None) == of_release(release, RETURNS_THE_CARD)
        labels = (await alice.http.get(path)).json()["labels"]
        assert [label["id"] for label in labels] == [board.label] * count
    foreign = await alice.http.put(f"{path}/assignLabel", json={"labelId": other.label})
    assert (foreign.status_code, foreign.json()["message"]) == (500, "Operation not allowed. Label does not exist.")
    assert _denied(await alice.http.put(f"{path}/assignLabel", json={"labelId": 999999999}))


async def test_assigned_users(alice: Person, bob: Person, board: Board) -> None:
    """Only users with access to the board can be assigned, only once; removing a missing assignment gets 404."""
    card = await _card(alice, board)
    path = f"{board.stack_path}/cards/{card['id']}"
    answers = [
        await alice.http.put(f"{path}/{action}", json={"userId": user})
        for action, user in (
            ("assignUser", alice.user),
            ("assignUser", alice.user),
            ("assignUser", bob.user),
            ("unassignUser", alice.user),
            ("unassignUser", alice.user),
        )
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 400, 200, 404]
    assert answers[2].json()["message"] == "The user is not part of the board"


@pytest.mark.by_release
async def test_board_labels(alice: Person, board: Board, other: Board, release: int) -> None:
    """Titles are unique on a board; an update needs both fields; a label is found under another board's path too."""
    new = (await alice.http.post(f"{board.path}/labels", json={"title": "Urgent", "color": "aa00aa"})).json()
    assert (new["title"], new["color"], new["boardId"]) == ("Urgent", "aa00aa", board.id)
    path = f"{board.path}/labels/{new['id']}"
    taken = await alice.http.post(f"{board.path}/labels", json={"title": "Urgent", "color": "000000"})
    half = await alice.http.put(path, json={"title": "Half"})
    assert (taken.status_code, taken.json()["message"]) == (400, "title must be unique")
    assert_missing_field(half, release, "color must be provided and must be not empty")
    assert (await alice.http.get(f"{other.path}/labels/{new['id']}")).json()["boardId"] == board.id
    changed = (await alice.http.put(path, json={"title": "Urgent!", "color": "bb00bb"})).json()
    assert (changed["title"], changed["color"]) == ("Urgent!", "bb00bb")
    assert (await alice.http.delete(path)).status_code == 200
    assert _denied(await alice.http.delete(path))


async def test_deleted_card_is_403(alice: Person, board: Board) -> None:
    """A deleted card is not in its stack; a read by id gets 403, which says that it is deleted."""
    card = await _card(alice, board)
    path = f"{board.stack_path}/cards/{card['id']}"
    assert (await alice.http.delete(path)).json()["deletedAt"] > 0
    assert await _order(alice, board, board.stack) == []
    gone = await alice.http.get(path)
    assert (gone.status_code, gone.json()["message"]) == (403, "Card is deleted")


async def _board(person: Person) -> AsyncIterator[Board]:
    created = await person.http.post(BOARDS, json={"title": "Contract", "color": "ff0000"})
    assert created.status_code == 200, created.text
    new = created.json()
    path = f"{BOARDS}/{new['id']}"
    stack = (await person.http.post(f"{path}/stacks", json={"title": "To do", "order": 1})).json()
    yield Board(path, new["id"], stack["id"], new["labels"][0]["id"])
    await person.http.delete(path)


async def _card(person: Person, board: Board, **fields: str | int) -> dict[str, Any]:
    answer = await person.http.post(f"{board.stack_path}/cards", json={"title": "Card"} | fields)
    assert answer.status_code == 200, answer.text
    card: dict[str, Any] = answer.json()
    return card


def _put(card: dict[str, Any], **changes: str | bool) -> dict[str, Any]:
    """Return the least that an update must have, and the changes."""
    return {"title": card["title"], "type": card["type"], "owner": card["owner"]["uid"]} | changes


async def _order(person: Person, board: Board, stack: int) -> list[int]:
    stacks = {each["id"]: each for each in (await person.http.get(f"{board.path}/stacks")).json()}
    return [card["id"] for card in stacks[stack].get("cards", [])]


def _denied(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()) == DENIED


@pytest.mark.parametrize("field", ["duedate", "done"])
async def test_utc_offset_of_a_time_is_dropped(alice: Person, board: Board, field: str) -> None:
    """Deck stores a time as if it were in UTC, so clients must send UTC."""
    card = await _card(alice, board)
    path = f"{board.stack_path}/cards/{card['id']}"
    await alice.http.put(path, json=_put(card, **{field: "2027-01-31T18:00:00+01:00"}))
    assert (await alice.http.get(path)).json()[field] == "2027-01-31T18:00:00+00:00"


HAS_START_DATES: Final = {32: False, 34: True}
"""Whether cards have start dates and colors, which came with Deck 1.18."""


@pytest.mark.by_release
async def test_card_update_clears_start_date_and_color(alice: Person, board: Board, release: int) -> None:
    """A PUT clears the start date and the color, like other fields, if it omits them."""
    card = await _card(alice, board)
    path = f"{board.stack_path}/cards/{card['id']}"
    newer = {"startdate": "2027-01-02T00:00:00+00:00", "color": "00ff00"}
    told = (await alice.http.put(path, json=_put(card, **newer))).json()
    assert ("startdate" in told, "color" in told) == (of_release(release, HAS_START_DATES),) * 2
    if not of_release(release, HAS_START_DATES):
        return
    assert told.items() >= newer.items()
    await alice.http.put(path, json=_put(card))
    cleared = (await alice.http.get(path)).json()
    assert (cleared["startdate"], cleared["color"]) == (None, None)
