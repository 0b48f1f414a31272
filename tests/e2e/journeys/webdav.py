"""Files: create and fill a folder, read, move and search files, and delete everything."""

from typing import Any, Final

from tests.support.old_client import OldClient

APP: Final = "webdav"
GLANCE: Final = ("nc_webdav_list_directory", {"path": "/"})


async def journey(old: OldClient) -> None:
    """Work with files."""
    folder, name = old.unique, f"{old.unique}/plan.md"
    await old.call("nc_webdav_create_directory", {"path": folder})
    await old.call("nc_webdav_write_file", {"path": name, "content": "# Plan", "content_type": "text/markdown"})
    read = await old.call("nc_webdav_read_file", {"path": name})
    assert (read["content"], read["content_type"]) == ("# Plan", "text/markdown")

    copy, moved = f"{folder}/copy.md", f"{folder}/moved.md"
    await old.call("nc_webdav_copy_resource", {"source_path": name, "destination_path": copy, "overwrite": False})
    await old.call("nc_webdav_move_resource", {"source_path": copy, "destination_path": moved, "overwrite": False})
    listed = await old.call("nc_webdav_list_directory", {"path": folder})
    assert {file["name"] for file in listed["files"]} == {"plan.md", "moved.md"}

    await _find(old, folder)
    await old.call("nc_webdav_delete_resource", {"path": folder})


async def _find(old: OldClient, folder: str) -> None:
    """Find plan.md, which alone has a star, in every way there is."""
    star = (
        '<d:propertyupdate xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:set><d:prop>'
        "<oc:favorite>1</oc:favorite></d:prop></d:set></d:propertyupdate>"
    )
    async with old.nextcloud_of("alice") as nextcloud:
        await nextcloud.request("PROPPATCH", f"/remote.php/dav/files/alice/{folder}/plan.md", content=star)
    where = {"scope": folder, "limit": 10}
    for tool, wanted in (
        ("nc_webdav_search_files", {"name_pattern": "plan%", "mime_type": "text/%", "only_favorites": True}),
        ("nc_webdav_find_by_name", {"pattern": "pla%.md"}),
        ("nc_webdav_list_favorites", {}),
    ):
        assert _names(await old.call(tool, where | wanted)) == ["plan.md"]
    assert sorted(_names(await old.call("nc_webdav_find_by_type", where | {"mime_type": "text/markdown"}))) == [
        "moved.md",
        "plan.md",
    ]


def _names(found: dict[str, Any]) -> list[str]:
    assert found["total_found"] == len(found["results"])
    return [file["name"] for file in found["results"]]
