"""What others have shared or locked: lists show it, and a refusal says what is allowed and whom to ask."""

import re
import shlex
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from stack.chain import Chain
from tests.e2e.servers import EVERYTHING, NextcloudOf, Server
from tests.support.eventually import eventually
from tests.support.mcp_http import call_tool, result
from tests.support.oauth import ALICE, sign_in

SHARES: Final = "/ocs/v2.php/apps/files_sharing/api/v1/shares?format=json"
BOARDS: Final = "/index.php/apps/deck/api/v1.1/boards"
TABLES: Final = "/index.php/apps/tables/api/1"
DAV_SHARE: Final = (
    '<o:share xmlns:o="http://owncloud.org/ns" xmlns:d="DAV:"><o:set>'
    "<d:href>principal:principals/users/alice</d:href>{more}</o:set></o:share>"
)
XML: Final = {"Content-Type": "application/xml; charset=utf-8"}
ADDRESS_BOOK: Final = (
    '<d:mkcol xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:set><d:prop>'
    "<d:resourcetype><d:collection/><c:addressbook/></d:resourcetype></d:prop></d:set></d:mkcol>"
)
BOB: Final = r"(?:[\w ]+ \(bob\)|bob)"

Call = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Bob:
    """Bob, who shares things with alice by plain HTTP."""

    http: httpx.AsyncClient

    def path(self, *names: str) -> str:
        """Return the path of a file or folder of his."""
        return "/".join(("/remote.php/dav/files/bob", *names))

    @asynccontextmanager
    async def folder(self, name: str, permissions: int) -> AsyncIterator[None]:
        """A folder of his with the file `a.txt`, shared with alice, and deleted afterwards.

        The share is deleted first: while one of a deleted folder is left, Nextcloud 32 moves no share of that person.
        """
        (await self.http.request("MKCOL", self.path(name))).raise_for_status()
        (await self.http.put(self.path(name, "a.txt"), content=b"x")).raise_for_status()
        body = {"path": f"/{name}", "shareType": 0, "shareWith": "alice", "permissions": permissions}
        shared = (await self.http.post(SHARES, json=body)).raise_for_status().json()["ocs"]["data"]["id"]
        try:
            yield
        finally:
            await self.http.delete(f"{SHARES.partition('?')[0]}/{shared}")
            await self.http.delete(self.path(name))

    @asynccontextmanager
    async def collection(self, kind: str, name: str, *, writable: bool) -> AsyncIterator[str]:
        """A calendar or an address book of his that alice may read or change; its name for alice."""
        method, body = ("MKCALENDAR", "") if kind == "calendars" else ("MKCOL", ADDRESS_BOOK)
        path = f"/remote.php/dav/{kind}/bob/{name}/"
        (await self.http.request(method, path, content=body, headers=XML)).raise_for_status()
        try:
            share = DAV_SHARE.format(more="<o:read-write/>" if writable else "")
            (await self.http.post(path, content=share, headers=XML)).raise_for_status()
            yield f"{name}_shared_by_bob"
        finally:
            await self.http.delete(path, headers={"X-NC-CalDAV-No-Trashbin": "1"})


@pytest.fixture
async def bob(nextcloud_of: NextcloudOf) -> AsyncIterator[Bob]:
    """Bob, signed in to Nextcloud."""
    async with nextcloud_of("bob") as http:
        yield Bob(http)


@pytest.fixture
async def call(server: Server, chain: Chain) -> Call:
    """Calls a tool as alice, and returns what it gives, or the sentence of its refusal."""
    token = (await sign_in(chain.keycloak, **ALICE, scope=f"{server.scope} {EVERYTHING}"))["access_token"]

    async def call(tool: str, **arguments: Any) -> Any:
        answer = result(await call_tool(server.url, tool, token=token, **arguments))
        return answer["content"][0]["text"] if answer.get("isError") else answer["structuredContent"]

    await call("nc_whoami")  # so that she has an account with which bob can share
    return call


