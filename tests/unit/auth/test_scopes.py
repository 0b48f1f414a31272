"""`auth.scopes`: which scope each tool needs."""

import pytest

from nextcloud_mcp.auth.scopes import TOOL_SCOPES, all_scopes, missing_scopes
from nextcloud_mcp.tools.server import create_server


async def test_every_tool_has_an_entry_and_every_entry_a_tool() -> None:
    """A tool that is not in the table could be called by nobody; an entry without a tool would be a promise."""
    assert {tool.name for tool in await create_server().list_tools()} == TOOL_SCOPES.keys()


async def test_reading_and_writing_scopes_follow_what_tools_declare() -> None:
    """A tool that declares itself read-only needs no writing scope, and one that changes something needs one."""
    for tool in await create_server().list_tools():
        assert tool.annotations is not None
        writing = any(scope.endswith(":write") for scope in TOOL_SCOPES[tool.name])
        assert writing is not tool.annotations.read_only_hint, tool.name


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
    assert missing_scopes(tool, frozenset(granted)) == missing


def test_a_tool_without_an_entry_never_runs() -> None:
    """There is no default for a tool that somebody forgot to enter."""
    with pytest.raises(KeyError):
        missing_scopes("nc_new_tool", frozenset(all_scopes()))
