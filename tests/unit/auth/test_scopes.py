"""`auth.scopes`: which scope each tool needs."""

from typing import Final

import pytest

from nextcloud_mcp.auth.scopes import Feature
from nextcloud_mcp.catalogue import REQUIREMENTS, offer
from tests.support.declared import OFFER, RESOURCE_SCOPES, TOOL_SCOPES, TOOLS

EVERYTHING: Final = OFFER.scopes()

NO_CALENDAR: Final = {"nc_calendar_list_calendars", "nc_calendar_find_availability", "nc_calendar_search_todos"}
"""Tools that are not told a calendar."""


def test_no_name_is_declared_twice() -> None:
    """Of two tools or resources with one name, the scopes of one would guard the other."""
    features = [each.feature for each in REQUIREMENTS]
    assert len(features) == len(set(features))


def test_reading_a_resource_needs_no_writing_scope() -> None:
    """Resources only ever read."""
    assert all(scope.endswith(":read") for scopes in RESOURCE_SCOPES.values() for scope in scopes)


def test_reading_and_writing_scopes_follow_what_tools_declare() -> None:
    """A tool that changes something needs a writing scope; one that reads needs one of sharing alone.

    The contract has one scope for all that concerns shares, which is a writing one.
    """
    for tool in TOOLS.values():
        writing = {scope for scope in TOOL_SCOPES[tool.name] if scope.endswith(":write")}
        allowed = {"sharing:write"} if tool.annotations.read_only_hint else set(OFFER.scopes())
        assert writing <= allowed, tool.name
        assert writing or tool.annotations.read_only_hint, tool.name


@pytest.mark.parametrize(
    ("tool", "granted", "missing"),
    [
        pytest.param("nc_whoami", set(), set(), id="needs none"),
        pytest.param("nc_notes_get_note", {"notes:read"}, set(), id="has it"),
        pytest.param("nc_notes_get_note", {"notes:write"}, {"notes:read"}, id="writing is not reading"),
        pytest.param("nc_notes_delete_note", {"notes:read"}, {"notes:write"}, id="reading is not writing"),
        pytest.param("nc_notes_get_note", {"files:read"}, {"notes:read"}, id="another app's"),
        pytest.param("nc_notes_get_note", {"notes:readonly", "NOTES:READ"}, {"notes:read"}, id="look-alikes"),
    ],
)
def test_what_is_missing(tool: str, granted: set[str], missing: set[str]) -> None:
    """A scope is there when exactly that string was granted."""
    assert OFFER.missing(Feature("tool", tool), frozenset(granted)) == missing


@pytest.mark.parametrize("tool", ["nc_share_create", "nc_share_update"])
@pytest.mark.parametrize(
    ("permissions", "missing"),
    [
        pytest.param(1, set(), id="reading"),
        pytest.param(None, set(), id="null, which is the default or refused"),
        pytest.param("", set(), id="empty, likewise"),
        *(
            pytest.param(value, {"files:write"}, id=repr(value))
            for value in (0, 3, 31, -1, "31", "1", 31.0, 1.0, True, "null", [31], {"a": 31}, "\u0661")
        ),
    ],
)
def test_a_share_that_lets_others_write_needs_the_scope_to_write(
    tool: str, permissions: object, missing: set[str]
) -> None:
    """Only a plain 1 is a share for reading, however the number is written."""
    granted = frozenset({"files:read", "sharing:write"})
    assert OFFER.missing(Feature("tool", tool), granted, {"permissions": permissions}) == missing


def test_a_share_is_for_reading_unless_it_says_more() -> None:
    """Without `permissions` a share is created for reading."""
    granted = frozenset({"files:read", "sharing:write"})
    assert OFFER.missing(Feature("tool", "nc_share_create"), granted, {"path": "/a"}) == set()


