"""Step-up from `notes:read` to `notes:write` at the real Keycloak, for each kind of client registration."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from functools import partial

import pytest
from mcp import MCPError
from mcp.client import Client

from stack.chain import Chain
from stack.config import EXCHANGE_CLIENT_SECRET
from stack.process import free_port
from stack.servers import run_server
from tests.e2e.servers import EVERYTHING, Server, TokenFor
from tests.support.administration import somebody_new
from tests.support.documents import CLAUDE_CODE, Documents
from tests.support.http import patient_client
from tests.support.mcp_client import (
    McpUser,
    SignInRefusedError,
    Tokens,
    connected,
    connected_with_token,
    registered_by_hand,
)
from tests.support.mcp_http import challenge, message, post

NOTE = {"title": "Stepping up", "content": "", "category": ""}
READING = {"nc_whoami", "nc_notes_search_notes", "nc_notes_get_note", "nc_notes_get_attachment"}
FIRST_CONSENT = {
    "exchange": ["Notes: read", "It reaches only what is listed here, and only while you are signed in."],
    "pass-through": [
        "Notes: read",
        "Caution: the key that it gets opens everything that you have in Nextcloud, even what is not listed here.",
    ],
}
SECOND_CONSENT = ["Notes: change"]

both_eras = pytest.mark.parametrize("protocol", ["auto", "legacy"])


@contextmanager
def run_cautious(chain: Chain, mode: str) -> Iterator[int]:
    """Run one more server under the public URL of one of the chain's, which asks for `notes:read` alone at first."""
    port = free_port()
    settings = {
        "NEXTCLOUD_HOST": chain.nextcloud.url,
        "OIDC_DISCOVERY_URL": chain.keycloak.discovery_url,
        "MCP_FIRST_SCOPES": "notes:read",
    }
    url = chain.config.pass_through_url
    if mode == "exchange":
        url = chain.config.exchange_url
        settings |= {"ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_SECRET": EXCHANGE_CLIENT_SECRET}
    with run_server(f"cautious-{mode}", url, port, settings, logs=chain.config.state):
        yield port


@pytest.fixture(scope="module")
def cautious(chain: Chain) -> Iterator[dict[str, int]]:
    """The ports of two servers that ask for `notes:read` alone at first, by mode."""
    with ExitStack() as running:
        yield {mode: running.enter_context(run_cautious(chain, mode)) for mode in ("exchange", "pass-through")}


@pytest.fixture(scope="module")
def featured_cautious(featured: Chain) -> Iterator[int]:
    """The port of such a server before the Keycloak that fetches documents; it exchanges."""
    with run_cautious(featured, "exchange") as port:
        yield port


@pytest.fixture
def person(chain: Chain) -> Iterator[McpUser]:
    """Somebody who has consented to nothing yet."""
    with somebody_new(chain.keycloak.admin()) as (_, who):
        yield McpUser(**who)


async def write_a_note(connect: Callable[[], AbstractAsyncContextManager[Client]], person: McpUser) -> None:
    """Read with what was granted first, write, and see that more was asked for, once, and is there now."""
    async with connect() as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == READING
        assert not (await client.call_tool("nc_notes_search_notes", {"query": ""})).is_error
        assert person.sign_ins == 1
        created = await client.call_tool("nc_notes_create_note", NOTE)
        assert not created.is_error
        assert "nc_notes_delete_note" in {tool.name for tool in (await client.list_tools()).tools}
        assert not (await client.call_tool("nc_notes_search_notes", {"query": ""})).is_error
        await client.call_tool("nc_notes_delete_note", {"note_id": created.structured_content["id"]})
    assert person.sign_ins == 2


@pytest.mark.requirement("mcp-step-up-experience")
@both_eras
async def test_preregistered_client_steps_up(
    server: Server, cautious: dict[str, int], person: McpUser, protocol: str
) -> None:
    """A call that lacks a scope opens the browser once, the page asks for that scope only, and the call succeeds."""
    tokens, port = registered_by_hand(), cautious[server.mode]
    await write_a_note(partial(connected, server.url, person, tokens, port=port, mode=protocol), person)

    assert person.browser.consents == [FIRST_CONSENT[server.mode], SECOND_CONSENT]


