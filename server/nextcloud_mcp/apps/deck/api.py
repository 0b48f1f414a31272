"""Nextcloud Deck, REST API v1.1 (github.com/nextcloud/deck, docs/API.md; measured on Deck 1.16.7).

A path names board, stack and card, but Deck looks at the last of them alone, and a PUT to a card or stack moves it
to where its path says. So whatever a change names is read first and held against the rest of its path: a mistaken
id must not change, move or delete something else.

A PUT clears what it leaves out, so a change is merged with what was read. Deck does not look at `If-Match`: an ETag
is compared with the one just read, which leaves a gap of milliseconds, and it has a resolution of one second.

Boards, stacks and cards that are deleted stay for a while in Deck's own trash ("Deleted items"); labels do not.
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
    NextcloudMCPError,
    NotFoundError,
    quoted,
)
from nextcloud_mcp.nextcloud import dav, moments, reasons
from nextcloud_mcp.nextcloud.answers import parse
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.refusals import error_for

API: Final = "/index.php/apps/deck/api/v1.1/boards"

_EXPLAINED: Final = frozenset({400, 403, 404, 500})
"""Statuses under which Deck says in a `message` what is wrong; 500 stands for an archived board or card, too."""

_MOMENTS: Final = frozenset({"duedate", "done"})

_KEPT: Final = frozenset({"title", "type", "order", "duedate", "startdate", "done", "color"})
"""Fields of a card that Deck clears when a PUT leaves them out, those of 1.18 among them."""

_NOT_ALLOWED: Final = "Operation not allowed. "


class _Deck(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class DeckUser(_Deck):
    """Somebody, or a group or team."""

    primary_key: str
    uid: str
    displayname: str


def _as_user(value: object) -> object:
    """Deck names somebody whose account is gone by the bare id."""
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
    # PHP writes an empty map as an empty list
    settings: Annotated[DeckBoardSettings | None, BeforeValidator(lambda value: value or None)] = None
    etag: str | None = Field(default=None, alias="ETag")


class DeckAssignedUser(_Deck):
    """Somebody to whom a card is assigned; `type` as in `DeckACL`."""

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


class Place(NamedTuple):
    """Where a card is."""

    board_id: int
    stack_id: int
    card_id: int

    @property
    def path(self) -> str:
        """The card's path below `API`."""
        return f"/{self.board_id}/stacks/{self.stack_id}/cards/{self.card_id}"

    @property
    def about(self) -> str:
        """The card, for an error's sentence."""
        return f"card {self.card_id}"


async def boards(nextcloud: Nextcloud) -> list[DeckBoard]:
    """Return the boards that the user sees, archived ones included."""
    listed = parse(list[DeckBoard], await _ask(nextcloud, "GET", "", about="the list of boards"))
    return [board for board in listed if not board.deleted_at]  # Deck lists its trash as well


async def board(nextcloud: Nextcloud, board_id: int) -> DeckBoard:
    """Return one board with its labels and the people on it."""
    return parse(DeckBoard, await _ask(nextcloud, "GET", f"/{board_id}", about=f"board {board_id}"))


async def create_board(nextcloud: Nextcloud, *, title: str, color: str) -> DeckBoard:
    """Create a board of the user's own; Deck gives it four labels."""
    body = {"title": title, "color": _hex(color)}
    return parse(DeckBoard, await _ask(nextcloud, "POST", "", body, about=f"board {quoted(title)}"))


async def stacks(nextcloud: Nextcloud, board_id: int) -> list[DeckStack]:
    """Return a board's stacks with their cards, both in the order in which people see them.

    Only here do cards come with their labels: those of a single stack have none.
    """
    response = await _ask(nextcloud, "GET", f"/{board_id}/stacks", about=f"board {board_id}")
    return sorted(parse(list[DeckStack], response), key=lambda stack: (stack.order, stack.id))


async def stack(nextcloud: Nextcloud, board_id: int, stack_id: int) -> DeckStack:
    """Return one stack with its cards.

    Raises:
        NotFoundError: the board has no such stack.
    """
    return _stack_of(await stacks(nextcloud, board_id), board_id, stack_id)


