"""A client that knows only the server's URL signs in and uses Nextcloud."""

import pytest

from tests.e2e.servers import Connect, NextcloudOf, Server
from tests.support.http import patient_client
from tests.support.mcp_client import McpUser, Tokens, connected
from tests.support.mcp_http import challenge, message, post
from tests.support.oauth import ALICE, BOB


@pytest.mark.requirement("mcp-prm-discovery", "mcp-as-discovery")
@pytest.mark.parametrize("slash", ["", "/"], ids=["the URL", "with a slash at its end"])
@pytest.mark.parametrize("protocol", ["auto", "legacy"])
async def test_url_is_enough_to_sign_in(
    server: Server, nextcloud_of: NextcloudOf, unique: str, protocol: str, slash: str
) -> None:
    """Discovery, registration, login, consent and the first call need only the URL, in every protocol version."""
    person, tokens = McpUser(**ALICE), Tokens()
    async with nextcloud_of("alice") as nextcloud:
        await nextcloud.put(f"/remote.php/dav/files/alice/{unique}", content=b"x")
        async with connected(f"{server.url}{slash}", person, tokens, mode=protocol) as client:
            listing = await client.call_tool("nc_webdav_list_directory", {})
        await nextcloud.delete(f"/remote.php/dav/files/alice/{unique}")

    assert not listing.is_error
    assert unique in [file["name"] for file in listing.structured_content["files"]]
    assert person.sign_ins == 1
    assert tokens.client is not None
    assert tokens.client.client_id


@pytest.mark.requirement("mcp-consent-per-client")
async def test_consent_page_describes_the_scopes(server: Server) -> None:
    """Keycloak's consent page describes in plain words what the client will be able to do."""
    person = McpUser(**ALICE)
    async with connected(server.url, person) as client:
        await client.list_tools()

    shown = person.browser.consents[0]
    assert "Notes: read and change" in shown
    assert "Files: read and change, also notes and recipes" in shown


async def test_returning_client_reuses_its_tokens(server: Server) -> None:
    """A client with stored tokens connects without a browser."""
    tokens = Tokens()
    async with connected(server.url, McpUser(**BOB), tokens) as client:
        await client.call_tool("nc_whoami", {})
    again = McpUser(**BOB)
    async with connected(server.url, again, tokens) as client:
        who = await client.call_tool("nc_whoami", {})

    assert again.sign_ins == 0
    assert who.structured_content["user_id"] == "bob"


async def test_whoami(server: Server, connect: Connect) -> None:
    """nc_whoami returns the user, the mode, the client and the scopes; with all scopes, no tool is missing."""
    async with connect("alice") as client:
        who = (await client.call_tool("nc_whoami", {})).structured_content

    assert who["user_id"] == "alice"
    assert who["mode"] == server.mode
    assert who["client_id"]
    assert {server.scope, "files:read", "notes:write"} <= set(who["granted_scopes"])
    assert who["tools_left_out"] == {}


@pytest.mark.requirement(
    "mcp-prm-discovery", "mcp-scope-in-challenge", "rfc6750-challenge", "rfc6750-no-error-without-token"
)
async def test_first_challenge(server: Server) -> None:
    """Without a token, the challenge has the metadata URL and the scopes, and no error (RFC 6750 section 3.1)."""
    response = await post(server.url, message("tools/list"))

    assert response.status_code == 401
    parameters = challenge(response)
    assert "error" not in parameters
    assert parameters["resource_metadata"] == f"{server.origin}/.well-known/oauth-protected-resource/mcp"
    assert parameters["scope"].split()[0] == server.scope


@pytest.mark.requirement(
    "mcp-prm",
    "mcp-no-trailing-slash",
    "rfc9728-resource",
    "rfc9728-scopes-supported",
    "rfc9728-well-known",
    "rfc9728-get",
    "rfc9728-resource-identical",
    "rfc8707-most-specific",
)
async def test_protected_resource_metadata(server: Server, issuer: str) -> None:
    """The metadata has exactly this resource, and the realm as its authorization server (RFC 9728 section 3)."""
    async with patient_client() as http:
        metadata = (await http.get(f"{server.origin}/.well-known/oauth-protected-resource/mcp")).json()

    assert metadata["resource"] == server.url
    assert metadata["authorization_servers"] == [issuer]
    assert server.scope in metadata["scopes_supported"]
    assert metadata["bearer_methods_supported"] == ["header"]
