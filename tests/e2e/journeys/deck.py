"""Deck: create a board with stacks and labels, and follow a card from its creation to the trash."""

from typing import Any, Final

from tests.support.old_client import OldClient

APP: Final = "deck"
GLANCE: Final[tuple[str, dict[str, Any]]] = ("deck_get_boards", {})


async def journey(old: OldClient) -> None:
    """Plan with a board."""
    created = await old.call("deck_create_board", {"title": old.unique, "color": "0082c9"})
    board = {"board_id": created["id"]}
    assert old.unique in {each["title"] for each in (await old.call("deck_get_boards"))["result"]}

    label = await _keep_labels(old, board)
    stack = await _keep_stacks(old, board)
    await _keep_cards(old, board, stack, label)

    await old.call("deck_delete_label", board | label)
    await old.call("deck_delete_stack", board | stack)
    assert (await old.call("deck_get_stacks", board))["result"] == []
    async with old.nextcloud_of("alice") as nextcloud:
        await nextcloud.delete(f"/index.php/apps/deck/api/v1.1/boards/{board['board_id']}")


async def _keep_labels(old: OldClient, board: dict[str, int]) -> dict[str, int]:
    created = await old.call("deck_create_label", {**board, "title": "Urgent", "color": "aa0000"})
    label = {"label_id": created["id"]}
    await old.call("deck_update_label", {**board, **label, "title": "Soon"})
    read = await old.call("deck_get_label", board | label)
    assert (read["title"], read["color"]) == ("Soon", "aa0000")
    assert "Soon" in {each["title"] for each in (await old.call("deck_get_labels", board))["result"]}
    assert "Soon" in {each["title"] for each in (await old.call("deck_get_board", board))["labels"]}
    return label


async def _keep_stacks(old: OldClient, board: dict[str, int]) -> dict[str, int]:
    created = await old.call("deck_create_stack", {**board, "title": "Todo", "order": 1})
    stack = {"stack_id": created["id"]}
    await old.call("deck_update_stack", {**board, **stack, "title": "To do"})
    read = await old.call("deck_get_stack", board | stack)
    assert (read["title"], read["order"]) == ("To do", 1)
    return stack


async def _keep_cards(old: OldClient, board: dict[str, int], stack: dict[str, int], label: dict[str, int]) -> None:
    fields = {"title": "Write", "description": "# Draft", "duedate": "2027-01-31T18:00:00+00:00"}
    created = await old.call("deck_create_card", board | stack | fields)
    card: dict[str, Any] = {**board, **stack, "card_id": created["id"]}

    await old.call("deck_update_card", card | {"title": "Write it"})
    await old.call("deck_assign_label_to_card", card | label)
    await old.call("deck_assign_user_to_card", card | {"user_id": "alice"})
    read = await old.call("deck_get_card", card)
    assert (read["title"], read["description"], read["duedate"]) == ("Write it", "# Draft", fields["duedate"])
    assert [each["id"] for each in read["labels"]] == [label["label_id"]]
    assert [each["participant"]["uid"] for each in read["assignedUsers"]] == ["alice"]
    await _look(old, card, label)
    await old.call("deck_unassign_user_from_card", card | {"user_id": "alice"})
    await old.call("deck_remove_label_from_card", card | label)

    await old.call("deck_archive_card", card)
    assert (await old.call("deck_get_cards", board | stack))["result"] == []
    await old.call("deck_unarchive_card", card)
    done = await old.call("deck_create_stack", {**board, "title": "Done", "order": 2})
    await old.call("deck_reorder_card", card | {"order": 0, "target_stack_id": done["id"]})
    moved = board | {"stack_id": done["id"]}
    assert [each["id"] for each in (await old.call("deck_get_cards", moved))["result"]] == [created["id"]]
    await old.call("deck_delete_card", card | moved)
    await old.call("deck_delete_stack", moved)


async def _look(old: OldClient, card: dict[str, Any], label: dict[str, int]) -> None:
    board = f"nc://Deck/boards/{card['board_id']}"
    stack = f"{board}/stacks/{card['stack_id']}"
    assert (await old.resource(board))["title"] == old.unique
    assert (await old.resource(stack))["title"] == "To do"
    assert (await old.resource(f"{stack}/cards/{card['card_id']}"))["title"] == "Write it"
    assert (await old.resource(f"{board}/labels/{label['label_id']}"))["title"] == "Soon"
    for uri, title in (
        ("nc://Deck/boards", old.unique),
        (f"{board}/stacks", "To do"),
        (f"{stack}/cards", "Write it"),
        (f"{board}/labels", "Soon"),
    ):
        assert title in {each["title"] for each in await old.resource(uri)}, uri
