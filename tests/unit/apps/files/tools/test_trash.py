"""`tools.trash`: the tools for the trash, called as a client calls them."""

from typing import Final

from tests.support.issuer import answer
from tests.support.nextcloud import dav_folder, dav_trashed, multistatus
from tests.support.server import Server

TRASH: Final = "/remote.php/dav/trashbin/alice/trash"


async def test_lists_the_trash_in_pages(server: Server) -> None:
    """The latest first; the count is of all."""
    items = [dav_trashed(f"{TRASH}/a{second}.d{second}", f"a{second}", second) for second in (17, 19, 18)]
    server.nextcloud.on("PROPFIND", TRASH, answer(207, content=multistatus(dav_folder(f"{TRASH}/"), *items)))
    first = await server.use("nc_webdav_list_trash", {"limit": 2})
    assert [item["trash_id"] for item in first["items"]] == ["a19.d19", "a18.d18"]
    assert first["total_count"] == 3
    second = await server.use("nc_webdav_list_trash", {"limit": 2, "cursor": first["next_cursor"]})
    assert [item["path"] for item in second["items"]] == ["/a17"]
    assert second["next_cursor"] is None


async def test_puts_something_back(server: Server) -> None:
    """The words say where it can be found."""
    server.nextcloud.on("MOVE", f"{TRASH}/a.d17", answer(201))
    result = await server.use("nc_webdav_restore_from_trash", {"trash_id": "a.d17"})
    assert result["trash_id"] == "a.d17"
    assert "back where it was" in result["message"]
