"""Files that are too large for one call or result, and the restoration of a deleted file."""

from base64 import b64decode, b64encode

from mcp_types import BlobResourceContents, ResourceLink

from tests.e2e.servers import Connect
from tests.support.mcp_client import text_of

PART = 2_000_000
"""Bytes: in base64 they leave some of the 4 MiB that a request may have, and two are a resource of less than 4 MiB."""


async def test_large_file_lifecycle(connect: Connect, unique: str) -> None:
    """A large file is written in parts, read as a resource and in parts, not overwritten, deleted and restored."""
    # of which no piece is text, and no two parts are the same
    path, content = f"{unique}/große Datei.bin", b"".join(bytes((0xFF, number % 251)) for number in range(PART))
    first, second = (b64encode(part).decode() for part in (content[:PART], content[PART:]))
    async with connect("alice") as client:
        await client.call_tool("nc_webdav_create_directory", {"path": unique})
        part = {"path": path, "content": first, "part": 1}
        upload = (await client.call_tool("nc_webdav_upload_part", part)).structured_content["upload"]
        short = {"path": path, "content": second, "part": 2, "upload": upload, "size": len(content) + 1}
        refused = await client.call_tool("nc_webdav_upload_part", short)
        written = await client.call_tool("nc_webdav_upload_part", {**short, "size": len(content)})

        read = await client.call_tool("nc_webdav_read_file", {"path": path})
        link = read.content[1]
        assert isinstance(link, ResourceLink)
        (resource,) = (await client.read_resource(link.uri)).contents
        piece = await client.call_tool("nc_webdav_read_file", {"path": path, "offset": PART - 2, "length": 4})

        again = (await client.call_tool("nc_webdav_upload_part", part)).structured_content["upload"]
        accident = await client.call_tool("nc_webdav_upload_part", {**part, "upload": again, "size": PART})

        await client.call_tool("nc_webdav_delete_resource", {"path": unique})
        trash = (await client.call_tool("nc_webdav_list_trash")).structured_content["items"]
        (trashed,) = [item for item in trash if item["path"] == f"/{unique}"]
        await client.call_tool("nc_webdav_restore_from_trash", {"trash_id": trashed["trash_id"]})
        listed = (await client.call_tool("nc_webdav_list_directory", {"path": unique})).structured_content
        await client.call_tool("nc_webdav_delete_resource", {"path": unique})

    assert refused.is_error
    assert "nothing was written" in text_of(refused)
    assert written.structured_content["is_complete"]
    assert (read.structured_content["content"], read.structured_content["size"]) == ("", len(content))
    assert isinstance(resource, BlobResourceContents)
    assert b64decode(resource.blob) == content
    assert b64decode(piece.structured_content["content"]) == content[PART - 2 : PART + 2]
    assert accident.is_error
    assert "exists already" in text_of(accident)
    assert written.structured_content["etag"] not in text_of(accident)
    assert [(file["name"], file["size"]) for file in listed["files"]] == [("große Datei.bin", len(content))]
