"""Every user id works and leads to the user's own account, also when that account changes."""

import os
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from shlex import split
from typing import Any, Final

import anyio
import pytest
from keycloak import KeycloakAdmin

from stack.chain import Chain
from stack.keycloak import Keycloak
from tests.e2e.servers import Server
from tests.support.administration import any_username, realm_with, somebody_new
from tests.support.eventually import eventually
from tests.support.mcp_http import call_tool, result
from tests.support.oauth import Person, sign_in

SCOPES: Final = "files:read files:write calendar:read calendar:write contacts:read contacts:write"
PROVIDER: Final = "keycloak"

MAPPING_CACHED: Final = 4.0
"""Seconds after which every PHP process has read a changed mapping: each caches it for three (`AppConfig`, 34.0.1).

No request can tell whether another process still has the former mapping, so this is waited for by time.
"""


@pytest.fixture(scope="module")
def admin(chain: Chain) -> Iterator[KeycloakAdmin]:
    """The realm's administration API, while it allows any user name, and other ones later."""
    admin = chain.keycloak.admin()
    with realm_with(admin, editUsernameAllowed=True), any_username(admin):
        yield admin


class Caller:
    """Somebody with a token for one of the servers."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return a tool's result; an error fails the test."""
        answer = await self.outcome(tool, **arguments)
        assert isinstance(answer, dict), answer
        return answer

    async def outcome(self, tool: str, **arguments: Any) -> dict[str, Any] | str:
        """Return a tool's result, or the sentence of its error."""
        answer = result(await call_tool(self._url, tool, token=self._token, **arguments))
        structured: dict[str, Any] = answer.get("structuredContent", {})
        return str(answer["content"][0]["text"]) if answer.get("isError") else structured

    async def names(self) -> set[str]:
        """Return the names in the root folder."""
        return {each["name"] for each in (await self.call("nc_webdav_list_directory", path=""))["files"]}


async def caller(server: Server, keycloak: Keycloak, person: Person) -> Caller:
    """Sign somebody in for a server."""
    tokens = await sign_in(keycloak, **person, scope=f"{server.scope} {SCOPES}")
    return Caller(server.url, str(tokens["access_token"]))


async def assert_files_work(somebody: Caller, written: str, moved: str) -> str:
    """Write, move, find and delete a file, as the only one in the trash; return its id there."""
    await somebody.call("nc_webdav_write_file", path=written, content="hello")
    await somebody.call("nc_webdav_move_resource", source_path=written, destination_path=moved)
    assert moved in await somebody.names()
    found = await somebody.call("nc_webdav_find_by_name", pattern=f"{moved.removesuffix('.md')}%")
    assert [each["path"] for each in found["results"]] == [f"/{moved}"]
    await somebody.call("nc_webdav_delete_resource", path=moved)
    trashed = (await somebody.call("nc_webdav_list_trash"))["items"]
    assert [each["name"] for each in trashed] == [moved]
    return str(trashed[0]["trash_id"])


USER_IDS: Final[Mapping[str, Callable[[str], str]]] = {
    "umlauts": lambda x: f"zoë.müller-{x}",
    "emoji and another script": lambda x: f"日本 😀 {x}",
    "an address": lambda x: f"o'neil {x}@example.org",
    "reserved in URLs": lambda x: f"a&b#c?d=;{x}",
    "per cent": lambda x: f"100% {x}",
    "as long as can be": lambda x: f"{'ü' * 28}{x}",
}


@pytest.mark.parametrize("make", USER_IDS.values(), ids=USER_IDS.keys())
async def test_any_user_id_works(
    server: Server, keycloak: Keycloak, admin: KeycloakAdmin, make: Callable[[str], str]
) -> None:
    """Files, search, trash, calendars and contacts work for every user id that Keycloak and user_oidc permit."""
    name = make(secrets.token_hex(4))
    with somebody_new(admin, name) as (_, person):
        somebody = await caller(server, keycloak, person)
        assert (await somebody.call("nc_whoami"))["user_id"] == name
        trash_id = await assert_files_work(somebody, "Plän.md", "Größe.md")
        await somebody.call("nc_webdav_restore_from_trash", trash_id=trash_id)
        assert "Größe.md" in await somebody.names()

        calendars = (await somebody.call("nc_calendar_list_calendars"))["calendars"]
        assert "personal" in {each["name"] for each in calendars}
        event = {"calendar_name": "personal", "title": "Meeting", "start_datetime": "2026-12-01T10:00"}
        await somebody.call("nc_calendar_create_event", **event, end_datetime="2026-12-01T11:00")
        days = {"start_date": "2026-12-01T00:00", "end_date": "2026-12-02T00:00"}
        events = (await somebody.call("nc_calendar_list_events", calendar_name="personal", **days))["events"]
        assert "Meeting" in {each["title"] for each in events}
        books = (await somebody.call("nc_contacts_list_addressbooks"))["addressbooks"]
        assert "contacts" in {each["name"] for each in books}