def refusal(what: str, needed: str, *, allowed: str = "only read") -> re.Pattern[str]:
    """Return what matches the refusal for something of bob's."""
    return re.compile(
        f"You may {allowed} {what}, which belongs to {BOB}, and this needs the permission to {needed}: "
        rf"ask {BOB} for it\."
    )


def test_refusal_of_another_person_does_not_match() -> None:
    """The pattern of these tests names bob."""
    sentence = "You may only read /x, which belongs to carl, and this needs the permission to change it: ask carl"
    assert refusal("/x", "change it").match(f"{sentence} for it.") is None


async def test_files_in_a_read_only_share(call: Call, bob: Bob, unique: str) -> None:
    """Every change is refused with the permission that is missing, and nothing is changed."""
    async with bob.folder(unique, 1):
        listed = await call("nc_webdav_list_directory", path=unique)
        (folder,) = [each for each in (await call("nc_webdav_list_directory"))["files"] if each["name"] == unique]
        read = await call("nc_webdav_read_file", path=f"{unique}/a.txt")
        refused = {
            "replace": await call(
                "nc_webdav_write_file", path=f"{unique}/a.txt", content="y", etag=listed["files"][0]["etag"]
            ),
            "create": await call("nc_webdav_write_file", path=f"{unique}/new.txt", content="y"),
            "folder": await call("nc_webdav_create_directory", path=f"{unique}/new"),
            "rename": await call(
                "nc_webdav_move_resource", source_path=f"{unique}/a.txt", destination_path=f"{unique}/b.txt"
            ),
            "out": await call(
                "nc_webdav_move_resource", source_path=f"{unique}/a.txt", destination_path=f"{unique}.txt"
            ),
            "delete": await call("nc_webdav_delete_resource", path=f"{unique}/a.txt"),
            "share": await call("nc_share_create", path=f"{unique}/a.txt", share_type=3, share_with=""),
        }
        kept = await bob.http.get(bob.path(unique, "a.txt"))

    assert [re.fullmatch(BOB, each["shared_by"]) is not None for each in (folder, *listed["files"])] == [True, True]
    assert (folder["permissions"], listed["files"][0]["permissions"]) == ("read-only", "read-only")
    assert (read["content"], kept.content) == ("x", b"x")
    of_file, of_folder = f"/{unique}/a.txt", f"/{unique}"
    expected = {
        "replace": refusal(of_file, "change it"),
        "create": refusal(of_folder, "create in it"),
        "folder": refusal(of_folder, "create in it"),
        "rename": refusal(of_file, "change it"),
        "out": refusal(of_file, "delete it"),
        "delete": refusal(of_file, "delete it"),
        "share": refusal(of_file, "share it with others"),
    }
    assert {name: sentence for name, sentence in refused.items() if not expected[name].fullmatch(str(sentence))} == {}


PARTIAL: Final = {
    "may change": (3, "read, change", "read and change", "create in it"),
    "may create": (5, "read, create", "read and create", "change it"),
}


@pytest.mark.parametrize(("permissions", "shown", "allowed", "needed"), PARTIAL.values(), ids=PARTIAL.keys())
async def test_share_with_one_more_permission(
    call: Call, bob: Bob, unique: str, permissions: int, shown: str, allowed: str, needed: str
) -> None:
    """What is allowed works; what is not names all that is."""
    async with bob.folder(unique, permissions):
        (folder,) = [each for each in (await call("nc_webdav_list_directory"))["files"] if each["name"] == unique]
        etag = (await call("nc_webdav_read_file", path=f"{unique}/a.txt"))["etag"]
        replaced = await call("nc_webdav_write_file", path=f"{unique}/a.txt", content="y", etag=etag)
        created = await call("nc_webdav_write_file", path=f"{unique}/new.txt", content="y")

    assert folder["permissions"] == shown
    done, refused = (replaced, created) if needed == "create in it" else (created, replaced)
    what = f"/{unique}" if needed == "create in it" else f"/{unique}/a.txt"
    may = allowed if needed == "create in it" else "only read"
    assert done["status_code"] in {201, 204}
    assert refusal(what, needed, allowed=may).fullmatch(refused)


