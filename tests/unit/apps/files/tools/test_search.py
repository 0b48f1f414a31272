"""`apps.files.tools.search`: the tools that find files, called through MCP."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.support.issuer import answer
from tests.support.nextcloud import FILES, dav_file, multistatus
from tests.support.server import Server

DAV: Final = "/remote.php/dav/"

SEARCHES: Final[Mapping[str, tuple[str, dict[str, Any], dict[str, Any] | None]]] = {
    "everything": ("nc_webdav_search_files", {}, None),
    "by all": (
        "nc_webdav_search_files",
        {
            "name_pattern": "a%",
            "mime_type": "image/%",
            "only_favorites": True,
            "modified_after": "2026-01-02T12:00:00Z",
            "modified_before": "2026-02-01",
        },
        {
            "name_pattern": "a%",
            "mime_type": "image/%",
            "only_favorites": True,
            "modified_after": "2026-01-02T12:00:00Z",
            "modified_before": "2026-02-01T00:00:00",
        },
    ),
    "by name": ("nc_webdav_find_by_name", {"pattern": "a%"}, {"name_pattern": "a%"}),
    "by type": ("nc_webdav_find_by_type", {"mime_type": "text/plain"}, {"mime_type": "text/plain"}),
    "favourites": ("nc_webdav_list_favorites", {}, {"only_favorites": True}),
}


@pytest.mark.parametrize(("tool", "arguments", "filters"), SEARCHES.values(), ids=SEARCHES.keys())
async def test_finds_files(
    server: Server, tool: str, arguments: dict[str, Any], filters: dict[str, Any] | None
) -> None:
    """The result has the folder, the criteria and the matches; a limit of null is the default."""
    server.nextcloud.on("SEARCH", DAV, answer(207, content=multistatus(dav_file(f"{FILES}/d/a.txt"))))
    result = await server.use(tool, arguments | {"scope": "d", "limit": None})
    assert [file["path"] for file in result["results"]] == ["/d/a.txt"]
    assert (result["total_found"], result["scope"], result["filters_applied"]) == (1, "d", filters)
    assert result["next_cursor"] is None
    assert b"<d:nresults>101</d:nresults>" in server.nextcloud.requests[-1].content


@pytest.mark.parametrize("tool", ["nc_webdav_search_files", "nc_webdav_list_favorites"])
async def test_cursor_continues_after_last_page(server: Server, tool: str) -> None:
    """The cursor leads to the next page and contains only an offset."""
    three = multistatus(*(dav_file(f"{FILES}/{number}") for number in range(3)))
    server.nextcloud.on("SEARCH", DAV, answer(207, content=three))
    first = await server.use(tool, {"limit": 2})
    assert [file["path"] for file in first["results"]] == ["/0", "/1"]
    await server.use(tool, {"limit": 2, "cursor": first["next_cursor"]})
    assert b"firstresult>2<" in server.nextcloud.requests[-1].content


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"limit": 0}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"modified_after": "soon"}, "modified_after"),
        ({"mime_type": "pdf"}, "mime_type"),
    ],
)
async def test_invalid_argument_is_named(server: Server, arguments: dict[str, Any], named: str) -> None:
    """No request is sent, and the error names the argument."""
    assert named in await server.misuse("nc_webdav_search_files", arguments)
    assert server.nextcloud.asked("SEARCH") == []
