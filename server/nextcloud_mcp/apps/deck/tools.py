"""The tools and resources for Nextcloud Deck: boards contain stacks, and stacks contain cards.

Lists of cards return pages of cards, and leave out long descriptions. They never shorten a description, because a
caller could write the shortened text back. The resources return whole lists, as in the seed project.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from nextcloud_mcp.apps.deck import api
from nextcloud_mcp.apps.deck.api import CardPath, DeckBoard, DeckCard, DeckLabel, DeckStack
from nextcloud_mcp.boundary.addresses import accepts_url
from nextcloud_mcp.boundary.arguments import NonEmptyText
from nextcloud_mcp.boundary.call import AsUser, Call
from nextcloud_mcp.boundary.changes import require_change
from nextcloud_mcp.boundary.declaration import Resource, Result, reads, writes
from nextcloud_mcp.boundary.lookup import Named, Translated
from nextcloud_mcp.boundary.paging import DEFAULT_LIMIT, Page, Paged, page
from nextcloud_mcp.boundary.people import as_uid, find_person
from nextcloud_mcp.boundary.schemas import ETAG, MARKDOWN, Cursor, described, one_of
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import Thing, folded

_PAGE: Final = r"/apps/deck/?(?:#!?)?/?"
"""Start of a URL of Deck's web page; in older versions, the rest is in the fragment."""


async def _boards(nextcloud: Nextcloud, _: Mapping[str, Any]) -> list[Thing]:
    return _things(await api.boards(nextcloud))


async def _stacks(nextcloud: Nextcloud, arguments: Mapping[str, Any]) -> list[Thing]:
    return _things(await api.stacks(nextcloud, arguments["board_id"]))


async def _cards(nextcloud: Nextcloud, arguments: Mapping[str, Any]) -> list[Thing]:
    return _things((await api.stack(nextcloud, arguments["board_id"], arguments["stack_id"])).cards or ())


async def _is_stack(nextcloud: Nextcloud, arguments: Mapping[str, Any], stack_id: int) -> bool:
    """Return whether the board has a stack, even a deleted one, which is not listed and causes its own error."""
    return await api.has_stack(nextcloud, arguments["board_id"], stack_id)


async def _is_card(nextcloud: Nextcloud, arguments: Mapping[str, Any], card_id: int) -> bool:
    """Return whether a card exists, even an archived one, which is not listed."""
    return await api.has_card(nextcloud, CardPath(arguments["board_id"], arguments["stack_id"], card_id))


async def _labels(nextcloud: Nextcloud, arguments: Mapping[str, Any]) -> list[Thing]:
    return _things((await api.board(nextcloud, arguments["board_id"])).labels)


async def _people_on_board(nextcloud: Nextcloud, arguments: Mapping[str, Any]) -> list[Thing]:
    return [Thing(each.uid, each.displayname) for each in (await api.board(nextcloud, arguments["board_id"])).users]


async def _people_of_card(nextcloud: Nextcloud, arguments: Mapping[str, Any]) -> list[Thing]:
    place = CardPath(arguments["board_id"], arguments["stack_id"], arguments["card_id"])
    return [Thing(each.uid, each.displayname) for each in api.assigned(await api.card(nextcloud, place))]


async def _by_mail_address(call: Call, given: str, _: Mapping[str, Any]) -> str:
    """Return the uid for a mail address, which Deck does not accept, or `given` if `find_person` finds nobody."""
    return await find_person(call.nextcloud(), call.admission, given) if "@" in given else given


def _things(found: Iterable[DeckBoard | DeckStack | DeckCard | DeckLabel]) -> list[Thing]:
    return [Thing(str(each.id), each.title) for each in found]


