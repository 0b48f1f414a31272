"""Nextcloud Deck, REST API v1.1 (github.com/nextcloud/deck, docs/API.md; measured on Deck 1.16.7).

A path names a board, a stack and a card, but Deck evaluates only the last id. A PUT to a card or stack moves it to the
parent in its path. Therefore this module reads an object before a change and compares it with the other ids of the
path, so that a wrong id does not change, move or delete another object.

A PUT clears the fields that it leaves out, so a change is merged with the present values. Deck ignores `If-Match`, so
this module compares the ETag itself; a change within the milliseconds after that is not noticed. An ETag changes at
most once a second.

Deck keeps deleted boards, stacks and cards for a while in its own trash ("Deleted items"), but not labels.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from nextcloud_mcp.errors import (
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    NextcloudError,
    NextcloudMCPError,
    NotFoundError,
    quoted,
)
from nextcloud_mcp.nextcloud import dav, moments, reasons
from nextcloud_mcp.nextcloud.answers import parse
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.permissions import missing_permission_error
from nextcloud_mcp.nextcloud.refusals import error_for

API: Final = "/index.php/apps/deck/api/v1.1/boards"

_STATUSES_WITH_MESSAGE: Final = frozenset({400, 403, 404, 500})
"""Statuses of responses with a reason in `message`; 500 also stands for an archived board or card."""

_DATETIME_FIELDS: Final = frozenset({"duedate", "done"})

_FIELDS_CLEARED_BY_PUT: Final = frozenset({"title", "type", "order", "duedate", "startdate", "done", "color"})
"""Fields of a card that Deck clears if a PUT leaves them out, including those of Deck 1.18."""

_CARD_TYPE: Final = "plain"
"""The only type of cards so far; Deck keeps the field for later use (docs/API.md)."""

_NOT_ALLOWED: Final = "Operation not allowed. "


class _Deck(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class DeckUser(_Deck):
    """A user, a group or a team."""

    primary_key: str
    uid: str
    displayname: str


def _as_user(value: object) -> object:
    """Convert a bare id, which Deck returns for a deleted account, to a user."""
    return {"primaryKey": value, "uid": value, "displayname": value} if isinstance(value, str) else value


Participant = Annotated[DeckUser, BeforeValidator(_as_user)]


class DeckLabel(_Deck):
    """A label of a board; `color` is six hexadecimal digits."""

    id: int
    title: str
    color: str
    board_id: int | None = None
    card_id: int | None = None


class DeckACL(_Deck):
    """With whom a board is shared; `type` is 0 for a user, 1 for a group, 7 for a team."""

    id: int
    participant: Participant
    type: int
    board_id: int
    permission_edit: bool
    permission_share: bool
    permission_manage: bool
    owner: bool


class DeckPermissions(BaseModel):
    """What the signed-in person may do with a board."""

    read: bool = Field(alias="PERMISSION_READ")
    edit: bool = Field(alias="PERMISSION_EDIT")
    manage: bool = Field(alias="PERMISSION_MANAGE")
    share: bool = Field(alias="PERMISSION_SHARE")


class DeckBoardSettings(_Deck):
    """The person's own settings for a board."""

    calendar: bool
    card_details_in_modal: bool | None = None
    card_id_badge: bool | None = None
    group_limit: list[dict[str, Any]] | None = None
    notify_due: str | None = Field(default=None, alias="notify-due")


class DeckBoard(_Deck):
    """A board; a list of boards leaves `labels`, `users` and `settings` empty. Times are seconds since 1970."""

    id: int
    title: str
    owner: Participant
    color: str
    archived: bool
    labels: list[DeckLabel]
    acl: list[DeckACL]
    permissions: DeckPermissions
    users: list[DeckUser]
    deleted_at: int
    last_modified: int | None = None
    # PHP serializes an empty map as an empty list
    settings: Annotated[DeckBoardSettings | None, BeforeValidator(lambda value: value or None)] = None
    etag: str | None = Field(default=None, alias="ETag")


class DeckAssignedUser(_Deck):
    """A user, group or team to which a card is assigned; `type` as in `DeckACL`."""

    id: int
    participant: Participant
    card_id: int
    type: int