@pytest.mark.requirement("mcp-step-up-experience")
@both_eras
async def test_client_with_a_metadata_document_steps_up(
    featured: Chain, featured_cautious: int, documents: Documents, protocol: str
) -> None:
    """A client whose metadata document names no scope can step up as well."""
    url, resource = documents.publish(CLAUDE_CODE), featured.config.exchange_url
    with somebody_new(featured.keycloak.admin()) as (_, who):
        person = McpUser(**who)
        connect = partial(connected, resource, person, document=url, port=featured_cautious, mode=protocol)
        await write_a_note(connect, person)

    assert person.browser.consents == [
        [*FIRST_CONSENT["exchange"], "The client's hostname is localhost"],
        SECOND_CONSENT,
    ]


@both_eras
async def test_dynamically_registered_client_cannot_step_up(
    server: Server, cautious: dict[str, int], person: McpUser, protocol: str
) -> None:
    """Keycloak limits it to the scopes of the first challenge, which is why the default challenge asks for all scopes.

    The failure names the scopes, and what was granted goes on working.
    """
    tokens, port = Tokens(), cautious[server.mode]
    with pytest.raises(ExceptionGroup) as failure:
        async with connected(server.url, person, tokens, port=port, mode=protocol) as client:
            await client.call_tool("nc_notes_create_note", NOTE)
    async with connected(server.url, person, tokens, port=port, mode=protocol) as client:
        found = await client.call_tool("nc_notes_search_notes", {"query": ""})

    assert failure.group_contains(SignInRefusedError, match=r"invalid_scope: Invalid scopes: .*\bnotes:write\b")
    assert person.browser.consents == [FIRST_CONSENT[server.mode]]
    assert not found.is_error


@pytest.mark.requirement("mcp-step-up-experience")
@both_eras
async def test_default_challenge_makes_step_up_unnecessary(server: Server, person: McpUser, protocol: str) -> None:
    """The default challenge asks for all scopes, so a self-registered client can write without a second sign-in."""
    async with connected(server.url, person, mode=protocol) as client:
        created = await client.call_tool("nc_notes_create_note", NOTE)
        await client.call_tool("nc_notes_delete_note", {"note_id": created.structured_content["id"]})

    assert not created.is_error
    assert person.sign_ins == 1


@pytest.mark.requirement("mcp-scope-in-challenge", "mcp-scope-consistent", "best-scope-minimal-first")
async def test_first_challenge_scopes_are_a_setting(server: Server, cautious: dict[str, int]) -> None:
    """The challenge asks for all scopes by default, or for the configured ones; the metadata always lists all."""
    port = cautious[server.mode]
    public_name = server.origin.removeprefix("http://")
    by_default = challenge(await post(server.url, message("tools/list")))
    chosen = challenge(await post(f"http://localhost:{port}/mcp", message("tools/list"), Host=public_name))
    async with patient_client() as http:
        metadata = (await http.get(f"http://localhost:{port}/.well-known/oauth-protected-resource/mcp")).json()

    assert by_default["scope"].split() == [server.scope, *EVERYTHING.split()]
    assert chosen["scope"].split() == [server.scope, "notes:read"]
    assert metadata["scopes_supported"] == [server.scope, *EVERYTHING.split()]


@pytest.mark.requirement("best-scope-fewer-accepted")
@both_eras
async def test_client_without_step_up_is_told_the_missing_scope(
    server: Server, token_of: TokenFor, protocol: str
) -> None:
    """Such a client sees only the allowed tools; nc_whoami and the refusal name the missing scope and how to get it."""
    async with connected_with_token(server.url, await token_of(scope="notes:read"), mode=protocol) as client:
        shown = {tool.name for tool in (await client.list_tools()).tools}
        who = (await client.call_tool("nc_whoami", {})).structured_content
        with pytest.raises(MCPError) as refused:
            await client.call_tool("nc_notes_create_note", NOTE)
        found = await client.call_tool("nc_notes_search_notes", {"query": ""})

    assert shown == READING
    assert who["tools_left_out"]["nc_notes_create_note"] == ["notes:write"]
    assert shown.isdisjoint(who["tools_left_out"])
    lacking = " ".join(scope for scope in EVERYTHING.split() if scope != "notes:read")
    assert who["how_to_get_more"] == f"Sign in again and grant: {lacking}"
    assert str(refused.value) == (
        "nc_notes_create_note needs the scope notes:write, which this token lacks: sign in again and grant it."
    )
    assert refused.value.error.data == {"error": "insufficient_scope"}
    assert not found.is_error