BoardId = Annotated[
    int, accepts_url(rf"{_PAGE}board/([0-9]{{1,18}})(?:/.*)?"), Named("board", _boards, scope="deck:read")
]
StackId = Annotated[int, Named("stack", _stacks, scope="deck:read", exists=_is_stack)]
CardId = Annotated[
    int,
    accepts_url(rf"{_PAGE}(?:board/[0-9]+/)?card/([0-9]{{1,18}})(?:/.*)?"),
    Named("card", _cards, scope="deck:read", exists=_is_card),
]
Color = Annotated[str, described("RRGGBB, such as 0082c9")]
Order = Annotated[int, described("position from 0")]
DueDate = Annotated[str | None, described("ISO 8601; without offset in the user's time zone")]
LabelId = Annotated[int, Named("label", _labels, scope="deck:read")]
Owner = Annotated[NonEmptyText, BeforeValidator(as_uid)]
BoardUserId = Annotated[
    str,
    BeforeValidator(as_uid),
    Translated(_by_mail_address),
    Named("person on the board", _people_on_board, scope="deck:read"),
]
AssigneeId = Annotated[
    str,
    BeforeValidator(as_uid),
    Translated(_by_mail_address),
    Named("assignee", _people_of_card, scope="deck:read"),
]

MAX_LISTED_DESCRIPTION: Final = 300
"""Length in characters from which lists leave a description out."""


class Boards(Paged):
    """A page of boards."""

    result: list[DeckBoard]


class Stacks(Paged):
    """All stacks of a board, with a page of its cards."""

    result: list[DeckStack]


class StackWithCards(DeckStack):
    """A stack with a page of its cards."""

    next_cursor: str | None = Field(default=None, alias="next_cursor")


class Cards(Paged):
    """A page of cards."""

    result: list[DeckCard]


class Labels(Result):
    """A board's labels."""

    result: list[DeckLabel]


class ThingCreated(Result):
    """A new board or label."""

    id: int
    title: str
    color: str


class StackCreated(Result):
    """A new stack."""

    id: int
    title: str
    order: int


class CardCreated(Result):
    """A new card."""

    id: int
    title: str
    description: str | None
    stackId: int  # noqa: N815 - clients know it by Deck's name
    duedate: str | None = None


class Changed(Result):
    """The result of a change; `status_code` is for clients that expect one."""

    status_code: int | None = 200
    message: str | None


class StackChanged(Changed):
    """A stack that was changed or deleted."""

    stack_id: int
    board_id: int


class CardChanged(Changed):
    """A card that was changed or deleted."""

    card_id: int
    stack_id: int
    board_id: int


class LabelChanged(Changed):
    """A label that was changed or deleted."""

    label_id: int
    board_id: int


@reads("List boards", scopes="deck:read")
async def deck_get_boards(nextcloud: AsUser, limit: int = DEFAULT_LIMIT, cursor: Cursor = "") -> Boards:
    """List the boards that the user can see, with permissions. deck_get_board returns labels and people."""
    boards, next_cursor = page(await api.boards(nextcloud), limit, cursor)
    return Boards(result=boards, next_cursor=next_cursor)


@reads("Read a board", scopes="deck:read")
async def deck_get_board(board_id: BoardId, nextcloud: AsUser) -> DeckBoard:
    """Read a board: its labels, its people and the user's permissions. deck_get_stacks returns the cards."""
    return await api.board(nextcloud, board_id)


@reads("Read a board's stacks and cards", scopes="deck:read")
async def deck_get_stacks(
    board_id: BoardId, nextcloud: AsUser, limit: int = DEFAULT_LIMIT, cursor: Cursor = ""
) -> Stacks:
    """Read a whole board: its stacks (columns) with their cards, except archived ones. limit counts cards.

    Descriptions of 300 characters or more are null here: deck_get_card returns them.
    """
    stacks, next_cursor = _paged(await api.stacks(nextcloud, board_id), limit, cursor)
    return Stacks(result=stacks, next_cursor=next_cursor)