class DeckCard(_Deck):
    """A card; `duedate`, `startdate` and `done` are in ISO 8601, the other times seconds since 1970.

    `owner` can be the bare id; `startdate` and `color` came with Deck 1.18.
    """

    id: int
    title: str
    stack_id: int
    type: str
    order: int
    archived: bool
    owner: str | DeckUser
    description: str | None = None
    duedate: str | None = None
    startdate: str | None = None
    done: str | None = None
    color: str | None = None
    last_modified: int | None = None
    created_at: int | None = None
    labels: list[DeckLabel] | None = None
    assigned_users: list[DeckUser | DeckAssignedUser] | None = None
    attachments: list[dict[str, Any]] | None = None
    attachment_count: int | None = None
    deleted_at: int | None = None
    comments_unread: int | None = None
    overdue: int | None = None
    etag: str | None = Field(default=None, alias="ETag")


class DeckStack(_Deck):
    """A stack, which people see as a column; `cards` has those that are neither archived nor deleted."""

    id: int
    title: str
    board_id: int
    order: int
    deleted_at: int
    last_modified: int | None = None
    cards: list[DeckCard] | None = None
    etag: str | None = Field(default=None, alias="ETag")


class CardPath(NamedTuple):
    """The location of a card."""

    board_id: int
    stack_id: int
    card_id: int

    @property
    def path(self) -> str:
        """The card's path below `API`."""
        return f"/{self.board_id}/stacks/{self.stack_id}/cards/{self.card_id}"

    @property
    def about(self) -> str:
        """The card, for an error message."""
        return f"card {self.card_id}"


async def boards(nextcloud: Nextcloud) -> list[DeckBoard]:
    """Return the boards that the user can see, including archived ones."""
    listed = parse(list[DeckBoard], await _request(nextcloud, "GET", "", about="the list of boards"))
    return [board for board in listed if not board.deleted_at]  # Deck also lists the boards in its trash


async def board(nextcloud: Nextcloud, board_id: int) -> DeckBoard:
    """Return one board with its labels and users."""
    return parse(DeckBoard, await _request(nextcloud, "GET", f"/{board_id}", about=f"board {board_id}"))


async def create_board(nextcloud: Nextcloud, *, title: str, color: str) -> DeckBoard:
    """Create a board, which the user owns; Deck adds four labels."""
    body = {"title": title, "color": _hex(color)}
    return parse(DeckBoard, await _request(nextcloud, "POST", "", body, about=f"board {quoted(title)}"))


async def stacks(nextcloud: Nextcloud, board_id: int) -> list[DeckStack]:
    """Return a board's stacks with their cards, both in display order.

    Only this request returns cards with labels; the request for a single stack does not.
    """
    response = await _request(nextcloud, "GET", f"/{board_id}/stacks", about=f"board {board_id}")
    return sorted(parse(list[DeckStack], response), key=lambda stack: (stack.order, stack.id))


async def stack(nextcloud: Nextcloud, board_id: int, stack_id: int) -> DeckStack:
    """Return one stack with its cards.

    Raises:
        NotFoundError: the board has no such stack.
    """
    return _find_stack(await stacks(nextcloud, board_id), board_id, stack_id)


async def has_stack(nextcloud: Nextcloud, board_id: int, stack_id: int) -> bool:
    """Return whether a board has a stack with this id, even a deleted one."""
    try:
        response = await _request(nextcloud, "GET", f"/{board_id}/stacks/{stack_id}", about=f"stack {stack_id}")
    except (ForbiddenError, NotFoundError):
        return False
    return parse(DeckStack, response).board_id == board_id


async def create_stack(nextcloud: Nextcloud, board_id: int, *, title: str, order: int) -> DeckStack:
    """Create a stack; stacks are displayed from left to right by `order`."""
    body, about = {"title": title, "order": order}, f"stack {quoted(title)} on board {board_id}"
    response = await _request(nextcloud, "POST", f"/{board_id}/stacks", body, about=about, missing=f"board {board_id}")
    return parse(DeckStack, response)


async def update_stack(
    nextcloud: Nextcloud, board_id: int, stack_id: int, *, title: str | None, order: int | None
) -> None:
    """Change a stack's title or order; None keeps the present value."""
    present = await _get_checked_stack(nextcloud, board_id, stack_id)
    body = {
        "title": present.title if title is None else title,
        "order": present.order if order is None else order,
    }
    await _request(nextcloud, "PUT", f"/{board_id}/stacks/{stack_id}", body, about=f"stack {stack_id}")


