"""The effects of tools, verified in Nextcloud over HTTP, and their isolation between users."""

from pathlib import PurePosixPath

import pytest

from tests.e2e.servers import Connect, NextcloudOf
from tests.support.mcp_client import text_of


def dav(user: str, *names: str) -> str:
    """Return the WebDAV path of somebody's file."""
    return str(PurePosixPath("/remote.php/dav/files", user, *names))


async def test_written_file_is_in_nextcloud(connect: Connect, nextcloud_of: NextcloudOf, unique: str) -> None:
    """A file written by a tool has exactly the same bytes in the user's Nextcloud files."""
    async with connect("alice") as client, nextcloud_of("alice") as nextcloud:
        written = await client.call_tool("nc_webdav_write_file", {"path": f"{unique}.txt", "content": "Grüße\n"})
        seen = await nextcloud.get(dav("alice", f"{unique}.txt"))
        await nextcloud.delete(dav("alice", f"{unique}.txt"))

    assert written.structured_content["status_code"] == 201
    assert seen.content == "Grüße\n".encode()


async def test_note_is_stored_as_file_in_nextcloud(connect: Connect, nextcloud_of: NextcloudOf, unique: str) -> None:
    """A note created by a tool is a file in the user's files, where the Notes app stores it."""
    async with connect("alice") as client, nextcloud_of("alice") as nextcloud:
        note = await client.call_tool(
            "nc_notes_create_note", {"title": unique, "content": "to be found", "category": ""}
        )
        seen = await nextcloud.get(dav("alice", "Notes", f"{unique}.md"))
        await client.call_tool("nc_notes_delete_note", {"note_id": note.structured_content["id"]})
        gone = await nextcloud.get(dav("alice", "Notes", f"{unique}.md"))

    assert seen.text == "to be found"
    assert gone.status_code == 404


async def test_note_lifecycle(connect: Connect, unique: str) -> None:
    """A note is created, found, updated with its ETag, appended to and deleted; a stale ETag changes nothing."""
    async with connect("alice") as client:
        created = (
            await client.call_tool("nc_notes_create_note", {"title": unique, "content": "one", "category": "E2E"})
        ).structured_content
        found = (await client.call_tool("nc_notes_search_notes", {"query": unique})).structured_content
        note = {"note_id": created["id"]}
        change = {**note, "etag": created["etag"], "title": None, "content": "two", "category": None}
        changed = await client.call_tool("nc_notes_update_note", change)
        stale = await client.call_tool("nc_notes_update_note", {**change, "content": "three"})
        await client.call_tool("nc_notes_append_content", {**note, "content": "four"})
        read = (await client.call_tool("nc_notes_get_note", note)).structured_content
        deleted = (await client.call_tool("nc_notes_delete_note", note)).structured_content
        after = await client.call_tool("nc_notes_get_note", note)

    assert [hit["id"] for hit in found["results"]] == [created["id"]]
    assert not changed.is_error
    assert stale.is_error
    assert "ETag" in text_of(stale)
    assert (read["title"], read["content"], read["category"]) == (unique, "two\n\n---\n\nfour", "E2E")
    assert deleted["deleted_id"] == created["id"]
    assert after.is_error


async def test_file_lifecycle(connect: Connect, unique: str) -> None:
    """A file is created, protected from overwriting, replaced with its ETag, copied, moved and deleted."""
    name = f"{unique}/naïve & 100% #1?.txt"
    async with connect("alice") as client:
        await client.call_tool("nc_webdav_create_directory", {"path": unique})
        await client.call_tool("nc_webdav_write_file", {"path": name, "content": "one"})
        accident = await client.call_tool("nc_webdav_write_file", {"path": name, "content": "lost?"})
        read = (await client.call_tool("nc_webdav_read_file", {"path": name})).structured_content
        replaced = await client.call_tool(
            "nc_webdav_write_file", {"path": name, "content": "two", "etag": read["etag"]}
        )
        copy = {"source_path": name, "destination_path": f"{unique}/copy.txt"}
        copied = await client.call_tool("nc_webdav_copy_resource", copy)
        blocked = await client.call_tool("nc_webdav_copy_resource", copy)
        move = {"source_path": name, "destination_path": f"{unique}/copy.txt", "overwrite": True}
        moved = await client.call_tool("nc_webdav_move_resource", move)
        listing = (await client.call_tool("nc_webdav_list_directory", {"path": unique})).structured_content
        content = (await client.call_tool("nc_webdav_read_file", {"path": f"{unique}/copy.txt"})).structured_content
        deleted = (await client.call_tool("nc_webdav_delete_resource", {"path": unique})).structured_content
        again = await client.call_tool("nc_webdav_delete_resource", {"path": unique})

    assert accident.is_error
    assert read["etag"] not in text_of(accident)
    assert (read["content"], read["size"]) == ("one", 3)
    assert replaced.structured_content["status_code"] == 204
    assert copied.structured_content["status_code"] == 201
    assert blocked.is_error
    assert moved.structured_content["status_code"] == 204
    assert [file["path"] for file in listing["files"]] == [f"/{unique}/copy.txt"]
    assert (listing["total_count"], listing["files_count"], listing["directories_count"]) == (1, 1, 0)
    assert content["content"] == "two"
    assert deleted["status_code"] == 204
    assert again.is_error
    assert "did not find" in text_of(again)