@reads("Read a stack", scopes="deck:read")
async def deck_get_stack(
    board_id: BoardId, stack_id: StackId, nextcloud: AsUser, limit: int = DEFAULT_LIMIT, cursor: Cursor = ""
) -> StackWithCards:
    """Read a stack with its cards, except archived ones. limit counts cards.

    Descriptions of 300 characters or more are null here: deck_get_card returns them.
    """
    (stack,), next_cursor = _paged([await api.stack(nextcloud, board_id, stack_id)], limit, cursor)
    return StackWithCards(**dict(stack), next_cursor=next_cursor)


@reads("List a stack's cards", scopes="deck:read")
async def deck_get_cards(
    board_id: BoardId, stack_id: StackId, nextcloud: AsUser, limit: int = DEFAULT_LIMIT, cursor: Cursor = ""
) -> Cards:
    """List a stack's cards, except archived ones.

    Descriptions of 300 characters or more are null here: deck_get_card returns them.
    """
    (stack,), next_cursor = _paged([await api.stack(nextcloud, board_id, stack_id)], limit, cursor)
    return Cards(result=stack.cards or [], next_cursor=next_cursor)


async def deck_boards(nextcloud: AsUser) -> list[DeckBoard]:
    """List the boards that the user can see, with permissions."""
    return await api.boards(nextcloud)


async def deck_stacks(board_id: int, nextcloud: AsUser) -> list[DeckStack]:
    """Read a whole board: its stacks (columns) with their cards, except archived ones."""
    return await api.stacks(nextcloud, board_id)


async def deck_cards(board_id: int, stack_id: int, nextcloud: AsUser) -> list[DeckCard]:
    """List a stack's cards, except archived ones."""
    return (await api.stack(nextcloud, board_id, stack_id)).cards or []


async def deck_labels(board_id: int, nextcloud: AsUser) -> list[DeckLabel]:
    """List a board's labels."""
    return (await api.board(nextcloud, board_id)).labels


def _paged(stacks: Sequence[DeckStack], limit: int, cursor: str) -> Page[DeckStack]:
    """Return all stacks, with the cards of one page."""
    cards = [card.id for stack in stacks for card in stack.cards or ()]
    shown, next_cursor = page(cards, limit, cursor)
    return Page([_with_cards(stack, frozenset(shown)) for stack in stacks], next_cursor)


def _with_cards(stack: DeckStack, shown: frozenset[int]) -> DeckStack:
    return stack.model_copy(
        update={"cards": [_without_long_description(card) for card in stack.cards or () if card.id in shown]}
    )


def _without_long_description(card: DeckCard) -> DeckCard:
    return (
        card.model_copy(update={"description": None}) if len(card.description or "") >= MAX_LISTED_DESCRIPTION else card
    )


@reads("Read a card", scopes="deck:read")
async def deck_get_card(board_id: BoardId, stack_id: StackId, card_id: CardId, nextcloud: AsUser) -> DeckCard:
    """Read a card: description in Markdown, due date, labels, people, attachments, and the ETag for an update."""
    return await api.card(nextcloud, CardPath(board_id, stack_id, card_id))


@reads("List labels", scopes="deck:read")
async def deck_get_labels(board_id: BoardId, nextcloud: AsUser) -> Labels:
    """List a board's labels."""
    return Labels(result=(await api.board(nextcloud, board_id)).labels)


@reads("Read a label", scopes="deck:read")
async def deck_get_label(board_id: BoardId, label_id: LabelId, nextcloud: AsUser) -> DeckLabel:
    """Read a label of a board."""
    return await api.label(nextcloud, board_id, label_id)


@writes("Create a board", scopes="deck:write", destructive=False, idempotent=False)
async def deck_create_board(title: str, color: Color, nextcloud: AsUser) -> ThingCreated:
    """Create a board. It starts with four labels and no stacks."""
    board = await api.create_board(nextcloud, title=title, color=color)
    return ThingCreated(id=board.id, title=board.title, color=board.color)


