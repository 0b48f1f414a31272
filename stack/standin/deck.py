"""Deck, REST API v1.1 (https://github.com/nextcloud/deck/blob/main/docs/API.md), as measured on Deck 1.16.7 and 1.18.3.

Boards are kept in memory. The oddities are Deck's own: only the last id in a path identifies the object; a PUT moves
the object to the parent in its path, and clears the fields that it leaves out; ETags change once a second at most; a
card's `owner` is required and ignored; `If-Match` is ignored; and Deck answers 403 for every object that the user
cannot see.
"""

import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stack.standin.gate import Account, account_of
from stack.standin.releases import Release

_BASE = "/index.php/apps/deck/api/v1.1/boards"
_BOARD, _STACK = f"{_BASE}/{{board:int}}", f"{_BASE}/{{board:int}}/stacks/{{stack:int}}"
_CARD, _LABEL = f"{_STACK}/cards/{{card:int}}", f"{_BASE}/{{board:int}}/labels/{{label:int}}"
_LABELS = (("Finished", "31CC7C"), ("To review", "317CCC"), ("Action needed", "FF7A66"), ("Later", "F1DB50"))
_LONGEST = {"board": 100, "stack": 100, "card": 255, "label": 100}
_FAILURE = "Internal server error: Please contact the server administrator"

Row = dict[str, Any]
Handler = Callable[["UserDeck", Request, Row], Any]


class RefusedError(Exception):
    """An error response of Deck; one without a message has an empty body."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


DENIED = RefusedError(403, "Permission denied")


class DeckStore:
    """All boards of all users.

    Attributes:
        is_older: Whether it is Deck 1.16.
    """

    def __init__(self, release: Release) -> None:
        self.is_older = release.has_older_deck
        self.boards: dict[int, Row] = {}
        self.stacks: dict[int, Row] = {}
        self.cards: dict[int, Row] = {}
        self.labels: dict[int, Row] = {}
        self.names: dict[str, str] = {}
        self.ids = count(1)

    def person(self, user: str) -> Row:
        """Return Deck's representation of a user."""
        return {"primaryKey": user, "uid": user, "displayname": self.names.get(user, user), "type": 0}


class UserDeck:
    """Deck as one user sees it.

    Args:
        store: The boards of all users.
        account: The caller.
    """

    def __init__(self, store: DeckStore, account: Account) -> None:
        store.names[account.user] = account.display_name
        self.all = store
        self.user = account.user

    def permissions(self, board: Row) -> Row:
        """Return the user's permissions on a board."""
        mine: Row = next((acl for acl in board["acl"] if acl["participant"]["uid"] == self.user), {})
        owner = board["owner"] == self.user
        return {
            "PERMISSION_READ": owner or bool(mine),
            **{
                f"PERMISSION_{n.upper()}": owner or mine.get(f"permission{n}", False)
                for n in ("Edit", "Manage", "Share")
            },
        }

    def board(self, number: int, need: str = "READ") -> Row:
        """Return a board on which the user has the permission `need`.

        Raises:
            RefusedError: there is no such board, the permission is missing, or a change is to an archived board.
        """
        board = self.all.boards.get(number)
        if board is None or board["deletedAt"] or not self.permissions(board)[f"PERMISSION_{need}"]:
            raise DENIED
        if need != "READ" and board["archived"]:
            raise RefusedError(500, "Operation not allowed. This board is archived.")
        return board

    def stack(self, number: int, need: str = "READ") -> Row:
        """Return a stack, even one in the trash."""
        stack = self.all.stacks.get(number)
        if stack is None:
            raise DENIED
        self.board(stack["boardId"], need)
        return stack

    def card(self, number: int, need: str = "READ") -> Row:
        """Return a card that is not in the trash."""
        card = self.all.cards.get(number)
        if card is None:
            raise DENIED
        self.stack(card["stackId"], need)
        if card["deletedAt"]:
            raise RefusedError(403, "Card is deleted")
        return card

    def label(self, number: int, need: str = "READ") -> Row:
        """Return a label."""
        label = self.all.labels.get(number)
        if label is None:
            raise DENIED
        self.board(label["boardId"], need)
        return label

    def show_board(self, board: Row, *, whole: bool = True) -> Row:
        """Return the JSON of a board; in lists (not `whole`) it has no labels and users."""
        people = [self.all.person(board["owner"]), *(acl["participant"] for acl in board["acl"])]
        labels = [_tagged(label) for label in self.all.labels.values() if label["boardId"] == board["id"]]
        return _tagged(board) | {
            "owner": self.all.person(board["owner"]),
            "permissions": self.permissions(board),
            "labels": labels if whole else [],
            "users": people if whole else [],
            "settings": {"notify-due": "assigned", "calendar": True} if whole else [],
        }

    def show_stack(self, stack: Row) -> Row:
        """Return the JSON of a stack; the field `cards` is missing if it has none."""
        cards = [
            self.show_card(card)
            for card in sorted(self.all.cards.values(), key=lambda card: (card["order"], card["id"]))
            if card["stackId"] == stack["id"] and not card["archived"] and not card["deletedAt"]
        ]
        return _tagged(stack) | ({"cards": cards} if cards else {})

    def show_card(self, card: Row) -> Row:
        """Return the JSON of a card, with its labels and users."""
        labels = [self.all.labels[number] for number in card["labels"] if number in self.all.labels]
        return _tagged(card) | {
            "owner": self.all.person(card["owner"]),
            "labels": [_tagged(label) | {"cardId": card["id"]} for label in labels],
            "assignedUsers": [
                {"id": number, "participant": self.all.person(user), "cardId": card["id"], "type": 0}
                for user, number in card["assigned"].items()
            ],
        }