async def test_deletion_says_whose_the_file_was(call: Call, bob: Bob, unique: str) -> None:
    """A file in bob's folder is deleted for bob too; deleting the folder only leaves it."""
    async with bob.folder(unique, 31):
        inside = await call("nc_webdav_delete_resource", path=f"{unique}/a.txt")
        gone = await bob.http.get(bob.path(unique, "a.txt"))
        left = await call("nc_webdav_delete_resource", path=unique)
        kept = await bob.http.request("PROPFIND", bob.path(unique), headers={"Depth": "0"})

    assert re.fullmatch(rf"{unique}/a\.txt is deleted, for {BOB} too, to whom it belongs\.", inside["message"])
    assert re.match(f"You have left {unique}, which belongs to {BOB}. Nothing is deleted", left["message"])
    assert (gone.status_code, kept.status_code) == (404, 207)


@pytest.fixture
def occ(chain: Chain) -> Callable[..., str]:
    """Run a command of Nextcloud's administrator, and return what it prints."""
    if chain.config.nextcloud_occ is None:
        pytest.skip("team folders and groups are made by occ of a real Nextcloud: set NEXTCLOUD_OCC")
    command = shlex.split(chain.config.nextcloud_occ)

    def occ(*arguments: str) -> str:
        ran = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)  # noqa: S603 - given
        return ran.stdout.strip()

    return occ


@pytest.fixture
def group(occ: Callable[..., str], unique: str) -> Iterator[str]:
    """A group with alice in it."""
    occ("group:add", unique)
    occ("group:adduser", unique, "alice")
    yield unique
    occ("group:delete", unique)


async def test_share_with_a_group(call: Call, bob: Bob, group: str) -> None:
    """A share with a group is left by its members as one with a person is."""
    name = f"{group}-folder"
    (await bob.http.request("MKCOL", bob.path(name))).raise_for_status()
    body = {"path": f"/{name}", "shareType": 1, "shareWith": group, "permissions": 1}
    (await bob.http.post(SHARES, json=body)).raise_for_status()

    async def seen() -> bool | None:
        return name in {each["name"] for each in (await call("nc_webdav_list_directory"))["files"]} or None

    await eventually(seen)
    refused = await call("nc_webdav_write_file", path=f"{name}/new.txt", content="y")
    left = await call("nc_webdav_delete_resource", path=name)
    kept = await bob.http.delete(bob.path(name))

    assert refusal(f"/{name}", "create in it").fullmatch(refused)
    assert re.match(f"You have left {name}, which belongs to {BOB}. Nothing is deleted", left["message"])
    assert kept.status_code == 204


async def test_team_folder(call: Call, occ: Callable[..., str], group: str) -> None:
    """Nobody owns a team folder: lists say what it is, and a refusal whom to ask."""
    if "groupfolders" not in occ("app:list", "--enabled"):
        pytest.skip("this Nextcloud has no app groupfolders")
    number = occ("groupfolders:create", group)
    try:
        occ("groupfolders:group", number, group, "read")
        (folder,) = [each for each in (await call("nc_webdav_list_directory"))["files"] if each["name"] == group]
        refused = [
            await call("nc_webdav_write_file", path=f"{group}/new.txt", content="y"),
            await call("nc_webdav_delete_resource", path=group),
        ]
    finally:
        occ("groupfolders:delete", "--force", number)

    assert (folder["mount"], folder["permissions"], "shared_by" in folder) == ("team folder", "read-only", False)
    missing = (
        f"You may only read /{group}, which is a mounted team folder, and this needs the permission to create in it"
    )
    assert refused == [
        f"{missing}: ask whoever manages the team folder for it.",
        f"/{group} is a mounted team folder, which can be neither moved nor deleted: move or delete what is in it.",
    ]


