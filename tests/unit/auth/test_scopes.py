"""`auth.scopes`: the scopes that each tool and resource requires."""

from typing import Final

import pytest

from nextcloud_mcp.auth.scopes import Feature
from nextcloud_mcp.catalogue import REQUIREMENTS, offer
from tests.support.declared import OFFER, RESOURCE_SCOPES, TOOL_SCOPES, TOOLS

EVERYTHING: Final = OFFER.scopes()

NO_CALENDAR: Final = {"nc_calendar_list_calendars", "nc_calendar_find_availability", "nc_calendar_search_todos"}
"""Tools that are not told a calendar."""


def test_names_are_unique() -> None:
    """If two tools or resources shared a name, the scopes of one would protect the other."""
    features = [each.feature for each in REQUIREMENTS]
    assert len(features) == len(set(features))


def test_resources_require_only_reading_scopes() -> None:
    """Resources only read."""
    assert all(scope.endswith(":read") for scopes in RESOURCE_SCOPES.values() for scope in scopes)


def test_scopes_match_declared_effects() -> None:
    """Writing tools require a writing scope; reading tools at most that of sharing, which has no reading scope."""
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
def test_missing_scopes_are_exact_matches(tool: str, granted: set[str], missing: set[str]) -> None:
    """A scope is granted only if exactly that string is present."""
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
def test_writable_share_requires_write_scope(tool: str, permissions: object, missing: set[str]) -> None:
    """Only a plain 1 is a read-only share, however the number is written."""
    granted = frozenset({"files:read", "sharing:write"})
    assert OFFER.missing(Feature("tool", tool), granted, {"permissions": permissions}) == missing


def test_share_is_read_only_by_default() -> None:
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
def test_deck_calendar_requires_deck_scope(tool: str, argument: str, missing: str, name: str) -> None:
    """Nextcloud shows Deck boards as calendars; without Deck's scope their cards are not readable as tasks."""
    feature, granted = Feature("tool", tool), frozenset(EVERYTHING) - {"deck:read", "deck:write"}
    assert OFFER.missing(feature, granted, {argument: name}) == {missing}
    assert OFFER.missing(feature, granted, {argument: "personal"}) == set()


def test_every_calendar_argument_is_checked() -> None:
    """These arguments have `calendar` in their name."""
    for tool in TOOLS.values():
        described = {name for name in tool.parameters["properties"] if "calendar" in name}
        assert described or not tool.name.startswith("nc_calendar") or tool.name in NO_CALENDAR, tool.name


@pytest.mark.parametrize("feature", [Feature("tool", "nc_new_tool"), Feature("resource", "nc://New/{id}")])
def test_undeclared_tool_never_runs(feature: Feature) -> None:
    """An unknown tool has no default scope."""
    assert not OFFER.has(feature)
    with pytest.raises(KeyError):
        OFFER.missing(feature, frozenset(OFFER.scopes()))


def test_read_only_server_offers_reading_scopes_only() -> None:
    """It requests no writing scope, and keeps all that requires none."""
    reading = offer(read_only=True)
    assert not [scope for scope in reading.scopes() if not scope.endswith(":read")]
    assert {"nc_whoami", "nc_notes_get_note", "nc_webdav_read_file"} <= reading.tools.keys()
    assert not {"nc_notes_create_note", "nc_webdav_write_file"} & reading.tools.keys()
    assert reading.resources == RESOURCE_SCOPES


def test_server_can_be_limited_to_apps() -> None:
    """Tools, resources and scopes of other apps do not exist; nc_whoami belongs to no app."""
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
def test_uri_matches_whole_resource_template(uri: str, found: tuple[str, dict[str, str]] | None) -> None:
    """A URI matches only a whole template; its variables are decoded."""
    assert OFFER.resource_at(uri) == found
