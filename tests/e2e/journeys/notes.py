"""Notes: create, find, change, append to and delete a note; read an attachment of a note."""

from base64 import b64decode
from typing import Final

from tests.support.old_client import OldClient

APP: Final = "notes"
GLANCE: Final = ("nc_notes_search_notes", {"query": ""})

_PICTURE: Final = b"\x89PNG\r\n\x1a\n"


async def journey(old: OldClient) -> None:
    """Keep notes."""
    text = {"title": old.unique, "content": "one", "category": "Journey"}
    created = await old.call("nc_notes_create_note", text)
    note = {"note_id": created["id"]}

    change = {**note, "etag": created["etag"], "title": None, "content": "two", "category": None}
    assert (await old.call("nc_notes_update_note", change))["etag"] != created["etag"]
    await old.call("nc_notes_append_content", {**note, "content": "three"})
    read = await old.call("nc_notes_get_note", note)
    assert (read["title"], read["content"], read["category"]) == (old.unique, "two\n\n---\n\nthree", "Journey")

    assert (await old.resource("notes://settings"))["notesPath"] == "Notes"
    assert (await old.resource(f"nc://Notes/{created['id']}"))["content"] == read["content"]

    found = await old.call("nc_notes_search_notes", {"query": old.unique})
    assert [hit["id"] for hit in found["results"]] == [created["id"]]

    async with old.nextcloud_of("alice") as nextcloud:
        folder = f"/remote.php/dav/files/alice/Notes/Journey/.attachments.{created['id']}"
        await nextcloud.request("MKCOL", folder)
        await nextcloud.put(f"{folder}/a.png", content=_PICTURE)
        attachment = await old.call("nc_notes_get_attachment", {**note, "attachment_filename": "a.png"})
        resource = await old.resource(f"nc://Notes/{created['id']}/attachments/a.png")
        await nextcloud.delete(folder)
    assert (attachment["mimeType"], b64decode(attachment["data"])) == ("image/png", _PICTURE)
    assert resource == _PICTURE

    assert (await old.call("nc_notes_delete_note", note))["deleted_id"] == created["id"]