async def test_own_files_show_nothing_more(call: Call, unique: str) -> None:
    """Lists of own files stay as small as they were."""
    await call("nc_webdav_create_directory", path=unique)
    await call("nc_webdav_write_file", path=f"{unique}/a.txt", content="x")
    (file,) = (await call("nc_webdav_list_directory", path=unique))["files"]
    await call("nc_webdav_delete_resource", path=unique)
    assert {"shared_by", "mount", "permissions", "lock"} & file.keys() == set()


async def test_file_that_somebody_locked(call: Call, bob: Bob, unique: str) -> None:
    """The lock is listed with its holder, reading works, and each change names the holder."""
    capabilities = (await bob.http.get("/ocs/v2.php/cloud/capabilities?format=json")).json()
    if "locking" not in capabilities["ocs"]["data"]["capabilities"]["files"]:
        pytest.skip("this Nextcloud has no app files_lock")
    async with bob.folder(unique, 31):
        lock = {"X-User-Lock": "1"}
        (await bob.http.request("LOCK", bob.path(unique, "a.txt"), headers=lock)).raise_for_status()
        (file,) = (await call("nc_webdav_list_directory", path=unique))["files"]
        read = await call("nc_webdav_read_file", path=f"{unique}/a.txt")
        own = f"{unique}-own.txt"
        await call("nc_webdav_write_file", path=own, content="y")
        there = {"source_path": f"{unique}/a.txt", "destination_path": f"{unique}/b.txt"}
        onto = {"source_path": own, "destination_path": f"{unique}/a.txt", "overwrite": True}
        refused = [
            await call("nc_webdav_write_file", path=f"{unique}/a.txt", content="y", etag=read["etag"]),
            await call("nc_webdav_move_resource", **there),
            await call("nc_webdav_copy_resource", **onto),
            await call("nc_webdav_delete_resource", path=f"{unique}/a.txt"),
        ]
        await call("nc_webdav_delete_resource", path=own)
        await bob.http.request("UNLOCK", bob.path(unique, "a.txt"), headers=lock)
        etag = (await call("nc_webdav_read_file", path=f"{unique}/a.txt"))["etag"]  # a lock changes it
        unlocked = await call("nc_webdav_write_file", path=f"{unique}/a.txt", content="y", etag=etag)

    assert (re.fullmatch(BOB, file["lock"]["by"]) is not None, file["lock"]["kind"]) == (True, "person")
    assert read["content"] == "x"
    since = re.escape(file["lock"]["since"])
    sentence = (
        rf"/{unique}/a\.txt is locked by {BOB} since {since}: ask for it to be unlocked, or try again after that\."
    )
    assert [each for each in refused if not re.fullmatch(sentence, str(each))] == []
    assert unlocked["status_code"] == 204


async def test_note_in_a_read_only_share(call: Call, bob: Bob, unique: str) -> None:
    """A note that somebody shared can be read, and each change says so; other notes do not get lost there."""
    async with bob.folder(unique, 1):
        own = await call("nc_notes_create_note", title=unique, content="own", category="")
        moved = await call("nc_webdav_move_resource", source_path=unique, destination_path=f"Notes/{unique}")
        (note,) = [
            each
            for each in (await call("nc_notes_search_notes", query="a", limit=100))["results"]
            if each["category"] == unique
        ]
        whole = await call("nc_notes_get_note", note_id=note["id"])
        change = {"note_id": note["id"], "etag": whole["etag"], "title": None, "category": None}
        refused = {
            "change it": await call("nc_notes_update_note", **change, content="y"),
            "append": await call("nc_notes_append_content", note_id=note["id"], content="y"),
            "delete it": await call("nc_notes_delete_note", note_id=note["id"]),
        }
        created = await call("nc_notes_create_note", title="new", content="y", category=unique)
        change = {"note_id": own["id"], "etag": own["etag"], "title": None, "content": None}
        moved_in = await call("nc_notes_update_note", **change, category=unique)
        await call("nc_notes_delete_note", note_id=own["id"])
        await call("nc_webdav_delete_resource", path=f"Notes/{unique}")

    assert moved["status_code"] == 201
    file, folder = f"/Notes/{unique}/a.txt", f"/+Notes/{unique}"
    expected = {name: refusal(file, "change it" if name == "append" else name) for name in refused}
    assert {name: each for name, each in refused.items() if not expected[name].fullmatch(str(each))} == {}
    assert [each for each in (created, moved_in) if not refusal(folder, "create in it").fullmatch(str(each))] == []