def routes(release: Release) -> list[Route]:
    """Return the API's routes."""
    store = DeckStore(release)

    def at(path: str, method: str, handler: Handler) -> Route:
        return Route(path, _endpoint(store, handler), methods=[method])

    return [
        at(_BASE, "GET", _list_boards),
        at(_BASE, "POST", _create_board),
        at(_BOARD, "GET", lambda deck, request, _: deck.show_board(deck.board(_id(request, "board")))),
        at(_BOARD, "PUT", _update_board),
        at(_BOARD, "DELETE", _delete_board),
        at(f"{_BOARD}/acl", "POST", _share),
        at(f"{_BOARD}/stacks", "GET", _list_stacks),
        at(f"{_BOARD}/stacks", "POST", _create_stack),
        at(_STACK, "GET", lambda deck, request, _: deck.show_stack(deck.stack(_id(request, "stack")))),
        at(_STACK, "PUT", _update_stack),
        at(_STACK, "DELETE", _delete_stack),
        at(f"{_STACK}/cards", "POST", _create_card),
        at(
            _CARD, "GET", lambda deck, request, _: deck.show_card(deck.card(_id(request, "card"))) | {"attachments": []}
        ),
        at(_CARD, "PUT", _update_card),
        at(_CARD, "DELETE", _delete_card),
        at(f"{_CARD}/archive", "PUT", lambda deck, request, _: _set_archived(deck, request, archived=True)),
        at(f"{_CARD}/unarchive", "PUT", lambda deck, request, _: _set_archived(deck, request, archived=False)),
        at(f"{_CARD}/reorder", "PUT", _reorder),
        at(f"{_CARD}/assignLabel", "PUT", _assign_label),
        at(f"{_CARD}/removeLabel", "PUT", _remove_label),
        at(f"{_CARD}/assignUser", "PUT", _assign_user),
        at(f"{_CARD}/unassignUser", "PUT", _unassign_user),
        at(f"{_BOARD}/labels", "POST", _create_label),
        at(_LABEL, "GET", lambda deck, request, _: _tagged(deck.label(_id(request, "label")))),
        at(_LABEL, "PUT", _update_label),
        at(_LABEL, "DELETE", _delete_label),
    ]


