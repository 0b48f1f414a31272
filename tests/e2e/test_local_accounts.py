"""A realm user with the name of a local Nextcloud account gets no access, and the error says why."""

import pytest
from keycloak import KeycloakAdmin

from stack.chain import Chain
from tests.e2e.servers import Server
from tests.support.administration import realm_with, somebody_new
from tests.support.mcp_client import McpUser, connected, text_of

CALLS = [
    ("nc_whoami", {}),
    ("nc_webdav_list_directory", {}),
    ("nc_webdav_write_file", {"path": "captured.txt", "content": "x"}),
    ("nc_notes_search_notes", {"query": ""}),
]


@pytest.fixture
def admin(chain: Chain) -> KeycloakAdmin:
    """Keycloak's administrator."""
    return chain.keycloak.admin()


async def test_realm_user_named_admin_gets_no_access(server: Server, admin: KeycloakAdmin) -> None:
    """Each call of a realm user called admin fails, and the error names the local account and the next step."""
    with somebody_new(admin, "admin") as (_, person):
        async with connected(server.url, McpUser(**person)) as client:
            answers = [await client.call_tool(tool, arguments) for tool, arguments in CALLS]

    assert all(answer.is_error for answer in answers)
    for answer in answers:
        assert "it has a local account of your name, which may not be used through Keycloak" in text_of(answer)
        assert "ask the administrator for another user name" in text_of(answer)


async def test_renamed_user_gets_the_account_of_the_new_name(server: Server, admin: KeycloakAdmin) -> None:
    """A renamed user gets the new name's account at once, but no access if the new name is a local account's."""
    with realm_with(admin, editUsernameAllowed=True), somebody_new(admin) as (user_id, person):

        async def call_as(name: str) -> tuple[bool, str]:
            profile = admin.get_user(user_id)
            admin.update_user(user_id, profile | {"username": name})
            async with connected(server.url, McpUser(name, person["password"])) as client:
                written = await client.call_tool("nc_webdav_write_file", {"path": f"{name}.txt", "content": "x"})
                return bool(written.is_error), text_of(written)

        captured = await call_as("admin")
        renamed = await call_as(f"{person['username']}-renamed")
        first = await call_as(person["username"])

    assert not first[0], first
    assert not renamed[0], renamed
    assert captured[0]
    assert "local account" in captured[1]