@pytest.mark.parametrize("writable", [False, True], ids=["read-only", "may change"])
async def test_shared_calendar(call: Call, bob: Bob, unique: str, *, writable: bool) -> None:
    """Writes into a calendar that may only be read name its owner; others reach the owner's calendar."""
    async with bob.collection("calendars", unique, writable=writable) as name:
        (calendar,) = [each for each in (await call("nc_calendar_list_calendars"))["calendars"] if each["name"] == name]
        event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:e\r\nDTSTAMP:20300101T000000Z\r\n"
        event += "DTSTART:20301007T080000Z\r\nSUMMARY:Plan\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        path = f"/remote.php/dav/calendars/bob/{unique}/e.ics"
        (await bob.http.put(path, content=event, headers={"Content-Type": "text/calendar"})).raise_for_status()
        where = {"calendar_name": name}
        answers = [
            await call("nc_calendar_create_event", **where, title="New", start_datetime="2030-10-08T10:00"),
            await call("nc_calendar_update_event", **where, event_uid="e", title="Other"),
            await call("nc_calendar_create_todo", **where, summary="New"),
            await call("nc_calendar_delete_event", **where, event_uid="e"),
        ]
        kept = (await bob.http.get(path)).status_code

    assert (calendar["read_only"], re.fullmatch(BOB, calendar["shared_by"]) is not None) == (not writable, True)
    sentence = refusal(f"the calendar '{name}'", "change it")
    assert [isinstance(each, str) and sentence.fullmatch(each) is not None for each in answers] == [not writable] * 4
    assert kept == (404 if writable else 200)


@pytest.mark.parametrize("writable", [False, True], ids=["read-only", "may change"])
async def test_shared_address_book(call: Call, bob: Bob, unique: str, *, writable: bool) -> None:
    """Writes into an address book that may only be read name its owner; others reach the owner's."""
    async with bob.collection("addressbooks/users", unique, writable=writable) as name:
        listed = (await call("nc_contacts_list_addressbooks"))["addressbooks"]
        (book,) = [each for each in listed if each["name"] == name]
        card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nFN:Carol\r\nEND:VCARD\r\n"
        path = f"/remote.php/dav/addressbooks/users/bob/{unique}/c.vcf"
        (await bob.http.put(path, content=card, headers={"Content-Type": "text/vcard"})).raise_for_status()
        where = {"addressbook": name}
        answers = [
            await call("nc_contacts_create_contact", **where, uid="n", contact_data={"fn": "New"}),
            await call("nc_contacts_update_contact", **where, uid="c", contact_data={"note": "x"}),
            await call("nc_contacts_delete_contact", **where, uid="c"),
        ]
        kept = (await bob.http.get(path)).status_code

    assert (book["read_only"], re.fullmatch(BOB, book["shared_by"]) is not None) == (not writable, True)
    sentence = refusal(f"the address book '{name}'", "change it")
    assert [isinstance(each, str) and sentence.fullmatch(each) is not None for each in answers] == [not writable] * 3
    assert kept == (404 if writable else 200)