async def has_stack(nextcloud: Nextcloud, board_id: int, stack_id: int) -> bool:
    """Return whether a board has a stack with this id, also a deleted one."""
    try:
        response = await _ask(nextcloud, "GET", f"/{board_id}/stacks/{stack_id}", about=f"stack {stack_id}")
    except (ForbiddenError, NotFoundError):
        return False
    return parse(DeckStack, response).board_id == board_id


async def create_stack(nextcloud: Nextcloud, board_id: int, *, title: str, order: int) -> DeckStack:
    """Create a stack; one with a lower `order` stands further left."""
    body, about = {"title": title, "order": order}, f"stack {quoted(title)} on board {board_id}"
    response = await _ask(nextcloud, "POST", f"/{board_id}/stacks", body, about=about, missing=f"board {board_id}")
    return parse(DeckStack, response)


async def update_stack(
    nextcloud: Nextcloud, board_id: int, stack_id: int, *, title: str | None, order: int | None
) -> None:
    """Change a stack's title or order; what is None stays."""
    present = await _present_stack(nextcloud, board_id, stack_id)
    body = {
        "title": present.title if title is None else title,
        "order": present.order if order is None else order,
    }
    await _ask(nextcloud, "PUT", f"/{board_id}/stacks/{stack_id}", body, about=f"stack {stack_id}")


async def delete_stack(nextcloud: Nextcloud, board_id: int, stack_id: int) -> None:
    """Delete a stack with its cards, to Deck's trash."""
    await _present_stack(nextcloud, board_id, stack_id)
    await _ask(nextcloud, "DELETE", f"/{board_id}/stacks/{stack_id}", about=f"stack {stack_id}")


async def card(nextcloud: Nextcloud, place: Place) -> DeckCard:
    """Return one card with its description, labels, people and attachments."""
    return parse(DeckCard, await _ask(nextcloud, "GET", place.path, about=place.about))


async def has_card(nextcloud: Nextcloud, place: Place) -> bool:
    """Return whether there is a card with this id in any stack, also an archived one."""
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
    """Create a card. Labels and people are assigned afterwards: here, Deck answers 400 to them and creates it still.

    Deck would create it in a deleted stack as well, where nobody sees it.

    Raises:
        NotFoundError: the stack is deleted.
    """
    body = {
        "title": title,
        "type": kind,
        "order": order,
        "description": description or "",
        "duedate": await _moment(nextcloud, "duedate", duedate),
    }
    await _present_stack(nextcloud, board_id, stack_id)
    path, about = f"/{board_id}/stacks/{stack_id}/cards", f"card {quoted(title)} in stack {stack_id}"
    response = await _ask(nextcloud, "POST", path, body, about=about, missing=f"stack {stack_id}")
    return parse(DeckCard, response)


async def update_card(nextcloud: Nextcloud, place: Place, changes: dict[str, Any], *, etag: str | None = None) -> None:
    """Change a card, if it is still the one with this ETag; None means any.

    Args:
        nextcloud: Nextcloud as the user.
        place: where the card is.
        changes: fields by the API's names; what is None stays, and an empty `duedate` or `done` goes.
        etag: the ETag that was read.

    Raises:
        ConflictError: it has changed since; nothing was written.
    """
    changes = changes | {name: await _moment(nextcloud, name, changes[name]) for name in _MOMENTS if changes.get(name)}
    present = await _present_card(nextcloud, place)
    if etag is not None and dav.given(etag) != present.etag:
        raise dav.changed(place.about)
    await _ask(nextcloud, "PUT", place.path, _merged(present, changes), about=place.about)


async def delete_card(nextcloud: Nextcloud, place: Place) -> None:
    """Delete a card, to Deck's trash."""
    await _change(nextcloud, place, "DELETE")


async def archive_card(nextcloud: Nextcloud, place: Place) -> None:
    """Archive a card; nothing happens to one that is."""
    await _change(nextcloud, place, "PUT", "/archive")


async def unarchive_card(nextcloud: Nextcloud, place: Place) -> None:
    """Bring a card back from the archive; nothing happens to one that is not there."""
    await _change(nextcloud, place, "PUT", "/unarchive")