@writes("Create a stack", scopes="deck:write", destructive=False, idempotent=False)
async def deck_create_stack(board_id: BoardId, title: str, order: Order, nextcloud: AsUser) -> StackCreated:
    """Create a stack (column) on a board. Stacks are ordered from left to right by order."""
    stack = await api.create_stack(nextcloud, board_id, title=title, order=order)
    return StackCreated(id=stack.id, title=stack.title, order=stack.order)


@writes("Change a stack", scopes="deck:write", destructive=True, idempotent=True)
async def deck_update_stack(
    board_id: BoardId, stack_id: StackId, nextcloud: AsUser, title: NonEmptyText = None, order: Order | None = None
) -> StackChanged:
    """Rename a stack or change its place on the board. What is omitted or null stays."""
    require_change([title, order], "pass title or order")
    await api.update_stack(nextcloud, board_id, stack_id, title=title, order=order)
    return StackChanged(message=f"Stack {stack_id} is changed.", stack_id=stack_id, board_id=board_id)


@writes("Delete a stack", scopes="deck:write", destructive=True, idempotent=True)
async def deck_delete_stack(board_id: BoardId, stack_id: StackId, nextcloud: AsUser) -> StackChanged:
    """Delete a stack with its cards. It stays in the board's "Deleted items" for a while."""
    await api.delete_stack(nextcloud, board_id, stack_id)
    return StackChanged(message=f"Stack {stack_id} is deleted.", stack_id=stack_id, board_id=board_id)


@writes("Create a card", scopes="deck:write", destructive=False, idempotent=False)
async def deck_create_card(
    board_id: BoardId,
    stack_id: StackId,
    title: str,
    nextcloud: AsUser,
    type: Annotated[str, one_of("plain")] = "plain",  # noqa: A002 - Deck's name
    order: Order = 999,
    description: Annotated[str | None, MARKDOWN] = None,
    duedate: DueDate = None,
) -> CardCreated:
    """Create a card in a stack."""
    card = await api.create_card(
        nextcloud,
        board_id,
        stack_id,
        title=title,
        kind=type,
        order=order,
        description=description,
        duedate=duedate,
    )
    return CardCreated(
        id=card.id, title=card.title, description=card.description, stackId=card.stack_id, duedate=card.duedate
    )


@writes("Change a card", scopes="deck:write", destructive=True, idempotent=True)
async def deck_update_card(
    board_id: BoardId,
    stack_id: StackId,
    card_id: CardId,
    nextcloud: AsUser,
    title: NonEmptyText = None,
    description: Annotated[str | None, MARKDOWN] = None,
    type: NonEmptyText = None,  # noqa: A002 - Deck's name
    owner: Owner = None,
    order: Order | None = None,
    duedate: Annotated[str | None, described('ISO 8601; "" removes it')] = None,
    archived: bool | None = None,
    done: Annotated[str | None, described('when it was done, ISO 8601; "": not done')] = None,
    etag: Annotated[NonEmptyText, ETAG] = None,
) -> CardChanged:
    """Change a card. What is omitted or null stays. The owner can't be changed.

    To move a card, use deck_reorder_card.
    """
    place = CardPath(board_id, stack_id, card_id)
    changes = {
        "title": title,
        "description": description,
        "type": type,
        "owner": owner,
        "order": order,
        "duedate": duedate,
        "archived": archived,
        "done": done,
    }
    require_change(changes.values(), "pass at least one field, such as title")
    await api.update_card(nextcloud, place, changes, etag=etag)
    return _changed(place, f"Card {card_id} is changed.")


@writes("Delete a card", scopes="deck:write", destructive=True, idempotent=True)
async def deck_delete_card(board_id: BoardId, stack_id: StackId, card_id: CardId, nextcloud: AsUser) -> CardChanged:
    """Delete a card. It stays in the board's "Deleted items" for a while.

    For finished cards, prefer deck_archive_card.
    """
    place = CardPath(board_id, stack_id, card_id)
    await api.delete_card(nextcloud, place)
    return _changed(place, f"Card {card_id} is deleted.")