async def delete_stack(nextcloud: Nextcloud, board_id: int, stack_id: int) -> None:
    """Move a stack with its cards to Deck's trash."""
    await _get_checked_stack(nextcloud, board_id, stack_id)
    await _request(nextcloud, "DELETE", f"/{board_id}/stacks/{stack_id}", about=f"stack {stack_id}")


async def card(nextcloud: Nextcloud, place: CardPath) -> DeckCard:
    """Return one card with its description, labels, assigned users and attachments."""
    return parse(DeckCard, await _request(nextcloud, "GET", place.path, about=place.about))


async def has_card(nextcloud: Nextcloud, place: CardPath) -> bool:
    """Return whether a card with this id exists in any stack, even an archived one."""
    try:
        await card(nextcloud, place)
    except (ForbiddenError, NotFoundError):
        return False
    return True


async def create_card(
    nextcloud: Nextcloud,
    board_id: int,
    stack_id: int,
    *,
    title: str,
    kind: str,
    order: int,
    description: str | None,
    duedate: str | None,
) -> DeckCard:
    """Create a card, without labels and users: Deck answers 400 to these, but creates the card nevertheless.

    Deck also accepts a deleted stack, in which nobody can see the card; this function does not.

    Raises:
        NotFoundError: the stack is deleted.
        InvalidArgumentError: Deck has no such type, or the order is negative.
    """
    _check_type(kind)
    _check_order(order)
    body = {
        "title": title,
        "type": kind,
        "order": order,
        "description": description or "",
        "duedate": await _moment(nextcloud, "duedate", duedate),
    }
    await _get_checked_stack(nextcloud, board_id, stack_id)
    path, about = f"/{board_id}/stacks/{stack_id}/cards", f"card {quoted(title)} in stack {stack_id}"
    response = await _request(nextcloud, "POST", path, body, about=about, missing=f"stack {stack_id}")
    return parse(DeckCard, response)


async def update_card(
    nextcloud: Nextcloud, place: CardPath, changes: dict[str, Any], *, etag: str | None = None
) -> None:
    """Change a card.

    Args:
        nextcloud: The user's client.
        place: The location of the card.
        changes: Fields by the API's names; None keeps the present value, and "" clears `duedate` or `done`.
        etag: The expected ETag; None accepts any.

    Raises:
        ConflictError: the card has another ETag; nothing was changed.
        InvalidArgumentError: a field that differs from the present value has an impossible value.
    """
    changes = changes | {
        name: await _moment(nextcloud, name, changes[name]) for name in _DATETIME_FIELDS if changes.get(name)
    }
    present = await _get_checked_card(nextcloud, place)
    if etag is not None and dav.parse_etag(etag) != present.etag:
        raise dav.etag_mismatch_error(place.about)
    await _request(nextcloud, "PUT", place.path, _merged(present, changes), about=place.about)


async def delete_card(nextcloud: Nextcloud, place: CardPath) -> None:
    """Move a card to Deck's trash."""
    await _change(nextcloud, place, "DELETE")


async def archive_card(nextcloud: Nextcloud, place: CardPath) -> None:
    """Archive a card; an archived card does not change."""
    await _change(nextcloud, place, "PUT", "/archive")


async def unarchive_card(nextcloud: Nextcloud, place: CardPath) -> None:
    """Unarchive a card; a card that is not archived does not change."""
    await _change(nextcloud, place, "PUT", "/unarchive")


async def reorder_card(nextcloud: Nextcloud, place: CardPath, *, order: int, target_stack_id: int) -> None:
    """Move a card to position `order` (from 0) of a stack on the same board; Deck renumbers the other cards.

    Raises:
        NotFoundError: the board has no such stack, or the stack has no such card. Another board is not allowed,
            because the card would keep the labels of this board.
    """
    _check_order(order)
    present = await stacks(nextcloud, place.board_id)
    source = _find_stack(present, place.board_id, place.stack_id)
    _find_stack(present, place.board_id, target_stack_id, argument="target_stack_id")
    if place.card_id not in {each.id for each in source.cards or ()}:
        raise NotFoundError(
            "There is no {resource} in stack {stack_id}, unless archived",
            "check card_id and stack_id, or list the stack's cards",
            resource=place.about,
            stack_id=place.stack_id,
        )
    # the path also names the target stack: Deck evaluates the path if user_oidc is enabled, and otherwise the body
    path = place._replace(stack_id=target_stack_id).path
    body = {"stackId": target_stack_id, "order": order}
    await _request(nextcloud, "PUT", f"{path}/reorder", body, about=place.about)


