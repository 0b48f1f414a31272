"""`auth.scopes`: which scope each tool needs."""

import pytest

from nextcloud_mcp.auth.scopes import RESOURCE_SCOPES, TOOL_SCOPES, Feature, Offer
from nextcloud_mcp.tools.server import create_server


async def test_every_tool_has_an_entry_and_every_entry_a_tool() -> None:
    """A tool that is not in the table could be called by nobody; an entry without a tool would be a promise."""
    assert {tool.name for tool in await create_server().list_tools()} == TOOL_SCOPES.keys()


async def test_every_resource_has_an_entry_and_every_entry_a_resource() -> None:
    """The same of resources."""
    server = create_server()
    uris = {resource.uri for resource in await server.list_resources()}
    templates = {template.uri_template for template in await server.list_resource_templates()}
    assert uris | templates == RESOURCE_SCOPES.keys()


def test_reading_a_resource_needs_no_writing_scope() -> None:
    """Resources only ever read."""
    assert all(scope.endswith(":read") for scopes in RESOURCE_SCOPES.values() for scope in scopes)


async def test_reading_and_writing_scopes_follow_what_tools_declare() -> None:
    """A tool that changes something needs a writing scope; one that reads needs one of sharing alone.

    The contract has one scope for all that concerns shares, which is a writing one.
    """
    for tool in await create_server().list_tools():
        assert tool.annotations is not None
        writing = {scope for scope in TOOL_SCOPES[tool.name] if scope.endswith(":write")}
        allowed = {"sharing:write"} if tool.annotations.read_only_hint else set(Offer().scopes())
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
    assert Offer().missing(Feature("tool", tool), frozenset(granted)) == missing


@pytest.mark.parametrize("feature", [Feature("tool", "nc_new_tool"), Feature("resource", "nc://New/{id}")])
def test_what_has_no_entry_never_runs(feature: Feature) -> None:
    """There is no default for a tool or resource that somebody forgot to enter: not even the start succeeds."""
    with pytest.raises(KeyError):
        Offer().has(feature)
    with pytest.raises(KeyError):
        Offer().missing(feature, frozenset(Offer().scopes()))


def test_a_reading_server_offers_what_reading_scopes_allow() -> None:
    """No writing scope is even asked for, and nothing that needs none is left out."""
    offer = Offer(read_only=True)
    assert not [scope for scope in offer.scopes() if not scope.endswith(":read")]
    assert {"nc_whoami", "nc_notes_get_note", "nc_webdav_read_file"} <= offer.tools.keys()
    assert not {"nc_notes_create_note", "nc_webdav_write_file"} & offer.tools.keys()
    assert offer.resources == RESOURCE_SCOPES


def test_a_server_can_offer_some_apps() -> None:
    """Tools, resources and scopes of other apps are as if they did not exist; nc_whoami belongs to none."""
    offer = Offer(apps={"files"})
    assert offer.scopes() == ["files:read", "files:write"]
    assert {"nc_whoami", "nc_webdav_read_file"} <= offer.tools.keys()
    assert "nc_notes_get_note" not in offer.tools
    assert offer.resource_at("nc://Notes/7") is None


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
    assert Offer().resource_at(uri) == found
