"""`apps.deck.api`: Nextcloud Deck, REST API v1.1."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from nextcloud_mcp.apps.deck import api as deck
from nextcloud_mcp.apps.deck.api import CardPath
from nextcloud_mcp.errors import (
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    NextcloudMCPError,
    NextcloudUnavailableError,
    NotFoundError,
)
from nextcloud_mcp.nextcloud.client import Nextcloud
from tests.support.deck import BOARDS, board, card, stack
from tests.support.issuer import Answer, answer
from tests.support.nextcloud import USER_PATH, FakeNextcloud, ocs

PLACE: Final = CardPath(2, 9, 11)
STACK: Final = f"{BOARDS}/2/stacks/9"
CARD: Final = f"{STACK}/cards/11"
LABEL: Final = {"id": 6, "title": "Soon", "color": "aa00aa", "boardId": 2, "cardId": None}

Call = Callable[[Nextcloud], Awaitable[Any]]


@pytest.fixture(autouse=True)
def stack_is_there(fake: FakeNextcloud) -> None:
    """The stack of the card; before a card is changed, its stack is read too."""
    fake.on("GET", STACK, answer(json=stack()))


def refused(status: int, message: str) -> Answer:
    """Answer as Deck refuses."""
    return answer(status, json={"status": status, "message": message})


def sent(fake: FakeNextcloud) -> Any:
    """Return the body of the last request."""
    return json.loads(fake.requests[-1].content)


async def test_deleted_boards_are_not_listed(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Deck's API returns deleted boards as well; they are left out."""
    fake.on("GET", BOARDS, answer(json=[board(id=1), board(id=2, deletedAt=1795447686)]))
    assert [each.id for each in await deck.boards(nextcloud)] == [1]


async def test_reads_board_in_php_json_forms(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Empty settings come as an empty list, and a user without an account as a bare id."""
    acl = {"id": 3, "participant": "gone", "type": 0, "boardId": 2, "owner": False}
    rights = {"permissionEdit": True, "permissionShare": False, "permissionManage": False}
    fake.on("GET", f"{BOARDS}/2", answer(json=board(settings=[], acl=[acl | rights], owner="gone")))
    read = await deck.board(nextcloud, 2)
    assert read.settings is None
    assert (read.owner.uid, read.acl[0].participant.displayname) == ("gone", "gone")


async def test_stacks_are_sorted_by_order(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Deck returns stacks unsorted; the web page sorts them by `order`."""
    fake.on("GET", f"{BOARDS}/2/stacks", answer(json=[stack(id=9, order=5), stack(id=10, order=1)]))
    assert [each.id for each in await deck.stacks(nextcloud, 2)] == [10, 9]


async def test_unknown_stack_error_names_argument(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error names the argument."""
    fake.on("GET", f"{BOARDS}/2/stacks", answer(json=[stack(id=9)]))
    assert (await deck.stack(nextcloud, 2, 9)).id == 9
    with pytest.raises(NotFoundError, match=r"^Board 2 has no stack 7: check stack_id"):
        await deck.stack(nextcloud, 2, 7)


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        pytest.param({"title": "New"}, {"title": "New"}, id="the title alone"),
        pytest.param({"duedate": ""}, {"duedate": None}, id="no due date"),
        pytest.param({"done": "2026-11-23"}, {"done": "2026-11-23T00:00:00+00:00"}, id="done"),
        pytest.param({"description": ""}, {"description": ""}, id="emptied"),
        pytest.param({"archived": True}, {"archived": True}, id="into the archive"),
        pytest.param({"archived": False}, {}, id="not archived, as before"),
        pytest.param({"owner": "alice"}, {}, id="the owner it has"),
        pytest.param({"title": None}, {}, id="nothing"),
    ],
)
async def test_update_preserves_other_fields(
    nextcloud: Nextcloud, fake: FakeNextcloud, changes: dict[str, Any], body: dict[str, Any]
) -> None:
    """Deck clears what a PUT omits, so the whole card is sent as read, with the changes."""
    fake.on("GET", CARD, answer(json=card()))
    fake.on("PUT", CARD, answer(json=card()))
    await deck.update_card(nextcloud, PLACE, changes)
    kept = {"title": "Write", "type": "plain", "order": 3, "description": "# Draft", "owner": "alice", "done": None}
    assert sent(fake) == kept | {"duedate": "2027-01-31T18:00:00+00:00"} | body


@pytest.mark.parametrize("owner", ["alice", {"primaryKey": "alice", "uid": "alice", "displayname": "A"}])
async def test_update_sends_owner_id(nextcloud: Nextcloud, fake: FakeNextcloud, owner: Any) -> None:
    """Deck requires the owner's id, whichever form it returned."""
    fake.on("GET", CARD, answer(json=card(owner=owner)))
    fake.on("PUT", CARD, answer(json=card()))
    await deck.update_card(nextcloud, PLACE, {"title": "New"})
    assert sent(fake)["owner"] == "alice"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"owner": "bob"}, "^owner can't be changed: Deck keeps 'alice'", id="another owner"),
        pytest.param({"duedate": "tomorrow"}, "^Invalid duedate 'tomorrow': pass a date", id="due when"),
        pytest.param({"done": "true"}, "^Invalid done 'true': pass a date", id="done when"),
        pytest.param({"type": "text"}, "^Invalid type 'text': cards have the type plain", id="a type"),
        pytest.param({"order": -1}, "^Invalid order -1: pass 0, which is the top", id="above the top"),
    ],
)
async def test_invalid_update_writes_nothing(
    nextcloud: Nextcloud, fake: FakeNextcloud, changes: dict[str, Any], sentence: str
) -> None:
    """What Deck would ignore, guess or fail at is refused with the argument's name."""
    fake.on("GET", CARD, answer(json=card()))
    with pytest.raises(InvalidArgumentError, match=sentence):
        await deck.update_card(nextcloud, PLACE, changes)
    assert fake.asked("PUT") == []