async def assign_label(nextcloud: Nextcloud, place: CardPath, label_id: int) -> None:
    """Add a label of the board to a card, unless the card has it: Deck would add it a second time."""
    present = await _get_checked_card(nextcloud, place)
    if label_id in {each.id for each in present.labels or ()}:
        return
    path, body = f"{place.path}/assignLabel", {"labelId": label_id}
    await _request(nextcloud, "PUT", path, body, about=place.about, missing=f"label {label_id}")


async def remove_label(nextcloud: Nextcloud, place: CardPath, label_id: int) -> None:
    """Remove a label from a card.

    Raises:
        NotFoundError: the card does not have it.
    """
    present = await _get_checked_card(nextcloud, place)
    if label_id not in {each.id for each in present.labels or ()}:
        names = ", ".join(f"{each.id} ({each.title})" for each in present.labels or ())
        known = f"it has {names}" if names else "it has no labels"
        raise NotFoundError(
            "Card {card_id} does not have label {label_id}",
            "{known}",
            card_id=place.card_id,
            label_id=label_id,
            known=known,
        )
    await _request(nextcloud, "PUT", f"{place.path}/removeLabel", {"labelId": label_id}, about=place.about)


async def assign_user(nextcloud: Nextcloud, place: CardPath, user_id: str) -> None:
    """Assign a card to a user of its board; do nothing if it is assigned to that user.

    Raises:
        NotFoundError: no user of the board has that uid.
    """
    if user_id in {each.uid for each in assigned(await _get_checked_card(nextcloud, place))}:
        return
    path, body = f"{API}{place.path}/assignUser", {"userId": user_id}
    response = await nextcloud.request("PUT", path, about=place.about, json=body, also_ok=_STATUSES_WITH_MESSAGE)
    if response.status_code == httpx.codes.FORBIDDEN:
        raise await _denied(nextcloud, "PUT", place.path, place.about)
    if response.status_code == httpx.codes.BAD_REQUEST:
        reason = reasons.reason(response) or "the user is not part of the board"
        raise NotFoundError(
            "Deck can't assign {resource} to {user_id} ({reason})",
            "pass the uid of somebody whom deck_get_board lists",
            resource=place.about,
            user_id=quoted(user_id),
            reason=reason,
        )
    if not response.is_success:
        raise _refusal(response, place.about)


async def unassign_user(nextcloud: Nextcloud, place: CardPath, user_id: str) -> None:
    """Remove a user's assignment to a card.

    Raises:
        NotFoundError: the card is not assigned to that user.
    """
    present = {each.uid for each in assigned(await _get_checked_card(nextcloud, place))}
    if user_id not in present:
        people = ", ".join(sorted(present)) or "nobody"
        raise NotFoundError(
            "Card {card_id} is not assigned to {user_id}",
            "it is assigned to {people}",
            card_id=place.card_id,
            user_id=quoted(user_id),
            people=people,
        )
    await _request(nextcloud, "PUT", f"{place.path}/unassignUser", {"userId": user_id}, about=place.about)


def assigned(present: DeckCard) -> list[DeckUser]:
    """Return the users to whom a card is assigned, without groups and teams."""
    return [
        each.participant
        for each in present.assigned_users or ()
        if isinstance(each, DeckAssignedUser) and each.type == 0
    ]


async def label(nextcloud: Nextcloud, board_id: int, label_id: int) -> DeckLabel:
    """Return one label of a board."""
    found = parse(
        DeckLabel, await _request(nextcloud, "GET", f"/{board_id}/labels/{label_id}", about=f"label {label_id}")
    )
    if found.board_id != board_id:
        raise InvalidArgumentError(
            "label_id is of another board",
            "label {label_id} is on board {board_id}",
            argument="label_id",
            label_id=label_id,
            board_id=found.board_id,
        )
    return found


async def create_label(nextcloud: Nextcloud, board_id: int, *, title: str, color: str) -> DeckLabel:
    """Create a label; titles are unique on a board."""
    body, about = {"title": title, "color": _hex(color)}, f"label {quoted(title)} on board {board_id}"
    response = await _request(nextcloud, "POST", f"/{board_id}/labels", body, about=about, missing=f"board {board_id}")
    return parse(DeckLabel, response)


