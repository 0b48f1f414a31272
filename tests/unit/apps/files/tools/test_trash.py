"""`apps.files.tools.trash`: the tools for the trash, called through MCP."""

from typing import Final

import pytest

from tests.support.issuer import answer
from tests.support.nextcloud import FILES, dav_file, dav_folder, dav_trashed, multistatus, propfind
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


PLACES: Final = {
    "as it was": ("/d/a", "It is back at /d/a."),
    "name taken": ("/d/a (restored)", "It is back as /d/a (restored), because /d/a is taken."),
    "folder gone": ("/a", "It is at /a, because its former folder /d is gone or may only be read."),
    "unknown": (
        "",
        "It is restored, and Nextcloud does not say where: look in its former folder and in the root.",
    ),
}


@pytest.mark.parametrize(("path", "message"), PLACES.values(), ids=PLACES.keys())
async def test_restore_message_has_path(server: Server, path: str, message: str) -> None:
    """The message says where the restored file is, and why it is not where it was."""
    item = answer(207, content=multistatus(dav_trashed(f"{TRASH}/a.d17", "d/a", 17)))
    server.nextcloud.on("PROPFIND", f"{TRASH}/a.d17", item)
    server.nextcloud.on("MOVE", f"{TRASH}/a.d17", answer(201))
    found = propfind(dav_file(FILES + path.replace(" ", "%20"))) if path else answer(503)
    server.nextcloud.on("SEARCH", "/remote.php/dav/", found)
    result = await server.use("nc_webdav_restore_from_trash", {"trash_id": "a.d17"})
    assert (result["trash_id"], result["path"], result["message"]) == ("a.d17", path or None, message)
