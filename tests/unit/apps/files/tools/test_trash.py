"""`apps.files.tools.trash`: the tools for the trash, called through MCP."""

from typing import Final

from tests.support.issuer import answer
from tests.support.nextcloud import dav_folder, dav_trashed, multistatus
from tests.support.server import Server

TRASH: Final = "/remote.php/dav/trashbin/alice/trash"


async def test_lists_the_trash_in_pages(server: Server) -> None:
    """The latest deletion comes first; the count is of all entries."""
    items = [dav_trashed(f"{TRASH}/a{second}.d{second}", f"a{second}", second) for second in (17, 19, 18)]
    server.nextcloud.on("PROPFIND", TRASH, answer(207, content=multistatus(dav_folder(f"{TRASH}/"), *items)))
    first = await server.use("nc_webdav_list_trash", {"limit": 2})
    assert [item["trash_id"] for item in first["items"]] == ["a19.d19", "a18.d18"]
    assert first["total_count"] == 3
    second = await server.use("nc_webdav_list_trash", {"limit": 2, "cursor": first["next_cursor"]})
    assert [item["path"] for item in second["items"]] == ["/a17"]
    assert second["next_cursor"] is None


async def test_restore_message_has_path(server: Server) -> None:
    """The message says where the restored file is."""
    server.nextcloud.on("MOVE", f"{TRASH}/a.d17", answer(201))
    result = await server.use("nc_webdav_restore_from_trash", {"trash_id": "a.d17"})
    assert result["trash_id"] == "a.d17"
    assert "back where it was" in result["message"]