async def update_label(
    nextcloud: Nextcloud, board_id: int, label_id: int, *, title: str | None, color: str | None
) -> None:
    """Change a label's title or color; None keeps the present value."""
    present = await label(nextcloud, board_id, label_id)
    body = {
        "title": present.title if title is None else title,
        "color": present.color if color in {None, present.color} else _hex(color or ""),
    }
    await _request(nextcloud, "PUT", f"/{board_id}/labels/{label_id}", body, about=f"label {label_id}")


async def delete_label(nextcloud: Nextcloud, board_id: int, label_id: int) -> None:
    """Delete a label permanently, and remove it from all cards."""
    await label(nextcloud, board_id, label_id)
    await _request(nextcloud, "DELETE", f"/{board_id}/labels/{label_id}", about=f"label {label_id}")


def _find_stack(present: Sequence[DeckStack], board_id: int, stack_id: int, *, argument: str = "stack_id") -> DeckStack:
    """Return the stack with this id.

    Raises:
        NotFoundError: the board has no such stack; `argument` is the name of the argument with the id.
    """
    for each in present:
        if each.id == stack_id:
            return each
    raise NotFoundError(
        "Board {board_id} has no stack {stack_id}",
        "check {argument}, or list the board's stacks",
        board_id=board_id,
        stack_id=stack_id,
        argument=argument,
    )


async def _get_checked_stack(nextcloud: Nextcloud, board_id: int, stack_id: int) -> DeckStack:
    """Return a stack before a change to it or its cards; unlike `stacks`, this does not read all cards of the board."""
    path, about = f"/{board_id}/stacks/{stack_id}", f"stack {stack_id}"
    present = parse(DeckStack, await _request(nextcloud, "GET", path, about=about))
    if present.deleted_at:
        raise NotFoundError(
            "Stack {stack_id} is deleted", "restore it in Deck first, or list the board's stacks", stack_id=stack_id
        )
    if present.board_id != board_id:
        raise InvalidArgumentError(
            "board_id is wrong, and nothing was changed",
            "{resource} is on board {board_id}",
            argument="board_id",
            resource=about,
            board_id=present.board_id,
        )
    return present


async def _get_checked_card(nextcloud: Nextcloud, place: CardPath) -> DeckCard:
    """Return a card before a change.

    Raises:
        InvalidArgumentError: the card is in another stack, or on another board.
        NotFoundError: the stack is deleted. Deck would change the card, although nobody can see it there.
    """
    present = await card(nextcloud, place)
    if present.stack_id != place.stack_id:
        raise InvalidArgumentError(
            "stack_id or card_id is wrong, and nothing was changed",
            "{resource}, {title!r}, is in stack {stack_id}",
            argument="stack_id",
            resource=place.about,
            title=present.title,
            stack_id=present.stack_id,
        )
    await _get_checked_stack(nextcloud, place.board_id, place.stack_id)
    return present


async def _change(nextcloud: Nextcloud, place: CardPath, method: str, action: str = "") -> None:
    """Send a request that changes a card, after a check of its location."""
    await _get_checked_card(nextcloud, place)
    await _request(nextcloud, method, place.path + action, about=place.about)