@pytest.mark.parametrize("editable", [False, True], ids=["read-only", "may edit"])
async def test_shared_board(call: Call, bob: Bob, unique: str, *, editable: bool) -> None:
    """Who may only read reads so at each change; who may edit changes cards, but neither stacks nor labels."""
    board = (await bob.http.post(BOARDS, json={"title": unique, "color": "ff0000"})).json()["id"]
    stack = (await bob.http.post(f"{BOARDS}/{board}/stacks", json={"title": "s", "order": 1})).json()["id"]
    cards = f"{BOARDS}/{board}/stacks/{stack}/cards"
    card = (await bob.http.post(cards, json={"title": "c", "type": "plain", "order": 1})).json()["id"]
    rights = {"permissionEdit": editable, "permissionShare": False, "permissionManage": False}
    await bob.http.post(f"{BOARDS}/{board}/acl", json={"type": 0, "participant": "alice", **rights})
    place = {"board_id": board, "stack_id": stack}
    (shown,) = [each for each in (await call("deck_get_boards"))["result"] if each["id"] == board]
    to_cards = [
        await call("deck_create_card", **place, title="new"),
        await call("deck_update_card", **place, card_id=card, title="new"),
        await call("deck_delete_card", **place, card_id=card),
    ]
    to_board = [
        await call("deck_create_stack", board_id=board, title="new", order=2),
        await call("deck_create_label", board_id=board, title="new", color="ff0000"),
    ]
    missing = await call("deck_get_card", **place, card_id=999_999_999)
    await bob.http.delete(f"{BOARDS}/{board}")
    gone = await call("deck_create_stack", board_id=999_999_999, title="new", order=2)

    what, allowed = rf"board {board} \('{unique}'\)", "read and edit" if editable else "only read"
    edit, manage = (refusal(what, f"{needed} it", allowed=allowed) for needed in ("edit", "manage"))
    assert shown["permissions"]["PERMISSION_EDIT"] is editable
    assert [isinstance(each, str) and edit.fullmatch(each) is not None for each in to_cards] == [not editable] * 3
    assert [manage.fullmatch(str(each)) is not None for each in to_board] == [True, True]
    assert missing.startswith(("No card '999999999'", "Deck has no card 999999999 on the boards"))
    assert gone.startswith(("No board '999999999'", "Deck has no board 999999999 that you may see"))


async def test_shared_table(call: Call, bob: Bob, unique: str) -> None:
    """Each change of a row names what the owner of the table does not allow."""
    table = (await bob.http.post(f"{TABLES}/tables", json={"title": unique, "template": "custom"})).json()["id"]
    body = {"baseNodeId": table, "baseNodeType": "table", "title": "A", "subtype": "line"}
    columns = "/ocs/v2.php/apps/tables/api/2/columns/text?format=json"
    column = (await bob.http.post(columns, json=body)).json()["ocs"]["data"]["id"]
    row = (await bob.http.post(f"{TABLES}/tables/{table}/rows", json={"data": {str(column): "x"}})).json()["id"]
    share = {"nodeId": table, "nodeType": "table", "receiver": "alice", "receiverType": "user"}
    rights = {
        f"permission{name}": name in {"Read", "Update"} for name in ("Read", "Create", "Update", "Delete", "Manage")
    }
    (await bob.http.post(f"{TABLES}/shares", json=share | rights)).raise_for_status()
    (shown,) = [each for each in (await call("nc_tables_list_tables"))["tables"] if each["id"] == table]
    created = await call("nc_tables_insert_row", table_id=table, data={"A": "y"})
    changed = await call("nc_tables_update_row", row_id=row, data={"A": "y"})
    deleted = await call("nc_tables_delete_row", row_id=row)
    await bob.http.delete(f"{TABLES}/tables/{table}")

    what, allowed = rf"the rows of table {table} \('{unique}'\)", "read and update"
    assert (shown["isShared"], shown["ownership"]) == (True, "bob")
    assert refusal(what, "create them", allowed=allowed).fullmatch(created)
    assert not isinstance(changed, str)
    assert refusal(what, "delete them", allowed=allowed).fullmatch(deleted)