async def test_update_accepts_the_present_values(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A type and an order that another program wrote can be passed back."""
    fake.on("GET", CARD, answer(json=card(type="text", order=-2)))
    fake.on("PUT", CARD, answer(json=card()))
    await deck.update_card(nextcloud, PLACE, {"title": "New", "type": "text", "order": -2})
    assert (sent(fake)["type"], sent(fake)["order"]) == ("text", -2)
    await deck.update_card(nextcloud, PLACE, {"type": "plain", "order": 0})
    assert (sent(fake)["type"], sent(fake)["order"]) == ("plain", 0)


@pytest.mark.parametrize(
    ("kind", "order", "sentence"),
    [
        pytest.param("text", 0, "^Invalid type 'text': cards have the type plain", id="a type"),
        pytest.param("", 0, "^Invalid type '': cards have the type plain", id="no type"),
        pytest.param("plain", -1, "^Invalid order -1: pass 0, which is the top of the stack, or more", id="an order"),
    ],
)
async def test_card_of_invalid_type_or_order_is_not_created(
    nextcloud: Nextcloud, fake: FakeNextcloud, kind: str, order: int, sentence: str
) -> None:
    """No request is sent; Deck would store any text and any number."""
    with pytest.raises(InvalidArgumentError, match=sentence):
        await deck.create_card(nextcloud, 2, 9, title="Write", kind=kind, order=order, description=None, duedate=None)
    assert fake.requests == []


@pytest.mark.parametrize("etag", ["e11", '"e11"'])
async def test_update_with_current_etag_is_written(nextcloud: Nextcloud, fake: FakeNextcloud, etag: str) -> None:
    """The card's current ETag is accepted with or without quotes."""
    fake.on("GET", CARD, answer(json=card()))
    fake.on("PUT", CARD, answer(json=card()))
    await deck.update_card(nextcloud, PLACE, {"title": "New"}, etag=etag)
    assert len(fake.asked("PUT")) == 1


async def test_stale_etag_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The ETag is compared with the card's, since Deck does not check it."""
    fake.on("GET", CARD, answer(json=card()))
    with pytest.raises(ConflictError, match=r"has changed since you read it.*read it again"):
        await deck.update_card(nextcloud, PLACE, {"title": "New"}, etag="old")
    assert fake.asked("PUT") == []


CHANGES: Final[dict[str, Call]] = {
    "update": lambda nextcloud: deck.update_card(nextcloud, PLACE, {"title": "New"}),
    "delete": lambda nextcloud: deck.delete_card(nextcloud, PLACE),
    "archive": lambda nextcloud: deck.archive_card(nextcloud, PLACE),
    "unarchive": lambda nextcloud: deck.unarchive_card(nextcloud, PLACE),
    "assign a label": lambda nextcloud: deck.assign_label(nextcloud, PLACE, 6),
    "remove a label": lambda nextcloud: deck.remove_label(nextcloud, PLACE, 6),
    "assign a user": lambda nextcloud: deck.assign_user(nextcloud, PLACE, "bob"),
    "unassign a user": lambda nextcloud: deck.unassign_user(nextcloud, PLACE, "bob"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_card_in_other_stack_is_not_changed(nextcloud: Nextcloud, fake: FakeNextcloud, change: str) -> None:
    """Deck checks the card id only: a wrong path must not change or move another card."""
    fake.on("GET", CARD, answer(json=card(stackId=10, title="Another")))
    with pytest.raises(InvalidArgumentError, match="card 11, 'Another', is in stack 10"):
        await CHANGES[change](nextcloud)
    assert [request.method for request in fake.requests] == ["GET"]


@pytest.mark.parametrize(
    ("change", "method", "path", "body"),
    [
        ("delete", "DELETE", CARD, None),
        ("archive", "PUT", f"{CARD}/archive", None),
        ("unarchive", "PUT", f"{CARD}/unarchive", None),
        ("assign a label", "PUT", f"{CARD}/assignLabel", {"labelId": 6}),
        ("remove a label", "PUT", f"{CARD}/removeLabel", {"labelId": 6}),
        ("assign a user", "PUT", f"{CARD}/assignUser", {"userId": "bob"}),
    ],
)
async def test_each_card_change_is_one_request(
    nextcloud: Nextcloud, fake: FakeNextcloud, change: str, method: str, path: str, body: dict[str, Any] | None
) -> None:
    """Each change is one request after the card and its stack were read."""
    fake.on("GET", CARD, answer(json=card(labels=[label()] if change == "remove a label" else [])))
    fake.on(method, path, answer(json=None))
    await CHANGES[change](nextcloud)
    assert fake.asked(method) == [f"{method} {path}"]
    assert (fake.requests[-1].content or b"null") == (b"null" if body is None else fake.requests[-1].content)
    assert body is None or sent(fake) == body


async def test_removing_unassigned_label_is_an_error(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Deck answers 200, so a wrong id would look like success."""
    fake.on("GET", CARD, answer(json=card(labels=[label(id=7)])), answer(json=card()))
    with pytest.raises(NotFoundError, match=r"^Card 11 does not have label 6: it has 7 \(Soon\)\.$"):
        await deck.remove_label(nextcloud, PLACE, 6)
    with pytest.raises(NotFoundError, match=r"^Card 11 does not have label 6: it has no labels\.$"):
        await deck.remove_label(nextcloud, PLACE, 6)
    assert fake.asked("PUT") == []


async def test_label_is_assigned_once(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Deck shows a label twice if it is assigned twice."""
    fake.on("GET", CARD, answer(json=card(labels=[label()])))
    await deck.assign_label(nextcloud, PLACE, 6)
    assert fake.asked("PUT") == []


IN_STACK: Final[dict[str, Call]] = {
    **CHANGES,
    "create": lambda nextcloud: deck.create_card(
        nextcloud, 2, 9, title="New", kind="plain", order=1, description=None, duedate=None
    ),
}


@pytest.mark.parametrize("change", IN_STACK)
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        pytest.param({"deletedAt": 1795447683}, r"^Stack 9 is deleted: restore it in Deck first", id="deleted"),
        pytest.param(
            {"boardId": 3}, "^board_id is wrong, and nothing was changed: stack 9 is on board 3", id="elsewhere"
        ),
    ],
)
async def test_stack_deleted_or_on_other_board_takes_no_cards(
    nextcloud: Nextcloud, fake: FakeNextcloud, change: str, fields: dict[str, int], sentence: str
) -> None:
    """Deck would create or change a card there that no list shows."""
    fake.on("GET", CARD, answer(json=card()))
    fake.on("GET", STACK, answer(json=stack(**fields)))
    with pytest.raises(NextcloudMCPError, match=sentence):
        await IN_STACK[change](nextcloud)
    assert {request.method for request in fake.requests} == {"GET"}


@pytest.mark.parametrize(
    ("change", "path", "sentence"),
    [
        pytest.param(
            lambda nextcloud: deck.create_stack(nextcloud, 2, title="New", order=1),
            f"{BOARDS}/2/stacks",
            "^Deck has no board 2 that you may see: it is missing, deleted or not shared with you",
            id="a stack's board",
        ),
        pytest.param(
            lambda nextcloud: deck.create_label(nextcloud, 2, title="New", color="ff0000"),
            f"{BOARDS}/2/labels",
            "^Deck has no board 2 that you may see: it is missing, deleted or not shared with you",
            id="a label's board",
        ),
        pytest.param(
            CHANGES["assign a label"],
            f"{CARD}/assignLabel",
            "^Deck has no label 6 on the boards that you may see: it is missing or deleted",
            id="a card's label",
        ),
    ],
)
async def test_missing_parent_is_named(
    nextcloud: Nextcloud, fake: FakeNextcloud, change: Call, path: str, sentence: str
) -> None:
    """The error names the missing parent, not the object to create."""
    denied = refused(403, "Permission denied")
    fake.on("GET", CARD, answer(json=card()))
    fake.on("GET", f"{BOARDS}/2", answer(json=board()) if path.startswith(CARD) else denied)
    for method in ("POST", "PUT"):
        fake.on(method, path, denied)
    with pytest.raises(NotFoundError, match=sentence):
        await change(nextcloud)


PERMISSIONS: Final = {f"PERMISSION_{name}": name == "READ" for name in ("READ", "EDIT", "MANAGE", "SHARE")}
ACTIONS: Final = ("archive", "unarchive", "assignLabel", "removeLabel", "assignUser", "unassignUser")
BOB: Final = {"primaryKey": "bob", "uid": "bob", "displayname": "Bob Example", "type": 0}
SHARED_BOARD: Final = "board 2 ('Project'), which belongs to Bob Example (bob), and this needs the permission to"


@pytest.mark.parametrize("change", sorted(IN_STACK.keys() - {"unassign a user"}))
async def test_read_only_board_is_named(nextcloud: Nextcloud, fake: FakeNextcloud, change: str) -> None:
    """Deck answers 403 to missing permissions as to missing objects; the board says which it is."""
    read_only = board(owner=BOB, permissions=PERMISSIONS)
    fake.on("GET", f"{BOARDS}/2", answer(json=read_only))
    fake.on("GET", f"{BOARDS}/2/stacks", answer(json=[stack(cards=[card(labels=[label()])])]))
    fake.on("GET", CARD, answer(json=card(labels=[label()] if "remove" in change else [])))
    fake.on("GET", STACK, answer(json=stack()))
    for method in ("POST", "PUT", "DELETE"):
        for path in (CARD, f"{STACK}/cards", *(f"{CARD}/{action}" for action in ACTIONS)):
            fake.on(method, path, refused(403, "Permission denied"))
    with pytest.raises(ForbiddenError) as error:
        await IN_STACK[change](nextcloud)
    assert str(error.value) == f"You may only read {SHARED_BOARD} edit it: ask Bob Example (bob) for it."


async def test_archived_board_is_named(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nobody changes an archived board, whatever the permissions."""
    fake.on("GET", f"{BOARDS}/2", answer(json=board(archived=True, owner=BOB, permissions=PERMISSIONS)))
    fake.on("POST", f"{BOARDS}/2/stacks", refused(403, "Permission denied"))
    with pytest.raises(ConflictError, match="Board 2 is archived"):
        await deck.create_stack(nextcloud, 2, title="New", order=1)


async def test_board_without_management_is_named(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Stacks and labels belong to who manages the board."""
    fake.on("GET", f"{BOARDS}/2", answer(json=board(owner=BOB, permissions=PERMISSIONS | {"PERMISSION_EDIT": True})))
    fake.on("POST", f"{BOARDS}/2/stacks", refused(403, "Permission denied"))
    with pytest.raises(ForbiddenError) as error:
        await deck.create_stack(nextcloud, 2, title="New", order=1)
    assert str(error.value) == f"You may read and edit {SHARED_BOARD} manage it: ask Bob Example (bob) for it."


def label(**changes: Any) -> dict[str, Any]:
    """Return a label of the card."""
    return {"id": 6, "title": "Soon", "color": "aa00aa", "boardId": 2, "cardId": 11} | changes


@pytest.mark.parametrize(
    ("zone", "written", "stored"),
    [
        ("Europe/Berlin", "2027-01-31T18:00:00+01:00", "2027-01-31T17:00:00+00:00"),
        ("Europe/Berlin", "2027-01-31T18:00:00Z", "2027-01-31T18:00:00+00:00"),
        ("Europe/Berlin", "2027-01-31T18:00", "2027-01-31T17:00:00+00:00"),
        ("Europe/Berlin", "2027-07-31 18:00", "2027-07-31T16:00:00+00:00"),
        ("Europe/Berlin", "2027-01-31", "2027-01-30T23:00:00+00:00"),
        ("", "2027-01-31T18:00", "2027-01-31T18:00:00+00:00"),
        ("Mars/Olympus", "2027-01-31T18:00", "2027-01-31T18:00:00+00:00"),
        ("Europe/Berlin", "2027-01-31T17:00:00+00:00", "2027-01-31T17:00:00+00:00"),
    ],
)
async def test_times_are_sent_in_utc(
    nextcloud: Nextcloud, fake: FakeNextcloud, zone: str, written: str, stored: str
) -> None:
    """Deck drops the offset of a time; without one the user's zone applies, as in the calendar."""
    fake.on("GET", USER_PATH, ocs({"id": "alice", "timezone": zone}))
    fake.on("GET", CARD, answer(json=card()))
    fake.on("PUT", CARD, answer(json=card()))
    fake.on("POST", f"{BOARDS}/2/stacks/9/cards", answer(json=card()))
    await deck.update_card(nextcloud, PLACE, {"duedate": written, "done": written})
    assert (sent(fake)["duedate"], sent(fake)["done"]) == (stored, stored)
    await deck.create_card(nextcloud, 2, 9, title="Write", kind="plain", order=1, description=None, duedate=written)
    assert sent(fake)["duedate"] == stored


async def test_update_preserves_start_date_and_color(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Deck 1.18 added them; a PUT without them would clear them."""
    newer = {"startdate": "2027-01-02T00:00:00+00:00", "color": "00ff00"}
    fake.on("GET", CARD, answer(json=card(**newer)))
    fake.on("PUT", CARD, answer(json=card()))
    await deck.update_card(nextcloud, PLACE, {"title": "New"})
    assert sent(fake).items() >= newer.items()


ASSIGNED: Final = [
    {"id": 1, "participant": {"primaryKey": u, "uid": u, "displayname": u}, "cardId": 11, "type": t}
    for u, t in (("bob", 0), ("team", 1))
]


async def test_assigning_again_sends_no_request(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Deck refuses a repeated assignment; a group with the same name is another assignee."""
    fake.on("GET", CARD, answer(json=card(assignedUsers=ASSIGNED)))
    fake.on("PUT", f"{CARD}/assignUser", answer(json={}))
    await deck.assign_user(nextcloud, PLACE, "bob")
    assert fake.asked("PUT") == []
    await deck.assign_user(nextcloud, PLACE, "team")
    assert len(fake.asked("PUT")) == 1


async def test_unassigning_unassigned_user_is_an_error(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error lists the users to whom the card is assigned."""
    fake.on("GET", CARD, answer(json=card(assignedUsers=ASSIGNED)))
    fake.on("PUT", f"{CARD}/unassignUser", answer(json={}))
    await deck.unassign_user(nextcloud, PLACE, "bob")
    assert sent(fake) == {"userId": "bob"}
    with pytest.raises(NotFoundError, match=r"^Card 11 is not assigned to 'carol': it is assigned to bob"):
        await deck.unassign_user(nextcloud, PLACE, "carol")
    fake.on("GET", CARD, answer(json=card(assignedUsers=None)))
    with pytest.raises(NotFoundError, match="is assigned to nobody"):
        await deck.unassign_user(nextcloud, PLACE, "bob")


async def test_move_sends_target_stack_in_path_and_body(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """With user_oidc enabled Deck reads the stack from the path, otherwise from the body."""
    fake.on("GET", f"{BOARDS}/2/stacks", answer(json=[stack(cards=[card()]), stack(id=10)]))
    fake.on("PUT", f"{BOARDS}/2/stacks/10/cards/11/reorder", answer(json=[]))
    await deck.reorder_card(nextcloud, PLACE, order=0, target_stack_id=10)
    assert sent(fake) == {"stackId": 10, "order": 0}


@pytest.mark.parametrize(
    ("place", "target", "order", "sentence"),
    [
        pytest.param(
            PLACE, 9, -1, "^Invalid order -1: pass 0, which is the top of the stack, or more", id="before the first"
        ),
        pytest.param(PLACE, 12, 0, "^Board 2 has no stack 12: check target_stack_id", id="onto another board"),
        pytest.param(CardPath(2, 12, 11), 9, 0, "^Board 2 has no stack 12: check stack_id", id="from another board"),
        pytest.param(CardPath(2, 10, 11), 9, 0, "^There is no card 11 in stack 10", id="from another stack"),
    ],
)
async def test_move_to_unknown_stack_or_other_board_is_refused(
    nextcloud: Nextcloud, fake: FakeNextcloud, place: CardPath, target: int, order: int, sentence: str
) -> None:
    """A wrong id moves nothing; on another board the card would have labels that don't exist there."""
    fake.on("GET", f"{BOARDS}/2/stacks", answer(json=[stack(cards=[card()]), stack(id=10)]))
    with pytest.raises(NextcloudMCPError, match=sentence):
        await deck.reorder_card(nextcloud, place, order=order, target_stack_id=target)
    assert fake.asked("PUT") == []


STACK_CHANGES: Final[dict[str, Call]] = {
    "update": lambda nextcloud: deck.update_stack(nextcloud, 2, 9, title="New", order=None),
    "delete": lambda nextcloud: deck.delete_stack(nextcloud, 2, 9),
}


@pytest.mark.parametrize("change", STACK_CHANGES)
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        pytest.param(
            {"boardId": 3}, "board_id is wrong, and nothing was changed: stack 9 is on board 3", id="elsewhere"
        ),
        pytest.param({"deletedAt": 1795447683}, "Stack 9 is deleted", id="in the trash"),
    ],
)
async def test_stack_of_other_board_is_not_changed(
    nextcloud: Nextcloud, fake: FakeNextcloud, change: str, fields: dict[str, int], sentence: str
) -> None:
    """Deck would delete it, or move it to the board in the path."""
    fake.on("GET", STACK, answer(json=stack(**fields)))
    with pytest.raises(NextcloudMCPError, match=sentence):
        await STACK_CHANGES[change](nextcloud)
    assert [request.method for request in fake.requests] == ["GET"]


async def test_stack_update_preserves_other_field(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Title and order are both sent; the omitted one is unchanged."""
    fake.on("GET", STACK, answer(json=stack()))
    fake.on("PUT", STACK, answer(json=stack()))
    await deck.update_stack(nextcloud, 2, 9, title="New", order=None)
    assert sent(fake) == {"title": "New", "order": 5}
    await deck.update_stack(nextcloud, 2, 9, title=None, order=0)
    assert sent(fake) == {"title": "To do", "order": 0}


async def test_label_update_preserves_other_field(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Title and color are both sent; a color may start with `#`."""
    path = f"{BOARDS}/2/labels/6"
    fake.on("GET", path, answer(json=LABEL))
    fake.on("PUT", path, answer(json=LABEL))
    await deck.update_label(nextcloud, 2, 6, title=None, color="#00ff00")
    assert sent(fake) == {"title": "Soon", "color": "00ff00"}
    await deck.update_label(nextcloud, 2, 6, title="Later", color=None)
    assert sent(fake) == {"title": "Later", "color": "aa00aa"}


async def test_label_of_other_board_is_not_changed(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Deck finds a label under any board's path, and would delete it."""
    fake.on("GET", f"{BOARDS}/3/labels/6", answer(json=LABEL))
    with pytest.raises(InvalidArgumentError, match="label 6 is on board 2"):
        await deck.delete_label(nextcloud, 3, 6)
    assert fake.asked("DELETE") == []


@pytest.mark.parametrize("color", ["red", "#fff", "ff00zz", "", "ff0000ff"])
async def test_color_must_be_six_hex_digits(nextcloud: Nextcloud, fake: FakeNextcloud, color: str) -> None:
    """Deck accepts any six characters as a color; this server accepts hex digits only."""
    with pytest.raises(InvalidArgumentError, match=r"^Invalid color .*: pass six hexadecimal digits"):
        await deck.create_board(nextcloud, title="x", color=color)
    assert fake.requests == []


@pytest.mark.parametrize(
    ("response", "error", "sentence"),
    [
        pytest.param(
            refused(403, "Permission denied"), NotFoundError, "^Deck has no board 2 that you may see", id="403"
        ),
        pytest.param(
            refused(400, "title must be unique"),
            InvalidArgumentError,
            "refused board 2: title must be unique",
            id="400",
        ),
        pytest.param(
            refused(500, "Operation not allowed. This board is archived."),
            ConflictError,
            r"no such change of board 2 \(This board is archived\)",
            id="archived",
        ),
        pytest.param(refused(500, "Internal server error: …"), NextcloudUnavailableError, "HTTP 500", id="500"),
        pytest.param(refused(404, "No assignment found."), NotFoundError, "did not find board 2", id="404"),
        pytest.param(answer(500, text="<html>"), NextcloudUnavailableError, "HTTP 500", id="a page"),
        pytest.param(answer(400, json=["x"]), NextcloudMCPError, "HTTP 400", id="a list"),
        pytest.param(answer(400, json={"message": 7}), NextcloudMCPError, "HTTP 400", id="no words"),
        pytest.param(answer(200, json={"id": 2}), NextcloudUnavailableError, "unexpected form", id="no board"),
    ],
)
async def test_refusal_error_quotes_deck(
    nextcloud: Nextcloud, fake: FakeNextcloud, response: Answer, error: type[Exception], sentence: str
) -> None:
    """Each error quotes Deck and explains the likely cause."""
    fake.on("GET", f"{BOARDS}/2", response)
    with pytest.raises(error, match=sentence):
        await deck.board(nextcloud, 2)