def _merged(present: DeckCard, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a PUT: the present card with the changes.

    The body has `archived` only if it changes, because Deck refuses to archive an archived card. Deck requires `owner`
    and ignores it.
    """
    owner = present.owner if isinstance(present.owner, str) else present.owner.uid
    names = {owner} if isinstance(present.owner, str) else {owner, present.owner.displayname}
    wanted = {name: value for name, value in changes.items() if value is not None}
    if wanted.pop("owner", owner) not in names:
        raise InvalidArgumentError(
            "owner can't be changed",
            "Deck keeps {owner!r} as the card's owner; leave it out",
            argument="owner",
            owner=owner,
        )
    if wanted.get("type", present.type) != present.type:
        _check_type(wanted["type"])
    if wanted.get("order", present.order) != present.order:
        _check_order(wanted["order"])
    if wanted.get("archived") == present.archived:
        del wanted["archived"]
    for name in wanted.keys() & _DATETIME_FIELDS:
        wanted[name] = wanted[name] or None
    kept = present.model_dump(include=set(_FIELDS_CLEARED_BY_PUT), exclude_unset=True)
    return {**kept, "description": present.description or "", "owner": owner, **wanted}


def _check_type(kind: str) -> None:
    if kind != _CARD_TYPE:
        raise InvalidArgumentError(
            "Invalid type {kind}", f"cards have the type {_CARD_TYPE}", argument="type", kind=quoted(kind)
        )


def _check_order(order: int) -> None:
    if order < 0:
        raise InvalidArgumentError(
            "Invalid order {order}", "pass 0, which is the top of the stack, or more", argument="order", order=order
        )


async def _moment(nextcloud: Nextcloud, name: str, value: str | None) -> str | None:
    """Return a time in UTC, because Deck ignores the offset and assumes UTC (measured on Deck 1.16 and 1.18)."""
    if not value:
        return None
    return (await moments.in_utc(nextcloud, moments.read(value, name))).isoformat()


def _hex(color: str) -> str:
    """Return a color as six hexadecimal digits; Deck itself accepts any six characters."""
    digits = color.removeprefix("#")
    if not re.fullmatch("[0-9A-Fa-f]{6}", digits):
        raise InvalidArgumentError(
            "Invalid color {color}",
            "pass six hexadecimal digits, such as 0082c9",
            argument="color",
            color=quoted(color),
        )
    return digits


async def _request(
    nextcloud: Nextcloud,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    about: str,
    missing: str | None = None,
) -> httpx.Response:
    """Send one request to Deck.

    Args:
        nextcloud: The user's client.
        method: The HTTP method.
        path: The path below `API`.
        body: The JSON body.
        about: The object of the request, for error messages.
        missing: The object that does not exist if Deck answers 403; by default `about`.

    Raises:
        ForbiddenError: the user may see the board, but not do this there.
        NotFoundError: there is no such object on the boards that the user may see.
        NextcloudMCPError: Deck refuses the request; the error has Deck's reason, if it returns one.
    """
    response = await nextcloud.request(method, API + path, about=about, json=body, also_ok=_STATUSES_WITH_MESSAGE)
    if response.status_code == httpx.codes.FORBIDDEN:
        raise await _denied(nextcloud, method, path, missing or about)
    if not response.is_success:
        raise _refusal(response, about)
    return response


async def _denied(nextcloud: Nextcloud, method: str, path: str, missing: str) -> NextcloudError:
    """Return the error for a 403, which Deck answers for missing objects as well as for missing permissions."""
    _, board_id, *below = path.split("/")
    if not below:
        return NotFoundError(
            "Deck has no {resource} that you may see",
            "it is missing, deleted or not shared with you; check the id, or list the boards",
            resource=missing,
        )
    try:
        there = await board(nextcloud, int(board_id))
    except NotFoundError as error:
        return error
    needed = "read" if method == "GET" else "edit" if "cards" in below else "manage"
    if there.archived and needed != "read":
        return ConflictError(
            "Board {board_id} is archived, and Deck allows no change of it", "unarchive it in Deck", board_id=there.id
        )
    allowed = [name for name, is_allowed in there.permissions.model_dump().items() if is_allowed]
    if needed in allowed:
        return NotFoundError(
            "Deck has no {resource} on the boards that you may see",
            "it is missing or deleted; check the ids, or list what is there",
            resource=missing,
        )
    return missing_permission_error(
        f"board {there.id} ({quoted(there.title)})",
        allowed=allowed,
        needed=f"{needed} it",
        owner=dav.format_person(there.owner.uid, there.owner.displayname),
    )


def _refusal(response: httpx.Response, about: str) -> NextcloudMCPError:
    """Return the error for a response of Deck: 400 means a wrong argument."""
    reason = reasons.reason(response)
    if response.status_code == httpx.codes.BAD_REQUEST and reason:
        return InvalidArgumentError(
            "Deck refused {resource}", "{reason}; correct that argument", resource=about, reason=reason
        )
    if reason.startswith(_NOT_ALLOWED):
        reason = reason.removeprefix(_NOT_ALLOWED).rstrip(".")
        return ConflictError(
            "Deck allows no such change of {resource} ({reason})",
            "undo that first, or choose another",
            resource=about,
            reason=reason,
        )
    return error_for(response, about)