@pytest.mark.parametrize("make", [lambda x: f"bob+{x}@example.org", lambda x: f"a%20b-{x}"], ids=["plus", "an escape"])
async def test_user_ids_that_nextcloud_decodes_twice(
    server: Server, keycloak: Keycloak, admin: KeycloakAdmin, chain: Chain, make: Callable[[str], str]
) -> None:
    """With `+` or `%20`, files work; for calendars and contacts, which Nextcloud refuses, the error names the cause."""
    if chain.nextcloud.kind == "stand-in":
        pytest.skip("the stand-in decodes a path once, as the specifications have it")
    name = make(secrets.token_hex(4))
    with somebody_new(admin, name) as (_, person):
        somebody = await caller(server, keycloak, person)
        assert (await somebody.call("nc_whoami"))["user_id"] == name
        await assert_files_work(somebody, "Plan.md", "Size.md")
        for tool in ("nc_calendar_list_calendars", "nc_contacts_list_addressbooks"):
            sentence = await somebody.outcome(tool)
            assert isinstance(sentence, str)
            assert (
                f"has no calendars and contacts for user ids with +, / or escapes as %20, such as yours, '{name}'"
                in sentence
            )


@pytest.mark.parametrize("character", ["/", "\\"], ids=["slash", "backslash"])
async def test_user_ids_without_a_home_folder(
    exchange: Server, keycloak: Keycloak, admin: KeycloakAdmin, chain: Chain, character: str
) -> None:
    """Nextcloud creates no home folder for these ids: apps that store data in files report it, and Deck works."""
    if chain.nextcloud.kind == "stand-in":
        pytest.skip("the stand-in creates a home folder for every user id")
    name = f"a{character}b-{secrets.token_hex(4)}"
    scopes = "files:read files:write notes:read notes:write cookbook:read calendar:read deck:read"
    with somebody_new(admin, name) as (_, person):
        tokens = await sign_in(keycloak, **person, scope=f"{exchange.scope} {scopes}")
        somebody = Caller(exchange.url, str(tokens["access_token"]))
        note = {"title": "Plan", "content": "", "category": ""}
        for tool, arguments in (
            ("nc_webdav_list_directory", {"path": ""}),
            ("nc_webdav_write_file", {"path": "a.md", "content": ""}),
            ("nc_webdav_list_trash", {}),
            ("nc_notes_search_notes", {"query": ""}),
            ("nc_notes_create_note", note),
            ("nc_cookbook_list_recipes", {}),
        ):
            sentence = await somebody.outcome(tool, **arguments)
            assert isinstance(sentence, str), tool
            assert sentence.startswith("Nextcloud has no files for user ids with /, \\ or decomposed letters"), tool
        assert (await somebody.call("deck_get_boards"))["result"]
        calendars = await somebody.outcome("nc_calendar_list_calendars")
        if isinstance(calendars, dict):
            (personal,) = [each for each in calendars["calendars"] if each["name"] == "personal"]
            assert personal["shared_by"] is None
        else:
            assert "has no calendars and contacts for user ids with" in calendars


async def test_renamed_user_uses_the_new_account(server: Server, keycloak: Keycloak, admin: KeycloakAdmin) -> None:
    """From the first token with the new name on, calls use the new account and show nothing of the former one."""
    x = secrets.token_hex(4)
    with somebody_new(admin, f"müller-{x}") as (user_id, person):
        before = await caller(server, keycloak, person)
        await before.call("nc_webdav_write_file", path="before.md", content="hello")
        assert "before.md" in await before.names()

        admin.update_user(user_id, {"username": f"schmidt-{x}"})
        renamed = Person(username=f"schmidt-{x}", password=person["password"])
        after = before if server.mode == "exchange" else await caller(server, keycloak, renamed)
        assert "before.md" not in await after.names()
        assert (await after.call("nc_whoami"))["user_id"] == f"schmidt-{x}"
        await after.call("nc_webdav_write_file", path="after.md", content="hello")
        assert "after.md" in await after.names()
        await after.call("nc_calendar_list_calendars")