async def reorder_card(nextcloud: Nextcloud, place: Place, *, order: int, target_stack_id: int) -> None:
    """Put a card at position `order`, from 0, of a stack of the same board; the stack's other cards move along.

    To another board Deck would move it with the labels of this one, so that is refused.
    """
    if order < 0:
        raise InvalidArgumentError("order must be 0 or more", "0 is the top of the stack", argument="order")
    present = await stacks(nextcloud, place.board_id)
    source = _stack_of(present, place.board_id, place.stack_id)
    _stack_of(present, place.board_id, target_stack_id, argument="target_stack_id")
    if place.card_id not in {each.id for each in source.cards or ()}:
        raise NotFoundError(
            "There is no {resource} in stack {stack_id}, unless archived",
            "check card_id and stack_id, or list the stack's cards",
            resource=place.about,
            stack_id=place.stack_id,
        )
    # the target goes into the path, too: with user_oidc enabled, that one counts, and without it the body's
    path = place._replace(stack_id=target_stack_id).path
    body = {"stackId": target_stack_id, "order": order}
    await _ask(nextcloud, "PUT", f"{path}/reorder", body, about=place.about)


async def assign_label(nextcloud: Nextcloud, place: Place, label_id: int) -> None:
    """Give a card a label of its board; nothing happens where it has that, which Deck would show twice."""
    present = await _present_card(nextcloud, place)
    if label_id in {each.id for each in present.labels or ()}:
        return
    path, body = f"{place.path}/assignLabel", {"labelId": label_id}
    await _ask(nextcloud, "PUT", path, body, about=place.about, missing=f"label {label_id}")


async def remove_label(nextcloud: Nextcloud, place: Place, label_id: int) -> None:
    """Take a label from a card.

    Raises:
        NotFoundError: the card does not have it.
    """
    present = await _present_card(nextcloud, place)
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
    await _ask(nextcloud, "PUT", f"{place.path}/removeLabel", {"labelId": label_id}, about=place.about)


async def assign_user(nextcloud: Nextcloud, place: Place, user_id: str) -> None:
    """Assign a card to somebody on its board; nothing happens where it is.

    Raises:
        NotFoundError: nobody on the board has that uid.
    """
    if user_id in {each.uid for each in assigned(await _present_card(nextcloud, place))}:
        return
    path, body = f"{API}{place.path}/assignUser", {"userId": user_id}
    response = await nextcloud.request("PUT", path, about=place.about, json=body, also_ok=_EXPLAINED)
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


async def unassign_user(nextcloud: Nextcloud, place: Place, user_id: str) -> None:
    """End an assignment.

    Raises:
        NotFoundError: the card is not assigned to that user.
    """
    present = {each.uid for each in assigned(await _present_card(nextcloud, place))}
    if user_id not in present:
        people = ", ".join(sorted(present)) or "nobody"
        raise NotFoundError(
            "Card {card_id} is not assigned to {user_id}",
            "it is assigned to {people}",
            card_id=place.card_id,
            user_id=quoted(user_id),
            people=people,
        )
    await _ask(nextcloud, "PUT", f"{place.path}/unassignUser", {"userId": user_id}, about=place.about)


def assigned(present: DeckCard) -> list[DeckUser]:
    """Return the users to whom a card is assigned; groups and teams are others."""
    return [
        each.participant
        for each in present.assigned_users or ()
        if isinstance(each, DeckAssignedUser) and each.type == 0
    ]


async def label(nextcloud: Nextcloud, board_id: int, label_id: int) -> DeckLabel:
    """Return one label of a board."""
    found = parse(DeckLabel, await _ask(nextcloud, "GET", f"/{board_id}/labels/{label_id}", about=f"label {label_id}"))
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
    response = await _ask(nextcloud, "POST", f"/{board_id}/labels", body, about=about, missing=f"board {board_id}")
    return parse(DeckLabel, response)


