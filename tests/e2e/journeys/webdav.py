"""Files: a folder made, filled, read, rearranged and deleted."""

from typing import Final

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

    await old.call("nc_webdav_delete_resource", {"path": folder})
