"""An update without a field to change is refused by every app, before any request, with one sentence."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from nextcloud_mcp.catalogue import APPS
from tests.support.server import Server

BOARD: Final = {"board_id": 2}
STACK: Final = {**BOARD, "stack_id": 9}
EVENT: Final = {"calendar_name": "work", "event_uid": "theirs"}
TASK: Final = {"calendar_name": "work", "todo_uid": "theirs"}
CONTACT: Final = {"addressbook": "contacts", "uid": "ann"}
NOTE: Final = {"note_id": 7, "etag": "e1", "content": None, "category": None}

REMEDIES: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "deck_update_stack": (STACK, "pass title or order"),
    "deck_update_card": ({**STACK, "card_id": 11}, "pass at least one field, such as title"),
    "deck_update_label": ({**BOARD, "label_id": 6}, "pass title or color"),
    "nc_contacts_update_contact": (
        {**CONTACT, "contact_data": {}},
        "pass at least one field in contact_data, such as note",
    ),
    "nc_tables_update_row": ({"row_id": 5, "data": {}}, "pass at least one column in data"),
    "nc_notes_update_note": ({**NOTE, "title": None}, "pass title, content or category"),
    "nc_cookbook_update_recipe": ({"recipe_id": 3}, "pass at least one field, such as name"),
    "nc_cookbook_set_config": ({}, "pass folder, update_interval or print_image"),
    "nc_calendar_update_event": (EVENT, "pass at least one field, such as title"),
    "nc_calendar_update_todo": (TASK, "pass at least one field, such as status"),
    "nc_calendar_bulk_operations": (
        {"operation": "update", "calendar_name": "work", "new_title": ""},
        "pass at least one of the new_… arguments",
    ),
    "nc_calendar_manage_calendar": (
        {"action": "update", "calendar_name": "work"},
        "pass display_name, description or another color",
    ),
}

ALWAYS_CHANGES: Final = frozenset({"nc_share_update"})
"""Tools that require a field to change."""


def test_every_update_is_listed() -> None:
    """A new tool that updates is either here or requires a field to change."""
    updates = {tool.name for app in APPS for tool in app.tools if "update" in tool.name}
    assert updates <= REMEDIES.keys() | ALWAYS_CHANGES


@pytest.mark.parametrize("tool", REMEDIES)
async def test_update_of_nothing_is_refused(server: Server, tool: str) -> None:
    """It would report success, or write the present values again."""
    arguments, remedy = REMEDIES[tool]
    assert await server.misuse(tool, arguments) == f"Nothing to change: {remedy}."
    assert server.nextcloud.asked() == []


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        pytest.param("deck_update_stack", {**STACK, "title": ""}, id="text that can't be empty"),
        pytest.param("deck_update_card", {**STACK, "card_id": 11, "etag": "e11"}, id="an ETag alone"),
        pytest.param("nc_notes_update_note", {**NOTE, "title": " "}, id="a blank title"),
        pytest.param("nc_calendar_update_event", {**EVENT, "recurrence_id": "2030-10-07"}, id="an occurrence alone"),
    ],
)
async def test_arguments_that_change_nothing_are_no_fields(
    server: Server, tool: str, arguments: dict[str, Any]
) -> None:
    """What only says where to change, or means "unchanged", does not count."""
    assert (await server.misuse(tool, arguments)).startswith("Nothing to change: ")
    assert server.nextcloud.asked() == []