async def update_label(
    nextcloud: Nextcloud, board_id: int, label_id: int, *, title: str | None, color: str | None
) -> None:
    """Change a label's title or color; what is None stays."""
    present = await label(nextcloud, board_id, label_id)
    body = {
        "title": present.title if title is None else title,
        "color": present.color if color in {None, present.color} else _hex(color or ""),
    }
    await _ask(nextcloud, "PUT", f"/{board_id}/labels/{label_id}", body, about=f"label {label_id}")


async def delete_label(nextcloud: Nextcloud, board_id: int, label_id: int) -> None:
    """Delete a label, from all cards too, for good."""
    await label(nextcloud, board_id, label_id)
    await _ask(nextcloud, "DELETE", f"/{board_id}/labels/{label_id}", about=f"label {label_id}")


def _stack_of(present: Sequence[DeckStack], board_id: int, stack_id: int, *, argument: str = "stack_id") -> DeckStack:
    """Pick a stack of a board."""
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


async def _present_stack(nextcloud: Nextcloud, board_id: int, stack_id: int) -> DeckStack:
    """Read a stack before it is changed, or what is in it is, without its board's cards."""
    path, about = f"/{board_id}/stacks/{stack_id}", f"stack {stack_id}"
    present = parse(DeckStack, await _ask(nextcloud, "GET", path, about=about))
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


async def _present_card(nextcloud: Nextcloud, place: Place) -> DeckCard:
    """Read a card before it is changed.

    Raises:
        InvalidArgumentError: it is in another stack, or on another board.
        NotFoundError: its stack is deleted. Deck would change the card there, where nobody sees it.
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
    await _present_stack(nextcloud, place.board_id, place.stack_id)
    return present


async def _change(nextcloud: Nextcloud, place: Place, method: str, action: str = "") -> None:
    """Do something to a card that is where the caller says."""
    await _present_card(nextcloud, place)
    await _ask(nextcloud, method, place.path + action, about=place.about)


def _merged(present: DeckCard, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a PUT: the card as it is, with the changes.

    `archived` goes along only where it changes, as Deck refuses to archive a card again; `owner` must be there, and
    has no effect.
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
    if wanted.get("archived") == present.archived:
        del wanted["archived"]
    for name in wanted.keys() & _MOMENTS:
        wanted[name] = wanted[name] or None
    kept = present.model_dump(include=set(_KEPT), exclude_unset=True)
    return {**kept, "description": present.description or "", "owner": owner, **wanted}


async def _moment(nextcloud: Nextcloud, name: str, value: str | None) -> str | None:
    """Return a time in UTC, which is what Deck takes every time for: it drops the offset (measured, 1.16 and 1.18)."""
    if not value:
        return None
    return (await moments.in_utc(nextcloud, moments.read(value, name))).isoformat()


def _hex(color: str) -> str:
    """Return a color as Deck has it, which takes any six characters for one."""
    digits = color.removeprefix("#")
    if not re.fullmatch("[0-9A-Fa-f]{6}", digits):
        raise InvalidArgumentError(
            "Invalid color {color}",
            "pass six hexadecimal digits, such as 0082c9",
            argument="color",
            color=quoted(color),
        )
    return digits


async def _ask(
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
        nextcloud: Nextcloud as the user.
        method: of HTTP.
        path: below `API`.
        body: as JSON.
        about: what the request is about, for an error's sentence.
        missing: what Deck has not found where it answers 403, if that is something else.

    Raises:
        NextcloudMCPError: Deck refused, with its reason where it gives one.
    """
    response = await nextcloud.request(method, API + path, about=about, json=body, also_ok=_EXPLAINED)
    if not response.is_success:
        is_forbidden = response.status_code == httpx.codes.FORBIDDEN
        raise _refusal(response, missing if missing and is_forbidden else about)
    return response


def _refusal(response: httpx.Response, about: str) -> NextcloudMCPError:
    """Map Deck's refusal: its 403 is also for what is not there, its 400 for wrong arguments."""
    reason = reasons.reason(response)
    if response.status_code == httpx.codes.FORBIDDEN:
        return ForbiddenError(
            "Deck has no {resource} for you ({reason})",
            "it is missing, deleted or not shared with you, or you may only read; check the ids, or list what is there",
            resource=about,
            reason=reason,
        )
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
