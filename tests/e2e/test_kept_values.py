"""Values are stored as the caller wrote them, or refused; verified over HTTP or with another tool."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from tests.e2e.servers import Connect, NextcloudOf
from tests.support.mcp_client import misuse, use

BOARDS: Final = "/index.php/apps/deck/api/v1.1/boards"
TABLES: Final = "/index.php/apps/tables/api/1/tables"
COLUMNS: Final = "/ocs/v2.php/apps/tables/api/2/columns"


async def test_due_date_keeps_its_instant(connect: Connect, nextcloud_of: NextcloudOf, unique: str) -> None:
    """A due date of 18:00 in Berlin is 17:00 UTC, both when a card is created and when it is changed."""
    async with connect("alice") as client, nextcloud_of("alice") as nextcloud:
        board = (await use(client, "deck_create_board", title=unique, color="0082c9"))["id"]
        stack = (await use(client, "deck_create_stack", board_id=board, title="To do", order=1))["id"]
        where = {"board_id": board, "stack_id": stack}
        due = "2027-01-31T18:00:00+01:00"
        card = (await use(client, "deck_create_card", **where, title="Write", duedate=due))["id"]
        path = f"{BOARDS}/{board}/stacks/{stack}/cards/{card}"
        made = (await nextcloud.get(path)).json()
        await use(client, "deck_update_card", **where, card_id=card, duedate=made["duedate"], done=due)
        changed = (await nextcloud.get(path)).json()
        await nextcloud.delete(f"{BOARDS}/{board}")
    assert made["duedate"] == changed["duedate"] == changed["done"] == "2027-01-31T17:00:00+00:00"


async def test_share_is_valid_on_its_expiration_date(connect: Connect, nextcloud_of: NextcloudOf, unique: str) -> None:
    """A share expires at the end of its day in every Nextcloud version, and the date that was read can be sent back."""
    today = datetime.now(UTC).date()
    ends = {f"{today} 23:59:59", f"{today + timedelta(days=1)} 00:00:00"}
    async with connect("alice") as client, nextcloud_of("alice") as nextcloud:
        await use(client, "nc_webdav_write_file", path=f"{unique}.txt", content="x")
        link = {"path": f"/{unique}.txt", "share_with": "", "share_type": 3}
        made = (await use(client, "nc_share_create", **link, expires=today.isoformat()))["share"]
        same = {"share_id": made["id"], "permissions": 1}
        again = (await use(client, "nc_share_update", **same, expires=made["expiration"]))["share"]
        refused = [await misuse(client, "nc_share_create", **link, expires=each) for each in ("tomorrow", "2027-1-1")]
        refused += [await misuse(client, "nc_share_update", **same, expires="2027-01-01T10:00:00+01:00")]
        await use(client, "nc_share_delete", share_id=made["id"])
        await nextcloud.delete(f"/remote.php/dav/files/alice/{unique}.txt")
    assert {made["expiration"], again["expiration"]} <= ends
    assert {made["expires"], again["expires"]} == {today.isoformat()}
    assert all("write the last day as YYYY-MM-DD" in each for each in refused)


async def test_table_link_is_stored_completely_or_refused(
    connect: Connect, nextcloud_of: NextcloudOf, unique: str
) -> None:
    """A URL is stored completely, and a bare host name, of which Tables would store only a part, is refused."""
    whole = "https://example.museum/a?b=c (http://d)"
    async with connect("alice") as client, nextcloud_of("alice") as nextcloud:
        made = await nextcloud.post(TABLES, json={"title": unique, "emoji": "x", "template": "custom"})
        table = made.json()["id"]
        body = {"baseNodeId": table, "baseNodeType": "table", "title": "Link", "subtype": "link"}
        await nextcloud.post(f"{COLUMNS}/text", json=body)
        refused = await misuse(client, "nc_tables_insert_row", table_id=table, data={"Link": "example.org"})
        await use(client, "nc_tables_insert_row", table_id=table, data={"Link": whole})
        rows = (await use(client, "nc_tables_read_table", table_id=table))["rows"]
        await nextcloud.delete(f"{TABLES}/{table}")
    assert "must be an http or https address" in refused
    assert [row["data"] for row in rows] == [{"Link": {"title": whole, "value": whole}}]


@pytest.mark.parametrize("name", ["back\\slash", "n" * 260, "x.part", "x.filepart", ".htaccess"])
async def test_forbidden_file_name_is_reported_as_such(connect: Connect, unique: str, name: str) -> None:
    """The error says that the name is not allowed, and does not mention the ETag of a missing file."""
    async with connect("alice") as client:
        await use(client, "nc_webdav_create_directory", path=unique)
        path = f"{unique}/{name}"
        written = await misuse(client, "nc_webdav_write_file", path=path, content="x")
        deleted = await misuse(client, "nc_webdav_delete_resource", path=path)
        await use(client, "nc_webdav_delete_resource", path=unique)
    assert f"Nextcloud does not allow the name of /{path} (" in written
    assert "ETag" not in written
    assert "did not find" in deleted or "does not allow the name" in deleted


NOT_THERE: Final[dict[str, dict[str, Any]]] = {
    "nc_webdav_delete_resource": {"path": "e2e-nothing"},
    "nc_calendar_delete_event": {"calendar_name": "personal", "event_uid": "e2e-nothing"},
    "nc_calendar_delete_todo": {"calendar_name": "personal", "todo_uid": "e2e-nothing"},
    "nc_calendar_manage_calendar": {"action": "delete", "calendar_name": "e2e-nothing"},
    "nc_notes_delete_note": {"note_id": 999999999},
    "nc_cookbook_delete_recipe": {"recipe_id": 999999999},
    "nc_tables_delete_row": {"row_id": 999999999},
    "nc_share_delete": {"share_id": 999999999},
    "nc_contacts_delete_contact": {"addressbook": "contacts", "uid": "e2e-nothing"},
    "nc_contacts_delete_addressbook": {"name": "e2e-nothing"},
    "deck_delete_card": {"board_id": 999999999, "stack_id": 1, "card_id": 999999999},
    "deck_delete_stack": {"board_id": 999999999, "stack_id": 999999999},
    "deck_delete_label": {"board_id": 999999999, "label_id": 999999999},
    "nc_webdav_restore_from_trash": {"trash_id": "e2e-nothing.d1"},
}


async def test_deleting_a_missing_object_is_an_error(connect: Connect) -> None:
    """All apps follow the same rule (docs/decisions/0012-deleting-what-is-not-there.md)."""
    async with connect("alice") as client:
        results = {tool: await client.call_tool(tool, arguments) for tool, arguments in NOT_THERE.items()}
    assert {tool: result.is_error for tool, result in results.items()} == dict.fromkeys(NOT_THERE, True)


async def test_note_append_adds_a_horizontal_rule(connect: Connect, unique: str) -> None:
    """Appended text follows a rule with an empty line, so the last paragraph does not become a heading."""
    async with connect("alice") as client:
        note = (await use(client, "nc_notes_create_note", title=unique, content="one", category=""))["id"]
        await use(client, "nc_notes_append_content", note_id=note, content="two")
        read = await use(client, "nc_notes_get_note", note_id=note)
        await use(client, "nc_notes_delete_note", note_id=note)
    assert read["content"] == "one\n\n---\n\ntwo"