def _endpoint(store: DeckStore, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body = json.loads(await request.body() or b"{}")
        except ValueError:
            body = {}  # an invalid body counts as empty
        try:
            return JSONResponse(handler(UserDeck(store, account_of(request.scope)), request, body))
        except RefusedError as refused:
            if not str(refused):
                return Response(status_code=refused.status, media_type="text/html")
            return JSONResponse({"status": refused.status, "message": str(refused)}, refused.status)

    return endpoint


def _list_boards(deck: UserDeck, _request: Request, _body: Row) -> list[Row]:
    # boards in the trash are listed too
    seen = [board for board in deck.all.boards.values() if deck.permissions(board)["PERMISSION_READ"]]
    return [deck.show_board(board, whole=False) for board in seen]


def _create_board(deck: UserDeck, _request: Request, body: Row) -> Row:
    _require(deck, body, "title", "color")
    fields = {"title": _title(body, "board"), "color": _color(body), "owner": deck.user, "archived": False, "acl": []}
    board = _new(deck.all.boards, deck.all, fields)
    for title, color in _LABELS:
        _new(deck.all.labels, deck.all, {"title": title, "color": color, "boardId": board["id"], "cardId": None})
    return deck.show_board(board)


def _update_board(deck: UserDeck, request: Request, body: Row) -> Row:
    board = deck.board(_id(request, "board"))
    if not deck.permissions(board)["PERMISSION_MANAGE"]:
        raise DENIED
    changes = {"title": _title(body, "board"), "color": _color(body), "archived": bool(body.get("archived"))}
    return deck.show_board(_changed(board, changes))


def _delete_board(deck: UserDeck, request: Request, _body: Row) -> Row:
    board = deck.board(_id(request, "board"), "MANAGE")
    return deck.show_board(_changed(board, {"deletedAt": _now()}))


def _share(deck: UserDeck, request: Request, body: Row) -> Row:
    board = deck.board(_id(request, "board"), "SHARE")
    rights = {f"permission{name}": bool(body.get(f"permission{name}")) for name in ("Edit", "Share", "Manage")}
    participant = deck.all.person(body["participant"])
    acl = {"id": next(deck.all.ids), "participant": participant, "type": 0, "boardId": board["id"], "owner": False}
    board["acl"].append(acl | rights)
    return acl | rights


def _list_stacks(deck: UserDeck, request: Request, _body: Row) -> list[Row]:
    board = deck.board(_id(request, "board"))
    stacks = [stack for stack in deck.all.stacks.values() if stack["boardId"] == board["id"] and not stack["deletedAt"]]
    return [deck.show_stack(stack) for stack in stacks]  # in the order of creation


def _create_stack(deck: UserDeck, request: Request, body: Row) -> Row:
    board = deck.board(_id(request, "board"), "MANAGE")
    fields = {"title": _title(body, "stack"), "order": _number(body, "order"), "boardId": board["id"]}
    return _tagged(_new(deck.all.stacks, deck.all, fields))


def _update_stack(deck: UserDeck, request: Request, body: Row) -> Row:
    _require(deck, body, "title", "order")
    stack = deck.stack(_id(request, "stack"), "MANAGE")
    board = deck.board(_id(request, "board"), "MANAGE")
    changes = {"title": _title(body, "stack"), "order": _number(body, "order"), "boardId": board["id"]}
    return _tagged(_changed(stack, changes))


def _delete_stack(deck: UserDeck, request: Request, _body: Row) -> Row:
    return deck.show_stack(_changed(deck.stack(_id(request, "stack"), "MANAGE"), {"deletedAt": _now()}))


def _create_card(deck: UserDeck, request: Request, body: Row) -> Row:
    if not deck.all.is_older and body.get("title") is None:
        raise RefusedError(500, _FAILURE)  # a TypeError in Deck
    stack = deck.stack(_id(request, "stack"), "EDIT")
    fields = {
        "title": _title(body, "card"),
        "stackId": stack["id"],
        "type": body.get("type", "plain"),
        "order": body.get("order", 999),
        "description": body.get("description") or "",
        "duedate": _moment(body.get("duedate")),
        "owner": deck.user,
        "archived": False,
        "done": None,
        "createdAt": _now(),
        "attachments": None,
        "attachmentCount": 0,
        "commentsUnread": 0,
        "commentsCount": 0,
        "overdue": 0,
        "labels": [],
        "assigned": {},
        **_newer_fields(deck, body),
    }
    card = _new(deck.all.cards, deck.all, fields)
    if deck.all.is_older and (body.get("labels") or body.get("users")):
        raise RefusedError(400, "cardId must be provided and must be numeric")  # the card is created all the same
    return deck.show_card(card)


def _update_card(deck: UserDeck, request: Request, body: Row) -> Row:
    _require(deck, body, "title", "owner")
    if not deck.all.is_older and body.get("type") is None:
        raise RefusedError(500, _FAILURE)  # a TypeError in Deck
    for name in ("type", "owner"):
        if not body.get(name):
            raise RefusedError(400, f"{name} must be provided and must be not empty")
    title, order = _title(body, "card"), _number({"order": 0} | body, "order")
    card = deck.card(_id(request, "card"), "EDIT")
    stack = deck.stack(_id(request, "stack"), "EDIT")
    if body.get("archived") and card["archived"]:
        raise RefusedError(500, "Operation not allowed. This card is archived.")
    changes = {
        "title": title,
        "stackId": stack["id"],
        "type": body["type"],
        "order": order,
        "description": body.get("description", ""),
        "duedate": _moment(body.get("duedate")),
        "done": _moment(body.get("done")),
        "archived": card["archived"] if body.get("archived") is None else body["archived"],
        **_newer_fields(deck, body),
    }
    return deck.show_card(_changed(card, changes))


def _newer_fields(deck: UserDeck, body: Row) -> Row:
    """Return the fields of a card that came with Deck 1.18."""
    if deck.all.is_older:
        return {}
    return {"startdate": _moment(body.get("startdate")), "color": body.get("color")}


def _delete_card(deck: UserDeck, request: Request, _body: Row) -> Row:
    return deck.show_card(_changed(deck.card(_id(request, "card"), "EDIT"), {"deletedAt": _now()}))


def _set_archived(deck: UserDeck, request: Request, *, archived: bool) -> Row:
    return deck.show_card(_changed(deck.card(_id(request, "card"), "EDIT"), {"archived": archived}))


def _reorder(deck: UserDeck, request: Request, body: Row) -> list[Row]:
    card = _unarchived(deck, request)
    stack, order = (
        deck.stack(_id(request, "stack"), "EDIT"),
        _number(body, "order"),
    )  # the stack in the body is ignored
    _changed(card, {"stackId": stack["id"], "order": order})
    others = [each for each in deck.all.cards.values() if each["stackId"] == stack["id"] and not each["deletedAt"]]
    position = 0
    for each in sorted(others, key=lambda other: (other["order"], other["id"])):
        if each is card or each["archived"]:
            continue
        position += position == order
        each["order"], position = position, position + 1
    return [deck.show_card(each) for each in others]


def _assign_label(deck: UserDeck, request: Request, body: Row) -> Row | None:
    card, label = _unarchived(deck, request), deck.label(_number(body, "labelId"))
    if label["boardId"] != deck.stack(card["stackId"])["boardId"]:
        raise RefusedError(500, "Operation not allowed. Label does not exist.")
    _changed(card, {"labels": [*card["labels"], label["id"]]})  # a second time, if the card already has it
    return None if deck.all.is_older else deck.show_card(card)


def _remove_label(deck: UserDeck, request: Request, body: Row) -> None:
    card, label = _unarchived(deck, request), deck.label(_number(body, "labelId"))
    _changed(card, {"labels": [number for number in card["labels"] if number != label["id"]]})


def _assign_user(deck: UserDeck, request: Request, body: Row) -> Row:
    card = deck.card(_id(request, "card"), "EDIT")
    user = body.get("userId", "")
    board = deck.board(deck.stack(card["stackId"])["boardId"])
    if user in card["assigned"]:
        raise RefusedError(400, "The user is already assigned to the card")
    if user not in {board["owner"], *(acl["participant"]["uid"] for acl in board["acl"])}:
        raise RefusedError(400, "The user is not part of the board")
    number = next(deck.all.ids)
    _changed(card, {"assigned": card["assigned"] | {user: number}})
    return {"id": number, "participant": deck.all.person(user), "cardId": card["id"], "type": 0}


def _unassign_user(deck: UserDeck, request: Request, body: Row) -> Row:
    card = deck.card(_id(request, "card"), "EDIT")
    user = body.get("userId", "")
    if user not in card["assigned"]:
        raise RefusedError(404, f"No assignment for {user}found.")
    number = card["assigned"][user]
    _changed(card, {"assigned": {name: each for name, each in card["assigned"].items() if name != user}})
    return {"id": number, "participant": deck.all.person(user), "cardId": card["id"], "type": 0}


def _create_label(deck: UserDeck, request: Request, body: Row) -> Row:
    _require(deck, body, "title", "color")
    title, color = _title(body, "label"), _color(body)
    board = deck.board(_id(request, "board"), "MANAGE")
    _unique(deck, board["id"], title, None)
    return _tagged(
        _new(deck.all.labels, deck.all, {"title": title, "color": color, "boardId": board["id"], "cardId": None})
    )


def _update_label(deck: UserDeck, request: Request, body: Row) -> Row:
    _require(deck, body, "title", "color")
    title, color = _title(body, "label"), _color(body)
    label = deck.label(_id(request, "label"), "MANAGE")
    _unique(deck, label["boardId"], title, label)
    return _tagged(_changed(label, {"title": title, "color": color}))


def _delete_label(deck: UserDeck, request: Request, _body: Row) -> Row:
    return _tagged(deck.all.labels.pop(deck.label(_id(request, "label"), "MANAGE")["id"]))


def _unique(deck: UserDeck, board: int, title: str, own: Row | None) -> None:
    taken = [each for each in deck.all.labels.values() if each["boardId"] == board and each is not own]
    if title in {each["title"] for each in taken}:
        raise RefusedError(400, "title must be unique")


def _unarchived(deck: UserDeck, request: Request) -> Row:
    card = deck.card(_id(request, "card"), "EDIT")
    if card["archived"]:
        raise RefusedError(500, "Operation not allowed. This card is archived.")
    return card


def _new(table: dict[int, Row], store: DeckStore, fields: Row) -> Row:
    row = {"id": next(store.ids), **fields, "deletedAt": 0, "lastModified": _now()}
    table[row["id"]] = row
    return row


def _changed(row: Row, changes: Row) -> Row:
    row.update(changes, lastModified=_now())
    return row


def _tagged(row: Row) -> Row:
    etag = hashlib.md5(str(row["lastModified"]).encode(), usedforsecurity=False).hexdigest()
    return {name: value for name, value in row.items() if name != "assigned"} | {"ETag": etag}


def _now() -> int:
    return int(time.time())


def _id(request: Request, name: str) -> int:
    number: int = request.path_params[name]
    return number


def _require(deck: UserDeck, body: Row, *fields: str) -> None:
    """Check that the body has the fields that Deck's controller declares; Deck 1.16 checks them later, one by one."""
    if not deck.all.is_older and any(body.get(field) is None for field in fields):
        raise RefusedError(400, "")


def _title(body: Row, kind: str) -> str:
    title = body.get("title")
    if not title:
        raise RefusedError(400, "title must be provided and must be not empty")
    if len(title) > _LONGEST[kind]:
        raise RefusedError(400, f"title cannot be longer than {_LONGEST[kind]} characters ")
    return str(title)


def _color(body: Row) -> str:
    color = body.get("color")
    if not color:
        raise RefusedError(400, "color must be provided and must be not empty")
    if len(color) > len("rrggbb"):
        raise RefusedError(400, "color cannot be longer than 6 characters ")
    return str(color)


def _number(body: Row, name: str) -> int:
    number = body.get(name)
    if not isinstance(number, int):
        raise RefusedError(400, f"{name} must be provided and must be numeric")
    return number


def _moment(value: str | None) -> str | None:
    """Return a time as Deck stores it: without fractions of a second, and with its offset replaced by UTC's."""
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise RefusedError(500, _FAILURE) from None
    return moment.replace(microsecond=0, tzinfo=UTC).isoformat()