@pytest.mark.parametrize(
    "name",
    [
        "app-generated--deck--board-7",
        "/app-generated--deck--board-7",
        " app-generated--deck--",
        "APP-generated--Deck--board-7",
    ],
)
@pytest.mark.parametrize(
    ("tool", "argument", "missing"),
    [
        ("nc_calendar_list_todos", "calendar_name", "deck:read"),
        ("nc_calendar_list_events", "calendar_name", "deck:read"),
        ("nc_calendar_update_todo", "calendar_name", "deck:write"),
        ("nc_calendar_manage_calendar", "calendar_name", "deck:write"),
        ("nc_calendar_bulk_operations", "target_calendar", "deck:write"),
    ],
)
def test_a_board_as_a_calendar_needs_the_scope_of_deck(tool: str, argument: str, missing: str, name: str) -> None:
    """Nextcloud shows the boards of Deck as calendars: their cards are no tasks for a token without Deck's scope."""
    feature, granted = Feature("tool", tool), frozenset(EVERYTHING) - {"deck:read", "deck:write"}
    assert OFFER.missing(feature, granted, {argument: name}) == {missing}
    assert OFFER.missing(feature, granted, {argument: "personal"}) == set()


def test_every_argument_that_names_a_calendar_is_looked_at() -> None:
    """Each is known by its name: it has `calendar` in it."""
    for tool in TOOLS.values():
        described = {name for name in tool.parameters["properties"] if "calendar" in name}
        assert described or not tool.name.startswith("nc_calendar") or tool.name in NO_CALENDAR, tool.name


@pytest.mark.parametrize("feature", [Feature("tool", "nc_new_tool"), Feature("resource", "nc://New/{id}")])
def test_what_nobody_declared_never_runs(feature: Feature) -> None:
    """There is no default for what is unknown."""
    assert not OFFER.has(feature)
    with pytest.raises(KeyError):
        OFFER.missing(feature, frozenset(OFFER.scopes()))


def test_a_reading_server_offers_what_reading_scopes_allow() -> None:
    """No writing scope is even asked for, and nothing that needs none is left out."""
    reading = offer(read_only=True)
    assert not [scope for scope in reading.scopes() if not scope.endswith(":read")]
    assert {"nc_whoami", "nc_notes_get_note", "nc_webdav_read_file"} <= reading.tools.keys()
    assert not {"nc_notes_create_note", "nc_webdav_write_file"} & reading.tools.keys()
    assert reading.resources == RESOURCE_SCOPES


def test_a_server_can_offer_some_apps() -> None:
    """Tools, resources and scopes of other apps are as if they did not exist; nc_whoami belongs to none."""
    files = offer(apps={"files"})
    assert files.scopes() == ["files:read", "files:write"]
    assert {"nc_whoami", "nc_webdav_read_file"} <= files.tools.keys()
    assert "nc_notes_get_note" not in files.tools
    assert files.resource_at("nc://Notes/7") is None


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        pytest.param("notes://settings", ("notes://settings", {}), id="no variables"),
        pytest.param("nc://Notes/7", ("nc://Notes/{note_id}", {"note_id": "7"}), id="a variable"),
        pytest.param(
            "nc://Notes/7/attachments/a%20b%2Fc.png",
            (
                "nc://Notes/{note_id}/attachments/{attachment_filename}",
                {"note_id": "7", "attachment_filename": "a b/c.png"},
            ),
            id="encoded",
        ),
        pytest.param("nc://Notes/7/", None, id="a slash too many"),
        pytest.param("nc://notes/7", None, id="another case"),
        pytest.param("nc://Notes/7?x=1", None, id="a query"),
        pytest.param("xnc://Notes/7", None, id="another scheme"),
        pytest.param("", None, id="empty"),
    ],
)
def test_which_resource_is_where(uri: str, found: tuple[str, dict[str, str]] | None) -> None:
    """A URI is that of a resource when it fits the template whole; what it fills in is decoded."""
    assert OFFER.resource_at(uri) == found