@pytest.mark.parametrize("tool", ["nc_webdav_move_resource", "nc_webdav_copy_resource"])
async def test_move_and_copy_do_not_replace_a_folder(connect: Connect, unique: str, tool: str) -> None:
    """A folder as destination is refused, even with `overwrite`, and the error proposes a path in the folder."""
    folder, file = f"{unique}/Work", f"{unique}/x.txt"
    async with connect("alice") as client:
        for path in (unique, folder):
            await client.call_tool("nc_webdav_create_directory", {"path": path})
        for path in (file, f"{folder}/a.txt"):
            await client.call_tool("nc_webdav_write_file", {"path": path, "content": "kept"})
        refusals = [
            await client.call_tool(tool, {"source_path": source, "destination_path": folder, "overwrite": overwrite})
            for source in (file, f"{folder}/a.txt")
            for overwrite in (False, True)
        ]
        kept = (await client.call_tool("nc_webdav_list_directory", {"path": folder})).structured_content
        advised = {"source_path": file, "destination_path": f"{folder}/x.txt"}
        done = (await client.call_tool(tool, advised)).structured_content
        await client.call_tool("nc_webdav_delete_resource", {"path": unique})

    assert [answer.is_error for answer in refusals] == [True] * 4
    assert f"/{folder}/x.txt" in text_of(refusals[0])
    assert [each["name"] for each in kept["files"]] == ["a.txt"]
    assert done["status_code"] == 201


async def test_binary_file_round_trips_in_base64(connect: Connect, unique: str) -> None:
    """Binary content is written and read in base64, unchanged."""
    path = {"path": f"{unique}.bin"}
    async with connect("alice") as client:
        await client.call_tool(
            "nc_webdav_write_file", {**path, "content": "AP/+", "content_type": "application/octet-stream;base64"}
        )
        read = (await client.call_tool("nc_webdav_read_file", path)).structured_content
        await client.call_tool("nc_webdav_delete_resource", path)

    assert (read["content"], read["encoding"], read["size"]) == ("AP/+", "base64", 3)


async def test_users_cannot_access_each_others_data(connect: Connect, nextcloud_of: NextcloudOf, unique: str) -> None:
    """Bob cannot reach Alice's data by path, id or search, although both use the same server."""
    async with connect("alice") as alice, connect("bob") as bob, nextcloud_of("alice") as nextcloud:
        await alice.call_tool("nc_webdav_write_file", {"path": f"{unique}.txt", "content": "Alice's"})
        note = (
            await alice.call_tool("nc_notes_create_note", {"title": unique, "content": "Alice's", "category": ""})
        ).structured_content
        by_path = await bob.call_tool("nc_webdav_read_file", {"path": f"{unique}.txt"})
        by_climbing = await bob.call_tool("nc_webdav_read_file", {"path": f"../alice/{unique}.txt"})
        by_id = await bob.call_tool("nc_notes_get_note", {"note_id": note["id"]})
        by_search = (await bob.call_tool("nc_notes_search_notes", {"query": unique})).structured_content
        deletion = await bob.call_tool("nc_notes_delete_note", {"note_id": note["id"]})
        still_there = (await alice.call_tool("nc_notes_get_note", {"note_id": note["id"]})).structured_content
        await nextcloud.delete(dav("alice", f"{unique}.txt"))
        await alice.call_tool("nc_notes_delete_note", {"note_id": note["id"]})

    assert [answer.is_error for answer in (by_path, by_climbing, by_id, deletion)] == [True] * 4
    assert by_search["total_found"] == 0
    assert still_there["content"] == "Alice's"