@writes("Archive a card", scopes="deck:write", destructive=False, idempotent=True)
async def deck_archive_card(board_id: BoardId, stack_id: StackId, card_id: CardId, nextcloud: AsUser) -> CardChanged:
    """Archive a card: it is no longer listed on the board, and can be unarchived."""
    place = CardPath(board_id, stack_id, card_id)
    await api.archive_card(nextcloud, place)
    return _changed(place, f"Card {card_id} is archived.")


@writes("Unarchive a card", scopes="deck:write", destructive=False, idempotent=True)
async def deck_unarchive_card(board_id: BoardId, stack_id: StackId, card_id: CardId, nextcloud: AsUser) -> CardChanged:
    """Return an archived card to its stack."""
    place = CardPath(board_id, stack_id, card_id)
    await api.unarchive_card(nextcloud, place)
    return _changed(place, f"Card {card_id} is no longer archived.")


@writes("Move a card", scopes="deck:write", destructive=False, idempotent=True)
async def deck_reorder_card(
    board_id: BoardId, stack_id: StackId, card_id: CardId, order: Order, target_stack_id: StackId, nextcloud: AsUser
) -> CardChanged:
    """Move a card within its stack, or to another stack of the same board."""
    await api.reorder_card(
        nextcloud, CardPath(board_id, stack_id, card_id), order=order, target_stack_id=target_stack_id
    )
    return _changed(CardPath(board_id, target_stack_id, card_id), f"Card {card_id} is in stack {target_stack_id}.")


@writes("Label a card", scopes="deck:write", destructive=False, idempotent=True)
async def deck_assign_label_to_card(
    board_id: BoardId, stack_id: StackId, card_id: CardId, label_id: LabelId, nextcloud: AsUser
) -> CardChanged:
    """Add a label of the board to a card."""
    place = CardPath(board_id, stack_id, card_id)
    await api.assign_label(nextcloud, place, label_id)
    return _changed(place, f"Card {card_id} has label {label_id}.")


@writes("Take a label off a card", scopes="deck:write", destructive=False, idempotent=True)
async def deck_remove_label_from_card(
    board_id: BoardId, stack_id: StackId, card_id: CardId, label_id: LabelId, nextcloud: AsUser
) -> CardChanged:
    """Remove a label from a card. The board keeps the label."""
    place = CardPath(board_id, stack_id, card_id)
    await api.remove_label(nextcloud, place, label_id)
    return _changed(place, f"Card {card_id} has label {label_id} no longer.")


@writes("Assign a card", scopes="deck:write", destructive=False, idempotent=True)
async def deck_assign_user_to_card(
    board_id: BoardId,
    stack_id: StackId,
    card_id: CardId,
    user_id: Annotated[BoardUserId, described("uid as listed by deck_get_board, or name")],
    nextcloud: AsUser,
) -> CardChanged:
    """Assign a card to a person on the board."""
    place = CardPath(board_id, stack_id, card_id)
    await api.assign_user(nextcloud, place, user_id)
    return _changed(place, f"Card {card_id} is assigned to {user_id}.")


@writes("End an assignment", scopes="deck:write", destructive=False, idempotent=True)
async def deck_unassign_user_from_card(
    board_id: BoardId, stack_id: StackId, card_id: CardId, user_id: AssigneeId, nextcloud: AsUser
) -> CardChanged:
    """Remove a person's assignment from a card."""
    place = CardPath(board_id, stack_id, card_id)
    await api.unassign_user(nextcloud, place, user_id)
    return _changed(place, f"Card {card_id} is no longer assigned to {user_id}.")


@writes("Create a label", scopes="deck:write", destructive=False, idempotent=False)
async def deck_create_label(board_id: BoardId, title: str, color: Color, nextcloud: AsUser) -> ThingCreated:
    """Create a label on a board. Its title must be new there."""
    label = await api.create_label(nextcloud, board_id, title=title, color=color)
    return ThingCreated(id=label.id, title=label.title, color=label.color)


