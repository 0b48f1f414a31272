"""Unambiguous variants of names and ids are accepted, as seen through a real client in Nextcloud."""

from unicodedata import normalize

import pytest

from tests.e2e.servers import Connect, NextcloudOf
from tests.support.mcp_client import text_of
from tests.support.run import ServerUrls


async def test_display_names_select_calendars_and_address_books(connect: Connect, unique: str) -> None:
    """Display names work in any case for events, and the error for an unknown name lists the existing ones."""
    shown = f"Bürö {unique}"
    manage = {"calendar_name": unique, "display_name": shown}
    async with connect("alice") as client:
        assert not (await client.call_tool("nc_calendar_manage_calendar", {"action": "create", **manage})).is_error
        in_it = {"calendar_name": shown.upper()}
        event = {"title": normalize("NFD", "Prüfung"), "start_datetime": "2027-03-01", "end_datetime": None}
        new = await client.call_tool("nc_calendar_create_event", {**in_it, **event})
        assert not new.is_error, text_of(new)
        created = new.structured_content
        wanted = {"title_contains": "prüfung", "limit": None, "start_date": ""}
        found = (await client.call_tool("nc_calendar_list_events", {**in_it, **wanted})).structured_content
        one = {**in_it, "event_uid": created["uid"]}
        read = await client.call_tool("nc_calendar_get_event", one)
        deleted = await client.call_tool("nc_calendar_delete_event", one)
        missing = await client.call_tool("nc_calendar_list_events", {"calendar_name": "no such calendar"})
        gone = await client.call_tool("nc_calendar_manage_calendar", {"action": "delete", "calendar_name": shown})
        contacts = await client.call_tool("nc_contacts_list_contacts", {"addressbook": "CONTACTS"})
        no_book = await client.call_tool("nc_contacts_list_contacts", {"addressbook": "no such book"})

    assert [each["uid"] for each in found["events"]] == [created["uid"]]
    assert not [each for each in (read, deleted, gone, contacts) if each.is_error]
    assert "No calendar 'no such calendar': choose from " in text_of(missing)
    assert shown in text_of(missing)
    assert "No address book 'no such book': choose from " in text_of(no_book)
    assert "contacts (Contacts)" in text_of(no_book)


async def test_titles_select_boards_stacks_and_cards(connect: Connect, unique: str) -> None:
    """Titles work where an id is expected, and the error for an unknown board lists the existing ones."""
    async with connect("alice") as client:
        board = (await client.call_tool("deck_create_board", {"title": unique, "color": "0082c9"})).structured_content
        place = {"board_id": unique.upper(), "stack_id": "to do"}
        stack = {"board_id": unique, "title": "To do", "order": 1}
        assert not (await client.call_tool("deck_create_stack", stack)).is_error
        card = (await client.call_tool("deck_create_card", {**place, "title": "Write"})).structured_content
        read = await client.call_tool("deck_get_card", {**place, "card_id": "write"})
        missing = await client.call_tool("deck_get_board", {"board_id": f"{unique} of somebody else"})
        ended = await client.call_tool("deck_delete_stack", place)

    assert read.structured_content["id"] == card["id"]
    assert f"{board['id']} ({unique})" in text_of(missing)
    assert not ended.is_error


@pytest.mark.parametrize("written", ["bob@example.org", "BOB"])
async def test_share_recipient_by_mail_or_other_case(
    connect: Connect, nextcloud_of: NextcloudOf, unique: str, written: str
) -> None:
    """A share with bob's mail address, or with his id in another case, reaches bob."""
    path = f"{unique}.txt"
    async with connect("alice") as client, connect("bob") as other, nextcloud_of("bob") as nextcloud:
        await other.call_tool("nc_whoami", {})  # whoever has never been there has no account
        mail = {"key": "email", "value": "bob@example.org"}  # which tokens do not always tell Nextcloud
        await nextcloud.put("/ocs/v2.php/cloud/users/bob", json=mail)
        await client.call_tool("nc_webdav_write_file", {"path": path, "content": "a"})
        shared = await client.call_tool("nc_share_create", {"path": path, "share_with": written, "expires": ""})
        seen = (await other.call_tool("nc_share_list", {"shared_with_me": True})).structured_content
        await client.call_tool("nc_webdav_delete_resource", {"path": path})

    assert not shared.is_error, text_of(shared)
    share_id = shared.structured_content["share"]["id"]
    assert shared.structured_content["share"]["share_with"] == "bob"
    assert share_id in [each["id"] for each in seen["shares"]]


async def test_file_urls_and_partial_names_select_a_file(
    connect: Connect, server_urls: ServerUrls, unique: str
) -> None:
    """A web URL, a WebDAV URL and an internal link select a file; a part of its name finds it, in NFC and NFD."""
    name = f"{unique} Übersicht.txt"
    cloud = server_urls.nextcloud.rstrip("/")
    async with connect("alice") as client:
        await client.call_tool("nc_webdav_create_directory", {"path": unique})
        await client.call_tool("nc_webdav_write_file", {"path": f"{unique}/{name}", "content": "a"})
        listed = [
            await client.call_tool("nc_webdav_list_directory", {"path": address})
            for address in (
                f"{cloud}/apps/files/?dir=/{unique}",
                f"{cloud}/index.php/apps/files/files?dir=%2F{unique}",
                f"{cloud}/remote.php/dav/files/alice/{unique}/",
            )
        ]
        (file,) = listed[0].structured_content["files"]
        read = await client.call_tool("nc_webdav_read_file", {"path": f"{cloud}/f/{file['file_id']}"})
        wanted = {"pattern": normalize("NFD", f"{unique} Über")}
        found = (await client.call_tool("nc_webdav_find_by_name", wanted)).structured_content
        foreign = await client.call_tool(
            "nc_webdav_read_file", {"path": f"https://elsewhere.example/f/{file['file_id']}"}
        )
        await client.call_tool("nc_webdav_delete_resource", {"path": unique})

    assert [each.structured_content["files_count"] for each in listed] == [1, 1, 1]
    assert read.structured_content["content"] == "a"
    assert [each["file_id"] for each in found["results"]] == [file["file_id"]]
    assert "is not an address of this Nextcloud" in text_of(foreign)


async def test_json_text_is_stored_as_text(connect: Connect, nextcloud_of: NextcloudOf, unique: str) -> None:
    """Content that is JSON and the category `null` are stored as text; an unknown argument is refused."""
    async with connect("alice") as client, nextcloud_of("alice") as nextcloud:
        new = {"title": unique, "content": '{"theme": "dark"}', "category": ""}
        note = (await client.call_tool("nc_notes_create_note", new)).structured_content
        change = {"note_id": str(note["id"]), "etag": note["etag"], "title": None, "category": None}
        changed = await client.call_tool("nc_notes_update_note", {**change, "content": '["a", null]'})
        seen = await nextcloud.get(f"/remote.php/dav/files/alice/Notes/{unique}.md")
        wrong = await client.call_tool("nc_notes_get_note", {"noteId": note["id"], "etag": "x"})
        await client.call_tool("nc_notes_delete_note", {"note_id": note["id"]})

    assert not changed.is_error
    assert seen.text == '["a", null]'
    assert text_of(wrong) == (
        "Missing note_id: pass a whole number. Unknown argument 'noteId': did you mean note_id? "
        "Unknown argument 'etag': nc_notes_get_note takes note_id."
    )