async def test_deleted_account_is_created_again(
    server: Server, keycloak: Keycloak, admin: KeycloakAdmin, chain: Chain
) -> None:
    """The next call creates the account again, and results show only the new account's data."""
    occ = _occ(chain)
    with somebody_new(admin, f"zoë-{secrets.token_hex(4)}") as (_, person):
        somebody = await caller(server, keycloak, person)
        await somebody.call("nc_webdav_write_file", path="before.md", content="hello")
        occ("user:delete", person["username"])
        assert "before.md" not in await somebody.names()
        await somebody.call("nc_webdav_write_file", path="after.md", content="hello")
        assert "personal" in {each["name"] for each in (await somebody.call("nc_calendar_list_calendars"))["calendars"]}


@pytest.mark.parametrize(
    ("tool", "arguments", "shown"),
    [
        ("nc_webdav_list_directory", {"path": ""}, "files"),
        ("nc_webdav_list_directory", {"path": "folder"}, "path"),
        ("nc_webdav_find_by_name", {"pattern": "before%"}, "results"),
        ("nc_webdav_list_trash", {}, "items"),
        ("nc_webdav_read_file", {"path": "before.md"}, "content"),
        ("nc_webdav_write_file", {"path": "before.md", "content": "hello", "etag": "0"}, None),
        ("nc_webdav_move_resource", {"source_path": "before.md", "destination_path": "folder"}, None),
        ("nc_webdav_delete_resource", {"path": "not-there.md"}, None),
        ("nc_calendar_list_calendars", {}, "calendars"),
        ("nc_calendar_list_events", {"calendar_name": "personal"}, "success"),
        ("nc_contacts_list_addressbooks", {}, "addressbooks"),
    ],
)
async def test_changed_user_mapping_never_gives_wrong_data(
    exchange: Server,
    keycloak: Keycloak,
    admin: KeycloakAdmin,
    chain: Chain,
    tool: str,
    arguments: dict[str, Any],
    shown: str | None,
) -> None:
    """After Nextcloud maps users to other accounts, a response about the former account is an error, never empty data.

    Nextcloud may go by the former mapping for some seconds, and then its answers are the former account's.
    """
    occ = _occ(chain)
    with somebody_new(admin, f"zoë-{secrets.token_hex(4)}") as (user_id, person):
        somebody = await caller(exchange, keycloak, person)
        await somebody.call("nc_webdav_write_file", path="before.md", content="hello")
        await somebody.call("nc_webdav_create_directory", path="folder")
        await somebody.call("nc_webdav_write_file", path="trashed.md", content="hello")
        await somebody.call("nc_webdav_delete_resource", path="trashed.md")
        changed = f"is now '{user_id}' and no longer '{person['username']}': call again."
        try:
            occ("user_oidc:provider", PROVIDER, "--mapping-uid=sub")

            async def noticed() -> bool:
                outcome = await somebody.outcome(tool, **arguments)
                assert isinstance(outcome, str) or (shown is not None and outcome[shown])
                return changed in str(outcome)

            await eventually(noticed)
            assert (await somebody.call("nc_whoami"))["user_id"] == user_id
            assert "before.md" not in await somebody.names()
            await somebody.call("nc_webdav_write_file", path="after.md", content="hello")
        finally:
            occ("user_oidc:provider", PROVIDER, "--mapping-uid=preferred_username")
            await anyio.sleep(MAPPING_CACHED)


def _occ(chain: Chain) -> Callable[..., None]:
    """Return what runs the real Nextcloud's occ; without one, the test is skipped."""
    command = chain.config.nextcloud_occ
    if command is None:
        pytest.skip("NEXTCLOUD_OCC is not set: no real Nextcloud whose accounts can be changed")

    def run(*arguments: str) -> None:
        subprocess.run([*split(command), *arguments], check=True, capture_output=True, env=os.environ)  # noqa: S603

    return run