@writes("Change a label", scopes="deck:write", destructive=True, idempotent=True)
async def deck_update_label(
    board_id: BoardId,
    label_id: LabelId,
    nextcloud: AsUser,
    title: NonEmptyText = None,
    color: Annotated[NonEmptyText, described("RRGGBB, such as 0082c9")] = None,
) -> LabelChanged:
    """Change a label's title or color, on all its cards. What is omitted or null stays."""
    require_change([title, color], "pass title or color")
    await api.update_label(nextcloud, board_id, label_id, title=title, color=color)
    return LabelChanged(message=f"Label {label_id} is changed.", label_id=label_id, board_id=board_id)


@writes("Delete a label", scopes="deck:write", destructive=True, idempotent=True)
async def deck_delete_label(board_id: BoardId, label_id: LabelId, nextcloud: AsUser) -> LabelChanged:
    """Delete a label from its board and from all cards. It can't be restored."""
    await api.delete_label(nextcloud, board_id, label_id)
    return LabelChanged(message=f"Label {label_id} is deleted.", label_id=label_id, board_id=board_id)


async def board_ids(value: str, nextcloud: AsUser) -> list[str]:
    """Complete a board id: return the boards whose id starts with `value` or whose title contains it."""
    return _completions(value, await api.boards(nextcloud))


async def stack_ids(board_id: int, value: str, nextcloud: AsUser) -> list[str]:
    """Complete a stack id, as in `board_ids`."""
    return _completions(value, await api.stacks(nextcloud, board_id))


async def card_ids(board_id: int, stack_id: int, value: str, nextcloud: AsUser) -> list[str]:
    """Complete a card id, as in `board_ids`."""
    return _completions(value, (await api.stack(nextcloud, board_id, stack_id)).cards or ())


async def label_ids(board_id: int, value: str, nextcloud: AsUser) -> list[str]:
    """Complete a label id, as in `board_ids`."""
    return _completions(value, (await api.board(nextcloud, board_id)).labels)


def _completions(value: str, found: Sequence[DeckBoard | DeckStack | DeckCard | DeckLabel]) -> list[str]:
    typed = folded(value)
    return [str(each.id) for each in found if str(each.id).startswith(typed) or typed in folded(each.title)]


def _changed(place: CardPath, message: str) -> CardChanged:
    return CardChanged(message=message, **place._asdict())


_BOARD: Final[Mapping[str, Callable[..., Awaitable[list[str]]]]] = {"board_id": board_ids}
_STACK: Final = {**_BOARD, "stack_id": stack_ids}

RESOURCES = (
    Resource("nc://Deck/boards", deck_boards, "Boards", scopes="deck:read"),
    Resource("nc://Deck/boards/{board_id}", deck_get_board, "A board", scopes="deck:read", complete=_BOARD),
    Resource(
        "nc://Deck/boards/{board_id}/stacks",
        deck_stacks,
        "A board's stacks and cards",
        scopes="deck:read",
        complete=_BOARD,
    ),
    Resource(
        "nc://Deck/boards/{board_id}/stacks/{stack_id}", deck_get_stack, "A stack", scopes="deck:read", complete=_STACK
    ),
    Resource(
        "nc://Deck/boards/{board_id}/stacks/{stack_id}/cards",
        deck_cards,
        "A stack's cards",
        scopes="deck:read",
        complete=_STACK,
    ),
    Resource(
        "nc://Deck/boards/{board_id}/stacks/{stack_id}/cards/{card_id}",
        deck_get_card,
        "A card",
        scopes="deck:read",
        complete={**_STACK, "card_id": card_ids},
    ),
    Resource(
        "nc://Deck/boards/{board_id}/labels", deck_labels, "A board's labels", scopes="deck:read", complete=_BOARD
    ),
    Resource(
        "nc://Deck/boards/{board_id}/labels/{label_id}",
        deck_get_label,
        "A label",
        scopes="deck:read",
        complete={**_BOARD, "label_id": label_ids},
    ),
)
